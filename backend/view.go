package backend

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"

	"maildir-imapd/uidmap"

	"github.com/emersion/go-imap/v2"
	"golang.org/x/sys/unix"
)

// View is what one session sees of its selected mailbox: an array of
// messages, numbered from 1. Owned by that session's goroutine; only Changed
// and the mailbox behind it are shared.
//
// Sequence numbers mean the state after the last Sync. All methods that take
// a sequence number want it in 1..Len().
type View struct {
	// Immutable.
	mb       *Mailbox
	user     *User // who looks
	readOnly bool
	changed  chan struct{} // capacity 1: a dirty bit

	// settled is the generation up to which the client has been told everything,
	// expunges too. Written by the session, read by Mailbox.reap.
	settled atomic.Uint64

	// Owned by the session.
	rights     Rights    // his to the mailbox, at the last look
	told       *snapshot // what the client knows; with the lost messages that it may not be told of yet
	recent     uidRanges // \Recent in this session
	toldRights Rights    // in PERMANENTFLAGS
	// numbers that the client was told
	exists, nrecent uint32
	synced          uint64 // HIGHESTMODSEQ of the last state that it was told whole
	ahead           bool   // told has changes of its own STORE that came later
	last            lastFile
	recalled        *recall // nil between commands

	progress progress // of the operation that runs
}

// Select opens a view of a mailbox. readOnly is EXAMINE. A mailbox that can't be
// written, or in which the user may change nothing (RFC 4314 §5.2), gives a view with ReadOnly() true.
//
// Errors: *imap.Error with NONEXISTENT, CANNOT, or NOPERM; others are faults.
func (u *User) Select(ctx context.Context, name string, readOnly bool) (*View, error) {
	for {
		mb, rights, err := u.mailbox(ctx, name, RightRead)
		if err != nil {
			return nil, err
		}
		v := &View{
			mb:     mb,
			user:   u,
			rights: rights, toldRights: rights,
			readOnly: readOnly || rights&changeRights == 0 || unix.Access(mb.path+"/cur", unix.W_OK) != nil,
			changed:  make(chan struct{}, 1),
		}
		if err = v.attach(ctx); err == nil {
			return v, nil
		}
		lost := mb.isGone()
		v.Close()
		if !lost || ctx.Err() != nil {
			return nil, err
		}
		// Removed meanwhile, and perhaps made again: take the new one.
	}
}

// attach makes v one of the mailbox's views and looks at the disk once more: from
// here on, nothing that changes is missed.
func (v *View) attach(ctx context.Context) error {
	mb := v.mb
	if err := mb.enter(ctx); err != nil {
		return err
	}
	mb.addView(v)
	err := mb.freshenNamed(ctx)
	v.told = mb.snap.Load()
	mb.leave()
	if err != nil {
		return err
	}
	v.settled.Store(v.told.gen)
	v.takeRecent()
	v.exists, v.nrecent, v.synced = v.told.n, v.NumRecent(), v.told.modseq
	return nil
}

// Close ends the view. Nothing is expunged.
func (v *View) Close() {
	v.Release()
	v.mb.removeView(v)
	v.mb.release()
}

// Lost reports whether the mailbox is gone, as Updates.Lost does: also for him who may not read it any more (RFC 4314 §5.1.1).
func (v *View) Lost() bool { return v.MailboxGone() || !v.Rights().Has(RightRead) }

// MailboxGone reports whether the mailbox was deleted or renamed, or has another UIDVALIDITY now.
func (v *View) MailboxGone() bool { return v.mb.isGone() }

// Name of the mailbox, UTF-8.
func (v *View) Name() string { return v.mb.f.Name }

// ReadOnly reports whether STORE, EXPUNGE and their like are refused.
func (v *View) ReadOnly() bool { return v.readOnly }

// Rights are the user's to the mailbox now, see rightsTo.
func (v *View) Rights() Rights {
	v.rights = v.user.rightsTo(v.mb)
	return v.rights
}

// UIDValidity of the mailbox.
func (v *View) UIDValidity() uint32 { return v.mb.uidValidity }

// UIDNext is the UID that the next message will have at least.
func (v *View) UIDNext() imap.UID { return imap.UID(v.told.uidNext) }

// HighestModSeq is the mod-sequence up to which the client has been told all changes (RFC 7162 §3.1.2.1). While
// it may not be told of expunges, that is less than the mod-sequences that it sees: RFC 7162 §3.2 wants it told then.
func (v *View) HighestModSeq() uint64 { return v.synced }

// Delayed reports whether the client knows of changes that came after some that it has not been told of.
func (v *View) Delayed() bool { return v.ahead || v.synced != v.told.modseq }

// Len is the number of messages the client knows of.
func (v *View) Len() uint32 { return v.told.n }

// NumRecent is the number of messages that are \Recent in this session.
func (v *View) NumRecent() uint32 { return v.recent.count(v.told) }

