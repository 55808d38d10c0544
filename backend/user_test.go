package backend

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"maildir-imapd/uidmap"
	"maildir-imapd/watcher"

	"github.com/emersion/go-imap/v2"
)

// sharedWorld is a tree that several users share, on one server.
type sharedWorld struct {
	*world // of the shared tree
	b      *Backend
}

func newSharedWorld(t *testing.T) *sharedWorld {
	w := &sharedWorld{world: &world{t: t, root: filepath.Join(t.TempDir(), "shared")}}
	w.must(os.Mkdir(w.root, 0o700))
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	watch := watcher.New(watcher.Options{Log: log})
	w.b = New(Options{Log: log, Watcher: watch})
	t.Cleanup(func() {
		w.must(w.b.Close())
		w.must(watch.Close())
	})
	return w
}

// box makes a shared mailbox with an access control list.
func (w *sharedWorld) box(dir, acl string) {
	w.t.Helper()
	w.maildir(dir)
	w.acl(dir, acl)
}

func (w *sharedWorld) acl(dir, acl string) {
	w.t.Helper()
	w.must(os.WriteFile(filepath.Join(w.root, dir, "dovecot-acl"), []byte(acl), 0o600))
}

// user logs in, with a Maildir of his own and the shares.
func (w *sharedWorld) user(name string, own Location, shares ...Share) *User {
	w.t.Helper()
	own.Root = filepath.Join(filepath.Dir(w.root), name)
	u, err := w.b.Open(w.t.Context(), name, own, true)
	w.must(err)
	w.t.Cleanup(func() { u.Close() })
	if len(shares) == 0 {
		shares = []Share{{Location: Location{Prefix: "Public.", Root: w.root}}}
	}
	w.must(u.Share(w.t.Context(), nil, shares))
	return u
}

func (w *sharedWorld) list(u *User, pattern string) []string {
	w.t.Helper()
	list, err := u.List(w.t.Context(), "", []string{pattern}, &imap.ListOptions{ReturnChildren: true, ReturnSubscribed: true})
	w.must(err)
	return show(list)
}

// All users have the same Mailbox: what one does, the others see without looking at the disk. Their rights are their own.
func TestSharedMailboxIsOne(t *testing.T) {
	w := newSharedWorld(t)
	w.box(".box", "user=alice lrwst\nuser=bob lr\n")
	w.deliver(".box", "cur/1000000001.M1.x:2,", "Subject: x\n\nx\n")
	alice, bob := w.user("alice", Location{}), w.user("bob", Location{})
	a, b := w.sel(alice, "Public.box", false), w.sel(bob, "Public.box", false)
	if a.mb != b.mb {
		t.Fatal("two owners of one folder")
	}
	if a.ReadOnly() || !b.ReadOnly() {
		t.Errorf("read-only: alice %v, bob %v", a.ReadOnly(), b.ReadOnly())
	}
	_, err := a.Store(t.Context(), []uint32{1}, StoreRequest{Op: imap.StoreFlagsAdd, Flags: []imap.Flag{imap.FlagSeen}})
	w.must(err)
	if u := b.Sync(true); !slices.Equal(u.Flags, []uint32{1}) || !b.Has(1, imap.FlagSeen) {
		t.Errorf("bob is told %+v", u)
	}
	_, err = b.Store(t.Context(), []uint32{1}, StoreRequest{Op: imap.StoreFlagsDel, Flags: []imap.Flag{imap.FlagSeen}})
	wantCode(t, err, imap.ResponseCodeNoPerm)
}

