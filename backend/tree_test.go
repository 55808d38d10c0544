package backend

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"maildir-imapd/watcher"

	"github.com/emersion/go-imap/v2"
)

// open starts a server of its own on the world's root, as the location says.
func (w *world) open(l Location) *User {
	w.t.Helper()
	l.Root = w.root
	log := slog.New(slog.NewTextHandler(w.t.Output(), nil))
	watch := watcher.New(watcher.Options{Log: log})
	b := New(Options{Log: log, Watcher: watch})
	a, err := b.Open(w.t.Context(), "alice", l, false)
	w.must(err)
	w.t.Cleanup(func() {
		a.Close()
		w.must(b.Close())
		w.must(watch.Close())
	})
	return a
}

// maildir makes folders by other means than ours.
func (w *world) maildir(dirs ...string) {
	w.t.Helper()
	for _, d := range dirs {
		for _, sub := range []string{"cur", "new", "tmp"} {
			w.must(os.MkdirAll(filepath.Join(w.root, d, sub), 0o700))
		}
	}
}

func (w *world) exists(name string) bool {
	_, err := os.Lstat(filepath.Join(w.root, name))
	return err == nil
}

// show writes a listing as "name (\A \B)" without backslashes, \HasNoChildren left out.
func show(list []imap.ListData) (out []string) {
	for _, d := range list {
		var attrs []string
		for _, a := range d.Attrs {
			if a != imap.MailboxAttrHasNoChildren {
				attrs = append(attrs, string(a[1:]))
			}
		}
		s := d.Mailbox
		if len(attrs) > 0 {
			s += " (" + strings.Join(attrs, " ") + ")"
		}
		if d.ChildInfo != nil {
			s += " CHILDINFO"
		}
		out = append(out, s)
	}
	return out
}

// listAll asks for all that plain LIST tells.
var listAll = &imap.ListOptions{ReturnChildren: true, ReturnSpecialUse: true}

func (w *world) wantList(a *User, o *imap.ListOptions, patterns string, want ...string) {
	w.t.Helper()
	list, err := a.List(w.t.Context(), "", strings.Fields(patterns), o)
	w.must(err)
	if got := show(list); !slices.Equal(got, want) {
		w.t.Errorf("LIST %q:\n got %q\nwant %q", patterns, got, want)
	}
}

func wantCode(t *testing.T, err error, code imap.ResponseCode) {
	t.Helper()
	if e, ok := errors.AsType[*imap.Error](err); !ok || e.Code != code {
		t.Errorf("got error %v, want one with %s", err, code)
	}
}

func TestTreeMaildirPP(t *testing.T) {
	w := newWorld(t, ".Work", ".A.B.C", ".Entw&APw-rfe", ".Courier-für", ".R&D", ".INBOX.kid", ".cur", ".x-y", ".x.z")
	w.must(os.Mkdir(filepath.Join(w.root, ".bare"), 0o700))
	w.must(os.Mkdir(filepath.Join(w.root, "nodot"), 0o700))
	w.must(os.Mkdir(filepath.Join(w.root, scratch()), 0o700))
	w.must(os.Mkdir(filepath.Join(w.root, dovecotTrash), 0o700))
	w.must(os.WriteFile(filepath.Join(w.root, ".file"), nil, 0o600))
	w.must(os.Symlink(".Work", filepath.Join(w.root, ".link")))
	w.must(os.Symlink("gone", filepath.Join(w.root, ".dangling")))
	a := w.open(Location{})
	w.wantList(a, listAll, "*",
		"INBOX (HasChildren)", "INBOX.kid", "A (NonExistent HasChildren)", "A.B (NonExistent HasChildren)", "A.B.C",
		"Courier-für", "Entwürfe", "R&D", "Work", "bare", "cur", "link", "x (NonExistent HasChildren)", "x.z", "x-y")
	w.wantList(a, listAll, "%", "INBOX (HasChildren)", "A (NonExistent HasChildren)", "Courier-für", "Entwürfe", "R&D", "Work",
		"bare", "cur", "link", "x (NonExistent HasChildren)", "x-y")
	w.wantList(a, &imap.ListOptions{ReturnChildren: true}, "A%", "A (NonExistent HasChildren)")
	w.wantList(a, listAll, "inbox.%", "INBOX.kid")
	for name, dir := range map[string]string{"Entwürfe": ".Entw&APw-rfe", "Courier-für": ".Courier-für", "R&D": ".R&D",
		"bare": ".bare", "inbox": ".", "Inbox.kid": ".INBOX.kid", "link": ".link", "cur": ".cur"} {
		f, err := a.folder(name)
		if err != nil || f.Dir != dir || f.mail.dir != dir || f.control.dir != dir {
			t.Errorf("folder %q: %+v, %v, want %q", name, f, err, dir)
			continue
		}
		w.sel(a, name, false)
	}
	if !w.exists(".bare/new") {
		t.Error("the missing directories of a folder were not made")
	}
	for name, code := range map[string]imap.ResponseCode{"A": "NONEXISTENT", "nope": "NONEXISTENT", "dangling": "NONEXISTENT", "file": "NONEXISTENT",
		"nodot": "NONEXISTENT", "a/../b": "CANNOT", "..": "CANNOT"} {
		_, err := a.folder(name)
		wantCode(t, err, code)
	}
	// What other programs make and remove is seen at once.
	w.maildir(".Zed")
	w.must(os.RemoveAll(filepath.Join(w.root, ".A.B.C")))
	w.wantList(a, listAll, "Z* A*", "Zed")
	_, err := a.folder("A.B.C")
	wantCode(t, err, "NONEXISTENT")
}

