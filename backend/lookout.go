package backend

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"maildir-imapd/watcher"

	"github.com/emersion/go-imap/v2"
)

// lookout watches an account's folders, and its tree, for the sessions that want to hear of more
// than their selected mailbox (RFC 5465). It does nothing while there is no Monitor.
//
// Each folder that some monitor asks for has a Watch. That, or a session of ours that changes the mailbox, makes
// the folder dirty; one goroutine for the whole account then looks at the dirty ones, one after
// the other, and gives the monitors what it finds. A mailbox that nobody has open is
// opened for that, and not before.
type lookout struct {
	// Immutable.
	a   *Account
	max int // mailboxes that one monitor is told of

	// looking is held over looks at the tree, which it brings in order. It comes before folders.change.
	looking     sync.Mutex
	tree        *tree               // as the monitors know it
	lists       lists               // of a shared tree, as they were at the last look
	subscribed  map[string][]string // as the monitors know them; nil for a shared tree, in which each user has his own
	user        *User               // one of those whose own account it is: what he subscribes to may be shared
	lastTrouble string              // logged already

	mu       sync.Mutex // guards the fields below; held for memory operations only, and innermost
	monitors map[*monitor]struct{}
	watches  map[string]*watcher.Watch // by the mailbox's directory
	names    map[string]string         // of these mailboxes, by directory
	dirty    map[string]bool           // directories
	renames  []*rename                 // under way, or since the last look at the tree
	moved    bool                      // the tree or the subscriptions were changed by a session
	running  bool                      // run is
	wakeup   chan struct{}             // capacity 1
}

// rename is one that a session of ours does.
type rename struct {
	from, to string
	mere     bool // only mailboxes beneath from are renamed, since it is none itself
	done     bool
	// Owned by who holds looking:
	settled bool // done before the tree was read
	told    bool
}

const (
	// maxMonitored is the greatest number of mailboxes that one monitor is told of. Each needs two watches of the
	// kernel, of which a user has 8192 on small machines; where they run out, folders are polled.
	maxMonitored = 5000
	// maxRenames bounds what is remembered between two looks at the tree; what is beyond is told as DELETE and CREATE.
	maxRenames = 1000
	// treeInterval is how often the tree is looked at for what other programs did, and
	// treeIntervalEach is added for each of its folders.
	treeInterval     = 2 * time.Second
	treeIntervalEach = time.Millisecond
)

var errOverflow = &imap.Error{Type: imap.StatusResponseTypeNo, Code: "NOTIFICATIONOVERFLOW", Text: "Too many mailboxes to watch"}

func newLookout(a *Account) *lookout {
	return &lookout{
		a:        a,
		max:      maxMonitored,
		monitors: make(map[*monitor]struct{}),
		watches:  make(map[string]*watcher.Watch),
		names:    make(map[string]string),
		dirty:    make(map[string]bool),
		wakeup:   make(chan struct{}, 1),
	}
}

// wake makes run look. It costs nothing where there is no monitor.
func (l *lookout) wake() {
	select {
	case l.wakeup <- struct{}{}:
	default:
	}
}

// touch makes a folder dirty.
func (l *lookout) touch(dir string) {
	if l.mark(dir) {
		l.wake()
	}
}

// mark is touch for what has time. It reports whether any monitor asks for the folder.
func (l *lookout) mark(dir string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, ok := l.watches[dir]
	if ok {
		l.dirty[dir] = true
	}
	return ok
}

// treeMoved says that the tree or the subscriptions have changed.
func (l *lookout) treeMoved() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.moved = true
	l.wake()
}

// renaming notes what would otherwise look like a DELETE and a CREATE, or many of them. The
// function it returns is called when the rename is done, or has failed.
func (l *lookout) renaming(from, to string, mere bool) (finish func(ok bool)) {
	r := &rename{from: from, to: to, mere: mere}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.monitors) > 0 && len(l.renames) < maxRenames {
		l.renames = append(l.renames, r)
	}
	return func(ok bool) {
		l.mu.Lock()
		defer l.mu.Unlock()
		if r.done = ok; !ok {
			l.renames = slices.DeleteFunc(l.renames, func(x *rename) bool { return x == r })
		}
	}
}

