package backend

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// A directory that could not be read is looked at again, though it has not moved since.
func TestTreeUnreadable(t *testing.T) {
	w := newWorld(t, "Work", "Work/Sub")
	a := w.open(Location{Layout: FS})
	w.must(os.Chmod(w.root, 0o755))
	dir := filepath.Join(w.root, "Work")
	w.must(os.Chmod(dir, 0))
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if os.Geteuid() == 0 { // who may read all
		w.must(unix.Setfsuid(65534))
	}
	list, err := a.List(t.Context(), "", []string{"*"}, listAll)
	a.settleTree()
	one, err2 := a.readTree()
	two, err3 := a.readTree()
	if os.Geteuid() == 0 {
		w.must(unix.Setfsuid(0))
	}
	w.must(errors.Join(err, err2, err3))
	if one != two {
		t.Error("the tree is made anew for a directory that can't be read still")
	}
	if got := show(list); len(got) != 2 || got[1] != "Work (Noselect)" {
		t.Errorf("LIST: %q", got)
	}
	w.must(os.Chmod(dir, 0o700))
	w.wantList(a, listAll, "*", "INBOX", "Work (HasChildren)", "Work/Sub")
}
