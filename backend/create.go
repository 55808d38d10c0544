package backend

import (
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"

	"maildir-imapd/uidmap"

	"github.com/emersion/go-imap/v2"
)

// maildirFolder is the empty file that says that a directory is a folder of a Maildir++.
const maildirFolder = "maildirfolder"

// create makes a mailbox (RFC 3501 §6.3.3). Its parents are made with LAYOUT=fs, as names for
// children only; a Maildir++ needs none. A separator at the end says that
// only children are wanted: LAYOUT=fs makes a directory for them, Maildir++ a mailbox.
// use are the attributes of CREATE-SPECIAL-USE (RFC 6154 §3), which the new mailbox takes
// over from any other.
//
// The mailbox is on disk, whole, when create returns; killed half-way it leaves none. may is asked while no name can change; nil: all is allowed.
//
// Errors: *imap.Error with ALREADYEXISTS, CANNOT or USEATTR.
func (a *Account) create(name string, use []imap.MailboxAttr, may func() error) (err error) {
	name, parentOnly := strings.CutSuffix(name, string(a.loc.separator()))
	name = a.loc.canonical(name)
	parentOnly = parentOnly && a.loc.Layout == FS
	levels, err := a.loc.levels(name)
	if err != nil {
		return err
	}
	if err := checkUses(use); err != nil {
		return err
	}
	a.folders.change.Lock()
	defer a.folders.change.Unlock()
	t, err := a.treeToChange(may)
	if err != nil {
		return err
	}
	n := t.byName[name]
	if n != nil && (n.Selectable || n.exists && parentOnly) {
		return errExists
	}
	base, err := a.newBase(t, name, levels)
	if err != nil {
		return err
	}
	if n != nil && n.exists {
		base = n.base
	}
	if len(use) > 0 {
		// First, as the mailbox may not be made if this fails.
		var undo func() error
		if undo, err = a.assignUses(name, use); err != nil {
			return err
		}
		defer func() {
			if err != nil {
				err = errors.Join(err, undo())
			}
		}()
	}
	var acl *uidmap.ACL
	if a.loc.Shared {
		if acl, err = a.parentACL(t, name); err != nil {
			return err
		}
	}
	err = a.makeFolder(base, parentOnly, acl)
	a.forgetTree()
	return err
}

// newBase is where a new name lies on disk: beneath its nearest parent's
// directory, however that is spelled.
func (a *Account) newBase(t *tree, name string, levels []string) (string, error) {
	if len(levels) == 0 {
		return "", errExists // INBOX
	}
	parent, i := name, len(levels)
	for i--; i > 0; i-- {
		parent = a.loc.parent(parent)
		if n := t.byName[parent]; n != nil && n.base != "" {
			if n.out && a.loc.Layout == FS {
				return "", cannot("The parent lies outside the account")
			}
			return a.loc.dirBelow(n.base, levels[i:])
		}
	}
	return a.loc.dirBelow("", levels)
}

// makeFolder makes a mailbox, or a directory for children only. A mailbox takes over what acl says, if there is one. folders.change is held.
func (a *Account) makeFolder(base string, parentOnly bool, acl *uidmap.ACL) error {
	if parentOnly {
		if err := a.mkdir(place{a.root, base}); err != nil {
			return err
		}
		return a.syncAbove(base)
	}
	n := &node{base: base}
	n.Dir = path.Join(base, a.loc.DirName)
	// What a mailbox of the same name left behind is not the new one's.
	if err := a.discardControl(n); err != nil {
		return err
	}
	if fi, err := a.root.Lstat(n.Dir); err == nil && fi.IsDir() && a.loc.Layout == FS {
		if err := a.inheritACL(acl, place{a.root, n.Dir}); err != nil {
			return err
		}
		if err := a.makeParts(place{a.root, n.Dir}); err != nil {
			return err
		}
		return syncDir(place{a.root, n.Dir})
	} else if err == nil {
		return cannot("The name is taken by a file that is no mailbox")
	}
	tmp := place{a.root, scratch()}
	err := a.makeParts(tmp)
	if err == nil {
		err = a.inheritACL(acl, tmp)
	}
	if err == nil && a.loc.Layout == MaildirPP {
		err = a.root.WriteFile(path.Join(tmp.dir, maildirFolder), nil, a.filePerm)
	}
	if err == nil {
		err = syncDir(tmp)
	}
	if above := path.Dir(n.Dir); err == nil && above != "." {
		err = a.mkdir(place{a.root, above})
	}
	if err == nil {
		err = a.root.Rename(tmp.dir, n.Dir)
	}
	if err != nil {
		return errors.Join(err, a.root.RemoveAll(tmp.dir))
	}
	return a.syncAbove(n.Dir)
}

// inheritACL gives a new mailbox, before anybody can see it, its access control list. One that an administrator has put there stays.
func (a *Account) inheritACL(acl *uidmap.ACL, to place) error {
	if acl == nil {
		return nil
	}
	own := uidmap.NewACL(to.root, to.dir, a.mapOptions())
	if len(own.Entries()) > 0 {
		return nil
	}
	return uidmap.CopyACL(acl, own)
}

// syncAbove makes the entries of all directories above dir durable.
func (a *Account) syncAbove(dir string) error {
	for dir != "." {
		dir = path.Dir(dir)
		if err := syncDir(place{a.root, dir}); err != nil {
			return err
		}
	}
	return nil
}

// discardControl removes a folder's control files, where CONTROL= has them elsewhere. Those
// of its children stay.
func (a *Account) discardControl(n *node) error {
	if a.loc.Control == "" {
		return nil
	}
	dir := a.loc.controlDir(n)
	f, err := a.control.Open(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	entries, err := f.ReadDir(-1)
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	for _, e := range entries {
		if !e.IsDir() {
			err = errors.Join(err, a.control.Remove(path.Join(dir, e.Name())))
		}
	}
	if err == nil && !slices.ContainsFunc(entries, fs.DirEntry.IsDir) {
		err = a.control.Remove(dir)
	}
	return err
}