// Names go to the tree with the longest prefix, whatever the user's own prefix is; what of his own lies there has no name.
func TestSharePrefixes(t *testing.T) {
	w := newSharedWorld(t)
	w.box(".box", "anyone lr\n")
	w.box(".deep.hidden", "anyone lr\n") // another tree has its place
	deep := filepath.Join(filepath.Dir(w.root), "deep")
	for _, sub := range []string{"cur", "new", "tmp"} {
		w.must(os.MkdirAll(filepath.Join(deep, "box", sub), 0o700))
	}
	w.must(os.WriteFile(filepath.Join(deep, "dovecot-acl"), []byte("anyone lr\n"), 0o600))
	within := filepath.Join(filepath.Dir(w.root), "within")
	for _, sub := range []string{"cur", "new", "tmp"} {
		w.must(os.MkdirAll(filepath.Join(within, ".x", sub), 0o700))
	}
	w.must(os.WriteFile(filepath.Join(within, "dovecot-acl"), []byte("anyone lr\n"), 0o600))
	empty := filepath.Join(filepath.Dir(w.root), "empty")
	w.must(os.Mkdir(empty, 0o700))
	shares := []Share{
		{Location: Location{Prefix: "Public.", Root: w.root}},
		{Location: Location{Prefix: "Public.box.in.", Root: within}},
		{Location: Location{Prefix: "Public.deep.", Root: deep, Layout: FS}},
		{Location: Location{Prefix: "Work.of.all.", Root: empty}, Others: true},
	}
	for _, prefix := range []string{"", "INBOX."} {
		u := w.user("u"+strings.TrimSuffix(prefix, "."), Location{Prefix: prefix}, shares...)
		for _, dir := range []string{".Work", ".Public", ".Public.mine"} {
			for _, sub := range []string{"cur", "new", "tmp"} {
				w.must(os.MkdirAll(filepath.Join(u.loc.Root, dir, sub), 0o700))
			}
		}
		want := []string{"INBOX", "Public (NonExistent HasChildren)", "Public.box (HasChildren)",
			"Public.box.in (NonExistent HasChildren)", "Public.box.in.x", "Public.deep (NonExistent HasChildren)",
			"Public.deep.box", "Work"}
		if prefix != "" {
			want = []string{"INBOX (HasChildren)", "INBOX.Public (HasChildren)", "INBOX.Public.mine", "INBOX.Work",
				"Public (NonExistent HasChildren)", "Public.box (HasChildren)", "Public.box.in (NonExistent HasChildren)", "Public.box.in.x",
				"Public.deep (NonExistent HasChildren)", "Public.deep.box"}
		}
		if got := w.list(u, "*"); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", prefix, got, want)
		}
		for _, name := range []string{"Public.box", "Public.deep.box"} {
			v := w.sel(u, name, true)
			if v.Name() != name || v.mb.a == u.Account {
				t.Errorf("%s is %s of %s", name, v.Name(), v.mb.a.user)
			}
			w.must(u.Subscribe(t.Context(), name))
		}
		for _, name := range []string{"Public.mine", "Public.deep.hidden"} {
			_, err := u.Select(t.Context(), name, true)
			wantCode(t, err, imap.ResponseCodeNonExistent)
		}
		for _, name := range []string{"Public", "Public.deep"} {
			_, err := u.Select(t.Context(), name, true)
			wantCode(t, err, imap.ResponseCodeCannot)
		}
		if got := w.list(u, "Public.*"); !slices.Contains(got, "Public.box (HasChildren Subscribed)") || !slices.Contains(got, "Public.deep.box (Subscribed)") {
			t.Errorf("%q: subscribed to %q", prefix, got)
		}
		w.must(u.Unsubscribe(t.Context(), "Public.box"))
		if got := w.list(u, "Public.*"); slices.Contains(got, "Public.box (HasChildren Subscribed)") || !slices.Contains(got, "Public.deep.box (Subscribed)") {
			t.Errorf("%q: unsubscribed, and %q", prefix, got)
		}
		n := u.Namespaces()
		if len(n.Other) != 1 || len(n.Shared) != 3 || n.Other[0].Prefix != "Work.of.all." || n.Personal[0].Prefix != prefix {
			t.Errorf("%+v", n)
		}
		wantCode(t, u.Rename(t.Context(), "Public.box", "Public.deep.new"), imap.ResponseCodeCannot)
	}
}

// A share that can't be had keeps nobody from the rest.
func TestShareMissing(t *testing.T) {
	w := newSharedWorld(t)
	w.box(".box", "anyone lr\n")
	u := w.user("alice", Location{}, Share{Location: Location{Prefix: "Public.", Root: w.root}})
	err := u.Share(t.Context(), nil, []Share{
		{Location: Location{Prefix: "None.", Root: w.root + "-none"}},
		{Location: Location{Prefix: "Other/", Root: w.root}},
		{Location: Location{Prefix: ".", Root: w.root}},
	})
	if err == nil || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v", err)
	}
	if got := w.list(u, "Public.*"); !slices.Equal(got, []string{"Public.box"}) {
		t.Errorf("%q", got)
	}
}

