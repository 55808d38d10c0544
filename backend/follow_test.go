package backend

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"maildir-imapd/uidmap"
	"maildir-imapd/watcher"

	"github.com/emersion/go-imap/v2"
)

// until waits for something that another goroutine does.
func (w *world) until(what string, done func() bool) {
	w.t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !done() {
		if time.Now().After(deadline) {
			w.t.Fatalf("still not: %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}

// meanwhile changes the folder while an EXPUNGE of ours is half-way: it has removed its file, and waits
// for the lock that another server has.
func (w *world) meanwhile(v *View, change func()) {
	w.t.Helper()
	lock := filepath.Join(w.root, "dovecot-uidlist.lock")
	w.must(os.WriteFile(lock, []byte("1:elsewhere"), 0o600))
	before := len(w.files("cur"))
	done := make(chan error, 1)
	go func() { done <- v.Expunge(w.t.Context(), nil) }()
	w.until("the file is removed", func() bool { return len(w.files("cur")) < before })
	change()
	w.must(os.Remove(lock))
	w.must(<-done)
}

// What other programs do while we change the folder ourselves is seen at once, though its events are still
// on their way: the window here is longer than the test.
func TestForeignChangeWithinOurs(t *testing.T) {
	for _, again := range []struct {
		name string
		look func(w *world, a *User, v *View) *View
	}{
		{"NOOP", func(w *world, _ *User, v *View) *View {
			w.must(v.Poll(t.Context()))
			v.Sync(true)
			return v
		}},
		{"SELECT", func(w *world, a *User, v *View) *View {
			v.Close()
			v, err := a.Select(t.Context(), "INBOX", false)
			w.must(err)
			return v
		}},
	} {
		t.Run(again.name, func(t *testing.T) {
			w := newWorld(t)
			w.deliver(".", "cur/1.first:2,T", "1\n")
			w.deliver(".", "cur/2.second:2,", "2\n")
			a := w.startWatching(Location{Root: w.root, Separator: '.'}, watcher.Options{Window: time.Hour})
			v, err := a.Select(t.Context(), "INBOX", false)
			w.must(err)
			w.meanwhile(v, func() { w.deliver(".", "cur/3.third:2,S", "3\n") })
			v = again.look(w, a, v)
			defer v.Close()
			if v.Len() != 2 || v.UIDNext() != 4 {
				t.Errorf("%d messages, UIDNEXT %d", v.Len(), v.UIDNext())
			}
		})
	}
}

// Dovecot puts the letter of a new keyword into file names before it writes the keyword's name, and holds the lock of
// the uidlist meanwhile.
func TestKeywordIsNamedLater(t *testing.T) {
	w := newWorld(t)
	w.deliver(".", "cur/1.first:2,", "1\n")
	v := w.sel(w.start(), "INBOX", false)
	lock := filepath.Join(w.root, "dovecot-uidlist.lock")
	w.must(os.WriteFile(lock, []byte("1:elsewhere"), 0o600))
	w.rename("cur/1.first:2,", "cur/1.first:2,a")
	polled := make(chan error, 1)
	go func() { polled <- v.Poll(t.Context()) }()
	w.until("somebody looks at the folder", func() bool { return len(v.mb.turn) > 0 || len(polled) > 0 })
	w.must(os.WriteFile(filepath.Join(w.root, "dovecot-keywords"), []byte("0 $Label\n"), 0o600))
	w.must(os.Remove(lock))
	w.must(<-polled)
	u := v.Sync(true)
	if got := string(v.AppendFlags(nil, 1, false)); got != "$Label" || !u.Keywords || len(u.Flags) != 1 {
		t.Errorf("told %q, %+v", got, u)
	}
}

// The same where who had us look leaves before the other server is done.
func TestKeywordIsNamedLaterStill(t *testing.T) {
	w := newWorld(t)
	w.deliver(".", "cur/1.first:2,", "1\n")
	v := w.sel(w.startWatching(Location{Root: w.root, Separator: '.'}, watcher.Options{Window: time.Hour}), "INBOX", false)
	w.rename("cur/1.first:2,", "cur/1.first:2,a")
	w.lockedOut(v.mb, v.Poll, func() {
		w.must(os.WriteFile(filepath.Join(w.root, "dovecot-keywords"), []byte("0 $Label\n"), 0o600))
	})
	w.must(v.Poll(t.Context()))
	v.Sync(true)
	if got := string(v.AppendFlags(nil, 1, false)); got != "$Label" {
		t.Errorf("told %q", got)
	}
}

// compact writes the uidlist anew without the record of a message, as Dovecot does after expunges.
func (w *world) compact(base string) error {
	root, err := os.OpenRoot(w.root)
	if err != nil {
		return err
	}
	defer root.Close()
	l, err := uidmap.OpenList(w.t.Context(), root, ".", nil, uidmap.Options{})
	if err != nil {
		return err
	}
	tx, err := l.Lock(w.t.Context())
	if err != nil {
		return err
	}
	list := filepath.Join(w.root, "dovecot-uidlist")
	text, err := os.ReadFile(list)
	if err == nil {
		lines := slices.DeleteFunc(strings.Split(string(text), "\n"), func(l string) bool { return strings.HasSuffix(l, ":"+base) })
		err = os.WriteFile(list+".new", []byte(strings.Join(lines, "\n")), 0o600)
	}
	if err == nil {
		err = os.Rename(list+".new", list)
	}
	return errors.Join(err, tx.Unlock())
}

// Dovecot expunges messages, and leaves them out of a new uidlist, before their events arrive: the names that are gone have no UID then.
func TestExpungedAndOutOfTheList(t *testing.T) {
	for _, of := range []struct {
		name string
		look func(w *world, v *View)
	}{
		{"looking", func(*world, *View) {}},
		{"delivering", func(w *world, _ *View) { w.deliver(".", "", "3\n") }},
		{"under our lock", func(w *world, v *View) { // for another reason, before anybody looks at what has happened
			w.must(v.mb.enter(t.Context()))
			defer v.mb.leave()
			tx, err := v.mb.lock(t.Context())
			w.must(err)
			w.must(tx.Unlock())
		}},
	} {
		t.Run(of.name, func(t *testing.T) {
			w := newWorld(t)
			w.deliver(".", "cur/1.first:2,", "1\n")
			w.deliver(".", "cur/2.second:2,", "2\n")
			v := w.sel(w.startWatching(Location{Root: w.root, Separator: '.'}, watcher.Options{Window: time.Hour}), "INBOX", false)
			w.must(v.Poll(t.Context())) // followed from here on
			w.must(os.Remove(filepath.Join(w.root, "cur", "1.first:2,")))
			w.must(w.compact("1.first"))
			of.look(w, v)
			w.must(v.Poll(t.Context()))
			if u := v.Sync(true); len(u.Expunged) != 1 || v.UID(1) != 2 {
				t.Errorf("told %+v", u)
			}
		})
	}
}

// A file that another program gives the very name which STORE is about to give is another mail: it is not replaced.
func TestStoreReplacesNoFile(t *testing.T) {
	w := newWorld(t)
	w.deliver(".", "cur/1.first:2,", "1\n")
	v := w.sel(w.start(), "INBOX", false)
	w.deliver(".", "cur/1.first:2,F", "2\n")
	res, err := v.Store(t.Context(), []uint32{1}, StoreRequest{Op: imap.StoreFlagsAdd, Flags: []imap.Flag{imap.FlagFlagged}})
	w.must(err)
	w.must(v.Poll(t.Context()))
	v.Sync(true)
	var texts []string
	for _, name := range w.files("cur") {
		text, err := os.ReadFile(filepath.Join(w.root, "cur", name))
		w.must(err)
		texts = append(texts, string(text))
	}
	if slices.Sort(texts); !slices.Equal(texts, []string{"1\n", "2\n"}) || v.Len() != 2 || len(res.Stored) != 1 || !v.Has(1, imap.FlagFlagged) {
		t.Errorf("files say %q, %d messages, stored %v", texts, v.Len(), res.Stored)
	}
}

// A name that was unlinked is news of another link where the message has a later name already. What another program renames just then is the
// same message still: its own events come later.
func TestUnlinkedUnderOldName(t *testing.T) {
	w := newWorld(t)
	w.deliver(".", "cur/1.first:2,S", "1\n")
	v := w.sel(w.startWatching(Location{Root: w.root, Separator: '.'}, watcher.Options{Window: time.Hour}), "INBOX", false)
	w.must(v.mb.enter(t.Context()))
	w.rename("cur/1.first:2,S", "cur/1.first:2,RS")
	w.must(v.mb.settleChanges(t.Context(), []watcher.Change{{Name: "1.first", New: true, Op: watcher.Removed}}))
	v.mb.leave()
	if u := v.Sync(true); len(u.Expunged) > 0 || v.Len() != 1 || v.UID(1) != 1 || !v.Has(1, imap.FlagAnswered) {
		t.Errorf("told %+v", u)
	}
}

// writeList writes a dovecot-uidlist as Dovecot does.
func (w *world) writeList(text string) {
	w.t.Helper()
	list := filepath.Join(w.root, "dovecot-uidlist")
	w.must(os.WriteFile(list+".new", []byte(text), 0o600))
	w.must(os.Rename(list+".new", list))
}

// A list with another UIDVALIDITY ends the mailbox, whichever look finds it: no UID of it is shown under the old one.
func TestOtherUIDValidityByEvents(t *testing.T) {
	w := newWorld(t)
	w.deliver(".", "cur/1.first:2,", "1\n")
	w.deliver(".", "cur/2.second:2,", "2\n")
	v := w.sel(w.startWatching(Location{Root: w.root, Separator: '.'}, watcher.Options{Window: time.Hour}), "INBOX", false)
	w.must(v.Poll(t.Context())) // followed from here on
	w.writeList("3 V99 N3 G0123456789abcdef0123456789abcdef\n1 :2.second\n2 :1.first\n")
	w.rename("cur/1.first:2,", "cur/1.first:2,S")
	w.must(v.Poll(t.Context()))
	if u := v.Sync(true); !u.Lost {
		t.Errorf("told %+v; UID %d is %s now", u, v.told.at(2).uid, v.told.at(2).name)
	}
}

// Who selects a mailbox, or asks for its STATUS, when its list has another UIDVALIDITY gets the mailbox that it is now.
func TestOtherUIDValidityAtOnce(t *testing.T) {
	w := newWorld(t)
	w.deliver(".", "cur/1.first:2,", "1\n")
	a := w.start()
	w.peek(a, "INBOX")
	ask := map[uint32]func() (validity, n uint32){
		98: func() (uint32, uint32) { return w.peek(a, "INBOX") },
		99: func() (uint32, uint32) {
			d, _, err := a.Status(t.Context(), "INBOX", &imap.StatusOptions{NumMessages: true})
			w.must(err)
			return d.UIDValidity, *d.NumMessages
		},
	}
	for validity, what := range ask {
		w.writeList(fmt.Sprintf("3 V%d N5 G0123456789abcdef0123456789abcdef\n4 :1.first\n", validity))
		w.rename("cur/1.first:2,", "cur/1.first:2,S")
		if got, n := what(); got != validity || n != 1 {
			t.Errorf("UIDVALIDITY %d, want %d; %d messages", got, validity, n)
		}
		w.rename("cur/1.first:2,S", "cur/1.first:2,")
	}
}