// A change within one tick of the file system's clock is seen.
func TestTreeSameTick(t *testing.T) {
	w := newWorld(t, ".a")
	a := w.open(Location{})
	fi, err := os.Stat(w.root)
	w.must(err)
	w.wantList(a, listAll, "*", "INBOX", "a")
	w.maildir(".b")
	w.must(os.Chtimes(w.root, fi.ModTime(), fi.ModTime()))
	w.wantList(a, listAll, "*", "INBOX", "a", "b")
}

// What was put there by a program that sets the directory's time back, as rsync -a does, is seen.
func TestTreeTimeSetBack(t *testing.T) {
	w := newWorld(t, ".a")
	a := w.open(Location{})
	old := time.Now().Add(-time.Hour)
	w.must(os.Chtimes(w.root, old, old))
	w.wantList(a, listAll, "*", "INBOX", "a")
	w.maildir(".b")
	w.must(os.Chtimes(w.root, old, old))
	w.wantList(a, listAll, "*", "INBOX", "a", "b")
}

// Two directories of one name are both reached.
func TestTreeCollision(t *testing.T) {
	w := newWorld(t, ".Entwürfe", ".Entw&APw-rfe", ".a\nb", ".a\rb", ".a\tb", ".INBOX")
	a := w.open(Location{})
	w.wantList(a, listAll, "*", "INBOX", "Entwürfe", "Entwürfe~2", "INBOX~2", "a\ufffdb", "a\ufffdb~2", "a\ufffdb~3")
	f, err := a.folder("Entwürfe")
	w.must(err)
	if f.Dir != ".Entw&APw-rfe" {
		t.Errorf("the name leads to %q", f.Dir)
	}
	if f, err = a.folder("Entwürfe~2"); err != nil || f.Dir != ".Entwürfe" {
		t.Errorf("the other is %q, %v", f.Dir, err)
	}
}

func TestTreePrefix(t *testing.T) {
	w := newWorld(t, ".Kid", ".Kid.x", ".INBOX")
	a := w.open(Location{Prefix: "INBOX."})
	w.wantList(a, listAll, "*", "INBOX (HasChildren)", "INBOX.INBOX", "INBOX.Kid (HasChildren)", "INBOX.Kid.x")
	w.wantList(a, listAll, "%", "INBOX (HasChildren)")
	if ns := a.Namespaces(); len(ns.Personal) != 1 || ns.Personal[0] != (imap.NamespaceDescriptor{Prefix: "INBOX.", Delim: '.'}) {
		t.Errorf("namespaces %+v", ns)
	}
	_, err := a.folder("Kid")
	wantCode(t, err, "CANNOT")
	w.must(a.Create(t.Context(), "inbox.New.One", nil))
	if !w.exists(".New.One/cur") {
		t.Error("the folder lies elsewhere")
	}
	other := w.open(Location{Prefix: "Mail/", Separator: '/'})
	w.wantList(other, listAll, "%", "INBOX", "Mail (NonExistent HasChildren)")
	w.wantList(other, listAll, "Mail/%", "Mail/INBOX", "Mail/Kid (HasChildren)", "Mail/New (NonExistent HasChildren)")
	wantCode(t, other.Create(t.Context(), "Mail", nil), "CANNOT")
	wantCode(t, other.Rename(t.Context(), "Mail", "Mail/x"), "CANNOT")
	wantCode(t, other.Delete(t.Context(), "Mail"), "HASCHILDREN")
}

