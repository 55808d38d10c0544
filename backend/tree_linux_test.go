package backend

import (
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
	if os.Geteuid() == 0 {
		w.must(unix.Setfsuid(0))
	}
	w.must(err)
	if got := show(list); len(got) != 2 || got[1] != "Work (Noselect)" {
		t.Errorf("LIST: %q", got)
	}
	a.settleTree()
	w.must(os.Chmod(dir, 0o700))
	w.wantList(a, listAll, "*", "INBOX", "Work (HasChildren)", "Work/Sub")
}
