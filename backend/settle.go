package backend

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"

	"maildir-imapd/uidmap"

	"github.com/emersion/go-imap/v2"
	"golang.org/x/sys/unix"
)

// settle gives UIDs to the unknown, moves mail from new/ to cur/ where a session
// claims it, and publishes what has changed. Where another server has given out UIDs while we
// waited for the lock, it looks at the whole folder once more. The turn is held.
func (mb *Mailbox) settle(ctx context.Context, s sighting) error {
	if mb.keywords.Nameless(s.letters) {
		reread := mb.reread
		if overtaken, err := mb.awaitNames(ctx); overtaken || mb.reread && !reread {
			return mb.scan(ctx) // at all messages, since any may have other keywords now
		} else if err != nil {
			mb.trouble("can't wait for the names of keywords", err)
			mb.leaveUnsettled()
			mb.unnamed |= s.letters // the next look waits again
		} else {
			mb.keywords.Seen(mb.unnamed)
			mb.unnamed = 0
		}
	}
	mb.keywords.Seen(s.letters &^ mb.unnamed)
	now := mb.snap.Load()
	first := !mb.loaded
	claim := mb.claims()
	recent := make(map[uint32]bool)
	for _, x := range s.found {
		if x.inNew && (first || x.uid >= now.uidNext) {
			recent[x.uid] = true
		}
	}
	claim = claim && slices.ContainsFunc(s.found, func(x seen) bool { return x.inNew })
	if len(s.unknown) > 0 || len(s.twice) > 0 || claim {
		err := mb.adopt(ctx, &s, recent)
		if err == errOvertaken {
			return mb.scan(ctx)
		}
		// Without the lock or a writable disk new mail can't be shown, for its UID
		// would not last; what has a UID can.
		mb.trouble("can't give UIDs to new mail", err)
		if err != nil && !uidmap.IsReadOnly(err) {
			mb.leaveUnsettled()
		}
	}

	var put []msg
	var fresh []int // of put, those that need a mod-sequence
	for _, x := range s.found {
		old, _ := now.find(x.uid)
		if old != nil && old.name == x.name && old.inNew == x.inNew && !mb.reread {
			continue
		}
		m := msg{name: x.name, uid: x.uid, inNew: x.inNew, flags: parseFlags(x.name)}
		if idx := mb.keywords.Extra(m.base()); idx != nil {
			m.flags.setExtra(idx)
		}
		if old != nil && old.flags == m.flags {
			m.modseq = old.modseq
			if old.name == m.name && old.inNew == m.inNew {
				continue
			}
		} else if modseq, ok := mb.remembered(&m); ok {
			m.modseq = modseq
		} else {
			fresh = append(fresh, len(put))
		}
		if first {
			put = slices.Grow(put, len(s.found)-len(put))
		}
		put = append(put, m)
	}
	mb.reread = false
	names, uidNext := mb.namesNow(now), mb.list.UIDNext()
	if len(put) == 0 && len(s.removed) == 0 && names == now.names && uidNext == now.uidNext && !first {
		return nil
	}
	if first {
		mb.recall(put)
	}
	if len(fresh) > 0 || len(s.removed) > 0 {
		modseq := mb.nextModSeq()
		for _, i := range fresh {
			put[i].modseq = modseq
		}
		mb.history.add(modseq, s.removed)
	}
	mb.mu.Lock()
	for _, x := range s.found {
		if recent[x.uid] {
			mb.unclaimed.add(imap.UID(x.uid), imap.UID(x.uid))
		}
	}
	mb.mu.Unlock()
	mb.seal(s.removed)
	mb.publish(now.with(put, s.removed), names, uidNext)
	mb.meta.forget(s.removed)
	mb.index.Forget(s.removed...)
	return nil
}

// namesNow returns the folder's keywords: those of the snapshot, unless they have changed.
func (mb *Mailbox) namesNow(now *snapshot) *keywordNames {
	names := mb.keywords.Names()
	fresh := make(keywordNames, len(names))
	for i, n := range names {
		fresh[i] = imap.Flag(n)
	}
	if slices.Equal(fresh, *now.names) {
		return now.names
	}
	return &fresh
}

// awaitNames reads the names of keywords once another server, which has put letters into file names, has written
// them. Dovecot does that afterwards, but holds the lock of the uidlist meanwhile. Overtaken says that UIDs were given
// out meanwhile, also where the lock could not be had. The turn is held.
func (mb *Mailbox) awaitNames(ctx context.Context) (overtaken bool, err error) {
	uidNext := mb.list.UIDNext()
	tx, err := mb.lock(ctx)
	overtaken = mb.list.UIDNext() != uidNext
	if uidmap.IsReadOnly(err) {
		return overtaken, nil // what has no name is never given one
	} else if err != nil {
		return overtaken, err
	}
	changed, err := mb.keywords.Refresh()
	mb.reread = mb.reread || changed
	return overtaken, errors.Join(err, tx.Unlock())
}

