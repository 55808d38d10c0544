package backend

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"sync"

	"maildir-imapd/uidmap"

	"github.com/emersion/go-imap/v2"
)

// acls are the access control lists of a tree that were read. Where a symlink that leads out leads elsewhere, its folder is another place.
type acls struct {
	mu      sync.Mutex // guards byPlace; held for memory operations only
	byPlace map[place]*uidmap.ACL
	forget  int // the size at which all are forgotten: folders come and go
}

// acl returns the access control list of a folder.
func (a *Account) acl(f place) *uidmap.ACL {
	x := &a.acls
	x.mu.Lock()
	defer x.mu.Unlock()
	list := x.byPlace[f]
	if list == nil {
		if len(x.byPlace) > x.forget || x.byPlace == nil {
			x.byPlace, x.forget = make(map[place]*uidmap.ACL), maxFolders
		}
		list = uidmap.NewACL(f.root, f.dir, uidmap.Options{Log: a.b.o.Log.With("user", a.user), FilePerm: a.filePerm})
		x.byPlace[f] = list
	}
	return list
}

// rootACL is what counts where a folder's list says nothing about somebody.
func (a *Account) rootACL() *uidmap.ACL { return a.acl(place{a.root, "."}) }

// nodeACL is the list of a folder; that of the root for what isn't there. A directory for children only that has none has that of its nearest parent:
// CREATE makes such directories without asking, and must not show them to others than the new mailbox.
func (a *Account) nodeACL(t *tree, n *node) (*uidmap.ACL, error) {
	if n == nil || !n.exists || n.base == "" {
		return a.rootACL(), nil
	}
	a.folders.mu.Lock()
	f, err := a.placed(n)
	a.folders.mu.Unlock()
	if errors.Is(err, fs.ErrNotExist) { // removed meanwhile
		return a.rootACL(), nil
	} else if err != nil {
		return nil, err
	}
	list := a.acl(f.mail)
	if !n.Selectable && len(list.Entries()) == 0 {
		return a.parentACL(t, n.Name)
	}
	return list, nil
}

// parentACL is the list of the nearest parent of a name that is there, which a new mailbox of that name takes over (RFC 4314 §4).
func (a *Account) parentACL(t *tree, name string) (*uidmap.ACL, error) {
	for name = a.loc.parent(name); name != ""; name = a.loc.parent(name) {
		if n := t.byName[name]; n != nil && n.exists {
			return a.nodeACL(t, n)
		}
	}
	return a.rootACL(), nil
}

// by returns the user's rights by a list.
func (s *share) by(list *uidmap.ACL) Rights { return s.id.by(list.Entries(), s.rootACL().Entries()) }

// rights are the user's to a mailbox that holds mail, and the list that gives him them.
//
// Errors: *imap.Error with NONEXISTENT or CANNOT.
func (s *share) rights(name string) (r Rights, list []uidmap.ACLEntry, err error) {
	f, err := s.folder(name)
	if err == errNoselect {
		r, err := s.rightsInTree(name)
		if err == nil && r.Has(RightLookup) {
			err = errNoselect
		} else if err == nil {
			err = errNonExistent
		}
		return 0, nil, err
	} else if err != nil {
		return 0, nil, err
	}
	list = s.acl(f.mail).Entries()
	return s.id.by(list, s.rootACL().Entries()), list, nil
}

// rightsInTree are the user's to a name that is there, if only for its children.
func (s *share) rightsInTree(name string) (Rights, error) {
	t, err := s.readTree()
	if err != nil {
		return 0, err
	}
	n := t.byName[s.loc.canonical(name)]
	if n == nil {
		if _, err := s.loc.levels(s.loc.canonical(name)); err != nil {
			return 0, err
		}
		return 0, errNonExistent
	}
	list, err := s.nodeACL(t, n)
	if err != nil {
		return 0, err
	}
	r := s.by(list)
	if !n.exists {
		if !s.seesBelow(t, n.Name) {
			return 0, errNonExistent
		}
		r |= RightLookup // LIST shows it
	}
	return r, nil
}

// seesBelow reports whether the user may see a mailbox beneath a name.
func (s *share) seesBelow(t *tree, name string) bool {
	return slices.ContainsFunc(t.below(name, s.loc.separator()), func(n *node) bool {
		list, err := s.nodeACL(t, n)
		return n.exists && err == nil && s.by(list).Has(RightLookup)
	})
}

