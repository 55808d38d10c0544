package backend

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
)

// layouts are those in which mailboxes are made, deleted and renamed. Names are written with '/'.
func layouts(t *testing.T, test func(t *testing.T, w *world, l Location)) {
	for name, l := range map[string]Location{
		"Maildir++": {Separator: '/'}, "fs": {Layout: FS}, "dirname": {Layout: FS, DirName: "m"},
		"control": {Separator: '/', Control: "ctl"}, "fs control": {Layout: FS, Control: "ctl"}, "UTF-8": {Separator: '/', UTF8: true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			if l.DirName != "" {
				w.maildir("INBOX/m")
			}
			if l.Control != "" {
				l.Control = filepath.Join(filepath.Dir(w.root), l.Control)
			}
			test(t, w, l)
			// Nothing half-made is left.
			filepath.WalkDir(filepath.Dir(w.root), func(path string, d os.DirEntry, err error) error {
				if strings.HasPrefix(d.Name(), "..") || strings.HasSuffix(d.Name(), ".tmp") || strings.HasSuffix(d.Name(), ".lock") {
					t.Errorf("left behind: %s", path)
				}
				return err
			})
		})
	}
}

func (w *world) names(a *User) (names []string) {
	w.t.Helper()
	list, err := a.List(w.t.Context(), "", []string{"*"}, listAll)
	w.must(err)
	for _, d := range list {
		s := d.Mailbox
		if slices.Contains(d.Attrs, imap.MailboxAttrNonExistent) || slices.Contains(d.Attrs, imap.MailboxAttrNoSelect) {
			s = "(" + s + ")"
		}
		names = append(names, s)
	}
	return names
}

func (w *world) wantNames(a *User, want ...string) {
	w.t.Helper()
	if got := w.names(a); !slices.Equal(got, append([]string{"INBOX"}, want...)) {
		w.t.Errorf("mailboxes %q, want INBOX and %q", got, want)
	}
}

var noDate time.Time

// put appends a message, and returns the mailbox's UIDVALIDITY and the message's UID.
func (w *world) put(a *User, name, text string) (uint32, imap.UID) {
	w.t.Helper()
	p, err := a.Append(w.t.Context(), name)
	w.must(err)
	defer p.Abort()
	w.must(p.Add(w.t.Context(), nil, noDate, strings.NewReader(text), int64(len(text)), false))
	validity, uids, err := p.Commit(w.t.Context())
	w.must(err)
	return validity, uids[0]
}

func (w *world) peek(a *User, name string) (validity uint32, n uint32) {
	w.t.Helper()
	v, err := a.Select(w.t.Context(), name, true)
	w.must(err)
	defer v.Close()
	return v.UIDValidity(), v.Len()
}

func TestCreate(t *testing.T) {
	layouts(t, func(t *testing.T, w *world, l Location) {
		w.must(os.Chmod(w.root, 0o750))
		a := w.open(l)
		ctx := t.Context()
		w.must(a.Create(ctx, "Work", nil))
		w.must(a.Create(ctx, "a/b/Größe & Co", nil))
		w.must(a.Create(ctx, "tail/", nil))
		w.must(a.Create(ctx, "inbox/kid", nil))
		tail := "tail"
		if l.Layout == FS {
			tail = "(tail)"
		}
		w.wantNames(a, "INBOX/kid", "Work", "(a)", "(a/b)", "a/b/Größe & Co", tail)
		for _, name := range []string{"Work", "Work/", "INBOX", "inbox", "inbox/", "a/b/Größe & Co"} {
			wantCode(t, a.Create(ctx, name, nil), "ALREADYEXISTS")
		}
		for _, name := range []string{"", "/", "/x", "x//y", "../x", "~x", "x\x00", "\xff", strings.Repeat("x", 300)} {
			wantCode(t, a.Create(ctx, name, nil), "CANNOT")
		}
		w.must(a.Create(ctx, "a", nil)) // a name so far
		w.must(a.Create(ctx, "a/b/Größe & Co/x", nil))
		w.wantNames(a, "INBOX/kid", "Work", "a", "(a/b)", "a/b/Größe & Co", "a/b/Größe & Co/x", tail)
		w.wantNames(w.open(l), "INBOX/kid", "Work", "a", "(a/b)", "a/b/Größe & Co", "a/b/Größe & Co/x", tail)
		if _, uid := w.put(a, "a/b/Größe & Co/x", "hi"); uid != 1 {
			t.Errorf("UID %d", uid)
		}
		f, err := a.folder("Work")
		w.must(err)
		for _, sub := range []string{"", "cur", "new", "tmp"} {
			fi, err := os.Stat(filepath.Join(w.root, f.Dir, sub))
			if w.must(err); fi.Mode().Perm() != 0o750 {
				t.Errorf("%s has mode %v", sub, fi.Mode())
			}
		}
		if got, want := w.exists(filepath.Join(f.Dir, maildirFolder)), l.Layout == MaildirPP; got != want {
			t.Errorf("maildirfolder is there: %v", got)
		}
	})
}