// add begins to tell m of changes.
func (l *lookout) add(m *monitor) error {
	l.looking.Lock()
	defer l.looking.Unlock()
	if m.s == nil {
		l.user = m.u
	}
	if err := l.lookAtTree(); err != nil { // for those that are there already
		return err
	}
	l.mu.Lock()
	l.monitors[m] = struct{}{}
	start := !l.running
	l.running = true
	l.mu.Unlock()
	if start {
		l.start()
	}
	if l.a.loc.Shared { // for m's rights; what has changed meanwhile is told to all
		if err := l.lookAtTree(); err != nil {
			return err
		}
	}
	l.aim(nil, nil)
	if m.isOverflowed() {
		return errOverflow
	}
	return nil
}

// start starts run, which holds the account as a session does.
func (l *lookout) start() {
	b := l.a.b
	b.mu.Lock()
	l.a.refs++
	b.mu.Unlock()
	ok := b.background(func(ctx context.Context) {
		defer b.done(l.a, 1)
		l.run(ctx)
	})
	if !ok {
		b.done(l.a, 1)
	}
}

// remove ends that.
func (l *lookout) remove(m *monitor) {
	l.mu.Lock()
	delete(l.monitors, m)
	l.mu.Unlock()
	l.wake()
}

// run looks at what has changed until there are no monitors.
func (l *lookout) run(ctx context.Context) {
	timer := time.NewTimer(treeInterval)
	defer timer.Stop()
	for {
		tick := false
		select {
		case <-ctx.Done():
			l.unwatch(func(string) bool { return false })
			return
		case <-l.wakeup:
		case <-timer.C:
			tick = true
		}
		if l.idle() {
			return
		}
		err := safely(func() error { return l.look(ctx, tick) })
		if err != nil && ctx.Err() == nil {
			l.trouble(err)
		}
		if tick {
			timer.Reset(l.interval())
		}
	}
}

func (l *lookout) interval() time.Duration {
	l.looking.Lock()
	defer l.looking.Unlock()
	return treeInterval + time.Duration(len(l.tree.nodes))*treeIntervalEach
}

// idle reports whether there is nobody left, and then run has ended as far as others can see.
func (l *lookout) idle() bool {
	l.looking.Lock()
	defer l.looking.Unlock()
	l.mu.Lock()
	none := len(l.monitors) == 0
	l.running = !none
	l.mu.Unlock()
	if none {
		l.tree, l.subscribed, l.user, l.lists = nil, nil, nil, lists{}
		l.unwatch(func(string) bool { return false })
	}
	return none
}

// look looks at the dirty folders, and at the tree if it has moved or tick is set.
func (l *lookout) look(ctx context.Context, tick bool) (err error) {
	l.mu.Lock()
	dirty, moved := l.dirty, l.moved
	l.dirty, l.moved = make(map[string]bool), false
	l.mu.Unlock()
	if tick || moved {
		l.looking.Lock()
		err = l.lookAtTree()
		l.looking.Unlock()
	}
	for dir := range dirty {
		l.mu.Lock()
		name, ok := l.names[dir]
		l.mu.Unlock()
		if !ok {
			continue
		}
		switch state, err2 := l.a.glance(ctx, name); {
		case err2 == nil:
			l.tell(name, state)
		case ctx.Err() != nil:
			return ctx.Err()
		default:
			if _, ok := errors.AsType[*imap.Error](err2); !ok { // not there any more: the tree tells
				err = errors.Join(err, fmt.Errorf("%s: %w", name, err2))
				l.mark(dir) // the next tick looks again
			}
		}
	}
	return err
}

// trouble logs an error once for as long as it stays the same.
func (l *lookout) trouble(err error) {
	l.looking.Lock()
	defer l.looking.Unlock()
	if text := err.Error(); text != l.lastTrouble {
		l.lastTrouble = text
		l.a.log().Error("can't follow the changes of the account", "err", err)
	}
}

// tell gives the monitors the state of a mailbox.
func (l *lookout) tell(name string, state boxState) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for m := range l.monitors {
		m.putState(name, state)
	}
}

// metadataChanged tells all monitors but the one of the session that did it which entries have changed. No turn is held.
func (l *lookout) metadataChanged(mailbox string, entries []string, by *Monitor) {
	l.looking.Lock()
	defer l.looking.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	for m := range l.monitors {
		if !by.has(m) {
			m.putMetadata(mailbox, entries, l.subscribed)
		}
	}
}

