package backend

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
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
	letters uint32   // those of keywords in all these names
}

// scan looks at the whole folder, and settles what it finds. The turn is held.
func (mb *Mailbox) scan(ctx context.Context) error {
	if same, err := mb.sameFolder(); err != nil {
		return err
	} else if !same {
		mb.lose()
		return nil
	}
	curAt, newAt, err := mb.d.stamps()
	if err != nil {
		return err
	}
	if reset, err := mb.refresh(); err != nil {
		return err
	} else if reset {
		mb.lose()
		return nil
	}
	dropped := mb.list.Dropped()
	s, err := mb.lookWell(curAt, newAt)
	if err != nil {
		return err
	}
	mb.curAt, mb.newAt, mb.unsettled, mb.dropped = curAt, newAt, false, dropped
	mb.doubles = s.doubles()
	if err = mb.settle(ctx, s); err != nil {
		mb.leaveUnsettled()
	}
	return err
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
	return mb.settle(ctx, s)
}

// sameFolder reports whether the directories that are open are still those
// under the folder's name.
func (mb *Mailbox) sameFolder() (bool, error) {
	if same, err := mb.a.sameTarget(mb.f); !same || err != nil {
		return false, err
	}
	for _, part := range []struct {
		name string
		dir
	}{{"cur", mb.d.cur}, {"new", mb.d.new}, {"tmp", mb.d.tmp}} {
		at, err := mb.f.mail.root.Stat(mb.f.mail.dir + "/" + part.name)
		if errors.Is(err, fs.ErrNotExist) {
			return false, nil
		} else if err != nil {
			return false, err
		}
		open, err := part.f.Stat()
		if err != nil {
			return false, err
		}
		if !os.SameFile(at, open) {
			return false, nil
		}
	}
	return true, nil
}

// refresh reads what other programs wrote to the folder's files. reset says that the list has another UIDVALIDITY than the mailbox:
// also where that was read before, by a look at a part of the folder or for a lock that could not be had.
func (mb *Mailbox) refresh() (reset bool, err error) {
	if _, err := mb.list.Refresh(); err != nil {
		return false, err
	}
	changed, err := mb.keywords.Refresh()
	mb.reread = mb.reread || changed
	return mb.list.UIDValidity() != mb.uidValidity, err
}

// refreshPart is refresh for those who look at a part of the folder only. again
// says that this is not enough: another server has given out UIDs, of which we
// must know all messages, or has dropped some, whose names lead to no message any more.
func (mb *Mailbox) refreshPart() (again bool, err error) {
	reset, err := mb.refresh()
	return reset || mb.reread || mb.list.UIDNext() != mb.snap.Load().uidNext || mb.list.Dropped() != mb.dropped, err
}

// maxLooks is how often a folder is read in which others rename all the time. In a test of a program that does nothing
// else, one look misses a message in 200.
const maxLooks = 4

// lookWell reads the folder, whose times of change are given, until it is known what is missing: readdir may miss
// a file that is renamed meanwhile (POSIX leaves that open), and a UID that was shown would name nothing any more. So a
// message of the snapshot is gone only after a second look, and any after one that nobody has disturbed.
func (mb *Mailbox) lookWell(curAt, newAt stamp) (sighting, error) {
	s, err := mb.look()
	for looks := 1; err == nil; looks++ {
		s.removed = mb.missing(s.found)
		if len(s.removed) == 0 && !mb.overlooked(s.found) || looks == maxLooks {
			break
		}
		cur, new, err := mb.d.stamps()
		if err != nil {
			return s, err
		}
		quiet := curAt.ctime.Equal(cur.ctime) && newAt.ctime.Equal(new.ctime)
		if quiet && (looks > 1 || len(s.removed) == 0 && !curAt.moved(cur) && !newAt.moved(new)) {
			break
		}
		curAt, newAt = cur, new
		if err := mb.lookAgain(&s); err != nil {
			return s, err
		}
	}
	return s, err
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
	s.letters |= parseFlags(name).letters
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

// doubles are the base names that several files have. What becomes of one of these files says nothing of the others.
func (s *sighting) doubles() map[string]bool {
	if len(s.twice) == 0 {
		return nil
	}
	bases := make(map[string]bool, len(s.twice))
	for _, x := range s.twice {
		bases[baseOf(x.name)] = true
	}
	return bases
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

// overlooked reports whether there are UIDs above those of the snapshot whose messages are not in found. For the
// first look these are all UIDs: of messages that were expunged, or that clients were shown before we were started.
func (mb *Mailbox) overlooked(found []seen) bool {
	from := mb.snap.Load().uidNext
	i, _ := slices.BinarySearchFunc(found, from, seen.compareUID)
	return len(found)-i < mb.list.LenFrom(from)
}

func (x seen) compareUID(uid uint32) int { return cmp.Compare(x.uid, uid) }

// lookAgain reads the folder once more and takes from it what was missed before.
func (mb *Mailbox) lookAgain(s *sighting) error {
	again, err := mb.look()
	if err != nil {
		return err
	}
	var late []seen
	for _, x := range again.found {
		if _, ok := slices.BinarySearchFunc(s.found, x.uid, seen.compareUID); !ok {
			late = append(late, x)
		}
	}
	s.found = append(s.found, late...)
	s.letters |= again.letters
	s.sort()
	return nil
}
