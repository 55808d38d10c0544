package backend

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/emersion/go-imap/v2"
)

// User is what one session sees: the user's own account, in which he may do everything, and the shared trees, each
// behind its prefix, with the rights that their access control lists give him. A method that takes a mailbox's name goes to
// the tree that the name belongs to. Safe for concurrent use once Share has returned.
type User struct {
	*Account // his own

	id     identity
	shares []*share // those with longer prefixes first
}

// share is a shared tree as one user sees it.
type share struct {
	*Account // the same for all users
	id       *identity
	others   bool // NAMESPACE calls it other users'
}

// Share is a namespace beside the user's own (RFC 2342).
type Share struct {
	Location      // its separator is that of the user's own
	Others   bool // mail of other users; else shared by all
}

// Share adds what others share with the user, who is a member of groups. What can't be opened is left out, and is the error: the rest is there.
func (u *User) Share(ctx context.Context, groups []string, list []Share) (err error) {
	u.id.groups = make(map[string]bool, len(groups))
	for _, g := range groups {
		u.id.groups[g] = true
	}
	for _, s := range list {
		s.Shared, s.Separator = true, u.loc.separator()
		if !strings.HasSuffix(s.Prefix, string(s.Separator)) || len(s.Prefix) == 1 {
			err = errors.Join(err, fmt.Errorf("the prefix %q does not end in the separator %q of the user's own mailboxes", s.Prefix, s.Separator))
			continue
		}
		a, err2 := u.b.share(ctx, s.Prefix, s.Location, false)
		if err2 != nil {
			err = errors.Join(err, fmt.Errorf("%s: %w", s.Prefix, err2))
			continue
		}
		if u.hasTree(a.rootInfo) {
			err = errors.Join(err, fmt.Errorf("%s: %s is shared already, or the user's own", s.Prefix, a.loc.Root), a.Close())
			continue
		}
		u.shares = append(u.shares, &share{a, &u.id, s.Others})
	}
	slices.SortFunc(u.shares, func(a, b *share) int {
		return cmp.Or(cmp.Compare(len(b.loc.Prefix), len(a.loc.Prefix)), strings.Compare(a.loc.Prefix, b.loc.Prefix))
	})
	return err
}

// hasTree reports whether a directory is the root of one of the user's trees: two accounts of it would take each other's files for those of
// another process.
func (u *User) hasTree(root os.FileInfo) bool {
	return os.SameFile(root, u.rootInfo) ||
		slices.ContainsFunc(u.shares, func(s *share) bool { return os.SameFile(root, s.rootInfo) })
}

// Shares reports whether there is anything but the user's own account: without, access control lists are of no use.
func (u *User) Shares() bool { return len(u.shares) > 0 }

// Close gives all accounts back; views and monitors must be closed before. It is called once.
func (u *User) Close() error {
	err := u.Account.Close()
	for _, s := range u.shares {
		err = errors.Join(err, s.Account.Close())
	}
	return err
}

// share finds the shared tree that a name belongs to, that of the prefix itself as well; nil: it is the user's own.
func (u *User) share(name string) *share {
	if len(u.shares) == 0 {
		return nil
	}
	name = u.loc.canonical(name)
	for _, s := range u.shares {
		prefix := s.loc.canonical(s.loc.Prefix)
		if strings.HasPrefix(name, prefix) || name == prefix[:len(prefix)-1] {
			return s
		}
	}
	return nil
}

// may finds the account of a mailbox that exists, and the user's rights to it.
//
// Errors: *imap.Error with NONEXISTENT, CANNOT, or NOPERM where need are not all among the rights.
func (u *User) may(name string, need Rights) (*Account, Rights, error) {
	s := u.share(name)
	if s == nil {
		return u.Account, AllRights, nil
	}
	r, _, err := s.rights(name)
	if err == nil {
		err = r.may(need)
	}
	return s.Account, r, err
}

// mailbox is may, and holds the mailbox until release.
func (u *User) mailbox(ctx context.Context, name string, need Rights) (*Mailbox, Rights, error) {
	a, r, err := u.may(name, need)
	if err != nil {
		return nil, 0, err
	}
	mb, err := a.mailbox(ctx, name)
	if err != nil || a == u.Account {
		return mb, r, err
	}
	// Meanwhile another may have been given this name.
	r = u.rightsTo(mb)
	if err = r.may(need); err != nil {
		mb.release()
		return nil, 0, err
	}
	return mb, r, nil
}

// rightsTo are the user's to a mailbox now, at the cost of a stat or two where it is a shared one.
func (u *User) rightsTo(mb *Mailbox) Rights {
	if !mb.a.loc.Shared {
		return AllRights
	}
	return u.id.by(mb.a.acl(mb.f.mail).Entries(), mb.a.rootACL().Entries())
}

// wholeTree is the user's own tree and what he may see of the others. Where there are no others it costs nothing more than his own.
func (u *User) wholeTree() (*tree, error) {
	own, err := u.readTree()
	if err != nil || len(u.shares) == 0 {
		return own, err
	}
	t := &tree{byName: make(map[string]*node, len(own.nodes))}
	for _, n := range own.nodes {
		if u.share(n.Name) == nil { // else another tree has its place
			t.byName[n.Name] = n
		}
	}
	for _, s := range u.shares {
		nodes, err := s.visible()
		if err != nil {
			return nil, err
		}
		for _, n := range nodes {
			if strings.HasPrefix(n.Name, s.loc.canonical(s.loc.Prefix)) && u.share(n.Name) != s {
				continue // a longer prefix has its place
			}
			if known := t.byName[n.Name]; known != nil { // one of the two is above the other's prefix
				both := *n
				if known.exists {
					both = *known
				}
				both.children = true
				n = &both
			}
			t.byName[n.Name] = n
		}
	}
	for _, n := range t.byName {
		t.nodes = append(t.nodes, n)
	}
	slices.SortFunc(t.nodes, func(a, b *node) int { return u.loc.compareNames(a.Name, b.Name) })
	return t, nil
}