// What lies in the place of an access control list gives nobody anything, and keeps nobody from other mailboxes.
func TestShareHostileFiles(t *testing.T) {
	w := newSharedWorld(t)
	outside := filepath.Join(filepath.Dir(w.root), "outside")
	w.must(os.WriteFile(outside, []byte("anyone lrwstipekxa\n"), 0o600))
	w.acl(".", "anyone lrwstipekxa\n")
	w.box(".box", "anyone lr\n")
	w.maildir(".link", ".dir", ".big", ".nul")
	w.must(os.Symlink(outside, filepath.Join(w.root, ".link/dovecot-acl")))
	w.must(os.Mkdir(filepath.Join(w.root, ".dir/dovecot-acl"), 0o700))
	w.acl(".big", "anyone lr\n"+strings.Repeat("#\n", 40<<10))
	w.acl(".nul", "-\x00\xff\nanyone lr")
	w.must(os.Symlink(filepath.Dir(w.root), filepath.Join(w.root, ".out"))) // leads out of the tree
	u := w.user("alice", Location{})
	if got := w.list(u, "Public.*"); !slices.Equal(got, []string{"Public.box"}) {
		t.Errorf("%q", got)
	}
	for _, name := range []string{"link", "dir", "big", "nul", "out"} {
		_, err := u.Select(t.Context(), "Public."+name, false)
		wantCode(t, err, imap.ResponseCodeNonExistent)
		wantCode(t, u.SetACL(t.Context(), "Public."+name, "alice", imap.RightModificationReplace, AllRights), imap.ResponseCodeNonExistent)
	}
}

// A symlink that leads to another folder now has the list of that one.
func TestShareLinkMoves(t *testing.T) {
	w := newSharedWorld(t)
	dir := filepath.Dir(w.root)
	for name, acl := range map[string]string{"one": "anyone lr\n", "two": "user=bob lr\n"} {
		w.must(errors.Join(os.MkdirAll(filepath.Join(dir, name, "cur"), 0o700), os.MkdirAll(filepath.Join(dir, name, "new"), 0o700),
			os.MkdirAll(filepath.Join(dir, name, "tmp"), 0o700), os.WriteFile(filepath.Join(dir, name, "dovecot-acl"), []byte(acl), 0o600)))
	}
	link := filepath.Join(w.root, ".link")
	w.must(os.Symlink(filepath.Join(dir, "one"), link))
	u := w.user("alice", Location{}, Share{Location: Location{Prefix: "Public.", Root: w.root, FollowSymlinks: true}})
	if r, err := u.Rights("Public.link"); err != nil || r.String() != "lr" {
		t.Errorf("%q, %v", r, err)
	}
	w.must(errors.Join(os.Symlink(filepath.Join(dir, "two"), link+"2"), os.Rename(link+"2", link)))
	_, err := u.Rights("Public.link")
	wantCode(t, err, imap.ResponseCodeNonExistent)
}

// One directory is one tree of the user's, by whatever path.
func TestShareOwn(t *testing.T) {
	w := newSharedWorld(t)
	w.acl(".", "anyone lrwstipekxa\n")
	u := w.user("alice", Location{})
	link := w.root + "-link"
	w.must(errors.Join(os.Symlink(u.loc.Root, link), os.Symlink(w.root, w.root+"-again")))
	err := u.Share(t.Context(), nil, []Share{
		{Location: Location{Prefix: "Mine.", Root: u.loc.Root}},
		{Location: Location{Prefix: "Link.", Root: link}},
		{Location: Location{Prefix: "Again.", Root: w.root + "-again"}},
	})
	if err == nil {
		t.Error("shared")
	}
	if n := u.Namespaces(); len(n.Shared) != 1 {
		t.Errorf("%+v", n)
	}
}