func TestTreeFS(t *testing.T) {
	w := newWorld(t, "Work", "Work/Sub", "INBOX/kid", ".hid", "A.B", "only/parent/child", "Entwürfe/x")
	w.must(os.MkdirAll(filepath.Join(w.root, "bare"), 0o700))
	w.must(os.Symlink("..", filepath.Join(w.root, "Work/loop")))
	w.must(os.MkdirAll(filepath.Join(w.root, "ctl/Work"), 0o700))
	a := w.open(Location{Layout: FS, Control: filepath.Join(w.root, "ctl")})
	w.wantList(a, listAll, "*", "INBOX (HasChildren)", "INBOX/kid", ".hid", "A.B",
		"Entwürfe (Noselect HasChildren)", "Entwürfe/x", "Work (HasChildren)", "Work/Sub",
		"bare (Noselect)", "only (Noselect HasChildren)", "only/parent (Noselect HasChildren)", "only/parent/child")
	_, err := a.folder("bare")
	wantCode(t, err, "CANNOT")
	f, err := a.folder("Work/Sub")
	w.must(err)
	if f.control.dir != "Work/Sub" || f.control.root == f.mail.root {
		t.Errorf("control files lie in %+v", f.control)
	}
	w.sel(a, "Work/Sub", false)
	if !w.exists("ctl/Work/Sub/dovecot-uidlist") || w.exists("Work/Sub/dovecot-uidlist") {
		t.Error("CONTROL= is not where the uidlist lies")
	}
	// A change below is seen though the root has not moved.
	w.maildir("Work/Sub/deep")
	w.wantList(a, listAll, "Work/*", "Work/Sub (HasChildren)", "Work/Sub/deep")
	w.must(os.RemoveAll(filepath.Join(w.root, "Work/Sub/cur")))
	w.wantList(a, listAll, "Work/S*", "Work/Sub (Noselect HasChildren)", "Work/Sub/deep")
}

func TestTreeDirName(t *testing.T) {
	w := newWorld(t, "INBOX/mAildir", "INBOX/kid/mAildir", "Work/mAildir")
	w.must(os.MkdirAll(filepath.Join(w.root, "Work/bare"), 0o700))
	a := w.open(Location{Layout: FS, DirName: "mAildir"})
	w.wantList(a, listAll, "*", "INBOX (HasChildren)", "INBOX/kid", "Work (HasChildren)", "Work/bare (Noselect)")
	w.deliver("INBOX/mAildir", "", "x")
	if v := w.sel(a, "inbox", false); v.Len() != 1 {
		t.Errorf("INBOX has %d messages", v.Len())
	}
	w.must(a.Create(t.Context(), "Work/Sub", nil))
	w.must(a.Rename(t.Context(), "Work", "Play"))
	w.must(a.Delete(t.Context(), "Play"))
	w.wantList(a, listAll, "*", "INBOX (HasChildren)", "INBOX/kid", "Play (Noselect HasChildren)", "Play/Sub", "Play/bare (Noselect)")
	if !w.exists("Play/Sub/mAildir/cur") || w.exists("Play/mAildir") {
		t.Error("the folders lie elsewhere")
	}
}

// Endless directories end.
func TestTreeBounds(t *testing.T) {
	w := newWorld(t)
	w.must(os.MkdirAll(filepath.Join(w.root, strings.Repeat("d/", 100)), 0o700))
	w.must(os.Symlink(".", filepath.Join(w.root, "d/self")))
	w.must(os.Symlink("../..", filepath.Join(w.root, "d/d/up")))
	a := w.open(Location{Layout: FS})
	list, err := a.List(t.Context(), "", []string{"*"}, listAll)
	w.must(err)
	if len(list) > 2*maxLevels {
		t.Errorf("%d names", len(list))
	}
}

