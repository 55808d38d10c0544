package backend

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
)

// What rsync -a or tar put into a folder is seen, though they set the directory's time of change back to what it was.
func TestRestoredWithTimes(t *testing.T) {
	w := newWorld(t)
	cur := filepath.Join(w.root, "cur")
	past := time.Now().Add(-time.Hour)
	a := w.start()
	w.must(os.Chtimes(cur, past, past))
	messages := func() uint32 {
		d, _, err := a.Status(t.Context(), "INBOX", &imap.StatusOptions{NumMessages: true})
		w.must(err)
		return *d.NumMessages
	}
	messages()
	w.deliver(".", "cur/1.x:2,", "x\n")
	w.must(os.Chtimes(cur, past, past))
	if n := messages(); n != 1 {
		t.Errorf("%d messages", n)
	}
}
