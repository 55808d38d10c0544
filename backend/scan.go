package backend

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"

	"maildir-imapd/uidmap"
	"maildir-imapd/watcher"

	"github.com/emersion/go-imap/v2"
	"golang.org/x/sys/unix"
)

// seen is a message file that was found in the folder.
type seen struct {
	name  string
	uid   uint32 // 0 where it has none yet
	inNew bool
}

// sighting is the result of a look at a folder, or at some of its names.
type sighting struct {
	found   []seen   // with a UID, ascending, each once
	unknown []seen   // without one, in any order
	twice   []seen   // files whose base another file has, or that have none
	removed []uint32 // messages that are not there any more, ascending
}

// scan looks at the whole folder, and settles what it finds. The turn is held.
func (mb *Mailbox) scan(ctx context.Context) error {
	if same, err := mb.sameFolder(); err != nil {
		return err
	} else if !same {
		mb.lose()
		return nil
	}
	newAt, err := mb.d.new.stamp()
	if err != nil {
		return err
	}
	curAt, err := mb.d.cur.stamp()
	if err != nil {
		return err
	}
	if reset, err := mb.refresh(); err != nil {
		return err
	} else if reset {
		mb.lose()
		return nil
	}
	s, err := mb.look()
	if err != nil {
		return err
	}
	if s.removed = mb.missing(s.found); len(s.removed) > 0 {
		// readdir may have missed a file that was renamed meanwhile (POSIX leaves
		// that open): what is missing is gone only after a second look.
		if err := mb.lookAgain(&s); err != nil {
			return err
		}
	}
	mb.curAt, mb.newAt = curAt, newAt
	return mb.settle(ctx, s, mb.scan)
}

// scanNew looks at new/ only: nothing else has moved. The turn is held.
func (mb *Mailbox) scanNew(ctx context.Context) error {
	newAt, err := mb.d.new.stamp()
	if err != nil {
		return err
	}
	if again, err := mb.refreshPart(); again || err != nil {
		return cmp.Or(err, mb.scan(ctx))
	}
	all, err := mb.d.new.names()
	if err != nil {
		return err
	}
	var s sighting
	for _, name := range all {
		mb.sight(&s, name, true)
	}
	s.sort()
	now := mb.snap.Load()
	known := uint32(0)
	for _, x := range s.found {
		if m, _ := now.find(x.uid); m != nil && m.inNew {
			known++
		} else if m != nil {
			return mb.scan(ctx) // there is one of this name in cur/
		}
	}
	if known != now.sum((*chunk).inNewCount) || len(s.twice) > 0 {
		return mb.scan(ctx) // something has left new/
	}
	mb.newAt = newAt
	return mb.settle(ctx, s, mb.scan)
}

// sameFolder reports whether the directories that are open are still those
// under the folder's name.
func (mb *Mailbox) sameFolder() (bool, error) {
	at, err := mb.f.mail.root.Stat(mb.f.mail.dir + "/cur")
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	open, err := mb.d.cur.f.Stat()
	if err != nil {
		return false, err
	}
	return os.SameFile(at, open), nil
}

// refresh reads what other programs wrote to the folder's files.
func (mb *Mailbox) refresh() (reset bool, err error) {
	if reset, err = mb.list.Refresh(); err != nil {
		return false, err
	}
	changed, err := mb.keywords.Refresh()
	mb.reread = mb.reread || changed
	return reset, err
}

// refreshPart is refresh for those who look at a part of the folder only. again
// says that this is not enough: another server has given out UIDs, of which we
// must know all messages.
func (mb *Mailbox) refreshPart() (again bool, err error) {
	reset, err := mb.refresh()
	return reset || mb.reread || mb.list.UIDNext() != mb.snap.Load().uidNext, err
}

// look reads new/ and cur/. new/ comes first, so that a file that is moved to
// cur/ meanwhile is seen at least once.
func (mb *Mailbox) look() (s sighting, err error) {
	for _, inNew := range []bool{true, false} {
		all, err := mb.d.of(inNew).names()
		if err != nil {
			return s, err
		}
		s.found = slices.Grow(s.found, len(all))
		for _, name := range all {
			mb.sight(&s, name, inNew)
		}
	}
	s.sort()
	return s, nil
}

// sight notes a file under its UID, if it has one.
func (mb *Mailbox) sight(s *sighting, name string, inNew bool) {
	base := baseOf(name)
	switch uid := mb.uidOf(base); {
	case base == "" || strings.ContainsAny(base, "\r\n"):
		s.twice = append(s.twice, seen{name: name, inNew: inNew}) // no line of the uidlist can hold it
	case uid != 0:
		s.found = append(s.found, seen{name: name, uid: uid, inNew: inNew})
	default:
		s.unknown = append(s.unknown, seen{name: name, inNew: inNew})
	}
}

// uidOf finds the UID of a base name. A name that comes back after its
// message was expunged is another message: it has none.
func (mb *Mailbox) uidOf(base string) uint32 {
	rec, ok := mb.list.Lookup(base)
	if !ok {
		return 0
	}
	if now := mb.snap.Load(); rec.UID < now.uidNext {
		if m, _ := now.find(rec.UID); m == nil {
			return 0
		}
	} else if rec.GUID != "" { // seen for the first time
		mb.identities.put(rec.UID, rec.GUID)
	}
	return rec.UID
}

