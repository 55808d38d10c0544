package backend

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"

	"github.com/emersion/go-imap/v2"
)

// Events is a set of the events of RFC 5465 §5.
type Events uint8

const (
	MessageChange         Events = 1 << iota // MessageNew and MessageExpunge, which are always asked for together
	FlagChange                               // flags, or UIDVALIDITY
	MailboxName                              // CREATE, DELETE and RENAME
	SubscriptionChange                       // SUBSCRIBE and UNSUBSCRIBE
	MailboxMetadataChange                    // SETMETADATA of a mailbox
	ServerMetadataChange                     // SETMETADATA of the account
)

// ScopeKind says which mailboxes a Scope is about.
type ScopeKind uint8

const (
	Personal   ScopeKind = iota // all
	Subscribed                  // those that are subscribed to, at each moment
	Subtree                     // those named, and all beneath them
	Named                       // those named
)

// Scope is what is to be told of some mailboxes.
type Scope struct {
	Kind   ScopeKind
	Names  []string // of Subtree and Named
	Events Events
}

// NameChange is a name of which LIST is to be told; OldName is what it was called before a RENAME, else "".
type NameChange struct{ Name, OldName string }

// StatusChange is the state of a mailbox of which STATUS is to be told.
type StatusChange struct {
	Name                                         string
	Events                                       Events // that are asked for
	NumMessages, NumUnseen, UIDNext, UIDValidity uint32
	HighestModSeq                                uint64
}

// Notices is what a Monitor has to tell.
type Notices struct {
	// Overflow: there was more than can be remembered. The monitor has ended.
	Overflow bool
	Names    []NameChange
	Status   []StatusChange
	// Metadata is the entries that have changed, by mailbox; "" is the account.
	Metadata map[string][]string
}

// maxNames is the greatest number of names that wait to be told, and that of entries of annotations.
const maxNames = 1000

// monitor tells one session what happens in its account, beyond the mailbox that it has selected. The state of a
// mailbox that changes a hundred times before the session comes to tell it is told once. Owned by its
// session's goroutine; the lookout fills it.
type monitor struct {
	// Immutable.
	l       *lookout
	u       *User
	s       *share // nil: the user's own account
	scopes  []scope
	changed chan struct{} // capacity 1; of all monitors of the session

	mu       sync.Mutex // guards the fields below; taken with lookout.mu held
	targets  map[string]Events
	told     map[string]boxState // what the client knows
	pending  map[string]boxState
	names    []NameChange
	own      []string // names that the session itself is changing
	metadata map[string][]string
	entries  int // in metadata
	overflow bool
	// Of a shared tree; written with lookout.looking held too:
	heard      map[string]bool     // the mailboxes that the user has the rights to hear of (RFC 5465 §3.1)
	unheard    map[string]bool     // those that he had until the last look, and has no more
	subscribed map[string][]string // by the user
}

// scope is a Scope with its names as a set.
type scope struct {
	Scope
	names map[string]bool
}

// monitor begins to watch an account for what scopes ask; s says that it is a shared one.
func (a *Account) monitor(u *User, s *share, scopes []Scope, changed chan struct{}) (*monitor, error) {
	m := &monitor{
		l: a.lookout, u: u, s: s, changed: changed,
		told: make(map[string]boxState), pending: make(map[string]boxState),
	}
	for _, s := range scopes {
		x := scope{Scope: s, names: make(map[string]bool, len(s.Names))}
		for _, name := range s.Names {
			x.names[a.loc.canonical(name)] = true
		}
		m.scopes = append(m.scopes, x)
	}
	if err := m.l.add(m); err != nil {
		m.close()
		return nil, err
	}
	return m, nil
}

// close ends it.
func (m *monitor) close() { m.l.remove(m) }

// mailboxes are those of whose messages is told now, in order.
func (m *monitor) mailboxes() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	names := make([]string, 0, len(m.targets))
	for name := range m.targets {
		names = append(names, name)
	}
	slices.SortFunc(names, m.l.a.loc.compareNames)
	return names
}

