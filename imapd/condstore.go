package imapd

import (
	"context"

	"maildir-imapd/backend"
	"maildir-imapd/imapd/wire"

	"github.com/emersion/go-imap/v2"
)

// beCondstore is called by each of the commands that make the client CONDSTORE-aware (RFC 7162 §3.1): from here on
// FETCH responses that the client did not ask for have UID and MODSEQ. The first of them is told HIGHESTMODSEQ.
func (c *conn) beCondstore() {
	if c.condstore {
		return
	}
	c.condstore = true
	if c.view != nil {
		c.code("HIGHESTMODSEQ", c.highest(), "Highest")
	}
}

// tellHighest is called before the tagged response, when the changes have been told, or the mailbox is left. A client takes the
// greatest MODSEQ it has seen, what NOTIFY has told between commands included, for what it knows of, so where changes with lesser ones are
// still to come (expunges that must wait, or what NOTIFY keeps back) it must be told a lesser HIGHESTMODSEQ, and the real one once they have come (RFC 7162 §3.2, §6).
func (c *conn) tellHighest() {
	defer func() { c.toldModSeq = false }()
	switch {
	case !c.condstore:
	case c.view.Delayed() || c.untold > 0:
		if c.toldModSeq {
			c.code("HIGHESTMODSEQ", c.highest(), "Not all changes are told yet")
			c.behind = true
		}
	case c.behind:
		c.code("HIGHESTMODSEQ", c.highest(), "Highest")
		c.behind = false
	}
}

// highest is the mod-sequence up to which the client has been told everything.
func (c *conn) highest() uint64 {
	if c.untold > 0 {
		return c.untold
	}
	return c.view.HighestModSeq()
}

// appendModSeq appends the MODSEQ of a message as FETCH has it (RFC 7162 §3.1.4.2).
func (c *conn) appendModSeq(b []byte, seq uint32) []byte {
	c.toldModSeq = true
	return append(wire.AppendUint(append(b, '('), c.view.ModSeq(seq)), ')')
}

// vanishedRanges is the greatest number of ranges in one VANISHED response, so that no line is too long for anybody.
const vanishedRanges = 500

// vanished writes VANISHED responses (RFC 7162 §3.2.10).
func (c *conn) vanished(prefix string, uids imap.UIDSet) {
	for len(uids) > 0 {
		n := min(len(uids), vanishedRanges)
		b := append(append(c.out.begin(), "* VANISHED "...), prefix...)
		c.out.endLine(wire.AppendNumSet(b, uids[:n]))
		uids = uids[n:]
	}
}

// expunged returns the UIDs of expunged messages, which come in descending order.
func expunged(list []backend.Expunged) (uids imap.UIDSet) {
	for i := len(list) - 1; i >= 0; i-- {
		uid := list[i].UID
		if n := len(uids); n > 0 && uids[n-1].Stop == uid-1 {
			uids[n-1].Stop = uid
		} else {
			uids = append(uids, imap.UIDRange{Start: uid, Stop: uid})
		}
	}
	return uids
}

// modSeqValue takes a mod-sequence-value, which is not 0.
func modSeqValue(d *wire.Decoder) uint64 {
	n := uint64(d.Number64())
	if n == 0 {
		d.Fail("a mod-sequence greater than 0")
	}
	return n
}

// knownSet takes a set that has neither "*" nor "$".
func knownSet[S imap.UIDSet | imap.SeqSet](d *wire.Decoder, take func() imap.NumSet) (set S) {
	s := take()
	if d.Err() != nil {
		return nil
	}
	set, ok := s.(S)
	if !ok || s.Dynamic() {
		d.Fail("a set without * and $")
	}
	return set
}

// qresync is the QRESYNC parameter of SELECT and EXAMINE (RFC 7162 §3.2.5).
type qresync struct {
	uidValidity uint32
	modSeq      uint64
	known       backend.KnownMessages
}

// parseQResync takes what follows QRESYNC.
func parseQResync(c *conn, d *wire.Decoder) *qresync {
	q := new(qresync)
	d.SP()
	d.Expect('(')
	q.uidValidity = d.NZNumber()
	d.SP()
	q.modSeq = modSeqValue(d)
	more := d.Try(' ')
	if more && d.Peek() != '(' {
		q.known.UIDs = knownSet[imap.UIDSet](d, func() imap.NumSet { return d.UIDSet() })
		more = d.Try(' ')
	}
	if more {
		if c.uidOnly { // RFC 9586 §3.7
			d.Refuse(errUIDRequired)
		}
		d.Expect('(')
		q.known.Seqs = knownSet[imap.SeqSet](d, d.SeqSet)
		d.SP()
		q.known.SeqUIDs = knownSet[imap.UIDSet](d, func() imap.NumSet { return d.UIDSet() })
		d.Expect(')')
	}
	d.Expect(')')
	return q
}

// resync tells what has changed since the client knew the mailbox. With another UIDVALIDITY it knows nothing.
func (c *conn) resync(ctx context.Context, q *qresync) error {
	v := c.view
	if q.uidValidity != v.UIDValidity() {
		return nil
	}
	since := q.modSeq
	if since > v.HighestModSeq() {
		// We have not said so: the mail, our notes of it, or both come from a backup. What the client knows
		// of is unknown, so it is told everything.
		since = 0
	}
	c.vanished("(EARLIER) ", v.Vanished(since, q.known))
	set := q.known.UIDs
	if set == nil {
		set = imap.UIDSet{{Start: 1, Stop: ^imap.UID(0)}}
	}
	seqs, err := v.Seqs(set)
	if err != nil {
		return err
	}
	for _, seq := range v.ChangedSince(seqs, since) {
		if err := ctx.Err(); err != nil {
			return err
		}
		c.fetchFlags(seq, true)
	}
	return nil
}