// sort brings found into the order of UIDs, and sets aside what is there twice. Of
// two files with one base the one in cur/ stays, and there the one with the longer name.
func (s *sighting) sort() {
	better := func(a, b seen) int {
		switch {
		case a.inNew != b.inNew && a.inNew:
			return 1
		case a.inNew != b.inNew:
			return -1
		}
		return cmp.Or(cmp.Compare(len(b.name), len(a.name)), strings.Compare(b.name, a.name))
	}
	slices.SortFunc(s.found, func(a, b seen) int {
		if a.uid != b.uid {
			return cmp.Compare(a.uid, b.uid)
		}
		return better(a, b)
	})
	slices.SortFunc(s.unknown, func(a, b seen) int {
		if c := strings.Compare(baseOf(a.name), baseOf(b.name)); c != 0 {
			return c
		}
		return better(a, b)
	})
	dedupe := func(list []seen, same func(a, b seen) bool) []seen {
		out := list[:0]
		for _, x := range list {
			if len(out) > 0 && same(out[len(out)-1], x) {
				s.twice = append(s.twice, x)
			} else {
				out = append(out, x)
			}
		}
		return out
	}
	s.found = dedupe(s.found, func(a, b seen) bool { return a.uid == b.uid })
	s.unknown = dedupe(s.unknown, func(a, b seen) bool { return baseOf(a.name) == baseOf(b.name) })
}

// missing lists the messages of the snapshot that are not in found.
func (mb *Mailbox) missing(found []seen) (out []uint32) {
	for _, m := range mb.snap.Load().all {
		for len(found) > 0 && found[0].uid < m.uid {
			found = found[1:]
		}
		if len(found) == 0 || found[0].uid != m.uid {
			out = append(out, m.uid)
		}
	}
	return out
}

// lookAgain reads the folder a second time and takes from it what the first look missed.
func (mb *Mailbox) lookAgain(s *sighting) error {
	again, err := mb.look()
	if err != nil {
		return err
	}
	var late []seen
	s.removed = slices.DeleteFunc(s.removed, func(uid uint32) bool {
		i, ok := slices.BinarySearchFunc(again.found, uid, func(x seen, uid uint32) int { return cmp.Compare(x.uid, uid) })
		if ok {
			late = append(late, again.found[i])
		}
		return ok
	})
	s.found = append(s.found, late...)
	s.sort()
	return nil
}

// settleChanges looks at the names that the watcher saw. The turn is held.
func (mb *Mailbox) settleChanges(ctx context.Context, changes []watcher.Change) error {
	now := mb.snap.Load()
	if len(changes) > 1000+int(now.n)/4 {
		return mb.scan(ctx) // cheaper than so many single looks
	}
	if again, err := mb.refreshPart(); err != nil {
		return err
	} else if again {
		return mb.scan(ctx)
	}
	last := make(map[string]seen, len(changes)) // by base: where it may be now
	moved := make(map[string]bool)
	for _, c := range changes {
		if c.Name == "" || c.Name[0] == '.' {
			continue
		}
		base := baseOf(c.Name)
		switch at, ok := last[base]; {
		case c.Op == watcher.Appeared:
			last[base] = seen{name: c.Name, inNew: c.New}
		case !ok || at.name == c.Name && at.inNew == c.New:
			last[base] = seen{}
		}
		moved[base] = moved[base] || c.Op == watcher.MovedAway
	}
	var s sighting
	for base, at := range last {
		uid := mb.uidOf(base)
		known, _ := now.find(uid)
		switch {
		case known != nil && at.name == known.name && at.inNew == known.inNew: // our own change
		case at.name != "" && mb.d.of(at.inNew).exists(at.name):
			mb.sight(&s, at.name, at.inNew)
		case known != nil && mb.d.of(known.inNew).exists(known.name):
		case known != nil && !moved[base] && at.name == "":
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
	return mb.settle(ctx, s, mb.scan)
}

// settle gives UIDs to the unknown, moves mail from new/ to cur/ where a session
// claims it, and publishes what has changed. again looks once more: while we
// waited for the lock, another server may have given out UIDs. The turn is held.
func (mb *Mailbox) settle(ctx context.Context, s sighting, again func(context.Context) error) error {
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
			return again(ctx)
		}
		// Without the lock or a writable disk new mail can't be shown, for its UID
		// would not last; what has a UID can.
		mb.trouble("can't give UIDs to new mail", err)
	}

	var put []msg
	var fresh []int // of put, those that need a mod-sequence
	var letters uint32
	for _, x := range s.found {
		old, _ := now.find(x.uid)
		if old != nil && old.name == x.name && old.inNew == x.inNew && !mb.reread {
			continue
		}
		m := msg{name: x.name, uid: x.uid, inNew: x.inNew, flags: parseFlags(x.name)}
		letters |= m.flags.letters
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
	mb.keywords.Seen(letters)
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
	mb.publish(now.with(put, s.removed), names, uidNext)
	mb.meta.forget(s.removed)
	mb.identities.forget(s.removed)
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

var errOvertaken = errors.New("another server has given out UIDs")

// adopt gives UIDs to unknown files, and fresh names to those whose name another has. It
// notes in recent who has a UID for the first time.
func (mb *Mailbox) adopt(ctx context.Context, s *sighting, recent map[uint32]bool) (err error) {
	uidNext := mb.list.UIDNext()
	tx, err := mb.lock(ctx)
	if err != nil {
		return err
	}
	defer func() {
		if err2 := tx.Unlock(); err2 != nil {
			err = errors.Join(err, err2)
		}
	}()
	if mb.list.UIDNext() != uidNext {
		return errOvertaken
	}
	defer mb.ours()()
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