// status looks at one of mailboxes. ok is false where it isn't there any more, for this user. What is returned counts as told.
func (m *monitor) status(ctx context.Context, name string) (c StatusChange, ok bool, err error) {
	if m.s != nil && !m.s.hears(name) { // thousands may have been looked at since the lookout knew of his rights
		return c, false, nil
	}
	state, err := m.l.a.glance(ctx, name)
	if _, isIMAP := errors.AsType[*imap.Error](err); isIMAP {
		return c, false, nil
	} else if err != nil {
		return c, false, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.told[name] = state
	delete(m.pending, name)
	return state.change(name, m.targets[name]), true, nil
}

// ownChange runs a change of the tree or of the subscriptions by the session itself, of which it needs not be told: that
// of these names.
func (m *monitor) ownChange(change func() error, names []string) error {
	m.l.looking.Lock()
	defer m.l.looking.Unlock()
	err := m.l.lookAtTree() // what others did before
	if err != nil {
		return err
	}
	names = slices.Clone(names)
	for i, name := range names {
		names[i] = m.l.a.loc.canonical(strings.TrimSuffix(name, string(m.l.a.loc.separator())))
	}
	m.setOwn(names)
	defer m.setOwn(nil)
	return errors.Join(change(), m.l.lookAtTree())
}

func (m *monitor) setOwn(names []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.own = names
}

// created says that the session itself has put messages into a mailbox with this UIDVALIDITY, which need not be
// told to it.
func (m *monitor) created(name string, validity uint32, uids imap.UIDSet) {
	name = m.l.a.loc.canonical(name)
	m.mu.Lock()
	defer m.mu.Unlock()
	s, known := m.told[name]
	if !known || s.validity != validity && !s.isMade() {
		return
	}
	s.validity = validity
	for _, r := range uids {
		s.n += uint32(r.Stop-r.Start) + 1
		s.uidNext = max(s.uidNext, uint32(r.Stop)+1)
	}
	m.told[name] = s
}

// take returns what has happened since the last time. modSeq is set for those who know mod-sequences: without, a
// change of flags shows in the number of unseen messages only (RFC 5465 §5.1).
func (m *monitor) take(modSeq bool) (n Notices) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n.Overflow, n.Names, n.Metadata = m.overflow, m.names, m.metadata
	m.names, m.metadata, m.entries = nil, nil, 0
	for name, now := range m.pending {
		old, known := m.told[name]
		if known && now.validity == old.validity && now.uidNext < old.uidNext {
			continue // from before the session's own messages came: it is about to be looked at again
		}
		m.told[name] = now
		events := m.targets[name]
		messages := now.n != old.n || now.uidNext != old.uidNext || now.validity != old.validity && !old.isMade()
		flags := now.unseen != old.unseen || modSeq && now.modseq != old.modseq
		if (!known || old.isMade()) && now.n == 0 && now.uidNext == 1 {
			continue // a new mailbox, which nothing has happened in
		}
		if !known || messages || flags && events&FlagChange != 0 {
			n.Status = append(n.Status, now.change(name, events))
		}
	}
	clear(m.pending)
	slices.SortFunc(n.Status, func(a, b StatusChange) int { return m.l.a.loc.compareNames(a.Name, b.Name) })
	return n
}

func (s boxState) change(name string, e Events) StatusChange {
	return StatusChange{Name: name, Events: e, NumMessages: s.n, NumUnseen: s.unseen,
		UIDNext: s.uidNext, UIDValidity: s.validity, HighestModSeq: s.modseq}
}

// putState notes a mailbox's state.
func (m *monitor) putState(name string, state boxState) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if old, known := m.told[name]; m.targets[name] == 0 || known && old == state {
		delete(m.pending, name)
		return
	}
	m.pending[name] = state
	m.wake()
}

// putName notes a name, if e is asked for.
func (m *monitor) putName(c NameChange, e Events, subscribed ...map[string][]string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.s != nil {
		switch {
		case !m.mayHear(c.Name) && c.OldName == "" || !m.mayHear(c.Name) && !m.mayHear(c.OldName):
			return
		case !m.mayHear(c.Name): // to him it is gone
			c = NameChange{Name: c.OldName}
		case !m.mayHear(c.OldName):
			c.OldName = ""
		}
	}
	wanted := slices.ContainsFunc(subscribed, func(s map[string][]string) bool {
		return m.events(c.Name, s)&e != 0 || c.OldName != "" && m.events(c.OldName, s)&e != 0
	})
	if !wanted || m.overflow || m.isOwn(c.Name) {
		return
	}
	if c.OldName == "" { // the last word counts: a RENAME that is told behind it would take the name away
		m.names = slices.DeleteFunc(m.names, func(x NameChange) bool { return x == c })
	}
	if len(m.names) == maxNames {
		m.overflowed()
		return
	}
	m.names = append(m.names, c)
	m.wake()
}

// putMetadata notes entries of a mailbox that have changed, of the account for "".
func (m *monitor) putMetadata(mailbox string, entries []string, subscribed map[string][]string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	wanted := m.events(mailbox, subscribed)&MailboxMetadataChange != 0
	if mailbox == "" { // whichever mailboxes it is asked for with
		wanted = slices.ContainsFunc(m.scopes, func(s scope) bool { return s.Events&ServerMetadataChange != 0 })
	}
	if !wanted || m.overflow || m.s != nil && !m.heard[mailbox] {
		return
	}
	if m.metadata == nil {
		m.metadata = make(map[string][]string)
	}
	for _, entry := range entries {
		if slices.Contains(m.metadata[mailbox], entry) {
			continue
		}
		if m.entries == maxNames {
			m.overflowed()
			return
		}
		m.metadata[mailbox] = append(m.metadata[mailbox], entry)
		m.entries++
	}
	m.wake()
}

