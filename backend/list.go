package backend

import (
	"context"
	"slices"
	"strings"

	"github.com/emersion/go-imap/v2"
)

// List answers LIST, extended or not (RFC 5258, 6154). ReturnStatus is not
// its business: imapd asks Status for each. Patterns are matched
// in linear time. The result is sorted, INBOX first.
func (u *User) List(ctx context.Context, ref string, list []string, o *imap.ListOptions) ([]imap.ListData, error) {
	t, err := u.wholeTree()
	if err != nil {
		return nil, err
	}
	l := lister{a: u.Account, o: o, patterns: compilePatterns(ref, list, u.loc.separator())}
	if l.uses, err = u.specialUses(t); err != nil {
		return nil, err
	}
	if o.SelectSubscribed || o.ReturnSubscribed {
		if l.subscribed, err = u.subscribed(); err != nil {
			return nil, err
		}
	}
	return l.list(ctx, l.candidates(t))
}

// Describe returns the LIST data of one name as it is now: children, special uses, \Subscribed, and
// \NonExistent where there is no such mailbox.
func (u *User) Describe(name string) (imap.ListData, error) {
	all, err := u.DescribeAll([]string{name})
	if err != nil {
		return imap.ListData{}, err
	}
	return all[0], nil
}

// DescribeAll is Describe for several names.
func (u *User) DescribeAll(names []string) ([]imap.ListData, error) {
	t, err := u.wholeTree()
	if err != nil {
		return nil, err
	}
	l := lister{a: u.Account, o: &imap.ListOptions{ReturnChildren: true, ReturnSpecialUse: true, ReturnSubscribed: true}}
	if l.uses, err = u.specialUses(t); err != nil {
		return nil, err
	}
	if l.subscribed, err = u.subscribed(); err != nil {
		return nil, err
	}
	out := make([]imap.ListData, len(names))
	for i, name := range names {
		name = u.loc.canonical(strings.TrimSuffix(name, string(u.loc.separator())))
		n := t.byName[name]
		if n == nil {
			n = &node{folder: folder{Name: name}}
		}
		out[i] = l.data(&candidate{node: n})
		if u.noAccess(n) {
			out[i].Attrs = append(out[i].Attrs, mailboxAttrNoAccess)
		}
	}
	return out, nil
}

const mailboxAttrNoAccess imap.MailboxAttr = `\NoAccess` // RFC 5465 §8

// noAccess reports whether a mailbox is one that the user may see but not read.
func (u *User) noAccess(n *node) bool {
	if !n.Selectable || u.share(n.Name) == nil {
		return false
	}
	_, r, err := u.may(n.Name, RightLookup)
	return err == nil && !r.Has(RightRead)
}

// lister is one LIST command.
type lister struct {
	a          *Account
	o          *imap.ListOptions
	patterns   patterns
	uses       map[string][]imap.MailboxAttr
	subscribed map[string][]string
}

// candidate is a name that may be listed.
type candidate struct {
	*node
	matches  bool // one of the patterns
	selected bool // by the selection options
	// children that are selected, and of these some that don't match
	childSelected, childHidden bool
}

// candidates are the names of the tree, and with SUBSCRIBED those that are subscribed
// but missing, with their parents.
func (l *lister) candidates(t *tree) []*candidate {
	all := make([]*candidate, 0, len(t.nodes))
	for _, n := range t.nodes {
		all = append(all, &candidate{node: n})
	}
	if !l.o.SelectSubscribed {
		return all
	}
	missing := make(map[string]bool)
	for name := range l.subscribed {
		for ; name != "" && t.byName[name] == nil && !missing[name]; name = l.a.loc.parent(name) {
			missing[name] = true
			all = append(all, &candidate{node: &node{folder: folder{Name: name}}})
		}
	}
	slices.SortFunc(all, func(a, b *candidate) int { return l.a.loc.compareNames(a.Name, b.Name) })
	return all
}

func (l *lister) list(ctx context.Context, all []*candidate) ([]imap.ListData, error) {
	byName := make(map[string]*candidate, len(all))
	for i, c := range all {
		if i%1024 == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		byName[c.Name] = c
		c.matches = l.patterns.match(c.Name)
		c.selected = (!l.o.SelectSubscribed || l.subscribed[c.Name] != nil) &&
			(!l.o.SelectSpecialUse || l.uses[c.Name] != nil)
	}
	if l.o.SelectRecursiveMatch {
		for _, c := range all {
			l.tellParents(c, byName)
		}
	}
	var out []imap.ListData
	for _, c := range all {
		// RFC 5258 §3.5: a name that isn't selected is listed for the sake of children that are not.
		if c.matches && (c.selected || c.childHidden) {
			out = append(out, l.data(c))
		}
	}
	return out, nil
}

// tellParents marks the names above one that is selected.
func (l *lister) tellParents(c *candidate, byName map[string]*candidate) {
	if !c.selected {
		return
	}
	for name := l.a.loc.parent(c.Name); name != ""; name = l.a.loc.parent(name) {
		parent := byName[name]
		if parent == nil || parent.childSelected && (parent.childHidden || c.matches) {
			return // those above know too
		}
		parent.childSelected = true
		parent.childHidden = parent.childHidden || !c.matches
	}
}

func (l *lister) data(c *candidate) imap.ListData {
	d := imap.ListData{Attrs: l.attrs(c.node), Delim: l.a.Delimiter(), Mailbox: c.Name}
	if l.subscribed[c.Name] != nil {
		d.Attrs = append(d.Attrs, imap.MailboxAttrSubscribed)
	}
	if l.o.ReturnSpecialUse || l.o.SelectSpecialUse {
		d.Attrs = append(d.Attrs, l.uses[c.Name]...)
	}
	if c.childSelected && l.o.SelectSubscribed {
		d.ChildInfo = &imap.ListDataChildInfo{Subscribed: true}
	}
	return d
}

// attrs says what a name is (RFC 3501 §7.2.2, RFC 5258 §3, RFC 3348).
// \NonExistent implies \Noselect: there is one of them at most (RFC 9051 §9 mbx-list-flags).
func (l *lister) attrs(n *node) []imap.MailboxAttr {
	attrs := make([]imap.MailboxAttr, 0, 4)
	switch {
	case n.Selectable:
	case n.exists:
		attrs = append(attrs, imap.MailboxAttrNoSelect)
	default:
		attrs = append(attrs, imap.MailboxAttrNonExistent)
	}
	switch {
	case !l.o.ReturnChildren && (n.exists || !n.children): // what is there for its children only says so (RFC 5258 §3.5)
	case n.children:
		attrs = append(attrs, imap.MailboxAttrHasChildren)
	default:
		attrs = append(attrs, imap.MailboxAttrHasNoChildren)
	}
	return attrs
}
