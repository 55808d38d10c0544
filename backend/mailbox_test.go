package backend

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"maildir-imapd/watcher"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-maildir"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a Maildir in a temporary directory, and the servers that are started on it.
type world struct {
	t    *testing.T
	root string
	n    int
}

func newWorld(t *testing.T, folders ...string) *world {
	w := &world{t: t, root: filepath.Join(t.TempDir(), "Maildir")}
	for _, f := range append([]string{"."}, folders...) {
		for _, sub := range []string{"cur", "new", "tmp"} {
			w.must(os.MkdirAll(filepath.Join(w.root, f, sub), 0o700))
		}
	}
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// start starts a server and opens the account.
func (w *world) start() *User {
	w.t.Helper()
	return w.startAt(Location{Root: w.root, Separator: '.'})
}

func (w *world) startAt(loc Location) *User {
	w.t.Helper()
	return w.startWatching(loc, watcher.Options{})
}

func (w *world) startWatching(loc Location, o watcher.Options) *User {
	w.t.Helper()
	log := slog.New(slog.NewTextHandler(w.t.Output(), nil))
	o.Log = log
	watch := watcher.New(o)
	b := New(Options{Log: log, Watcher: watch})
	a, err := b.Open(w.t.Context(), "alice", loc, false)
	w.must(err)
	stop := func() {
		a.Close()
		w.must(b.Close())
		w.must(watch.Close())
	}
	w.t.Cleanup(stop)
	return a
}

// deliver puts a message into a folder as a delivery agent does, and returns its base name.
func (w *world) deliver(folder, name, body string) string {
	w.t.Helper()
	w.n++
	base := fmt.Sprintf("17000%05d.M%dP1.test", w.n, w.n)
	if name == "" {
		name = "new/" + base
	} else {
		base = baseOf(filepath.Base(name))
	}
	tmp := filepath.Join(w.root, folder, "tmp", "x"+base)
	w.must(os.WriteFile(tmp, []byte(body), 0o600))
	w.must(os.Rename(tmp, filepath.Join(w.root, folder, name)))
	return base
}

func (w *world) rename(from, to string) {
	w.t.Helper()
	w.must(os.Rename(filepath.Join(w.root, from), filepath.Join(w.root, to)))
}

func (w *world) files(dir string) (names []string) {
	w.t.Helper()
	list, err := os.ReadDir(filepath.Join(w.root, dir))
	w.must(err)
	for _, e := range list {
		names = append(names, e.Name())
	}
	return names
}

func (w *world) sel(a *User, name string, readOnly bool) *View {
	w.t.Helper()
	v, err := a.Select(w.t.Context(), name, readOnly)
	w.must(err)
	w.t.Cleanup(v.Close)
	return v
}

// client is what a client knows that believes what it is told.
type client struct {
	v    *View
	uids []imap.UID
	tags []string // flags
}

func newClient(v *View) *client {
	c := &client{v: v}
	c.tell(Updates{Exists: true})
	return c
}

// tell applies updates as a client does.
func (c *client) tell(u Updates) {
	for _, x := range u.Expunged {
		i := int(x.Seq) - 1
		c.uids, c.tags = slices.Delete(c.uids, i, i+1), slices.Delete(c.tags, i, i+1)
	}
	if u.Exists {
		for len(c.uids) < int(c.v.Len()) {
			seq := uint32(len(c.uids)) + 1
			c.uids, c.tags = append(c.uids, c.v.UID(seq)), append(c.tags, c.flags(seq))
		}
	}
	for _, seq := range u.Flags {
		c.tags[seq-1] = c.flags(seq)
	}
}

func (c *client) flags(seq uint32) string { return string(c.v.AppendFlags(nil, seq, true)) }

// until waits for pushes until the client knows what it should.
func (c *client) until(t *testing.T, want func() bool) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for c.tell(c.v.Sync(true)); !want(); c.tell(c.v.Sync(true)) {
		select {
		case <-c.v.Changed():
		case <-deadline:
			t.Fatalf("never pushed: %v %q", c.uids, c.tags)
		}
	}
}

