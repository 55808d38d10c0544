package backend

import (
	"runtime"
	"testing"
	"time"

	"maildir-imapd/watcher"

	"github.com/emersion/go-imap/v2"
)

// A mailbox that is selected again just when it leaves memory is the same: no UID, flag or mod-sequence is new, and what
// is written at last is not taken for another process's.
func TestSelectWhileEvicted(t *testing.T) {
	w := newWorld(t)
	w.deliver(".", "", "x")
	a := w.start()
	v, err := a.Select(t.Context(), "INBOX", false)
	w.must(err)
	w.saved(v)
	for i := range 100 {
		w.store(v, 1, []imap.StoreFlagsOp{imap.StoreFlagsAdd, imap.StoreFlagsDel}[i%2], imap.FlagSeen)
		highest := v.HighestModSeq()
		v.Close()
		evicted := make(chan struct{})
		go func() {
			a.b.idle.evict(0, 0, 0)
			close(evicted)
		}()
		for range i {
			runtime.Gosched()
		}
		v, err = a.Select(t.Context(), "INBOX", false)
		w.must(err)
		<-evicted
		w.saved(v)
		if got := v.ModSeq(1); got != highest || v.mb.modseqs.foreign {
			t.Fatalf("round %d: mod-sequence %d, was %d; foreign %v", i, got, highest, v.mb.modseqs.foreign)
		}
	}
	v.Close()
}

// What follows the watcher keeps its mailbox open, though nobody shows it any more.
func TestFollowWhileEvicted(t *testing.T) {
	w := newWorld(t)
	a := w.start()
	v, err := a.Select(t.Context(), "INBOX", false)
	w.must(err)
	mb := v.mb
	w.must(mb.enter(t.Context()))
	defer mb.leave()
	mb.modseqs.save.Stop()                  // that would hold it, too
	mb.onBatch(watcher.Batch{Rescan: true}) // waits for the turn
	v.Close()
	refs := func() int {
		a.mu.Lock()
		defer a.mu.Unlock()
		return mb.refs
	}
	for deadline := time.Now().Add(10 * time.Second); refs() == 0; runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatal("nobody holds the mailbox")
		}
	}
	a.b.idle.evict(0, 0, 0)
	if _, err := mb.d.cur.stamp(); err != nil {
		t.Errorf("closed in use: %v", err)
	}
}