// Many change one list at once: nothing is lost.
func TestSetACLConcurrent(t *testing.T) {
	w := newSharedWorld(t)
	w.box(".box", "# kept\nuser=alice la\nuser=bob la\n")
	users := []*User{w.user("alice", Location{}), w.user("bob", Location{})}
	var group sync.WaitGroup
	for i := range 20 {
		group.Go(func() {
			r := Rights(1 << (i % 11))
			if err := users[i%2].SetACL(t.Context(), "Public.box", fmt.Sprint("user", i), imap.RightModificationReplace, r); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	list, err := users[0].ACL("Public.box")
	w.must(err)
	got := make(map[string]Rights)
	for _, e := range list {
		got[e.Identifier] = e.Rights
	}
	for i := range 20 {
		if r := got[fmt.Sprint("user", i)]; r != 1<<(i%11) {
			t.Errorf("user%d has %q", i, r)
		}
	}
	data, err := os.ReadFile(filepath.Join(w.root, ".box/dovecot-acl"))
	if err != nil || !strings.HasPrefix(string(data), "# kept\n") {
		t.Errorf("%q, %v", data, err)
	}
}

// Whatever SETACL and DELETEACL are given, the one who does it keeps the right to administer, and what is read back is what MYRIGHTS counts with.
func TestSetACLRandom(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	w := newSharedWorld(t)
	w.acl(".", "user=bob a\n")
	w.box(".box", "user=alice lrwstipekxa\n")
	alice := w.user("alice", Location{})
	ids := []string{"alice", "-alice", "anyone", "-anyone", "authenticated", "-authenticated", "owner", "$g", "!$g", "bob", "x y"}
	for range 300 {
		id, rights := ids[r.IntN(len(ids))], Rights(r.Uint32())&AllRights
		how := []imap.RightModification{imap.RightModificationReplace, imap.RightModificationAdd, imap.RightModificationRemove}[r.IntN(3)]
		err := alice.SetACL(t.Context(), "Public.box", id, how, rights)
		if r.IntN(4) == 0 {
			err = alice.DeleteACL(t.Context(), "Public.box", id)
		}
		if err != nil {
			wantCode(t, err, imap.ResponseCodeCannot)
		}
		now, err := alice.Rights("Public.box")
		if err != nil || !now.Has(RightAdminister) {
			t.Fatalf("alice has %q, %v", now, err)
		}
	}
}

// RFC 4314 §2: entries as Dovecot combines them.
func TestIdentity(t *testing.T) {
	id := identity{name: "bob", groups: map[string]bool{"staff": true}}
	entry := func(kind uidmap.ACLKind, name, rights string) uidmap.ACLEntry {
		return uidmap.ACLEntry{Kind: kind, Name: name, Rights: rights}
	}
	minus := func(e uidmap.ACLEntry) uidmap.ACLEntry { e.Negative = true; return e }
	anyone, bob := entry(uidmap.ACLAnyone, "", "lrw"), entry(uidmap.ACLUser, "bob", "lr")
	for i, c := range []struct {
		list  []uidmap.ACLEntry
		want  string
		known bool
	}{
		{nil, "", false},
		{[]uidmap.ACLEntry{entry(uidmap.ACLUser, "carl", "lr"), entry(uidmap.ACLGroup, "x", "lr"), entry(uidmap.ACLOwner, "", "lr")}, "", false},
		{[]uidmap.ACLEntry{bob, anyone}, "lr", true}, // in any order
		{[]uidmap.ACLEntry{anyone, minus(entry(uidmap.ACLUser, "bob", "w"))}, "lr", true},
		{[]uidmap.ACLEntry{minus(entry(uidmap.ACLAnyone, "", "r")), bob}, "l", true},
		{[]uidmap.ACLEntry{minus(entry(uidmap.ACLGroupOverride, "staff", "l")), bob}, "r", true},
		{[]uidmap.ACLEntry{entry(uidmap.ACLGroupOverride, "staff", ""), bob}, "", true},
		{[]uidmap.ACLEntry{minus(entry(uidmap.ACLUser, "bob", "p"))}, "", true},
		{[]uidmap.ACLEntry{bob, entry(uidmap.ACLUnknown, "", "")}, "lr", true},
		{[]uidmap.ACLEntry{bob, minus(entry(uidmap.ACLUnknown, "", ""))}, "", true},
		{[]uidmap.ACLEntry{bob, entry(uidmap.ACLUser, "bob", "s")}, "lrs", true},
	} {
		if got, known := id.of(c.list); got.String() != c.want || known != c.known {
			t.Errorf("%d: %q, %v, want %q, %v", i, got, known, c.want, c.known)
		}
	}
}

// While mailboxes change their names, nobody opens one with the rights that he had to another.
func TestSharedRenameRace(t *testing.T) {
	w := newSharedWorld(t)
	w.acl(".", "user=boss lrwstipekxa\n")
	w.box(".open", "anyone lr\nuser=boss lrkx\n")
	w.box(".hidden", "user=boss lrkx\nanyone\n")
	w.deliver(".hidden", "cur/1000000001.M1.x:2,", "Subject: x\n\nx\n")
	boss, alice := w.user("boss", Location{}), w.user("alice", Location{})
	ctx, end := context.WithCancel(t.Context())
	var group sync.WaitGroup
	group.Go(func() {
		defer end()
		for range 200 {
			for _, names := range [][2]string{{"open", "x"}, {"hidden", "open"}, {"open", "hidden"}, {"x", "open"}} {
				if err := boss.Rename(t.Context(), "Public."+names[0], "Public."+names[1]); err != nil {
					t.Error(err)
					return
				}
			}
		}
	})
	for ctx.Err() == nil {
		v, err := alice.Select(t.Context(), "Public.open", true)
		if err != nil {
			wantCode(t, err, imap.ResponseCodeNonExistent)
			continue
		}
		if v.Len() > 0 {
			t.Error("a hidden mailbox was opened")
			end()
		}
		v.Close()
	}
	group.Wait()
}

// A name that another mailbox is given between the look at the rights and the answer shows, and changes, nothing of that one.
func TestShareRenamedMeanwhile(t *testing.T) {
	w := newSharedWorld(t)
	w.acl(".", "user=alice lrwstipekxa\n")
	w.box(".box", "anyone lrwa\nuser=alice lrwstipekxa\n")
	w.box(".secret", "user=alice lrwstipekxa\n")
	alice, bob := w.user("alice", Location{}), w.user("bob", Location{})
	set := func(u *User, name, value string) error {
		return u.SetMetadata(t.Context(), name, []Metadata{{"/shared/comment", &value}}, nil)
	}
	w.must(set(alice, "Public.secret", "secret"))
	_, id, err := alice.Status(t.Context(), "Public.secret", &imap.StatusOptions{})
	w.must(err)
	stop := make(chan struct{})
	var group sync.WaitGroup
	try := func(what func() error) {
		group.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if err := what(); err != nil {
					if e, ok := errors.AsType[*imap.Error](err); !ok || e.Code != imap.ResponseCodeNonExistent {
						t.Error(err)
						return
					}
				}
			}
		})
	}
	try(func() error {
		list, err := bob.Metadata("Public.box")
		if len(list) > 0 && *list[0].Value == "secret" {
			t.Error("bob has read an annotation of the other mailbox")
		}
		return err
	})
	try(func() error { return set(bob, "Public.box", "bob's") })
	try(func() error {
		list, err := bob.ACL("Public.box")
		if err == nil && len(list) != 2 {
			t.Error("bob has read the list of the other mailbox")
		}
		return err
	})
	try(func() error {
		_, got, err := bob.Status(t.Context(), "Public.box", &imap.StatusOptions{})
		if err == nil && got == id {
			t.Error("bob has read the ID of the other mailbox")
		}
		return err
	})
	move := func(from, to string) { w.must(alice.Rename(t.Context(), "Public."+from, "Public."+to)) }
	for range 40 {
		move("box", "open")
		move("secret", "box")
		move("box", "secret")
		move("open", "box")
	}
	close(stop)
	group.Wait()
	if list, err := alice.Metadata("Public.secret"); err != nil || len(list) != 1 || *list[0].Value != "secret" {
		t.Errorf("bob has changed an annotation of the other mailbox: %v, %v", list, err)
	}
}

