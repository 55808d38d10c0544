package backend

import (
	"context"
	"slices"

	"github.com/emersion/go-imap/v2"
)

// Monitor tells one session what happens in all that its user sees, beyond the mailbox that it has selected: a monitor for each of his
// trees. Owned by its session's goroutine.
type Monitor struct {
	user    *User
	parts   []*monitor // his own first
	changed chan struct{}
}

// Monitor begins to watch for what scopes ask. Close it before the user.
//
// Errors: *imap.Error with NOTIFICATIONOVERFLOW where that would be too many mailboxes.
func (u *User) Monitor(scopes []Scope) (*Monitor, error) {
	m := &Monitor{user: u, changed: make(chan struct{}, 1)}
	add := func(a *Account, s *share) error {
		part, err := a.monitor(u, s, scopes, m.changed)
		if err == nil {
			m.parts = append(m.parts, part)
		}
		return err
	}
	err := add(u.Account, nil)
	for _, s := range u.shares {
		if err == nil && slices.ContainsFunc(scopes, func(x Scope) bool { return x.Kind != Personal }) {
			err = add(s.Account, s)
		}
	}
	if err != nil {
		m.Close()
		return nil, err
	}
	return m, nil
}

// NoAccess lists the mailboxes that scopes ask for and that the user may see but not read, so that he hears nothing of them (RFC 5465 §3.1).
func (u *User) NoAccess(scopes []Scope) ([]string, error) {
	if len(u.shares) == 0 {
		return nil, nil
	}
	t, err := u.wholeTree()
	if err != nil {
		return nil, err
	}
	names, err := u.Mailboxes(scopes)
	return slices.DeleteFunc(names, func(name string) bool { n := t.byName[name]; return n == nil || !u.noAccess(n) }), err
}

// Close ends it.
func (m *Monitor) Close() {
	for _, part := range m.parts {
		part.close()
	}
}

// has reports whether part belongs to m, which may be nil.
func (m *Monitor) has(part *monitor) bool { return m != nil && slices.Contains(m.parts, part) }

// of finds the part that is about a mailbox; nil: there is none.
func (m *Monitor) of(name string) *monitor {
	s := m.user.share(name)
	for _, part := range m.parts {
		if part.s == s {
			return part
		}
	}
	return nil
}

// Changed is readable when Take may have something.
func (m *Monitor) Changed() <-chan struct{} { return m.changed }

// Mailboxes are those of whose messages is told now, each tree's in order.
func (m *Monitor) Mailboxes() (names []string) {
	for _, part := range m.parts {
		names = append(names, part.mailboxes()...)
	}
	return names
}

// Status looks at one of Mailboxes. ok is false where it isn't there any more. What is returned counts as told.
func (m *Monitor) Status(ctx context.Context, name string) (c StatusChange, ok bool, err error) {
	if part := m.of(name); part != nil {
		return part.status(ctx, name)
	}
	return c, false, nil
}

// Own runs a change of a tree or of the subscriptions by the session itself, of which it needs not be told: that
// of these names.
func (m *Monitor) Own(change func() error, names ...string) error {
	for _, part := range m.parts[1:] {
		if slices.ContainsFunc(names, func(name string) bool { return m.of(name) == part }) {
			inner := change
			change = func() error { return part.ownChange(inner, names) }
		}
	}
	return m.parts[0].ownChange(change, names) // it has the subscriptions
}

// Created says that the session itself has put messages into a mailbox with this UIDVALIDITY, which need not be told to it.
func (m *Monitor) Created(name string, validity uint32, uids imap.UIDSet) {
	if part := m.of(name); part != nil {
		part.created(name, validity, uids)
	}
}

// Take returns what has happened since the last time. modSeq is set for those who know mod-sequences: without, a
// change of flags shows in the number of unseen messages only (RFC 5465 §5.1).
func (m *Monitor) Take(modSeq bool) Notices {
	n := m.parts[0].take(modSeq)
	for _, part := range m.parts[1:] {
		x := part.take(modSeq)
		n.Overflow = n.Overflow || x.Overflow
		n.Names = append(n.Names, x.Names...)
		n.Status = append(n.Status, slices.DeleteFunc(x.Status, func(c StatusChange) bool { return !part.s.hears(c.Name) })...)
		for name, entries := range x.Metadata {
			if !part.s.hears(name) {
				continue
			}
			if n.Metadata == nil {
				n.Metadata = make(map[string][]string)
			}
			n.Metadata[name] = entries
		}
	}
	return n
}

// hears reports whether the user may hear of a mailbox now: what the lookout knows of rights can be some seconds old.
func (s *share) hears(name string) bool {
	r, _, err := s.rights(name)
	return err == nil && r.Has(RightLookup|RightRead)
}

// lookAtRights finds out for the monitors of a shared tree which mailboxes they may hear of now: l and r are wanted for all
// events (RFC 5465 §3.1). It returns the names of those that this has changed for, and brings in order what the users have subscribed to. looking is held.
func (l *lookout) lookAtRights(t *tree) (changed map[*monitor]map[string]bool) {
	if !l.a.loc.Shared || t == nil {
		return nil
	}
	l.mu.Lock()
	monitors := make([]*monitor, 0, len(l.monitors))
	for m := range l.monitors {
		monitors = append(monitors, m)
	}
	l.mu.Unlock()
	if len(monitors) == 0 {
		return nil
	}
	lists := l.a.lists(t)
	same := t == l.tree && lists.same(&l.lists)
	l.lists = lists
	changed = make(map[*monitor]map[string]bool)
	for _, m := range monitors {
		subscribed := m.subscribed
		if m.wantsSubscribed() {
			// Where it fails his own lookout says so, unless he has just left; the others don't have to suffer from it.
			if now, err := m.u.subscribed(); err == nil {
				subscribed = now
			}
		}
		if same && m.heard != nil { // of thousands who listen
			m.mu.Lock()
			if m.unheard = nil; len(subscriptionChanges(m.subscribed, subscribed)) > 0 {
				changed[m] = nil
			}
			m.subscribed = subscribed
			m.mu.Unlock()
			continue
		}
		heard := make(map[string]bool)
		for _, n := range t.nodes {
			if n.exists && lists.rights(n, m.s.id).Has(RightLookup|RightRead) {
				heard[n.Name] = true
			}
		}
		m.mu.Lock()
		moved := make(map[string]bool)
		unheard := make(map[string]bool)
		for name := range m.heard {
			if !heard[name] {
				moved[name], unheard[name] = true, true
			}
		}
		for name := range heard {
			if m.heard != nil && !m.heard[name] {
				moved[name] = true
			}
		}
		if len(moved) > 0 || len(subscriptionChanges(m.subscribed, subscribed)) > 0 {
			changed[m] = moved
		}
		m.heard, m.unheard, m.subscribed = heard, unheard, subscribed
		m.mu.Unlock()
	}
	return changed
}