// Children follow the spelling of a parent that another program made.
func TestCreateBelowCourier(t *testing.T) {
	w := newWorld(t, ".Entwürfe")
	a := w.open(Location{})
	w.must(a.Create(t.Context(), "Entwürfe.größer", nil))
	if !w.exists(".Entwürfe.gr&APYA3w-er/cur") {
		t.Errorf("root has %q", w.files("."))
	}
	w.must(a.Rename(t.Context(), "Entwürfe", "Ü"))
	w.wantNames(a, "Ü", "Ü.größer")
	if !w.exists(".&ANw-.gr&APYA3w-er/cur") {
		t.Errorf("root has %q", w.files("."))
	}

	w = newWorld(t, "Entwürfe")
	a = w.open(Location{Layout: FS})
	w.must(a.Create(t.Context(), "Entwürfe/x", nil))
	w.wantNames(a, "Entwürfe", "Entwürfe/x")
}

func TestDelete(t *testing.T) {
	layouts(t, func(t *testing.T, w *world, l Location) {
		a := w.open(l)
		ctx := t.Context()
		for _, name := range []string{"Work", "Work/Sub", "Solo"} {
			w.must(a.Create(ctx, name, nil))
		}
		validity, _ := w.put(a, "Work", "one")
		subValidity, _ := w.put(a, "Work/Sub", "two")
		w.put(a, "Solo", "three")
		v := w.sel(a, "Work", false)
		w.must(a.Delete(ctx, "Work"))
		if !v.Sync(true).Lost {
			t.Error("the view of the deleted mailbox is not lost")
		}
		w.wantNames(a, "Solo", "(Work)", "Work/Sub")
		_, err := a.Select(ctx, "Work", false)
		if e, ok := errors.AsType[*imap.Error](err); !ok || e.Code != "NONEXISTENT" && e.Code != "CANNOT" {
			t.Errorf("SELECT of a name without mailbox: %v", err)
		}
		wantCode(t, a.Delete(ctx, "Work"), "HASCHILDREN")
		if got, n := w.peek(a, "Work/Sub"); got != subValidity || n != 1 {
			t.Errorf("the child has UIDVALIDITY %d and %d messages", got, n)
		}
		w.must(a.Create(ctx, "Work", nil))
		if got, n := w.peek(a, "Work"); got <= validity || n != 0 {
			t.Errorf("made again it has UIDVALIDITY %d, it had %d; and %d messages", got, validity, n)
		}
		w.must(a.Delete(ctx, "Work/Sub"))
		w.must(a.Delete(ctx, "Work"))
		w.must(a.Delete(ctx, "Solo"))
		w.wantNames(a)
		wantCode(t, a.Delete(ctx, "Solo"), "NONEXISTENT")
		wantCode(t, a.Delete(ctx, "inbox"), "CANNOT")
		wantCode(t, a.Delete(ctx, "../x"), "CANNOT")
		for _, dir := range []string{w.root, l.Control} {
			if dir == "" {
				continue
			}
			filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
				if base := d.Name(); strings.Contains(base, "Work") || strings.Contains(base, "Solo") {
					t.Errorf("left behind: %s", path)
				}
				return err
			})
		}
	})
}

