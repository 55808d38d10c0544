package backend

import (
	"slices"

	"github.com/emersion/go-imap/v2"
)

// Updates is what the client must be told to be up to date, in the
// order in which it must be told.
type Updates struct {
	// Lost: the mailbox is gone (deleted, or its UIDVALIDITY changed), or the user may not read it any more: say BYE or close it.
	Lost bool
	// Keywords is set where FLAGS and PERMANENTFLAGS have to be sent again.
	Keywords bool
	// Expunged messages, from the greatest sequence number down, so that each number
	// is right whether counted before or after the others.
	Expunged []Expunged
	// Exists and Recent are set where these numbers have to be sent.
	Exists, Recent bool
	// Flags has the sequence numbers (after the above) whose flags changed.
	Flags []uint32
	// ModSeqs has those whose mod-sequence alone changed: flags were set and unset again. Only clients that know
	// mod-sequences have to be told.
	ModSeqs []uint32
}

// Expunged is a message that is gone.
type Expunged struct {
	Seq uint32
	UID imap.UID
}

// Sync brings the view up to date. With expunge false (during FETCH, STORE
// and SEARCH, RFC 9051 §7.5.1) messages that are gone keep their numbers. It reads
// memory only, but for the rights to a shared mailbox, and costs nothing where nothing has changed. \Recent messages that a read-write view is
// told of first are this session's.
func (v *View) Sync(expunge bool) Updates {
	v.Release()
	var u Updates
	now := v.mb.snap.Load()
	if v.Lost() {
		u.Lost = true
		return u
	}
	if v.rights != v.toldRights { // RFC 4314 §5.1.1
		u.Keywords, v.toldRights = true, v.rights
	}
	if now == v.told || now.gen == v.told.gen && !expunge {
		return u // told is now, or now with lost messages
	}
	var ghosts []msg
	d := differ{
		gone: func(seq uint32, m *msg) {
			if expunge {
				u.Expunged = append(u.Expunged, Expunged{seq, imap.UID(m.uid)})
			} else {
				ghosts = append(ghosts, *m)
			}
		},
		changed: func(seq uint32, old, m *msg) {
			switch {
			case old.flags != m.flags:
				u.Flags = append(u.Flags, seq)
			case old.modseq != m.modseq:
				u.ModSeqs = append(u.ModSeqs, seq)
			}
		},
		added: func(uint32, *msg) {},
	}
	old := v.told
	diff(old, now, d)
	u.Keywords = u.Keywords || now.names != old.names
	v.told = now
	if len(ghosts) > 0 {
		v.keep(now, ghosts)
		for _, list := range [][]uint32{u.Flags, u.ModSeqs} {
			for i, seq := range list {
				_, list[i] = v.told.find(now.at(seq).uid)
			}
		}
	} else {
		v.synced, v.ahead = now.modseq, false
	}
	slices.Reverse(u.Expunged)
	if len(ghosts) == 0 && v.settled.Swap(now.gen) != now.gen {
		v.mb.reap()
	}
	v.takeRecent()
	left := v.exists - uint32(len(u.Expunged)) // what the client counts by itself
	u.Exists = v.told.n != left
	nrecent := v.NumRecent()
	u.Recent = nrecent != v.nrecent
	v.exists, v.nrecent = v.told.n, nrecent
	return u
}

// keep makes a snapshot of the view's own in which the ghosts still have
// their places.
func (v *View) keep(now *snapshot, ghosts []msg) {
	own := *now
	own.cut(now.with(ghosts, nil))
	v.told = &own
}

// takeRecent makes the messages \Recent in this session that were so in none yet.
// A read-only session sees them without taking them (RFC 3501 §6.3.2).
func (v *View) takeRecent() {
	mb := v.mb
	mb.mu.Lock()
	defer mb.mu.Unlock()
	if len(mb.unclaimed) == 0 {
		return
	}
	for _, r := range mb.unclaimed {
		v.recent.add(r.Start, r.Stop)
	}
	if !v.readOnly {
		mb.unclaimed = nil
	}
}

func (mb *Mailbox) isGone() bool {
	mb.mu.Lock()
	defer mb.mu.Unlock()
	return mb.gone
}
