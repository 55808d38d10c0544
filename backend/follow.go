package backend

import (
	"context"
	"slices"
	"time"

	"maildir-imapd/watcher"
)

// freshen brings the snapshot up to what was done up to now, by whomever. Where the directories
// have not moved, that is two system calls; where they are watched, a look at the names that were touched; else
// they are read. The turn is held.
func (mb *Mailbox) freshen(ctx context.Context) error {
	watch := mb.watching() // before the directories are looked at
	cur, new, err := mb.d.stamps()
	if err != nil {
		return err
	}
	curMoved, newMoved := mb.curAt.moved(cur) || mb.unsettled, mb.newAt.moved(new)
	if (curMoved || newMoved) && mb.followed && !mb.unsettled && watch.Flush() {
		if err := mb.settlePending(ctx); err != nil {
			return err
		}
		mb.curAt, mb.newAt = cur, new
		curMoved, newMoved = false, false
	}
	switch {
	case curMoved:
		err = mb.scan(ctx)
	case newMoved || mb.claims() && mb.snap.Load().sum((*chunk).inNewCount) > 0:
		err = mb.scanNew(ctx)
	}
	mb.followed = watch != nil && err == nil
	return err
}

// freshenNamed is freshen for those who come from outside with the mailbox's name: one that turns out to be lost is not what they want
// (errNonExistent). The turn is held.
func (mb *Mailbox) freshenNamed(ctx context.Context) error {
	err := mb.freshen(ctx)
	if err == nil && mb.isGone() {
		err = errNonExistent
	}
	return err
}

// firstScan is the scan of a folder that is being opened. One that was changed just now would have to be read a second time, since it
// may have changed behind the first look within the same tick of the clock: so it is watched from before that on. The turn is held.
func (mb *Mailbox) firstScan(ctx context.Context) error {
	cur, new, err := mb.d.stamps()
	if err != nil {
		return err
	}
	if !cur.isFresh() && !new.isFresh() {
		return mb.scan(ctx)
	}
	mb.startWatching()
	err = mb.scan(ctx)
	mb.followed = err == nil
	mb.mu.Lock()
	mb.unwatchLaterLocked()
	mb.mu.Unlock()
	return err
}

// watching returns the watch, or nil.
func (mb *Mailbox) watching() *watcher.Watch {
	mb.mu.Lock()
	defer mb.mu.Unlock()
	return mb.watch
}

// settlePending settles what the watch has told. The turn is held.
func (mb *Mailbox) settlePending(ctx context.Context) (err error) {
	mb.mu.Lock()
	b := mb.pending
	mb.pending = watcher.Batch{}
	mb.mu.Unlock()
	settled := false
	defer func() { // after a panic, too
		if !settled {
			mb.leaveUnsettled()
		}
	}()
	switch {
	case b.Rescan || mb.unsettled:
		err = mb.scan(ctx)
	case len(b.Changes) > 0:
		err = mb.settleChanges(ctx, b.Changes)
	}
	settled = err == nil
	return err
}

// retryAfter is how long what could not be settled waits for the next attempt, if nobody looks at the folder before.
const retryAfter = 10 * time.Second

// leaveUnsettled notes that changes are known, and not in the snapshot: the disk is full, say, or who had us look has left. No
// event comes for them again. The turn is held.
func (mb *Mailbox) leaveUnsettled() {
	mb.unsettled = true
	if mb.retry == nil {
		mb.retry = time.AfterFunc(retryAfter, func() {
			mb.onBatch(watcher.Batch{Rescan: true})
			mb.a.lookout.touch(mb.f.Dir)
		})
	} else {
		mb.retry.Reset(retryAfter)
	}
}

// settleChanges looks at the names that the watcher saw. The turn is held.
func (mb *Mailbox) settleChanges(ctx context.Context, changes []watcher.Change) error {
	if again, err := mb.refreshPart(); err != nil {
		return err
	} else if again {
		return mb.scan(ctx)
	}
	now := mb.snap.Load()
	last := lastSeen(changes)
	for base, x := range last {
		if known, _ := now.find(mb.uidOf(base)); known != nil && x.seen == known.at() && !x.twice() && !mb.doubles[base] {
			delete(last, base) // our own change
		}
	}
	if len(last) > 1000+int(now.n)/4 {
		return mb.scan(ctx) // cheaper than so many single looks
	}
	var s sighting
	for base, x := range last {
		uid := mb.uidOf(base)
		known, _ := now.find(uid)
		came := x.name != "" && mb.d.of(x.inNew).exists(x.name)
		stayed := known != nil && mb.d.of(known.inNew).exists(known.name)
		switch {
		case x.twice() || mb.doubles[base] || came && stayed:
			return mb.scan(ctx) // there are two of this name, or were
		case came:
			mb.sight(&s, x.name, x.inNew)
		case stayed:
		case known != nil && !x.moved && x.name == "" && x.gone == known.at():
			s.removed = append(s.removed, uid) // unlinked under the only name it had
		case known != nil:
			return mb.scan(ctx) // renamed to who knows what
		}
	}
	s.sort()
	if len(s.twice) > 0 {
		return mb.scan(ctx)
	}
	slices.Sort(s.removed)
	return mb.settle(ctx, s)
}

// touched is what the watcher saw of a message.
type touched struct {
	seen         // where it may be now; no name: under none that we know
	other   seen // where it may be, too: under a name that came before that
	further bool // there were more names
	gone    seen // where it was unlinked last
	moved   bool // it was renamed from somewhere
}