// Files that are no mail are not deleted with a mailbox of LAYOUT=fs.
func TestDeleteKeepsOthers(t *testing.T) {
	w := newWorld(t, "Work")
	w.must(os.MkdirAll(filepath.Join(w.root, "bare/x"), 0o700))
	w.must(os.WriteFile(filepath.Join(w.root, "bare/file"), nil, 0o600))
	a := w.open(Location{Layout: FS})
	wantCode(t, a.Delete(t.Context(), "bare"), "HASCHILDREN")
	w.must(a.Delete(t.Context(), "bare/x"))
	wantCode(t, a.Delete(t.Context(), "bare"), "CANNOT")
	w.must(a.Delete(t.Context(), "Work"))
	w.wantNames(a, "(bare)")
}

func TestRename(t *testing.T) {
	layouts(t, func(t *testing.T, w *world, l Location) {
		a := w.open(l)
		ctx := t.Context()
		for _, name := range []string{"Work", "Work/Sub", "Work/Sub/Größe", "Workshop", "Other"} {
			w.must(a.Create(ctx, name, nil))
		}
		work, _ := w.put(a, "Work", "one")
		deep, _ := w.put(a, "Work/Sub/Größe", "two")
		w.put(a, "Work/Sub/Größe", "three")
		w.must(a.Subscribe(ctx, "Work"))
		v := w.sel(a, "Work/Sub/Größe", false)
		for to, code := range map[string]imap.ResponseCode{
			"Other": "ALREADYEXISTS", "Work": "ALREADYEXISTS", "INBOX": "ALREADYEXISTS", "Work/x": "CANNOT", "Work/Sub/x": "CANNOT",
			"x//y": "CANNOT", "~": "CANNOT", "Other/" + strings.Repeat("x", 250): "",
		} {
			if err := a.Rename(ctx, "Work", to); code != "" {
				wantCode(t, err, code)
			} else if err == nil { // LAYOUT=fs has shorter names
				w.must(a.Rename(ctx, to, "Work"))
			}
		}
		wantCode(t, a.Rename(ctx, "nope", "x"), "NONEXISTENT")
		if !t.Failed() && l.Layout == MaildirPP && v.Sync(true).Lost {
			t.Error("a RENAME that was refused has lost a view")
		}
		w.must(a.Rename(ctx, "Work", "parent/Play"))
		w.wantNames(a, "Other", "Workshop", "(parent)", "parent/Play", "parent/Play/Sub", "parent/Play/Sub/Größe")
		if !v.Sync(true).Lost {
			t.Error("the view of the renamed mailbox is not lost")
		}
		if got, n := w.peek(a, "parent/Play"); got != work || n != 1 {
			t.Errorf("UIDVALIDITY %d, was %d; %d messages", got, work, n)
		}
		got, n := w.peek(a, "parent/Play/Sub/Größe")
		if got != deep || n != 2 {
			t.Errorf("UIDVALIDITY of the child %d, was %d; %d messages", got, deep, n)
		}
		if _, uid := w.put(a, "parent/Play/Sub/Größe", "four"); uid != 3 {
			t.Errorf("the next UID is %d", uid)
		}
		w.must(a.Create(ctx, "Work", nil))
		if got, n := w.peek(a, "Work"); got <= work || got <= deep || n != 0 {
			t.Errorf("the old name has UIDVALIDITY %d and %d messages", got, n)
		}
		w.must(a.Rename(ctx, "parent", "p")) // a name without mailbox
		w.wantNames(a, "Other", "Work", "Workshop", "(p)", "p/Play", "p/Play/Sub", "p/Play/Sub/Größe")
		if subs, err := a.subscribed(); err != nil || len(subs["Work"]) != 1 {
			t.Errorf("subscriptions %v, %v", subs, err)
		}
	})
}