// lookAtTree tells the monitors what has changed in the tree and in the subscriptions. looking is held.
func (l *lookout) lookAtTree() error {
	l.mu.Lock()
	for _, r := range l.renames {
		r.settled = r.done
	}
	l.mu.Unlock()
	t, err := l.a.readTree()
	if err != nil {
		return err
	}
	var subscribed map[string][]string
	if l.user != nil {
		if subscribed, err = l.user.subscribed(); err != nil {
			return err
		}
	}
	rights := l.lookAtRights(t)
	old, oldSubscribed := l.tree, l.subscribed
	l.tree, l.subscribed = t, subscribed
	l.mu.Lock()
	renames := l.renames
	l.renames = slices.DeleteFunc(slices.Clone(renames), func(r *rename) bool { return r.settled })
	if old == nil || len(l.monitors) == 0 {
		l.mu.Unlock()
		return nil
	}
	names := l.treeChanges(old, t, renames)
	subs := subscriptionChanges(oldSubscribed, subscribed)
	for m := range l.monitors {
		// By the old subscriptions as well as the new.
		for _, c := range names {
			m.putName(c, MailboxName, oldSubscribed, subscribed)
		}
		for _, name := range subs {
			m.putName(NameChange{Name: name}, SubscriptionChange, oldSubscribed, subscribed)
		}
		untold := m.untold(names)
		for name := range rights[m] { // RFC 5465 §5.9; what is new or gone was told already
			if old.byName[name] != nil && t.byName[name] != nil || isBeneath(name, untold, l.a.loc.separator()) {
				m.putName(NameChange{Name: name}, MailboxName, oldSubscribed, subscribed)
			}
		}
	}
	l.mu.Unlock()
	if t != old || len(subs) > 0 || len(rights) > 0 {
		l.aim(old, renames)
	}
	return nil
}

// aim watches the folders that the monitors ask for, and no others. old is the tree of before, nil: none. What is new in
// the tree is looked at, since mail may have come with it. looking is held.
func (l *lookout) aim(old *tree, renames []*rename) {
	isNew := func(n *node) bool {
		return old != nil && (old.byName[n.Name] == nil || !old.byName[n.Name].Selectable)
	}
	l.mu.Lock()
	wanted := make(map[string]*node)
	for m := range l.monitors {
		m.carry(renames, l.tree)
		for _, n := range m.aim(l.tree, l.subscribed, isNew) {
			wanted[n.Dir] = n
		}
	}
	l.mu.Unlock()
	l.unwatch(func(dir string) bool { return wanted[dir] != nil })
	for dir, n := range wanted {
		l.mu.Lock()
		l.names[dir] = n.Name
		_, known := l.watches[dir]
		l.mu.Unlock()
		if !known {
			w := l.a.b.o.Watcher.Watch(l.a.path(dir), func(watcher.Batch) { l.touch(dir) })
			l.mu.Lock()
			l.watches[dir] = w
			l.mu.Unlock()
		}
		if isNew(n) {
			l.touch(dir)
		}
	}
}

// unwatch ends the watches of the directories that are not to be kept.
func (l *lookout) unwatch(keep func(dir string) bool) {
	l.mu.Lock()
	var old []*watcher.Watch
	for dir, w := range l.watches {
		if !keep(dir) {
			old = append(old, w)
			delete(l.watches, dir)
			delete(l.names, dir)
			delete(l.dirty, dir)
		}
	}
	l.mu.Unlock()
	for _, w := range old {
		w.Close()
	}
}

// boxState is what a monitor tells of a mailbox.
type boxState struct {
	n, unseen, uidNext, validity uint32
	modseq                       uint64
}

// isMade reports whether it is that of a mailbox that the session has just made, of which nobody knows the UIDVALIDITY yet.
func (s boxState) isMade() bool { return s.validity == 0 }

func (mb *Mailbox) state() boxState {
	s := mb.snap.Load()
	return boxState{n: s.n, unseen: s.sum((*chunk).unseenCount), uidNext: s.uidNext, validity: mb.uidValidity, modseq: s.modseq}
}

// glance looks at a mailbox, which is opened if need be.
func (a *Account) glance(ctx context.Context, name string) (boxState, error) {
	mb, err := a.mailbox(ctx, name)
	if err != nil {
		return boxState{}, err
	}
	defer mb.release()
	if err := mb.enter(ctx); err != nil {
		return boxState{}, err
	}
	defer mb.leave()
	if err := mb.freshen(ctx); err != nil {
		return boxState{}, err
	}
	return mb.state(), nil
}

// remembered is the state of a mailbox that is open.
func (a *Account) remembered(dir string) (boxState, bool) {
	a.mu.Lock()
	mb := a.boxes[dir]
	a.mu.Unlock()
	if mb == nil || !mb.opened.Load() {
		return boxState{}, false
	}
	return mb.state(), true
}
