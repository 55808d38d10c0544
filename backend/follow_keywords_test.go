package backend

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"maildir-imapd/watcher"

	"github.com/emersion/go-imap/v2"
)

// extraWorld has three messages, and the keywords k0 to k27: those from k26 on are in no file name.
func extraWorld(t *testing.T) (*world, *View) {
	w := newWorld(t)
	for i := range 3 {
		w.deliver(".", fmt.Sprintf("cur/%d.x:2,", i+1), "x\n")
	}
	v := w.sel(w.startWatching(Location{Root: w.root, Separator: '.'}, watcher.Options{Window: time.Hour}), "INBOX", false)
	for i := range 28 {
		w.store(v, 3, imap.StoreFlagsAdd, imap.Flag(fmt.Sprintf("k%d", i)))
	}
	w.must(v.Poll(t.Context()))
	v.Sync(true)
	return w, v
}

// carry has another process give a message keywords beyond the letters.
func (w *world) carry(line string) {
	w.t.Helper()
	f, err := os.OpenFile(filepath.Join(w.root, "maildir-imapd-keywords"), os.O_WRONLY|os.O_APPEND, 0)
	w.must(err)
	_, err = f.WriteString(line + "\n")
	w.must(err)
	w.must(f.Close())
}

// Keywords that another process gives a message are seen, though we read them while we write those of others.
func TestKeywordsReadByTheWay(t *testing.T) {
	for _, of := range []struct {
		name string
		do   func(w *world, v *View)
	}{
		{"storing", func(w *world, v *View) {
			w.carry("m 26 1.x")
			w.store(v, 2, imap.StoreFlagsAdd, imap.FlagSeen, "k27")
		}},
		{"naming", func(w *world, v *View) {
			w.carry("m 26 1.x")
			w.store(v, 2, imap.StoreFlagsAdd, imap.FlagSeen, "another")
		}},
	} {
		t.Run(of.name, func(t *testing.T) {
			w, v := extraWorld(t)
			of.do(w, v)
			w.must(v.Poll(t.Context()))
			v.Sync(true)
			if !v.Has(1, "k26") {
				t.Errorf("told %s", v.AppendFlags(nil, 1, false))
			}
		})
	}
}

// A STORE that another program disturbs half-way has the keywords that are on disk in the end, whether it succeeds or not.
func TestStoreKeywordsDisturbed(t *testing.T) {
	for _, fails := range []bool{false, true} {
		w, v := extraWorld(t)
		w.rename("cur/2.x:2,", "cur/2.x:2,F")
		ctx, lock := t.Context(), filepath.Join(w.root, "dovecot-keywords.lock")
		if fails {
			w.must(os.WriteFile(lock, []byte("1:elsewhere"), 0o600))
			var leave context.CancelFunc
			ctx, leave = context.WithTimeout(ctx, 100*time.Millisecond)
			defer leave()
		} else {
			w.carry("m 27 2.x") // so that all keywords are read again
		}
		_, err := v.Store(ctx, []uint32{1, 2}, StoreRequest{Op: imap.StoreFlagsAdd, Flags: []imap.Flag{imap.FlagSeen, "k26"}})
		if (err != nil) != fails {
			t.Errorf("stored: %v", err)
		}
		if fails {
			w.must(os.Remove(lock))
		}
		w.must(v.Poll(t.Context()))
		v.Sync(true)
		for seq := uint32(1); seq <= 2; seq++ {
			if v.Has(seq, "k26") == fails {
				t.Errorf("fails %v: message %d is told %s", fails, seq, v.AppendFlags(nil, seq, false))
			}
		}
	}
}

// Keywords that another process gives a message while we wait for the names of others are seen.
func TestKeywordsReadWhileWaiting(t *testing.T) {
	w := newWorld(t)
	w.deliver(".", "cur/1.x:2,", "x\n")
	w.deliver(".", "cur/2.x:2,", "x\n")
	w.must(os.WriteFile(filepath.Join(w.root, "maildir-imapd-keywords"), []byte("maildir-imapd-keywords 1\nk 26 k26\n"), 0o600))
	v := w.sel(w.startWatching(Location{Root: w.root, Separator: '.'}, watcher.Options{Window: time.Hour}), "INBOX", false)
	w.must(v.Poll(t.Context())) // followed from here on
	w.rename("cur/2.x:2,", "cur/2.x:2,a")
	w.must(v.mb.enter(t.Context()))
	w.must(w.whileWaiting(v.mb.freshen, func() { w.carry("m 26 1.x") }))
	v.mb.leave()
	w.must(v.Poll(t.Context()))
	v.Sync(true)
	if !v.Has(1, "k26") || !v.Has(2, "unknown-0") {
		t.Errorf("told %s and %s", v.AppendFlags(nil, 1, false), v.AppendFlags(nil, 2, false))
	}
}
