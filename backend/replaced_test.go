package backend

import (
	"os"
	"path/filepath"
	"testing"
)

// A directory of a folder that is removed and made again, or not, while the folder is open is found: UIDs and UIDVALIDITY
// stay.
func TestPartIsReplaced(t *testing.T) {
	for _, part := range []string{"cur", "new", "tmp"} {
		for _, again := range []bool{true, false} {
			w := newWorld(t)
			a := w.start()
			validity, _ := w.put(a, "INBOX", "one\n")
			w.sel(a, "INBOX", false)
			dir := filepath.Join(w.root, part)
			w.must(os.RemoveAll(dir))
			if again {
				w.must(os.Mkdir(dir, 0o700))
			}
			if part == "new" && again {
				w.deliver(".", "", "two\n")
			} else {
				w.put(a, "INBOX", "two\n")
			}
			v2 := w.sel(a, "INBOX", false)
			want := uint32(2)
			if part == "cur" {
				want = 1 // the other one was there
			}
			if v2.Len() != want || v2.UID(want) != 2 || v2.UIDValidity() != validity {
				t.Errorf("%s, again %v: %d messages, UIDVALIDITY %d, was %d", part, again, v2.Len(), v2.UIDValidity(), validity)
			}
		}
	}
}