// mayDelete returns nil where the user may delete a mailbox, or give it another name (RFC 4314 §4).
func (s *share) mayDelete(name string) error {
	r, err := s.rightsInTree(name)
	if err == nil {
		err = r.may(RightDelete)
	}
	return err
}

// mayCreate returns nil where the user may make a mailbox (RFC 4314 §4).
func (s *share) mayCreate(name string) error {
	t, err := s.readTree()
	if err != nil {
		return err
	}
	list, err := s.parentACL(t, s.loc.canonical(strings.TrimSuffix(name, string(s.loc.separator()))))
	if err != nil {
		return err
	}
	if !s.by(list).Has(RightCreate) {
		return errNoPerm // that there is no parent would be no reason
	}
	return nil
}

// lists are the access control lists of a whole tree.
type lists struct {
	root   []uidmap.ACLEntry
	byName map[string][]uidmap.ACLEntry // of what is there
}

func (a *Account) lists(t *tree) (l lists) {
	l.root = a.rootACL().Entries()
	l.byName = make(map[string][]uidmap.ACLEntry, len(t.nodes))
	for _, n := range t.nodes {
		if !n.exists {
			continue
		}
		list, err := a.nodeACL(t, n)
		if err != nil { // of one mailbox, which is no reason to show none
			a.log().Warn("can't open a shared mailbox: nobody has rights", "mailbox", n.Name, "err", err)
			l.byName[n.Name] = noRightsList
			continue
		}
		l.byName[n.Name] = list.Entries()
	}
	return l
}

// noRightsList takes all rights away.
var noRightsList = []uidmap.ACLEntry{{Kind: uidmap.ACLUnknown, Negative: true}}

// same reports whether both are what was read of the same files at one time.
func (l *lists) same(old *lists) bool {
	same := func(a, b []uidmap.ACLEntry) bool { return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0]) }
	if !same(l.root, old.root) || len(l.byName) != len(old.byName) {
		return false
	}
	for name, list := range l.byName {
		if !same(list, old.byName[name]) {
			return false
		}
	}
	return true
}

// rights are somebody's to a name that is there.
func (l *lists) rights(n *node, id *identity) Rights { return id.by(l.byName[n.Name], l.root) }

// visible returns the names that the user may see, in no order, with those above them, which are as if they were not there where he may not see
// them themselves (RFC 4314 §4, LIST).
func (s *share) visible() (out []*node, err error) {
	t, err := s.readTree()
	if err != nil {
		return nil, err
	}
	lists := s.lists(t)
	above := make(map[string]bool) // those with children that he may see
	for i := len(t.nodes) - 1; i >= 0; i-- {
		n := *t.nodes[i]
		n.exists = n.exists && lists.rights(&n, s.id).Has(RightLookup)
		n.Selectable = n.Selectable && n.exists
		n.children = above[n.Name]
		if n.exists || n.children {
			above[s.loc.parent(n.Name)] = true
			out = append(out, &n)
		}
	}
	return out, nil
}

// ACLEntry is an identifier of an access control list with its rights, as IMAP writes it.
type ACLEntry struct {
	Identifier string
	Rights     Rights
}

// myRights are those of which MYRIGHTS needs one (RFC 4314 §4).
const myRights = RightLookup | RightRead | RightInsert | RightCreate | RightDelete | RightAdminister

// Rights answers MYRIGHTS (RFC 4314 §3.5).
func (u *User) Rights(name string) (Rights, error) {
	a, r, err := u.may(name, noRights)
	if err == nil && a == u.Account {
		_, err = a.folder(name)
	}
	if err == nil && r&myRights == 0 {
		err = errNonExistent
	}
	return r, err
}

// ACL answers GETACL (RFC 4314 §3.3). Of his own mailboxes a user is the only one who has rights.
func (u *User) ACL(name string) ([]ACLEntry, error) {
	s := u.share(name)
	if s == nil {
		_, err := u.folder(name)
		return []ACLEntry{{u.id.name, AllRights}}, err
	}
	r, list, err := s.rights(name)
	if err == nil {
		err = r.may(RightAdminister)
	}
	if err != nil {
		return nil, err
	}
	var out []ACLEntry
	for _, e := range list {
		if id := identifierOf(e); id != "" {
			r, _ := ParseRights(e.Rights)
			out = append(out, ACLEntry{id, r})
		}
	}
	return out, nil
}

