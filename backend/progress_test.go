package backend

import (
	"testing"

	"github.com/emersion/go-imap/v2"
)

// What may last counts the messages it is done with; a search that reads nothing does not last.
func TestProgress(t *testing.T) {
	w := newWorld(t, ".Work")
	for range 5 {
		w.deliver(".", "", "Subject: x\n\nx\n")
	}
	v := w.sel(w.start(), "INBOX", false)
	seqs := []uint32{1, 2, 4}
	for _, step := range []struct {
		name      string
		run       func() error
		done, all uint32
	}{
		{"flags", func() error {
			_, err := v.Search(t.Context(), &Key{Op: KeyFlag, Flag: imap.FlagSeen})
			return err
		}, 0, 0},
		{"text", func() error {
			_, err := v.Search(t.Context(), &Key{Op: KeyText, Text: "x"})
			return err
		}, 5, 5},
		{"sort", func() error {
			_, err := v.Sort(t.Context(), seqs, []SortCriterion{{Key: SortSubject}})
			return err
		}, 3, 3},
		{"thread", func() error { // the headers of three are known
			_, err := v.Thread(t.Context(), []uint32{1, 2, 3, 4, 5}, References)
			return err
		}, 2, 2},
		{"store", func() error {
			_, err := v.Store(t.Context(), seqs, StoreRequest{Op: imap.StoreFlagsAdd, Flags: []imap.Flag{imap.FlagDeleted}})
			return err
		}, 3, 3},
		{"copy", func() error {
			_, err := v.Copy(t.Context(), []uint32{1, 5}, "Work")
			return err
		}, 2, 2},
		{"expunge", func() error { return v.Expunge(t.Context(), nil) }, 5, 5},
		{"move", func() error {
			_, err := v.Move(t.Context(), []uint32{3}, "Work")
			return err
		}, 1, 1},
	} {
		v.ResetProgress()
		w.must(step.run())
		if done, all := v.Progress(); done != step.done || all != step.all {
			t.Errorf("%s: %d of %d", step.name, done, all)
		}
	}
}
