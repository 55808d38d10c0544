package backend

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"maildir-imapd/watcher"

	"golang.org/x/sys/unix"
)

// TestSymlinkMessages has a folder of links to messages of other folders, as mairix makes it of what it finds.
func TestSymlinkMessages(t *testing.T) {
	for _, follow := range []bool{false, true} {
		w := newWorld(t, ".Found", ".Kept")
		w.deliver(".", "cur/1.M1.x:2,S", "Subject: one\n\nfound\n")
		mail := filepath.Join(w.root, "cur/1.M1.x:2,S")
		at := time.Unix(1_700_000_000, 0)
		w.must(os.Chtimes(mail, at, at))
		const link = ".Found/cur/1.mairix:2,"
		w.must(errors.Join(os.Symlink(mail, filepath.Join(w.root, link)), os.Symlink("nowhere", filepath.Join(w.root, ".Found/cur/2.mairix:2,"))))
		a := w.startWatching(Location{Root: w.root, Separator: '.', FollowSymlinks: follow}, watcher.Options{Window: time.Hour})
		v := w.sel(a, "Found", false)
		f, err := v.Open(1)
		if !follow {
			if !errors.Is(err, unix.ELOOP) {
				t.Errorf("not allowed, and read: %v", err)
			}
			continue
		}
		w.must(err)
		text, err := io.ReadAll(io.NewSectionReader(f, 0, f.Size()))
		w.must(errors.Join(err, f.Close()))
		date, err := v.InternalDate(1)
		if size, err2 := v.Size(1); string(text) != "Subject: one\n\nfound\n" || size != 23 || !date.Equal(at) || errors.Join(err, err2) != nil {
			t.Errorf("%q of %d octets, %v, %v, %v", text, size, date, err, err2)
		}
		// The folder is not looked through for what is where it was: it would have shown this.
		w.deliver(".Found", "", "later")
		if _, err := v.Open(2); err != ErrGone || v.mb.snap.Load().n != 2 {
			t.Errorf("a link to nothing: %v", err)
		}

		if _, err := v.Copy(t.Context(), []uint32{2}, "Kept"); err != ErrGone {
			t.Errorf("a copy of a link to nothing: %v", err)
		}
		// A copy is a mail, not a link. Flags and EXPUNGE are those of the link.
		_, err = v.Copy(t.Context(), []uint32{1}, "Kept")
		w.must(err)
		kept := w.sel(a, "Kept", false)
		if fi, err := os.Lstat(filepath.Join(w.root, ".Kept/cur", kept.told.at(1).name)); err != nil || !fi.Mode().IsRegular() {
			t.Errorf("the copy: %v, %v", fi, err)
		}
		w.sel(a, "Found", false) // still shows them
		w.must(errors.Join(v.Remove(t.Context(), 1), v.Remove(t.Context(), 2)))
		if w.exists(link) || w.exists(".Found/cur/2.mairix:2,") || !w.exists("cur/1.M1.x:2,S") {
			t.Error("EXPUNGE should have removed the links, and them only")
		}
	}
}