// twice reports whether there may be several files. Who renames by a link and an unlink leaves but one.
func (x *touched) twice() bool { return x.other.name != "" || x.further }

// lastSeen is what became of each message that changes name, by base name.
func lastSeen(changes []watcher.Change) map[string]touched {
	last := make(map[string]touched, len(changes)/2) // most are renames, which are two
	for _, c := range changes {
		if c.Name == "" || c.Name[0] == '.' {
			continue
		}
		base := baseOf(c.Name)
		x := last[base]
		at := seen{name: c.Name, inNew: c.New}
		switch {
		case c.Op == watcher.Appeared && x.seen != at:
			x.further = x.further || x.other.name != ""
			x.other, x.seen = x.seen, at
		case c.Op == watcher.Appeared:
		case x.seen == at:
			x.other, x.seen = seen{}, x.other
		case x.other == at:
			x.other = seen{}
		}
		switch c.Op {
		case watcher.Removed:
			x.gone = at
		case watcher.MovedAway:
			x.moved = true
		}
		last[base] = x
	}
	return last
}

// maxPending is the number of changes from which on the folder is looked at as a whole.
const maxPending = 20_000

// onBatch takes what the watcher saw. It is called from the watcher's goroutine.
func (mb *Mailbox) onBatch(b watcher.Batch) {
	mb.mu.Lock()
	defer mb.mu.Unlock()
	if mb.gone {
		return
	}
	p := &mb.pending
	if p.Rescan = p.Rescan || b.Rescan || len(p.Changes)+len(b.Changes) > maxPending; p.Rescan {
		p.Changes = nil
	} else {
		p.Changes = append(p.Changes, b.Changes...)
	}
	// Where nobody looks on, it waits for the next who does.
	if len(mb.views) > 0 && !mb.working && mb.a.b.background(mb.work) {
		mb.working = true
	}
}

// work settles what the watcher reported until nothing is left. The mailbox stays open for it, though the last view be
// closed meanwhile.
func (mb *Mailbox) work(ctx context.Context) {
	if !mb.a.retain(mb) {
		return // lost, or closed already: nobody looks at it any more
	}
	defer mb.release()
	for again := true; again; {
		if err := mb.enter(ctx); err != nil {
			return // lost, or the server ends
		}
		// What is taken is settled before anybody else has the turn: freshen relies on that.
		err := safely(func() error {
			mb.gather()
			return mb.settlePending(ctx)
		})
		mb.trouble("can't follow the folder's changes", err)
		mb.leave()
		mb.mu.Lock()
		again = len(mb.pending.Changes) > 0 || mb.pending.Rescan
		mb.working = again
		mb.mu.Unlock()
	}
}

// manyChanges is from how many on it is worth while to ask for those that come behind them.
const manyChanges = 64

// gather has the watch tell at once what else has happened, where it has told much. A STORE of thousands takes longer than the
// watch's window, so what was told of it may have been undone meanwhile: each such name would have to be looked for on disk. The turn is held.
func (mb *Mailbox) gather() {
	mb.mu.Lock()
	watch, many := mb.watch, len(mb.pending.Changes) >= manyChanges
	mb.mu.Unlock()
	if many && watch != nil {
		watch.Flush()
	}
}

// addView starts to show the mailbox to v. The turn is held.
func (mb *Mailbox) addView(v *View) {
	mb.mu.Lock()
	mb.views[v] = struct{}{}
	mb.mu.Unlock()
	mb.startWatching()
}

// startWatching watches the folder. The turn is held.
func (mb *Mailbox) startWatching() {
	if mb.watching() != nil {
		return
	}
	w := mb.a.b.o.Watcher.Watch(mb.path, mb.onBatch)
	mb.mu.Lock()
	mb.watch = w
	mb.mu.Unlock()
}

// removeView ends that. After the last view the folder is watched until it has been left alone for so long that
// its time of change can be relied on: the next SELECT need not read it then.
func (mb *Mailbox) removeView(v *View) {
	mb.mu.Lock()
	delete(mb.views, v)
	mb.unwatchLaterLocked()
	mb.mu.Unlock()
	mb.reap()
}

func (mb *Mailbox) unwatchLaterLocked() {
	if len(mb.views) > 0 || mb.watch == nil {
		return
	}
	if mb.quiet == nil {
		mb.quiet = time.AfterFunc(racy, func() { mb.a.b.background(mb.unwatch) })
	} else {
		mb.quiet.Reset(racy)
	}
}

// unwatch ends the watch, unless there is a view again.
func (mb *Mailbox) unwatch(ctx context.Context) {
	if !mb.a.retain(mb) {
		return // close has seen to it, or will
	}
	defer mb.release()
	if err := mb.enter(ctx); err != nil {
		return
	}
	defer mb.leave()
	mb.mu.Lock()
	again := len(mb.views) > 0
	mb.mu.Unlock()
	if again || !mb.loaded {
		return
	}
	mb.trouble("can't look at the folder", mb.freshen(ctx))
	mb.stopWatching()
	mb.followed = false
}

// stopWatching ends the watch. The turn is held, or nobody uses the mailbox any more.
func (mb *Mailbox) stopWatching() {
	mb.mu.Lock()
	w := mb.watch
	mb.watch, mb.pending = nil, watcher.Batch{}
	if mb.quiet != nil {
		mb.quiet.Stop()
	}
	mb.mu.Unlock()
	if w != nil {
		w.Close()
	}
}