// INBOX is emptied into a new mailbox.
func TestRenameInbox(t *testing.T) {
	layouts(t, func(t *testing.T, w *world, l Location) {
		a := w.open(l)
		ctx := t.Context()
		w.must(a.Create(ctx, "INBOX/kid", nil))
		for i := range 3 {
			w.put(a, "INBOX", fmt.Sprint("m", i))
		}
		v := newClient(w.sel(a, "INBOX", false))
		validity := v.v.UIDValidity()
		w.must(a.Rename(ctx, "inbox", "old/mail"))
		if u := v.v.Sync(true); u.Lost || len(u.Expunged) != 3 {
			t.Errorf("INBOX's view is told %+v", u)
		}
		if _, n := w.peek(a, "old/mail"); n != 3 {
			t.Errorf("%d messages have moved", n)
		}
		if got, n := w.peek(a, "INBOX"); got != validity || n != 0 {
			t.Errorf("INBOX has UIDVALIDITY %d and %d messages", got, n)
		}
		w.wantNames(a, "INBOX/kid", "(old)", "old/mail")
		wantCode(t, a.Rename(ctx, "INBOX", "old/mail"), "ALREADYEXISTS")
		w.must(a.Rename(ctx, "INBOX", "empty"))
		w.must(a.Rename(ctx, "INBOX/kid", "kid"))
		w.wantNames(a, "empty", "kid", "(old)", "old/mail")
	})
}

// A RENAME in a Maildir++ that was killed after some of its folders can be repeated.
func TestRenameResumed(t *testing.T) {
	w := newWorld(t, ".Work", ".Work.b", ".New.a") // Work.a has moved
	a := w.open(Location{})
	tree, err := a.readTree()
	w.must(err)
	moves, err := a.planRename(tree, tree.byName["Work"], ".New")
	w.must(err)
	if moves[len(moves)-1].from.Name != "Work" {
		t.Error("the mailbox itself must come last, so that its new name is free until then")
	}
	w.must(a.Rename(t.Context(), "Work", "New"))
	w.wantNames(a, "New", "New.a", "New.b")
}

// A folder that can't be renamed takes the others back.
func TestRenameUndone(t *testing.T) {
	w := newWorld(t, ".Work", ".Work.a", ".Work.b")
	a := w.open(Location{})
	ctx := t.Context()
	tree, err := a.readTree()
	w.must(err)
	moves, err := a.planRename(tree, tree.byName["Work"], ".New")
	w.must(err)
	w.maildir(".New.b", ".New") // made by another program after the plan
	w.deliver(".New.b", "", "x")
	if err := a.renameAll(moves); err == nil {
		t.Error("no error")
	}
	a.forgetTree()
	w.wantNames(a, "New", "New.b", "Work", "Work.a", "Work.b")
	if _, n := w.peek(a, "New.b"); n != 1 {
		t.Errorf("%d messages", n)
	}
	wantCode(t, a.Rename(ctx, "Work", "New"), "ALREADYEXISTS")
}

// Commands on mailboxes that come and go fail with a reason, or do what they should.
func TestChurn(t *testing.T) {
	w := newWorld(t)
	a := w.open(Location{})
	ctx := t.Context()
	var wg sync.WaitGroup
	fine := func(err error) {
		if _, ok := errors.AsType[*imap.Error](err); err != nil && !ok {
			t.Error(err)
		}
	}
	for i := range 4 {
		wg.Go(func() {
			for range 25 {
				fine(a.Create(ctx, "A", nil))
				switch i {
				case 0:
					fine(a.Delete(ctx, "A"))
				case 1:
					fine(a.Rename(ctx, "A", "B"))
					fine(a.Rename(ctx, "B", "A.child"))
					fine(a.Delete(ctx, "A.child"))
				case 2:
					p, err := a.Append(ctx, "A")
					if fine(err); err != nil {
						continue
					}
					fine(p.Add(ctx, nil, noDate, strings.NewReader("x"), 1, false))
					_, _, err = p.Commit(ctx)
					fine(err)
					p.Abort()
				default:
					v, err := a.Select(ctx, "A", false)
					if fine(err); err != nil {
						continue
					}
					fine(v.Poll(ctx))
					v.Sync(true)
					v.Close()
				}
			}
		})
	}
	wg.Wait()
}

// What a mailbox left behind in CONTROL= when the server was killed is not its successor's.
func TestCreateOverOldControl(t *testing.T) {
	w := newWorld(t)
	control := filepath.Join(filepath.Dir(w.root), "ctl")
	w.must(os.MkdirAll(filepath.Join(control, ".Work"), 0o700))
	w.must(os.WriteFile(filepath.Join(control, ".Work/dovecot-uidlist"), []byte("3 V7 N5 G0123456789abcdef0123456789abcdef\n"), 0o600))
	a := w.open(Location{Control: control})
	w.must(a.Create(t.Context(), "Work", nil))
	if validity, _ := w.peek(a, "Work"); validity == 7 {
		t.Error("the new mailbox has the UIDVALIDITY of an old one")
	}
}

