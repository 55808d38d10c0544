package backend

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"strings"
	"syscall"

	"github.com/emersion/go-imap/v2"
)

var errHasChildren = &imap.Error{Type: imap.StatusResponseTypeNo, Code: imap.ResponseCodeHasChildren, Text: "The name has children and no mail of its own"}

// delete removes a mailbox and its mail (RFC 3501 §6.3.4). With children it stays as a
// \Noselect name. Views of it are lost. The subscription stays.
//
// Killed half-way, the mailbox is either still there or gone: its directory is renamed to a
// name that is no mailbox's, and then emptied; the next start goes on with that. may is asked while no name can change; nil: all is allowed.
//
// Errors: *imap.Error with NONEXISTENT, CANNOT or HASCHILDREN.
func (a *Account) delete(ctx context.Context, name string, may func() error) error {
	name = a.loc.canonical(name)
	if name == inboxName {
		return cannot("INBOX can't be deleted")
	}
	garbage, err := a.takeAway(ctx, name, may)
	a.quota.recount()
	for _, p := range garbage {
		a.removeScratch(p)
	}
	return err
}

// takeAway makes a mailbox disappear. It returns what is to be removed.
func (a *Account) takeAway(ctx context.Context, name string, may func() error) (garbage []place, err error) {
	a.folders.change.Lock()
	defer a.folders.change.Unlock()
	t, err := a.treeToChange(may)
	if err != nil {
		return nil, err
	}
	n := t.byName[name]
	switch {
	case n == nil:
		if _, err := a.loc.levels(name); err != nil {
			return nil, err
		}
		return nil, errNonExistent
	case !n.Selectable && n.children:
		return nil, errHasChildren
	}
	thaw, err := a.freeze(ctx, []*node{n})
	if err != nil {
		return nil, err
	}
	guid := a.guidOf(n.Dir)
	moved := false
	defer func() {
		thaw(moved)
		if moved {
			a.removeIndex(guid)
		}
		a.forgetTree()
	}()
	tmp := place{a.root, scratch()}
	switch fi, err := a.root.Lstat(n.base); {
	case err != nil && n.Selectable:
		return nil, err
	case !n.Selectable:
		return nil, a.removeEmpty(n.base)
	case fi.Mode().Type() == fs.ModeSymlink:
		// The mail that it leads to belongs to something else.
		if err := a.root.Remove(n.base); err != nil {
			return nil, err
		}
	case a.loc.Layout == MaildirPP || a.loc.DirName != "":
		if err := a.root.Rename(n.Dir, tmp.dir); err != nil {
			return nil, err
		}
		garbage = append(garbage, tmp)
	default:
		garbage = append(garbage, tmp)
		if err := a.empty(n, tmp); err != nil {
			return garbage, err
		}
	}
	moved = true
	if err := syncDir(place{a.root, path.Dir(n.Dir)}); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return garbage, err
	}
	if a.loc.Layout == FS && !n.children {
		if err := a.removeEmpty(n.base); err != nil {
			// Somebody keeps files of his own there: the name stays, without mail.
			a.log().Info("the directory of a deleted mailbox is not empty", "dir", n.base)
		}
	}
	return garbage, errors.Join(a.discardControl(n), a.dropUses(name))
}

// removeEmpty removes a directory that should be empty by now. One that isn't there is no error.
func (a *Account) removeEmpty(dir string) error {
	err := a.root.Remove(dir)
	if errors.Is(err, syscall.ENOTEMPTY) || errors.Is(err, fs.ErrExist) {
		return cannot("There are files that belong to no mailbox")
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// empty moves a mailbox's directories and files out of a directory of LAYOUT=fs, in which
// its children lie too. cur comes last of the mail: while it is there, the mailbox
// exists and DELETE can be repeated.
func (a *Account) empty(n *node, to place) error {
	if err := a.mkdir(to); err != nil {
		return err
	}
	f, err := a.root.Open(n.Dir)
	if err != nil {
		return err
	}
	entries, err := f.ReadDir(-1)
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	names := []string{"new", "tmp", "cur"}
	for _, e := range entries {
		if !e.IsDir() && e.Type() != fs.ModeSymlink && !strings.HasSuffix(e.Name(), ".lock") {
			names = append(names, e.Name())
		}
	}
	for _, name := range names {
		err := a.root.Rename(path.Join(n.Dir, name), path.Join(to.dir, name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return syncDir(to)
}