// Grantable answers LISTRIGHTS (RFC 4314 §3.4): the rights that an identifier always has in a mailbox, and those that it can be given.
func (u *User) Grantable(name, identifier string) (always, can Rights, err error) {
	a, _, err := u.may(name, RightAdminister)
	if err == nil {
		_, err = a.folder(name)
	}
	switch {
	case err != nil:
		return 0, 0, err
	case a != u.Account:
		return 0, AllRights, nil
	case identifier == u.id.name:
		return AllRights, 0, nil
	}
	return 0, 0, nil
}

var (
	errOwnACL        = &imap.Error{Type: imap.StatusResponseTypeNo, Code: imap.ResponseCodeNoPerm, Text: "Your own mailboxes can't be shared"}
	errLockOut       = &imap.Error{Type: imap.StatusResponseTypeNo, Code: imap.ResponseCodeCannot, Text: "You would lose the right to administer the mailbox"}
	errTooManyRights = &imap.Error{Type: imap.StatusResponseTypeNo, Code: imap.ResponseCodeLimit, Text: "No more identifiers"}
)

// SetACL answers SETACL: it gives an identifier rights, more of them, or takes some away (RFC 4314 §3.1). It is on disk when SetACL returns.
//
// Errors: *imap.Error with NONEXISTENT, NOPERM, LIMIT, or CANNOT where the user would lock himself out.
func (u *User) SetACL(ctx context.Context, name, identifier string, how imap.RightModification, rights Rights) error {
	return u.changeACL(ctx, name, identifier, func(list []uidmap.ACLEntry, at []int, e uidmap.ACLEntry) []uidmap.ACLEntry {
		var old Rights
		for _, i := range at {
			r, _ := ParseRights(list[i].Rights)
			old |= r
		}
		now := rights
		switch how {
		case imap.RightModificationAdd:
			now = old | rights
		case imap.RightModificationRemove:
			now = old &^ rights
		}
		if len(at) == 0 {
			if now == 0 && how != imap.RightModificationReplace {
				return list // an entry without rights would take those away that others give him
			}
			at, list = []int{len(list)}, append(list, e)
		}
		list[at[0]].SetRights(now.String())
		return without(list, at[1:])
	})
}

// DeleteACL answers DELETEACL (RFC 4314 §3.2). An identifier that isn't there is no error.
func (u *User) DeleteACL(ctx context.Context, name, identifier string) error {
	return u.changeACL(ctx, name, identifier, func(list []uidmap.ACLEntry, at []int, _ uidmap.ACLEntry) []uidmap.ACLEntry {
		return without(list, at)
	})
}

// without leaves out the entries at the places at, which ascend.
func without(list []uidmap.ACLEntry, at []int) []uidmap.ACLEntry {
	out := list[:0]
	for i, e := range list {
		if len(at) > 0 && at[0] == i {
			at = at[1:]
		} else {
			out = append(out, e)
		}
	}
	return out
}

// changeACL changes a mailbox's list under its lock. change is given the places of the identifier's entries, and a new one.
func (u *User) changeACL(ctx context.Context, name, identifier string, change func([]uidmap.ACLEntry, []int, uidmap.ACLEntry) []uidmap.ACLEntry) error {
	s := u.share(name)
	if _, _, err := u.may(name, RightAdminister); err != nil {
		return err
	} else if s == nil {
		if _, err := u.folder(name); err != nil {
			return err
		}
		return errOwnACL
	}
	s.folders.change.Lock() // DELETE and RENAME wait for us
	defer s.folders.change.Unlock()
	f, err := s.folder(name)
	if err != nil {
		return err
	}
	root := s.rootACL().Entries()
	e := entryOf(identifier)
	list := s.acl(f.mail)
	err = list.Update(ctx, func(entries []uidmap.ACLEntry) ([]uidmap.ACLEntry, error) {
		if err := s.id.by(entries, root).may(RightAdminister); err != nil {
			return nil, err // lost meanwhile
		}
		var at []int
		for i, x := range entries {
			if x.Kind == e.Kind && x.Name == e.Name && x.Negative == e.Negative {
				at = append(at, i)
			}
		}
		entries = change(entries, at, e)
		if !s.id.by(entries, root).Has(RightAdminister) {
			return nil, errLockOut
		}
		return entries, nil
	})
	if errors.Is(err, uidmap.ErrLimit) {
		return errTooManyRights
	}
	if err == nil {
		s.lookout.treeMoved() // somebody may see it now, or not any more
	}
	return err
}