// mayHear reports whether the user may, or could until just now, know of a name. mu is held.
func (m *monitor) mayHear(name string) bool { return m.heard[name] || m.unheard[name] }

// untold are the names of renames by others of which the user may not hear, but perhaps of mailboxes beneath them.
func (m *monitor) untold(changes []NameChange) (names []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range changes {
		if m.s != nil && c.OldName != "" && !m.mayHear(c.Name) && !m.mayHear(c.OldName) && !m.isOwn(c.Name) {
			names = append(names, c.Name, c.OldName)
		}
	}
	return names
}

// isOwn reports whether a name is affected by the session's own change: the parent too, which has a
// child more or less.
func (m *monitor) isOwn(name string) bool {
	return slices.ContainsFunc(m.own, func(own string) bool { return name == own || name == m.l.a.loc.parent(own) })
}

// carry lets what the client knows follow mailboxes to their new names.
func (m *monitor) carry(renames []*rename, now *tree) {
	m.mu.Lock()
	defer m.mu.Unlock()
	sep := string(m.l.a.loc.separator())
	for _, r := range renames {
		for name, state := range m.told {
			rest, ok := strings.CutPrefix(name, r.from)
			if n := now.byName[name]; !ok || rest != "" && !strings.HasPrefix(rest, sep) || n != nil && n.Selectable {
				continue
			}
			delete(m.told, name)
			delete(m.pending, name)
			m.told[r.to+rest] = state
		}
	}
}

// aim returns the mailboxes that are to be watched, and forgets what it knew of others. Of a mailbox that is not new in the tree
// the client is taken to know what we remember.
func (m *monitor) aim(t *tree, subscribed map[string][]string, isNew func(*node) bool) (out []*node) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.targets = make(map[string]Events)
	if m.overflow {
		return nil
	}
	for _, n := range t.nodes {
		e := m.events(n.Name, subscribed) & (MessageChange | FlagChange)
		if !n.Selectable || e == 0 || m.s != nil && !m.heard[n.Name] {
			continue
		}
		if len(out) == m.l.max {
			m.overflowed()
			return nil
		}
		out = append(out, n)
		m.targets[n.Name] = e
		if _, known := m.told[n.Name]; known {
			continue
		}
		if isNew(n) {
			if m.isOwn(n.Name) {
				m.told[n.Name] = boxState{uidNext: 1}
			}
		} else if state, ok := m.l.a.remembered(n.Dir); ok {
			m.told[n.Name] = state
		}
	}
	for name := range m.told {
		if m.targets[name] == 0 {
			delete(m.told, name)
			delete(m.pending, name)
		}
	}
	return out
}

// overflowed ends the monitor. mu is held.
func (m *monitor) overflowed() {
	m.overflow = true
	m.targets, m.names, m.metadata = nil, nil, nil
	clear(m.told)
	clear(m.pending)
	m.wake()
}

func (m *monitor) isOverflowed() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.overflow
}

func (m *monitor) wake() {
	select {
	case m.changed <- struct{}{}:
	default:
	}
}

// events are those that are asked for of one name: of all scopes that it is in (RFC 5465 §6).
func (m *monitor) events(name string, subscribed map[string][]string) (e Events) {
	if m.s != nil {
		subscribed = m.subscribed
	}
	for i := range m.scopes {
		if m.scopes[i].Kind == Personal && (m.s != nil || m.u.share(name) != nil) {
			continue // what is shared is not
		}
		if s := &m.scopes[i]; s.Events&^e != 0 && s.has(name, subscribed, &m.l.a.loc) {
			e |= s.Events
		}
	}
	if e != 0 && m.u.share(name) != m.s {
		e &= SubscriptionChange // another tree has its place; the subscriptions are the user's own
	}
	return e
}

// wantsSubscribed reports whether it matters what the user has subscribed to.
func (m *monitor) wantsSubscribed() bool {
	return slices.ContainsFunc(m.scopes, func(s scope) bool { return s.Kind == Subscribed })
}

func (s *scope) has(name string, subscribed map[string][]string, l *Location) bool {
	switch s.Kind {
	case Personal:
		return true
	case Subscribed:
		return subscribed[name] != nil
	case Named:
		return s.names[name]
	}
	for ; name != ""; name = l.parent(name) {
		if s.names[name] {
			return true
		}
	}
	return false
}