// FirstUnseen is the first message without \Seen, 0 for none.
func (v *View) FirstUnseen() uint32 { return v.told.firstUnseen() }

// Keywords are the folder's keywords, for FLAGS and PERMANENTFLAGS.
func (v *View) Keywords() []imap.Flag {
	return slices.DeleteFunc(slices.Clone(v.names()), func(f imap.Flag) bool { return f == "" })
}

// KeywordsFull reports whether the folder can have no further keyword.
func (v *View) KeywordsFull() bool {
	names := v.names()
	return len(names) >= uidmap.MaxKeywords && !slices.Contains(names, "")
}

// names are the mailbox's of now: they only grow, and a flag that is set has a name there.
func (v *View) names() keywordNames { return *v.mb.snap.Load().names }

// Changed holds a value when the mailbox has changed since the last Sync. It
// may hold one though nothing has.
func (v *View) Changed() <-chan struct{} { return v.changed }

func (v *View) wake() {
	select {
	case v.changed <- struct{}{}:
	default:
	}
}

// Poll looks at the disk (NOOP, CHECK, ...), cheaply where nothing was touched. Call
// Sync after it.
func (v *View) Poll(ctx context.Context) error {
	if err := v.mb.enter(ctx); errors.Is(err, errNonExistent) {
		return nil // Sync tells
	} else if err != nil {
		return err
	}
	defer v.mb.leave()
	return v.mb.freshen(ctx)
}

// UID of the message with this sequence number.
func (v *View) UID(seq uint32) imap.UID { return imap.UID(v.told.at(seq).uid) }

// ModSeq of the message: microseconds since 1970, or later (RFC 7162).
func (v *View) ModSeq(seq uint32) uint64 { return v.told.at(seq).modseq }

// AppendFlags appends the flags as they are sent, without parentheses: `\Seen \Recent $Junk`,
// \Recent only if recent is set.
func (v *View) AppendFlags(dst []byte, seq uint32, recent bool) []byte {
	m := v.told.at(seq)
	return m.flags.append(dst, v.names(), recent && v.recent.has(m.uid))
}

// Has reports whether the message has this flag, \Recent too.
func (v *View) Has(seq uint32, f imap.Flag) bool {
	m := v.told.at(seq)
	if bit := systemBit(f); bit != 0 {
		return m.flags.has(bit)
	}
	if strings.EqualFold(string(f), `\Recent`) {
		return v.recent.has(m.uid)
	}
	i := v.names().index(f)
	return i >= 0 && m.flags.hasKeyword(i)
}

// Seqs resolves a set to ascending sequence numbers, each once. Its cost is
// that of the result and of the set's ranges, however large their numbers are. UIDs that do not
// exist are left out; a sequence number above Len is an error (BAD, RFC 3501
// §9 seq-number). '*' is the last message, if there is one.
func (v *View) Seqs(set imap.NumSet) ([]uint32, error) {
	spans, err := v.spans(set)
	if err != nil {
		return nil, err
	}
	n := uint32(0)
	for _, s := range spans {
		n += s.end - s.start
	}
	out := make([]uint32, 0, n)
	for _, s := range spans {
		for seq := s.start; seq < s.end; seq++ {
			out = append(out, seq)
		}
	}
	return out, nil
}

// span is the sequence numbers from start up to, not including, end.
type span struct{ start, end uint32 }

// spans resolves a set to ascending spans that do not touch.
func (v *View) spans(set imap.NumSet) ([]span, error) {
	var out []span
	s := v.told
	add := func(start, end uint32) {
		if start < end {
			out = append(out, span{start, end})
		}
	}
	switch set := set.(type) {
	case imap.SeqSet:
		for _, r := range set {
			lo, hi := star(r.Start, s.n), star(r.Stop, s.n)
			lo, hi = min(lo, hi), max(lo, hi)
			if lo == 0 || hi > s.n {
				return nil, errBadSeq
			}
			add(lo, hi+1)
		}
	case imap.UIDSet:
		var last uint32
		if s.n > 0 {
			last = s.at(s.n).uid
		}
		for _, r := range set {
			lo, hi := star(uint32(r.Start), last), star(uint32(r.Stop), last)
			lo, hi = min(lo, hi), max(lo, hi)
			add(s.ceil(lo), s.after(imap.UID(hi)))
		}
	}
	slices.SortFunc(out, func(a, b span) int { return int(int64(a.start) - int64(b.start)) })
	joined := out[:0]
	for _, x := range out {
		if n := len(joined); n > 0 && x.start <= joined[n-1].end {
			joined[n-1].end = max(joined[n-1].end, x.end)
		} else {
			joined = append(joined, x)
		}
	}
	return joined, nil
}

// star puts the last number in the place of '*', which a set holds as 0.
func star(n, last uint32) uint32 {
	if n == 0 {
		return last
	}
	return n
}

var errBadSeq = &imap.Error{Type: imap.StatusResponseTypeBad, Text: "A sequence number is greater than the number of messages"}