func TestSelectNumbersByArrival(t *testing.T) {
	w := newWorld(t)
	w.deliver(".", "new/1700000002.M2P1.h", "two")
	w.deliver(".", "cur/1700000001.M9P1.h:2,S", "one")
	w.deliver(".", "new/1700000002.M1P1.h", "three")
	v := w.sel(w.start(), "INBOX", false)
	c := newClient(v)
	if !slices.Equal(c.uids, []imap.UID{1, 2, 3}) || !slices.Equal(c.tags, []string{`\Seen \Recent`, `\Recent`, `\Recent`}) {
		t.Errorf("UIDs %v, flags %q", c.uids, c.tags)
	}
	if got := w.files("new"); len(got) > 0 {
		t.Errorf("left in new: %v", got)
	}
	if got := w.files("cur"); !slices.Equal(got, []string{"1700000001.M9P1.h:2,S", "1700000002.M1P1.h:2,", "1700000002.M2P1.h:2,"}) {
		t.Errorf("in cur: %v", got)
	}
	if v.FirstUnseen() != 2 || v.UIDNext() != 4 || v.NumRecent() != 3 {
		t.Errorf("first unseen %d, UIDNEXT %d, %d recent", v.FirstUnseen(), v.UIDNext(), v.NumRecent())
	}
	again := w.sel(w.start(), "INBOX", false) // another process
	if again.UIDValidity() != v.UIDValidity() || again.UIDNext() != 4 || again.NumRecent() != 0 {
		t.Errorf("after a restart: UIDVALIDITY %d then %d, UIDNEXT %d, %d recent", v.UIDValidity(), again.UIDValidity(), again.UIDNext(), again.NumRecent())
	}
}

func TestExamineTakesNothing(t *testing.T) {
	w := newWorld(t)
	base := w.deliver(".", "", "x")
	a := w.start()
	for range 2 {
		v := w.sel(a, "INBOX", true)
		if v.NumRecent() != 1 || !slices.Equal(w.files("new"), []string{base}) {
			t.Fatalf("EXAMINE: %d recent, new has %v", v.NumRecent(), w.files("new"))
		}
	}
	if n := w.sel(a, "INBOX", false).NumRecent(); n != 1 {
		t.Errorf("SELECT after EXAMINE: %d recent", n)
	}
	if n := w.sel(a, "INBOX", false).NumRecent(); n != 0 {
		t.Errorf("second SELECT: %d recent", n)
	}
}

func TestOthersChangesAreTold(t *testing.T) {
	w := newWorld(t)
	a := w.start()
	one, two := newClient(w.sel(a, "INBOX", false)), newClient(w.sel(a, "INBOX", true))
	base := w.deliver(".", "", "x")
	one.until(t, func() bool { return slices.Equal(one.tags, []string{`\Recent`}) })
	two.until(t, func() bool { return len(two.tags) == 1 })
	w.rename("cur/"+base+":2,", "cur/"+base+":2,FSa")
	one.until(t, func() bool { return slices.Equal(one.tags, []string{`\Flagged \Seen \Recent unknown-0`}) })
	w.must(os.Remove(filepath.Join(w.root, "cur", base+":2,FSa")))
	one.until(t, func() bool { return len(one.uids) == 0 })
	two.until(t, func() bool { return len(two.uids) == 0 })
	// The name comes back: another message.
	w.deliver(".", "cur/"+base+":2,", "y")
	one.until(t, func() bool { return slices.Equal(one.uids, []imap.UID{2}) })
}

func TestGhostsUntilTold(t *testing.T) {
	w := newWorld(t)
	for range 3 {
		w.deliver(".", "", "From: a\n\nbody\n")
	}
	a := w.start()
	one, two := newClient(w.sel(a, "INBOX", false)), newClient(w.sel(a, "INBOX", false))
	_, err := one.v.Store(t.Context(), []uint32{2}, StoreRequest{Op: imap.StoreFlagsAdd, Flags: []imap.Flag{imap.FlagDeleted, imap.FlagSeen}})
	w.must(err)
	w.must(one.v.Expunge(t.Context(), nil))
	one.tell(one.v.Sync(true))
	if !slices.Equal(one.uids, []imap.UID{1, 3}) {
		t.Fatalf("after EXPUNGE: %v", one.uids)
	}
	two.tell(two.v.Sync(false))
	if !slices.Equal(two.uids, []imap.UID{1, 2, 3}) || two.v.Len() != 3 {
		t.Fatalf("a view that may not be told: %v", two.uids)
	}
	f, err := two.v.Open(2)
	w.must(err)
	body, err := io.ReadAll(io.NewSectionReader(f, 0, f.Size()))
	if err != nil || string(body) != "From: a\n\nbody\n" {
		t.Errorf("expunged message: %q, %v", body, err)
	}
	w.must(f.Close())
	if n, err := two.v.Size(2); n != 17 || err != nil {
		t.Errorf("size of an expunged message: %d, %v", n, err)
	}
	w.deliver(".", "", "z")
	w.must(two.v.Poll(t.Context()))
	two.tell(two.v.Sync(false))
	if !slices.Equal(two.uids, []imap.UID{1, 2, 3, 4}) {
		t.Fatalf("new mail beside a ghost: %v", two.uids)
	}
	two.tell(two.v.Sync(true))
	if !slices.Equal(two.uids, []imap.UID{1, 3, 4}) {
		t.Fatalf("at last: %v", two.uids)
	}
	w.must(a.b.Close()) // waits for the removal
	if left := w.files("tmp"); len(left) > 0 {
		t.Errorf("in tmp: %v", left)
	}
}