// Create makes a mailbox, see Account.create. In a shared tree it wants the right to create in the nearest parent.
func (u *User) Create(_ context.Context, name string, use []imap.MailboxAttr) error {
	s := u.share(name)
	if s == nil {
		return u.create(name, use, nil)
	}
	if len(use) > 0 {
		return errUseShared
	}
	return s.create(name, nil, func() error { return s.mayCreate(name) })
}

// errUseShared refuses a special use for what belongs to others too: it would be theirs as well.
var errUseShared = &imap.Error{Type: imap.StatusResponseTypeNo, Code: "USEATTR", Text: "A shared mailbox has no special use"}

// Delete removes a mailbox and its mail, see Account.delete.
func (u *User) Delete(ctx context.Context, name string) error {
	s := u.share(name)
	if s == nil {
		return u.delete(ctx, name, nil)
	}
	return s.delete(ctx, name, func() error { return s.mayDelete(name) })
}

// Rename renames a mailbox and those beneath it within one tree, see Account.rename. In a shared one it wants the right to delete the mailbox, and to create in the
// new parent (RFC 4314 §4).
func (u *User) Rename(ctx context.Context, from, to string) error {
	s := u.share(from)
	if s != u.share(to) {
		return errOtherSpace
	}
	if s == nil {
		return u.rename(ctx, from, to, func() error { return u.mayHold(u.Account, s, from, to) })
	}
	return s.rename(ctx, from, to, func() error {
		err := s.mayDelete(from)
		if err == nil {
			err = s.mayCreate(to)
		}
		if err == nil {
			err = u.mayHold(s.Account, s, from, to)
		}
		return err
	})
}

var errOtherSpace = cannot("A mailbox can't be moved to another namespace")

// mayHold returns nil where a RENAME brings nothing to names that belong to another tree than a: nobody could reach it there.
func (u *User) mayHold(a *Account, s *share, from, to string) error {
	if from, to = u.loc.canonical(from), u.loc.canonical(to); len(u.shares) == 0 || from == inboxName {
		return nil // INBOX's children stay
	}
	t, err := a.readTree()
	if err != nil {
		return err
	}
	for _, n := range t.below(from, a.loc.separator()) {
		if u.share(to+n.Name[len(from):]) != s {
			return errOtherSpace
		}
	}
	return nil
}

// Status answers STATUS (RFC 3501 §6.3.10, RFC 8438), with the MAILBOXID (RFC 8474 §4.3).
func (u *User) Status(ctx context.Context, name string, o *imap.StatusOptions) (data *imap.StatusData, mailboxID string, err error) {
	for {
		mb, _, err := u.mailbox(ctx, name, RightRead)
		if err != nil {
			return nil, "", err
		}
		data, err = mb.status(ctx, name, o)
		id, lost := mb.id(), mb.isGone()
		mb.release()
		if err == nil || !lost || ctx.Err() != nil {
			return data, id, err
		}
		// Removed meanwhile, and perhaps made again: take the new one.
	}
}

// MailboxID is the MAILBOXID of a mailbox, for who has just made it: it asks for no rights. A separator at the end does not count, as in Create.
func (u *User) MailboxID(ctx context.Context, name string) (string, error) {
	mb, _, err := u.mailbox(ctx, strings.TrimSuffix(name, string(u.loc.separator())), noRights)
	if err != nil {
		return "", err
	}
	defer mb.release()
	return mb.id(), nil
}

// QuotaOf is Account.Quota for a mailbox, which need not exist. Shared ones belong to no user, and to no quota root of his.
func (u *User) QuotaOf(ctx context.Context, name string) (*Quota, error) {
	if u.share(name) != nil {
		return nil, nil
	}
	return u.Quota(ctx)
}

// Metadata is Account.Metadata. RFC 5464 §3.3 wants l and one of rswip.
func (u *User) Metadata(name string) ([]Metadata, error) {
	s := u.share(name)
	if s == nil {
		return u.Account.Metadata(name)
	}
	s.folders.change.Lock() // no other mailbox is given this name meanwhile
	defer s.folders.change.Unlock()
	r, _, err := s.rights(name)
	if err == nil {
		err = r.may(RightLookup)
	}
	if err == nil && r&(RightRead|flagRights&^RightDeleted|RightInsert|RightPost) == 0 {
		err = errNoPerm
	}
	if err != nil {
		return nil, err
	}
	return s.Account.Metadata(name)
}

// SetMetadata is Account.SetMetadata, without special uses of what is shared. As all who share a mailbox see its annotations, it wants the right to change flags
// that all see, which is more than RFC 5464 §3.3 asks for.
func (u *User) SetMetadata(ctx context.Context, name string, changes []Metadata, by *Monitor) error {
	s := u.share(name)
	if s == nil {
		return u.Account.SetMetadata(ctx, name, changes, by)
	}
	mb, _, err := u.mailbox(ctx, name, RightLookup|RightWrite)
	if err != nil {
		return err
	}
	defer mb.release()
	if slices.ContainsFunc(changes, isSpecialUse) {
		return errUseShared
	}
	changed, err := mb.setMetadata(ctx, changes)
	if err == nil && len(changed) > 0 {
		s.lookout.metadataChanged(s.loc.canonical(name), changed, by)
	}
	return err
}
