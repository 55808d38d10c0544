package backend

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"strings"
)

// rename renames a mailbox and those beneath it (RFC 3501 §6.3.5); INBOX is emptied into
// a new mailbox. UIDs and UIDVALIDITY stay with the mail. Views of what is renamed are lost. Subscriptions
// stay as they are.
//
// LAYOUT=fs needs one rename. In a Maildir++ each folder is a rename of its own, children
// first: killed half-way, each mailbox has its old or its new name, and the same RENAME can be repeated.
// may is asked while no name can change; nil: all is allowed.
//
// Errors: *imap.Error with NONEXISTENT, ALREADYEXISTS or CANNOT.
func (a *Account) rename(ctx context.Context, from, to string, may func() error) error {
	from, to = a.loc.canonical(from), a.loc.canonical(to)
	if from == inboxName {
		return a.emptyInbox(ctx, to)
	}
	levels, err := a.loc.levels(to)
	if err != nil {
		return err
	}
	a.folders.change.Lock()
	defer a.folders.change.Unlock()
	t, err := a.treeToChange(may)
	if err != nil {
		return err
	}
	n, target := t.byName[from], t.byName[to]
	switch {
	case n == nil:
		if _, err := a.loc.levels(from); err != nil {
			return err
		}
		return errNonExistent
	case target != nil && target.exists:
		return errExists
	case strings.HasPrefix(to, from+string(a.loc.separator())):
		return cannot("A mailbox can't be moved beneath itself")
	case n.base == "":
		return cannot("The name of the namespace stays")
	}
	base, err := a.newBase(t, to, levels)
	if err != nil {
		return err
	}
	moves, err := a.planRename(t, n, base)
	if err != nil {
		return err
	}
	thaw, err := a.freeze(ctx, append(t.below(from, a.loc.separator()), n))
	if err != nil {
		return err
	}
	finish := a.lookout.renaming(from, to, !n.exists)
	err = a.renameAll(moves)
	finish(err == nil)
	thaw(err == nil)
	a.forgetTree()
	if err != nil {
		return err
	}
	return a.renameUses(from, to)
}

// emptyInbox moves INBOX's mail to a new mailbox; INBOX and its children stay.
func (a *Account) emptyInbox(ctx context.Context, to string) error {
	to = strings.TrimSuffix(to, string(a.loc.separator()))
	finish := a.lookout.renaming(inboxName, to, false)
	err := a.create(to, nil, nil)
	finish(err == nil)
	if err != nil {
		return err
	}
	if err := a.copyMetadata(ctx, inboxName, to); err != nil {
		return err
	}
	v, err := (&User{Account: a}).Select(ctx, inboxName, false)
	if err != nil {
		return err
	}
	defer v.Close()
	if v.Len() == 0 {
		return nil
	}
	seqs := make([]uint32, v.Len())
	for i := range seqs {
		seqs[i] = uint32(i) + 1
	}
	_, err = v.Move(ctx, seqs, to)
	return err
}

// move is one rename of a directory in the account's root.
type move struct{ from, to *node }

// planRename lists the renames that are needed, n's own last, and refuses what
// can't be done before anything is.
func (a *Account) planRename(t *tree, n *node, base string) ([]move, error) {
	target := func(from *node, base string) (move, error) {
		to := &node{base: base}
		to.Dir = path.Join(base, a.loc.DirName)
		if _, err := a.root.Lstat(base); err == nil {
			return move{}, errExists
		} else if !errors.Is(err, fs.ErrNotExist) {
			return move{}, err
		}
		return move{from, to}, nil
	}
	if a.loc.Layout == FS {
		m, err := target(n, base)
		return []move{m}, err
	}
	var moves []move
	depth := strings.Count(n.base, ".")
	for _, x := range append(t.below(n.Name, a.loc.separator()), n) {
		if !x.exists {
			continue
		}
		// The levels below n keep their spelling on disk.
		dir := strings.Join(append([]string{base}, strings.Split(x.base, ".")[depth+1:]...), ".")
		if len(dir) > maxComponent {
			return nil, cannot("The name is too long")
		}
		m, err := target(x, dir)
		if err != nil {
			return nil, err
		}
		moves = append(moves, m)
	}
	return moves, nil
}

// renameAll does all moves, or takes back those that were done.
func (a *Account) renameAll(moves []move) (err error) {
	done := 0
	defer func() {
		if err == nil {
			return
		}
		for _, m := range moves[:done] {
			err = errors.Join(err, a.renameOne(m.to, m.from))
		}
	}()
	for _, m := range moves {
		if above := path.Dir(m.to.base); above != "." {
			if err := a.mkdir(place{a.root, above}); err != nil {
				return err
			}
		}
		if err := a.renameOne(m.from, m.to); err != nil {
			return err
		}
		done++
	}
	for _, m := range moves {
		if err := errors.Join(syncDir(place{a.root, path.Dir(m.from.base)}), a.syncAbove(m.to.base)); err != nil {
			return err
		}
		if a.loc.Layout == MaildirPP {
			break // all in one directory
		}
	}
	return nil
}

// renameOne renames a folder's directory, after that of its control files where CONTROL= has
// them elsewhere: when one has the new name already, the other follows.
func (a *Account) renameOne(from, to *node) error {
	if a.loc.Control != "" {
		if err := a.renameControl(from, to); err != nil {
			return err
		}
	}
	err := a.root.Rename(from.base, to.base)
	if err != nil && a.loc.Control != "" {
		err = errors.Join(err, a.renameControl(to, from))
	}
	return err
}

func (a *Account) renameControl(from, to *node) error {
	if _, err := a.control.Lstat(a.loc.controlDir(from)); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	// What a deleted mailbox left there, with all beneath it.
	if err := a.control.RemoveAll(a.loc.controlDir(to)); err != nil {
		return err
	}
	if above := path.Dir(a.loc.controlDir(to)); above != "." {
		if err := a.control.MkdirAll(above, os.FileMode(a.dirPerm)); err != nil {
			return err
		}
	}
	return a.control.Rename(a.loc.controlDir(from), a.loc.controlDir(to))
}