func TestStoreTellsWhatTheClientCannotKnow(t *testing.T) {
	w := newWorld(t)
	base := w.deliver(".", "cur/1.M1P1.h:2,P,X=1", "x")
	a := w.start()
	one, two := newClient(w.sel(a, "INBOX", false)), newClient(w.sel(a, "INBOX", false))
	res, err := one.v.Store(t.Context(), []uint32{1}, StoreRequest{Op: imap.StoreFlagsAdd, Flags: []imap.Flag{imap.FlagFlagged, "$Junk", `\Recent`}})
	if err != nil || res.Unexpected != nil {
		t.Fatal(res, err)
	}
	if u := one.v.Sync(true); len(u.Flags) > 0 || !u.Keywords {
		t.Errorf("told twice: %+v", u)
	}
	if got := w.files("cur"); !slices.Equal(got, []string{base + ":2,FPa,X=1"}) {
		t.Errorf("file %v", got)
	}
	res, err = two.v.Store(t.Context(), []uint32{1}, StoreRequest{Op: imap.StoreFlagsAdd, Flags: []imap.Flag{imap.FlagSeen}})
	if err != nil || !slices.Equal(res.Unexpected, []uint32{1}) {
		t.Errorf("unexpected %v, %v", res, err)
	}
	if got := two.flags(1); got != `\Flagged \Seen $Junk` {
		t.Errorf("flags %s", got)
	}
	one.tell(one.v.Sync(true))
	if one.tags[0] != `\Flagged \Seen \Recent $Junk` {
		t.Errorf("flags %s", one.tags)
	}
}

func TestKeywordsBeyondTheLetters(t *testing.T) {
	w := newWorld(t, ".Work")
	w.deliver(".", "", "x")
	var all []imap.Flag
	for i := range 40 {
		all = append(all, imap.Flag(fmt.Sprintf("key%02d", i)))
	}
	a := w.start()
	v := w.sel(a, "INBOX", false)
	_, err := v.Store(t.Context(), []uint32{1}, StoreRequest{Op: imap.StoreFlagsSet, Flags: all})
	w.must(err)
	_, err = v.Store(t.Context(), []uint32{1}, StoreRequest{Op: imap.StoreFlagsDel, Flags: []imap.Flag{"KEY03", "key33"}})
	w.must(err)
	_, err = v.Copy(t.Context(), []uint32{1}, "Work")
	w.must(err)
	for _, name := range []string{"INBOX", "Work"} {
		v := w.sel(w.start(), name, true)
		for i, k := range all {
			if has := v.Has(1, k); has != (i != 3 && i != 33) {
				t.Errorf("%s: %s: %v", name, k, has)
			}
		}
	}
}

func TestCopyAndMove(t *testing.T) {
	w := newWorld(t, ".Work")
	for i := range 4 {
		w.deliver(".", fmt.Sprintf("cur/%d.M1P1.h:2,S", i+1), "x")
	}
	when := time.Unix(1_000_000_000, 0)
	w.must(os.Chtimes(filepath.Join(w.root, "cur/2.M1P1.h:2,S"), when, when))
	a := w.start()
	v := w.sel(a, "INBOX", false)
	other := newClient(w.sel(a, "INBOX", true))
	data, err := v.Copy(t.Context(), []uint32{2, 3}, "Work")
	if err != nil || data.SourceUIDs.String() != "2:3" || data.DestUIDs.String() != "1:2" {
		t.Fatalf("COPY: %+v, %v", data, err)
	}
	data, err = v.Move(t.Context(), []uint32{1, 2}, "Work")
	if err != nil || data.SourceUIDs.String() != "1:2" || data.DestUIDs.String() != "3:4" {
		t.Fatalf("MOVE: %+v, %v", data, err)
	}
	if u := v.Sync(true); len(u.Expunged) != 2 || u.Expunged[0].Seq != 2 || v.Len() != 2 {
		t.Errorf("after MOVE: %+v", u)
	}
	other.tell(other.v.Sync(false))
	if f, err := other.v.Open(1); err != nil {
		t.Errorf("the other session lost sight of a moved message: %v", err)
	} else {
		f.Close()
	}
	work := newClient(w.sel(a, "Work", false))
	if !slices.Equal(work.uids, []imap.UID{1, 2, 3, 4}) || work.tags[0] != `\Seen \Recent` {
		t.Errorf("Work has %v %q", work.uids, work.tags)
	}
	for _, seq := range []uint32{1, 4} {
		if at, err := work.v.InternalDate(seq); err != nil || !at.Equal(when) {
			t.Errorf("internal date %v, %v", at, err)
		}
	}
	if _, err := v.Copy(t.Context(), []uint32{1}, "Nowhere"); err == nil || err.(*imap.Error).Code != imap.ResponseCodeTryCreate {
		t.Errorf("COPY to nowhere: %v", err)
	}
	data, err = v.Move(t.Context(), []uint32{1}, "INBOX")
	if err != nil || data.SourceUIDs.String() != "3" || data.DestUIDs.String() != "5" {
		t.Fatalf("MOVE within: %+v, %v", data, err)
	}
}