// The directory of a mailbox that is called INBOX beneath a prefix is not that of INBOX's control files.
func TestControlOfInboxInbox(t *testing.T) {
	for _, l := range []Location{{Prefix: "INBOX."}, {Prefix: "INBOX/", Layout: FS}} {
		w := newWorld(t)
		l.Control = filepath.Join(filepath.Dir(w.root), "ctl")
		a := w.open(l)
		inbox, work := l.Prefix+"INBOX", l.Prefix+"Work"
		validity, _ := w.put(a, "INBOX", "x")
		wantInbox := func() {
			t.Helper()
			if got, n := w.peek(w.open(l), "INBOX"); got != validity || n != 1 {
				t.Errorf("INBOX has UIDVALIDITY %d, had %d; %d messages", got, validity, n)
			}
		}
		w.must(a.Create(t.Context(), inbox, nil))
		w.put(a, inbox, "y")
		wantInbox()
		w.must(a.Delete(t.Context(), inbox))
		wantInbox()
		w.must(a.Create(t.Context(), work, nil))
		other, _ := w.put(a, work, "z")
		w.must(a.Rename(t.Context(), work, inbox))
		wantInbox()
		if got, n := w.peek(w.open(l), inbox); got != other || n != 1 {
			t.Errorf("%s has UIDVALIDITY %d, had %d; %d messages", inbox, got, other, n)
		}
	}
}

// A RENAME that fails leaves the control files with their mail.
func TestRenameControlUndone(t *testing.T) {
	w := newWorld(t, "Work")
	w.must(os.Symlink("Work", filepath.Join(w.root, "link")))
	l := Location{Layout: FS, Control: filepath.Join(filepath.Dir(w.root), "ctl")}
	a := w.open(l)
	validity, _ := w.put(a, "Work", "x")
	if err := a.Rename(t.Context(), "Work", "link/x"); err == nil {
		t.Fatal("a directory was moved beneath itself")
	}
	if got, n := w.peek(w.open(l), "Work"); got != validity || n != 1 {
		t.Errorf("UIDVALIDITY %d, was %d; %d messages", got, validity, n)
	}
}

// A mailbox that can't be made gets no special use.
func TestCreateUndone(t *testing.T) {
	w := newWorld(t)
	w.must(os.WriteFile(filepath.Join(w.root, ".taken"), nil, 0o600))
	a := w.open(Location{})
	wantCode(t, a.Create(t.Context(), "taken", []imap.MailboxAttr{imap.MailboxAttrSent}), "CANNOT")
	if uses, err := a.assignedUses(); err != nil || len(uses) != 0 {
		t.Errorf("assigned uses %v, %v", uses, err)
	}
}

// Another folder that has come into the place of a selected one, with a copy of its files, keeps its messages' UIDs: who has the
// old one selected changes nothing in it.
func TestReplacedByACopyOfIt(t *testing.T) {
	w := newWorld(t, ".A")
	w.deliver(".A", "cur/1.x:2,T", "1\n")
	w.deliver(".A", "cur/2.x:2,", "2\n")
	a := w.start()
	v := w.sel(a, "A", false)
	dir := filepath.Join(w.root, ".A")
	w.must(os.Rename(dir, filepath.Join(w.root, ".B")))
	w.must(os.CopyFS(dir, os.DirFS(filepath.Join(w.root, ".B"))))
	list, err := os.ReadFile(filepath.Join(dir, "dovecot-uidlist"))
	w.must(err)
	w.must(v.Expunge(t.Context(), nil))
	if u := v.Sync(true); !u.Lost {
		t.Errorf("told %+v", u)
	}
	if now, err := os.ReadFile(filepath.Join(dir, "dovecot-uidlist")); err != nil || string(now) != string(list) {
		t.Errorf("the list was %q, is %q, %v", list, now, err)
	}
	if n := len(w.files(".A/cur")); n != 2 {
		t.Errorf("%d files", n)
	}
}