var errOvertaken = errors.New("another server has given out UIDs")

// adopt gives UIDs to unknown files, and fresh names to those whose name another has. It
// notes in recent who has a UID for the first time.
func (mb *Mailbox) adopt(ctx context.Context, s *sighting, recent map[uint32]bool) (err error) {
	uidNext := mb.list.UIDNext()
	tx, err := mb.lock(ctx)
	if mb.list.UIDNext() != uidNext { // also where the lock could not be had
		if err == nil {
			mb.trouble("can't give UIDs to new mail", tx.Unlock())
		}
		return errOvertaken
	}
	if err != nil {
		return err
	}
	defer func() {
		if err2 := tx.Unlock(); err2 != nil {
			err = errors.Join(err, err2)
		}
	}()
	strangers := append(s.unknown, mb.rename(s)...)
	if err := mb.number(tx, strangers); err != nil {
		return err
	}
	for _, x := range strangers {
		recent[x.uid] = true
	}
	s.found = append(s.found, strangers...)
	slices.SortFunc(s.found, func(a, b seen) int { return cmp.Compare(a.uid, b.uid) })
	if mb.claims() {
		for i := range s.found {
			if x := &s.found[i]; x.inNew {
				mb.claim(x)
			}
		}
	}
	return nil
}

// number gives the strangers their UIDs, in the order of their arrival.
func (mb *Mailbox) number(tx *uidmap.Tx, strangers []seen) error {
	if len(strangers) == 0 {
		return nil
	}
	type arrived struct {
		arrival
		seen
	}
	order := make([]arrived, len(strangers))
	for i, x := range strangers {
		order[i] = arrived{arrivalOf(baseOf(x.name)), x}
	}
	slices.SortFunc(order, func(a, b arrived) int { return a.arrival.compare(b.arrival) })
	recs := make([]uidmap.Record, len(order))
	var expunged []uint32
	for i, x := range order {
		recs[i].Base = x.arrival.base
		if old, ok := mb.list.Lookup(x.arrival.base); ok {
			expunged = append(expunged, old.UID) // the name has come back: see uidOf
		}
	}
	if len(expunged) > 0 {
		if err := tx.Forget(expunged); err != nil {
			return err
		}
	}
	if err := tx.Add(recs); err != nil {
		return err
	}
	for i := range order {
		strangers[i] = order[i].seen
		strangers[i].uid = recs[i].UID
	}
	return nil
}

// claim moves a file from new/ to cur/. Where that fails it stays what it was.
func (mb *Mailbox) claim(x *seen) {
	to := x.name
	if !strings.Contains(to, ":") {
		to += ":2,"
	}
	err := mb.d.new.rename(x.name, mb.d.cur, to)
	if err == nil {
		x.name, x.inNew = to, false
	} else if !errors.Is(err, fs.ErrNotExist) {
		mb.trouble("can't move new mail to cur", err)
	}
}

// rename gives a name of its own to each file that has the base name of
// another, or none that a uidlist can hold; it is then unknown. What is only a second link to the same
// mail is left alone: its deliverer is about to remove it.
func (mb *Mailbox) rename(s *sighting) (renamed []seen) {
	for _, x := range s.twice {
		st, err := mb.d.of(x.inNew).stat(x.name)
		if err != nil || mb.linked(s, x, &st) {
			continue
		}
		_, info, _ := strings.Cut(x.name, ":")
		to := freshBase()
		if base := baseOf(x.name); base != "" && info != "" {
			to += ":" + info
		}
		if d := mb.d.of(x.inNew); d.rename(x.name, d, to) != nil {
			continue // vanished, or the next look tries again
		}
		mb.log.Warn("a second message with the same file name has a new name now", "name", x.name, "new", to)
		renamed = append(renamed, seen{name: to, inNew: x.inNew})
	}
	return renamed
}

// linked reports whether x, with the status st, is the same mail as the one
// that was found under its base name, or that is gone already.
func (mb *Mailbox) linked(s *sighting, x seen, st *unix.Stat_t) bool {
	base := baseOf(x.name)
	if base == "" {
		return false
	}
	list := s.unknown // sorted by base
	i, ok := slices.BinarySearchFunc(list, base, func(y seen, base string) int { return strings.Compare(baseOf(y.name), base) })
	if !ok {
		list = s.found
		i, ok = slices.BinarySearchFunc(list, mb.uidOf(base), func(y seen, uid uint32) int { return cmp.Compare(y.uid, uid) })
	}
	if !ok {
		return false
	}
	other, err := mb.d.of(list[i].inNew).stat(list[i].name)
	return err != nil || sameFile(&other, st)
}