func TestAppend(t *testing.T) {
	w := newWorld(t)
	a := w.start()
	v := newClient(w.sel(a, "INBOX", false))
	when := time.Date(2001, 2, 3, 4, 5, 6, 0, time.FixedZone("", -7200))
	text := "Subject: x\r\n\r\none\ntwo\r\n"
	p, err := a.Append(t.Context(), "INBOX")
	w.must(err)
	w.must(p.Add(t.Context(), []imap.Flag{imap.FlagSeen, "$Label1"}, when, strings.NewReader(text), int64(len(text)), false))
	w.must(p.Add(t.Context(), nil, time.Time{}, strings.NewReader("y"), 1, false))
	validity, uids, err := p.Commit(t.Context())
	p.Abort()
	if err != nil || validity != v.v.UIDValidity() || !slices.Equal(uids, []imap.UID{1, 2}) {
		t.Fatal(validity, uids, err)
	}
	v.tell(v.v.Sync(true))
	if !slices.Equal(v.tags, []string{`\Seen \Recent $Label1`, `\Recent`}) {
		t.Errorf("flags %q", v.tags)
	}
	if n, err := v.v.Size(1); n != int64(len(text)+1) || err != nil {
		t.Errorf("size %d, %v", n, err)
	}
	if at, err := v.v.InternalDate(1); err != nil || !at.Equal(when) {
		t.Errorf("internal date %v, %v", at, err)
	}
	if body, err := os.ReadFile(filepath.Join(w.root, "cur", w.files("cur")[0])); string(body) != "Subject: x\n\none\ntwo\n" {
		t.Errorf("on disk %q, %v", body, err)
	}
	p, err = a.Append(t.Context(), "INBOX")
	w.must(err)
	w.must(p.Add(t.Context(), nil, time.Time{}, strings.NewReader("gone"), 4, false))
	if err := p.Add(t.Context(), nil, time.Time{}, strings.NewReader("short"), 10, false); err == nil {
		t.Error("a literal that ends early was stored")
	}
	p.Abort()
	if left := w.files("tmp"); len(left) > 0 || len(w.files("cur")) != 2 {
		t.Errorf("an aborted APPEND left %v", left)
	}
}

func TestAppendBinary(t *testing.T) {
	w := newWorld(t)
	a := w.start()
	p, err := a.Append(t.Context(), "INBOX")
	w.must(err)
	defer p.Abort()
	text := "Content-Transfer-Encoding: binary\r\nContent-Type: image/png\r\n\r\n\x00\n\r\n\xff"
	w.must(p.Add(t.Context(), nil, time.Time{}, strings.NewReader(text), int64(len(text)), true))
	_, _, err = p.Commit(t.Context())
	w.must(err)
	body, err := os.ReadFile(filepath.Join(w.root, "new", w.files("new")[0]))
	w.must(err)
	if !strings.Contains(string(body), "AAoNCv8=") || strings.Contains(string(body), "\r") {
		t.Errorf("on disk %q", body)
	}
	if err := p.Add(t.Context(), nil, time.Time{}, strings.NewReader("a: b\r\n\r\n\x00"), 9, true); err == nil {
		t.Error("a NUL outside of a binary part was stored")
	}
	if left := w.files("tmp"); len(left) > 0 {
		t.Errorf("left in tmp: %v", left)
	}
}

