package backend

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/emersion/go-imap/v2"
	"golang.org/x/sys/unix"
)

// otherFileSystem makes a directory on a file system that the test's own are not on, or is "" where there is none.
func otherFileSystem(t *testing.T) string {
	t.Helper()
	var here, there unix.Stat_t
	if unix.Stat(t.TempDir(), &here) != nil || unix.Stat("/dev/shm", &there) != nil || here.Dev == there.Dev {
		return ""
	}
	dir, err := os.MkdirTemp("/dev/shm", "backend-")
	if err != nil {
		return ""
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// Mail is copied and moved to a folder on another file system, and what another program renames in the middle of a MOVE leaves the
// source all the same.
func TestMoveAcross(t *testing.T) {
	for _, of := range []struct {
		name    string
		command func(w *world, v *View, seqs []uint32) (*imap.CopyData, error)
		left    uint32
	}{
		{"COPY", func(_ *world, v *View, seqs []uint32) (*imap.CopyData, error) {
			return v.Copy(t.Context(), seqs, "far")
		}, 3},
		{"MOVE", func(_ *world, v *View, seqs []uint32) (*imap.CopyData, error) {
			return v.Move(t.Context(), seqs, "far")
		}, 1},
		{"disturbed MOVE", func(w *world, v *View, seqs []uint32) (*imap.CopyData, error) {
			return v.transfer(t.Context(), seqs, "far", false, func(tr *transfer, ctx context.Context) error {
				w.must(tr.copy(ctx))
				w.rename("cur/1.a:2,S", "cur/1.a:2,FS")
				return tr.remove(ctx, tr.sources())
			})
		}, 1},
	} {
		t.Run(of.name, func(t *testing.T) {
			w := newWorld(t)
			far := filepath.Join(w.root, ".far")
			if dir := otherFileSystem(t); dir != "" {
				w.must(os.Symlink(dir, far))
				far = dir
			}
			w.must(errors.Join(os.MkdirAll(filepath.Join(far, "cur"), 0o700), os.Mkdir(filepath.Join(far, "new"), 0o700), os.Mkdir(filepath.Join(far, "tmp"), 0o700)))
			w.deliver(".", "cur/1.a:2,S", "1\n")
			w.deliver(".", "cur/2.b:2,", "2\n")
			w.deliver(".", "cur/3.c:2,", "3\n")
			a := w.startAt(Location{Root: w.root, Separator: '.', FollowSymlinks: true})
			v := w.sel(a, "INBOX", false)
			data, err := of.command(w, v, []uint32{1, 2})
			w.must(err)
			if got := data.SourceUIDs.String() + " " + data.DestUIDs.String(); got != "1:2 1:2" {
				t.Errorf("COPYUID %s", got)
			}
			w.must(v.Poll(t.Context()))
			if v.Sync(true); v.Len() != of.left || len(w.files("cur")) != int(of.left) {
				t.Errorf("the source has %d messages, files %v", v.Len(), w.files("cur"))
			}
			if got := w.bodies(w.sel(a, "far", true)); !slices.Equal(got, []string{"1\n", "2\n"}) {
				t.Errorf("the destination has %q", got)
			}
		})
	}
}