func TestSymlinks(t *testing.T) {
	outside := newWorld(t, "mail")
	outside.deliver("mail", "", "x")
	for _, follow := range []bool{false, true} {
		t.Run(fmt.Sprint("follow=", follow), func(t *testing.T) {
			w := newWorld(t, ".Work")
			w.must(os.Symlink(filepath.Join(outside.root, "mail"), filepath.Join(w.root, ".out")))
			a := w.open(Location{FollowSymlinks: follow})
			if !follow {
				w.wantList(a, listAll, "*", "INBOX", "Work")
				_, err := a.Select(t.Context(), "out", false)
				wantCode(t, err, "NONEXISTENT")
				wantCode(t, a.Create(t.Context(), "out", nil), "CANNOT")
				return
			}
			w.wantList(a, listAll, "*", "INBOX", "Work", "out")
			if v := w.sel(a, "out", false); v.Len() != 1 {
				t.Errorf("%d messages", v.Len())
			}
			w.must(a.Delete(t.Context(), "out"))
			if w.exists(".out") || !outside.exists("mail/cur") {
				t.Error("DELETE should have removed the link, and it only")
			}
		})
	}
}

// A folder behind a symlink comes and goes with what that leads to, in the account or outside, though the root stays as it is.
func TestSymlinkTarget(t *testing.T) {
	for _, target := range []string{"archive/box", "../archive/box"} {
		t.Run(target, func(t *testing.T) {
			w := newWorld(t)
			w.must(os.Mkdir(filepath.Join(w.root, filepath.Dir(target)), 0o700))
			w.must(os.Symlink(target, filepath.Join(w.root, ".link")))
			a := w.open(Location{FollowSymlinks: true})
			w.wantList(a, listAll, "*", "INBOX")
			a.settleTree()
			w.maildir(target)
			w.wantList(a, listAll, "*", "INBOX", "link")
			w.sel(a, "link", true)
			a.settleTree()
			w.must(os.RemoveAll(filepath.Join(w.root, target)))
			w.wantList(a, listAll, "*", "INBOX")
			_, err := a.Select(t.Context(), "link", false)
			wantCode(t, err, "NONEXISTENT")
		})
	}
}

// Who asks for a folder behind a symlink gets the one that it leads to now, though that which it led to is open.
func TestSymlinkMoves(t *testing.T) {
	w := newWorld(t)
	w.maildir("../one", "../two")
	w.deliver("../two", "", "x")
	link := filepath.Join(w.root, ".link")
	w.must(os.Symlink("../one", link))
	a := w.open(Location{FollowSymlinks: true})
	v := w.sel(a, "link", false)
	w.must(os.Symlink("../two", link+"2"))
	w.must(os.Rename(link+"2", link))
	if _, n := w.peek(a, "link"); n != 1 {
		t.Errorf("%d messages", n)
	}
	if !v.Sync(true).Lost {
		t.Error("the view of the folder that it led to is not lost")
	}
}

// settleTree lets the tree be one that was read long after the last change of its directories.
func (a *Account) settleTree() {
	a.folders.mu.Lock()
	defer a.folders.mu.Unlock()
	for dir, l := range a.folders.listings {
		l.stamp.read = l.stamp.read.Add(time.Hour)
		a.folders.listings[dir] = l
	}
}

// Directories that a killed server left behind are removed, when they are old.
func TestSweep(t *testing.T) {
	w := newWorld(t)
	old, young := scratch(), scratch()
	w.maildir(old, young)
	hours := time.Now().Add(-2 * time.Hour)
	w.must(os.Chtimes(filepath.Join(w.root, old), hours, hours))
	a := w.open(Location{})
	w.wantList(a, listAll, "*", "INBOX")
	for deadline := time.Now().Add(10 * time.Second); w.exists(old); {
		if time.Now().After(deadline) {
			t.Fatal("it stays")
		}
		time.Sleep(time.Millisecond)
	}
	if !w.exists(young) {
		t.Error("another server's work was removed")
	}
}

func TestListThousand(t *testing.T) {
	w := newWorld(t)
	for i := range 1000 {
		w.must(os.Mkdir(filepath.Join(w.root, fmt.Sprintf(".f%03d", i)), 0o700))
	}
	a := w.open(Location{})
	ctx, cancel := context.WithCancel(t.Context())
	list, err := a.List(ctx, "", []string{"*"}, listAll)
	if w.must(err); len(list) != 1001 || list[1].Mailbox != "f000" || list[1000].Mailbox != "f999" {
		t.Errorf("%d names", len(list))
	}
	cancel()
	if _, err := a.List(ctx, "", []string{"*"}, listAll); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