// TestAnotherImplementation has go-maildir deliver, change flags and read what we have written.
func TestAnotherImplementation(t *testing.T) {
	w := newWorld(t)
	d, err := maildir.NewDelivery(w.root)
	w.must(err)
	_, err = io.WriteString(d, "Subject: x\n\ny\n")
	w.must(err)
	w.must(d.Close())
	c := newClient(w.sel(w.start(), "INBOX", false))
	_, err = c.v.Store(t.Context(), []uint32{1}, StoreRequest{Op: imap.StoreFlagsAdd, Flags: []imap.Flag{imap.FlagSeen, imap.FlagDraft, "key"}})
	w.must(err)
	all, err := maildir.Dir(w.root).Messages()
	w.must(err)
	if len(all) != 1 || !slices.Equal(all[0].Flags(), []maildir.Flag{maildir.FlagDraft, maildir.FlagSeen, 'a'}) {
		t.Fatalf("another implementation reads %v", all)
	}
	w.must(all[0].SetFlags([]maildir.Flag{maildir.FlagReplied}))
	c.until(t, func() bool { return slices.Equal(c.tags, []string{`\Answered \Recent`}) })
	w.must(all[0].Remove())
	c.until(t, func() bool { return len(c.uids) == 0 })
}

// TestTwice has two mails under one base name: both are kept.
func TestTwice(t *testing.T) {
	w := newWorld(t)
	w.deliver(".", "new/1.M1P1.h", "one")
	w.deliver(".", "cur/1.M1P1.h:2,", "two")
	w.deliver(".", "cur/1.M1P1.h:2,S", "three")
	w.deliver(".", "cur/:2,S", "four")
	w.deliver(".", "cur/2.M1P1.h", "five")
	w.must(os.Link(filepath.Join(w.root, "cur/2.M1P1.h"), filepath.Join(w.root, "new/2.M1P1.h")))
	bodies := w.bodies(w.sel(w.start(), "INBOX", false))
	if !slices.Equal(bodies, []string{"five", "four", "one", "three", "two"}) {
		t.Errorf("messages %q", bodies)
	}
}

func TestFolderMadeAgainIsAnother(t *testing.T) {
	w := newWorld(t, ".Work")
	w.deliver(".Work", "", "x")
	a := w.start()
	old := w.sel(a, "Work", false)
	// In one step: what the server still has to write for the mail that it has just seen, it writes to a folder that is whole, or to none.
	w.must(os.Rename(filepath.Join(w.root, ".Work"), w.root+"-removed"))
	for _, sub := range []string{"cur", "new", "tmp"} {
		w.must(os.MkdirAll(filepath.Join(w.root, ".Work", sub), 0o700))
	}
	w.must(old.Poll(context.Background()))
	if !old.Sync(true).Lost {
		t.Error("the view of the folder that was removed is not lost")
	}
	if v := w.sel(a, "Work", false); v.UIDValidity() <= old.UIDValidity() || v.Len() != 0 {
		t.Errorf("UIDVALIDITY %d, then %d", old.UIDValidity(), v.UIDValidity())
	}
}

func TestSeqs(t *testing.T) {
	w := newWorld(t)
	for range 5 {
		w.deliver(".", "", "x")
	}
	v := w.sel(w.start(), "INBOX", false)
	_, err := v.Store(t.Context(), []uint32{2, 3}, StoreRequest{Op: imap.StoreFlagsAdd, Flags: []imap.Flag{imap.FlagDeleted}})
	w.must(err)
	w.must(v.Expunge(t.Context(), nil))
	v.Sync(true) // UIDs 1 4 5
	for _, c := range []struct {
		set  imap.NumSet
		want []uint32
		bad  bool
	}{
		{imap.UIDSet{{Start: 1, Stop: 4}}, []uint32{1, 2}, false},
		{imap.UIDSet{{Start: 9, Stop: 0}}, []uint32{3}, false},
		{imap.UIDSet{{Start: 2, Stop: 3}}, nil, false},
		{imap.UIDSet{{Start: 5, Stop: 4294967295}, {Start: 1, Stop: 1}, {Start: 1, Stop: 5}}, []uint32{1, 2, 3}, false},
		{imap.SeqSet{{Start: 3, Stop: 2}, {Start: 0, Stop: 0}}, []uint32{2, 3}, false},
		{imap.SeqSet{{Start: 1, Stop: 4}}, nil, true},
	} {
		got, err := v.Seqs(c.set)
		if !slices.Equal(got, c.want) || (err != nil) != c.bad {
			t.Errorf("%v: %v, %v", c.set, got, err)
		}
	}
}
