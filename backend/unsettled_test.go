package backend

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"maildir-imapd/watcher"
)

// lockedOut has another server hold the lock while look runs, whose client leaves before last is done and the lock is free.
func (w *world) lockedOut(mb *Mailbox, look func(context.Context) error, last func()) {
	w.t.Helper()
	lock := filepath.Join(w.root, "dovecot-uidlist.lock")
	w.must(os.WriteFile(lock, []byte("1:elsewhere"), 0o600))
	ctx, leave := context.WithCancel(w.t.Context())
	done := make(chan error, 1)
	go func() { done <- look(ctx) }()
	w.until("somebody looks at the folder", func() bool { return len(mb.turn) > 0 || len(done) > 0 })
	leave()
	<-done
	last()
	w.must(os.Remove(lock))
}

// New mail that could be given no UID, since the client left that had us look, is there for the next who looks: by its event, or
// without a watch by the directory's time of change.
func TestUnsettledMail(t *testing.T) {
	t.Run("followed", func(t *testing.T) {
		w := newWorld(t)
		a := w.startWatching(Location{Root: w.root, Separator: '.'}, watcher.Options{Window: time.Hour})
		v := w.sel(a, "INBOX", false)
		w.must(v.Poll(t.Context()))
		w.deliver(".", "", "x\n")
		w.lockedOut(v.mb, v.Poll, func() {})
		w.must(v.Poll(t.Context()))
		if v.Sync(true); v.Len() != 1 {
			t.Errorf("%d messages", v.Len())
		}
	})
	t.Run("not followed", func(t *testing.T) {
		w := newWorld(t)
		mb, err := w.start().Account.mailbox(t.Context(), "INBOX")
		w.must(err)
		defer mb.release()
		w.deliver(".", "cur/1.x:2,", "x\n")
		look := func(ctx context.Context) error {
			w.must(mb.enter(t.Context()))
			defer mb.leave()
			return mb.freshen(ctx)
		}
		w.lockedOut(mb, look, func() {})
		mb.curAt.read, mb.newAt.read = time.Now().Add(time.Minute), time.Now().Add(time.Minute) // so that the times count
		w.must(look(t.Context()))
		if n := mb.snap.Load().n; n != 1 {
			t.Errorf("%d messages", n)
		}
	})
}

// A client in IDLE asks nothing again: we do.
func TestUnsettledMailOfIdlers(t *testing.T) {
	w := newWorld(t)
	a := w.start()
	v := w.sel(a, "INBOX", false)
	w.deliver(".", "", "x\n")
	w.lockedOut(v.mb, v.Poll, func() {})
	v.mb.retry.Reset(0)
	w.until("the message is there", func() bool { return v.Sync(true).Exists })
}

// waiting is a context whose owner does something when he is first asked to wait.
type waiting struct {
	context.Context
	once sync.Once
	do   func()
}

func (c *waiting) Done() <-chan struct{} {
	c.once.Do(c.do)
	return c.Context.Done()
}

// whileWaiting has another server hold the lock, and do something before it gives it back, while look waits. The turn is held.
func (w *world) whileWaiting(look func(context.Context) error, do func()) error {
	w.t.Helper()
	lock := filepath.Join(w.root, "dovecot-uidlist.lock")
	w.must(os.WriteFile(lock, []byte("1:elsewhere"), 0o600))
	return look(&waiting{Context: w.t.Context(), do: func() {
		do()
		w.must(os.Remove(lock))
	}})
}

// appendList gives out UIDs as Dovecot does.
func (w *world) appendList(lines string) {
	w.t.Helper()
	f, err := os.OpenFile(filepath.Join(w.root, "dovecot-uidlist"), os.O_WRONLY|os.O_APPEND, 0)
	w.must(err)
	_, err = f.WriteString(lines)
	w.must(errors.Join(err, f.Close()))
}

// A second look that fails, after the first has found that another server has given out UIDs, leaves all for the next.
func TestSecondLookFails(t *testing.T) {
	w := newWorld(t)
	w.deliver(".", "cur/1.first:2,", "1\n")
	v := w.sel(w.startWatching(Location{Root: w.root, Separator: '.'}, watcher.Options{Window: time.Hour}), "INBOX", false)
	w.deliver(".", "cur/2.second:2,", "2\n")
	keywords := filepath.Join(w.root, "dovecot-keywords")
	w.must(v.mb.enter(t.Context()))
	defer v.mb.leave()
	err := w.whileWaiting(v.mb.scan, func() {
		w.appendList("2 :2.second\n")
		w.must(os.Symlink("dovecot-keywords", keywords)) // which can't be read
	})
	if err == nil {
		t.Error("no error")
	}
	w.must(os.Remove(keywords))
	v.mb.curAt.read, v.mb.newAt.read = time.Now().Add(time.Minute), time.Now().Add(time.Minute) // so that the times count
	w.must(v.mb.freshen(t.Context()))
	if n := v.mb.snap.Load().n; n != 2 {
		t.Errorf("%d messages", n)
	}
}

// What another server gives UIDs while we wait for its lock keeps them, though we can't mend then what it leaves behind.
func TestUIDsOfOthersWithinFailure(t *testing.T) {
	for _, name := range []string{"1.first:2,", "1.first:2,a"} { // the latter's keyword has no name yet
		w := newWorld(t)
		v := w.sel(w.startWatching(Location{Root: w.root, Separator: '.'}, watcher.Options{Window: time.Hour}), "INBOX", false)
		w.deliver(".", "cur/"+name, "1\n")
		obstacle := filepath.Join(w.root, "dovecot-uidlist.tmp")
		w.must(v.mb.enter(t.Context()))
		w.must(w.whileWaiting(v.mb.freshen, func() {
			w.deliver(".", "cur/2.second:2,", "2\n")
			w.appendList("1 :2.second\n2 :tor") // killed
			w.must(os.MkdirAll(filepath.Join(obstacle, "x"), 0o700))
		}))
		w.must(os.RemoveAll(obstacle))
		v.mb.leave()
		w.must(v.Poll(t.Context()))
		v.Sync(true)
		if v.Len() != 2 || v.UID(1) != 1 || v.told.at(1).base() != "2.second" {
			t.Errorf("%s: %d messages, UID %d is %s", name, v.Len(), v.UID(1), v.told.at(1).name)
		}
	}
}
