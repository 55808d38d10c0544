package imapd

import (
	"context"

	"maildir-imapd/backend"
	"maildir-imapd/imapd/wire"

	"github.com/emersion/go-imap/v2"
)

// parseReplace takes the arguments of REPLACE up to the first literal, as parseAppend does.
func parseReplace(uid bool) parseFunc {
	return func(c *conn, d *wire.Decoder) runFunc {
		d.SP()
		n := uint32(0) // "*"
		if !d.Try('*') {
			n = d.NZNumber()
		}
		d.SP()
		name := d.MailboxAsGiven()
		d.SP()
		m := c.parseAppendMessage(d)
		var set imap.NumSet = imap.SeqSet{{Start: n, Stop: n}}
		if uid {
			set = imap.UIDSet{{Start: imap.UID(n), Stop: imap.UID(n)}}
		}
		return func(ctx context.Context, c *conn) error { return c.replace(ctx, set, name, m) }
	}
}

// replace is REPLACE and UID REPLACE (RFC 8508): an APPEND, and when that is on disk the removal of the message
// that was replaced. Killed in between, both are there. APPENDUID comes before the EXPUNGE, which is written
// with all other changes after the command.
func (c *conn) replace(ctx context.Context, set imap.NumSet, name string, m appendMessage) error {
	if c.view.ReadOnly() {
		return errReadOnly
	}
	seqs, err := c.seqs(set)
	if err != nil {
		return err
	}
	if len(seqs) == 0 {
		return no("", "No such message")
	}
	p, err := c.view.Replace(ctx, seqs[0], name)
	if err != nil {
		return err
	}
	defer p.Abort()
	if err := c.appendOne(ctx, p, m); err != nil {
		return err
	}
	c.dec.End()
	if err := c.dec.Err(); err != nil {
		return err
	}
	if c.view.Gone(seqs[0]) { // while the new one came: both sides would keep one
		return backend.ErrGone
	}
	validity, uids, err := p.Commit(ctx)
	if err != nil {
		return err
	}
	c.created(name, validity, imap.UIDSetNum(uids...))
	c.tellSpelling(name)
	if c.has("UIDPLUS") && len(uids) > 0 {
		b := wire.AppendUint(append(c.out.begin(), "* OK [APPENDUID "...), validity)
		b = wire.AppendNumbers(append(b, ' '), uids)
		c.out.endLine(append(b, "] Replacement Message ready"...))
	}
	return c.view.Remove(ctx, seqs[0])
}