// The right to insert that is taken away while a client sends its message is gone when the message is there.
func TestShareAppendLate(t *testing.T) {
	w := newSharedWorld(t)
	w.box(".box", "user=alice lri\n")
	u := w.user("alice", Location{})
	p, err := u.Append(t.Context(), "Public.box")
	w.must(err)
	w.must(p.Add(t.Context(), nil, time.Time{}, strings.NewReader("Subject: x\r\n\r\n"), 14, false))
	w.acl(".box", "user=alice lr\n")
	_, _, err = p.Commit(t.Context())
	wantCode(t, err, imap.ResponseCodeNoPerm)
	p.Abort()
	if files := append(append(w.files(".box/cur"), w.files(".box/new")...), w.files(".box/tmp")...); len(files) > 0 {
		t.Errorf("%q", files)
	}
}

// The same for the rights to remove what a REPLACE replaces.
func TestShareReplaceLate(t *testing.T) {
	w := newSharedWorld(t)
	w.box(".box", "user=alice lrite\n")
	w.deliver(".box", "cur/1000000001.M1.x:2,", "Subject: x\n\nx\n")
	v := w.sel(w.user("alice", Location{}), "Public.box", false)
	p, err := v.Replace(t.Context(), 1, "Public.box")
	w.must(err)
	defer p.Abort()
	w.must(p.Add(t.Context(), nil, time.Time{}, strings.NewReader("Subject: y\r\n\r\n"), 14, false))
	w.acl(".box", "user=alice lri\n")
	_, _, err = p.Commit(t.Context())
	wantCode(t, err, imap.ResponseCodeNoPerm)
	if files := append(w.files(".box/cur"), w.files(".box/new")...); len(files) != 1 {
		t.Errorf("%q", files)
	}
}

// Each mailbox is searched once, one that is named twice and can't be looked up as well (RFC 7377 §2.2).
func TestShareMailboxesOnce(t *testing.T) {
	w := newSharedWorld(t)
	w.box(".box", "user=alice r\n")
	w.box(".seen", "user=alice lr\n")
	u := w.user("alice", Location{})
	names := []string{"Public.box", "Public.seen", "Public.none", "Public.box", "Public.seen"}
	got, err := u.Mailboxes([]Scope{{Kind: Named, Names: names}, {Kind: Named, Names: names}})
	if want := []string{"Public.seen", "Public.box"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%q, %v, want %q", got, err, want)
	}
}
