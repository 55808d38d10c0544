package backend

import (
	"io"
	"testing"
)

// A message that is moved within its mailbox can still be read under its old UID by those who have been told of the new one, and
// not yet of the expunge.
func TestMoveWithinMailbox(t *testing.T) {
	w := newWorld(t)
	w.deliver(".", "", "Subject: x\n\nhello\n")
	a := w.start()
	one, two := w.sel(a, "INBOX", false), w.sel(a, "INBOX", false)
	mb := one.mb
	w.must(mb.enter(t.Context()))
	move := &transfer{v: one, src: mb, dst: mb, asked: 1}
	w.must(move.pick(t.Context(), []uint32{1}))
	w.must(move.arrive(t.Context()))
	two.Sync(true)
	w.must(move.left(t.Context(), move.sources()))
	mb.leave()
	one.Sync(true)
	if one.Len() != 1 || two.Len() != 2 {
		t.Fatalf("%d and %d messages", one.Len(), two.Len())
	}
	f, err := two.Open(1)
	w.must(err)
	defer f.Close()
	b, err := io.ReadAll(io.NewSectionReader(f, 0, f.Size()))
	w.must(err)
	if string(b) != "Subject: x\n\nhello\n" {
		t.Errorf("read %q", b)
	}
	two.Sync(true)
	w.until("the grave is removed", func() bool { return len(w.files("tmp")) == 0 })
}
