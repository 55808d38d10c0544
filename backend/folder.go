package backend

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
)

// folder is a mailbox that exists.
type folder struct {
	Name       string // canonical, UTF-8
	Dir        string // of its Maildir, relative to the account's root; "." for INBOX
	Selectable bool   // not a directory for children only
	// Where the mail and the control files lie. Set by Account.folder.
	mail, control place
}

// place is a directory, and the root beneath which it is opened: the
// account's, or that of a folder that a symlink leads out to.
type place struct {
	root *os.Root
	dir  string
}

// folders is what an account knows of its tree.
type folders struct {
	// change is held over their disk I/O by those who change names, and those for whom no name may change: see doc.go. It comes before Account.mu.
	change sync.Mutex

	mu       sync.Mutex // guards the fields below; held while directories are read
	tree     *tree
	listings map[string]listing // of the directories that tree was made from
	outside  map[string]*os.Root
	swept    bool
}

// folder resolves a mailbox name to a folder that exists.
//
// Errors: *imap.Error with NONEXISTENT, or CANNOT for names that no mailbox can have and those
// that are there for their children only.
func (a *Account) folder(name string) (folder, error) {
	name = a.loc.canonical(name)
	a.folders.mu.Lock()
	defer a.folders.mu.Unlock()
	// A directory that is still there is right without reading the whole tree.
	if t := a.folders.tree; t != nil {
		if n := t.byName[name]; n != nil && n.Selectable && a.isDir(n.Dir, n.out) {
			return a.placed(n)
		}
	}
	t, err := a.treeLocked()
	if err != nil {
		return folder{}, err
	}
	switch n := t.byName[name]; {
	case n != nil && n.Selectable:
		return a.placed(n)
	case n != nil && n.exists:
		return folder{}, errNoselect
	}
	if _, err := a.loc.levels(name); err != nil {
		return folder{}, err
	}
	return folder{}, errNonExistent
}

// placed opens what the folder is opened beneath. folders.mu is held.
func (a *Account) placed(n *node) (folder, error) {
	f := n.folder
	f.mail, f.control = place{a.root, f.Dir}, place{a.control, f.Dir}
	if n.out {
		root, err := a.outsideRoot(f.Dir)
		if err != nil {
			return folder{}, err
		}
		f.mail = place{root, "."}
		f.control = f.mail
	}
	if a.loc.Control != "" {
		f.control = place{a.control, a.loc.controlDir(n)}
	}
	return f, nil
}

// controlDir is the directory below CONTROL= that belongs to a folder.
func (l *Location) controlDir(n *node) string {
	inbox := "." + inboxName
	if l.Layout == FS {
		inbox = inboxName
	}
	switch n.base {
	case "":
		return inbox
	case inbox: // another mailbox, such as INBOX.INBOX
		return ".." + inboxName // no new folder's name begins so
	}
	return n.base
}

// inboxDir is the directory of INBOX.
func (l *Location) inboxDir() string {
	if l.DirName != "" && l.Inbox == "" {
		return path.Join(inboxName, l.DirName)
	}
	return cmp.Or(l.Inbox, ".")
}

// outsideRoot opens the folder that a symlink leads out to. It stays open
// for as long as it is the same directory. folders.mu is held.
func (a *Account) outsideRoot(dir string) (*os.Root, error) {
	fi, err := os.Stat(a.path(dir))
	if err != nil {
		return nil, err
	}
	if root := a.folders.outside[dir]; root != nil {
		if open, err := root.Stat("."); err == nil && os.SameFile(open, fi) {
			return root, nil
		}
	}
	root, err := os.OpenRoot(a.path(dir))
	if err != nil {
		return nil, err
	}
	if a.folders.outside == nil {
		a.folders.outside = make(map[string]*os.Root)
	}
	a.folders.outside[dir] = root // the old one may be in use: the garbage collector closes it
	return root, nil
}

// sameTarget reports whether the symlink that led out of the account to a folder still leads there.
func (a *Account) sameTarget(f folder) (bool, error) {
	if f.mail.root == a.root {
		return true, nil
	}
	at, err := os.Stat(a.path(f.Dir))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	open, err := f.mail.root.Stat(".")
	return err == nil && os.SameFile(at, open), err
}

// isDir reports whether dir is a directory, as a symlink only where that is allowed.
func (a *Account) isDir(dir string, out bool) bool {
	fi, err := a.root.Stat(dir)
	if err != nil && out {
		fi, err = os.Stat(a.path(dir))
	}
	return err == nil && fi.IsDir()
}

// freeze waits until nobody changes these mailboxes, or opens them, and keeps it so
// until thaw. If that is told that they have moved away, they are lost to those who have them open.
func (a *Account) freeze(ctx context.Context, nodes []*node) (thaw func(moved bool), err error) {
	var frozen []*Mailbox
	thaw = func(moved bool) {
		for _, mb := range frozen {
			if moved {
				mb.lose()
			}
			mb.leave()
			mb.release()
		}
	}
	nodes = slices.DeleteFunc(nodes, func(n *node) bool { return !n.Selectable })
	slices.SortFunc(nodes, func(a, b *node) int { return strings.Compare(a.Dir, b.Dir) }) // the order of turns
	for _, n := range nodes {
		a.folders.mu.Lock()
		f, err := a.placed(n)
		a.folders.mu.Unlock()
		for err == nil {
			mb := a.hold(f)
			if err = mb.enter(ctx); err == nil {
				frozen = append(frozen, mb)
				break
			}
			mb.release()
			if errors.Is(err, errNonExistent) {
				err = nil // that one is lost: take its successor
			}
		}
		if err != nil {
			thaw(false)
			return nil, err
		}
	}
	return thaw, nil
}
