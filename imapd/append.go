package imapd

import (
	"context"
	"io"
	"math"
	"time"

	"maildir-imapd/backend"
	"maildir-imapd/imapd/wire"

	"github.com/emersion/go-imap/v2"
)

// appendMessage is one message of APPEND, up to its literal or the parts of CATENATE.
type appendMessage struct {
	flags    []imap.Flag
	date     time.Time // zero: now
	literal  wire.Literal
	catenate bool // parts follow, see catenation
	utf8     bool // the literal stands in UTF8 (...)
}

// announcedLimit is the account's limit in octets as it is told, where numbers have 32 bits (RFC 7889 §5); 0: none.
func (c *conn) announcedLimit() int64 { return min(c.account.AppendLimit(), math.MaxUint32) }

// errEmptyMessage refuses an empty literal, by which a client can call off the whole command (RFC 3502
// §6.3.11).
var errEmptyMessage = no(imap.ResponseCodeCannot, "Message is empty")

// parseAppend takes the arguments up to the first literal, which is not read before it
// is known that the mailbox is there.
func parseAppend(c *conn, d *wire.Decoder) runFunc {
	d.SP()
	name := d.MailboxAsGiven()
	d.SP()
	m := c.parseAppendMessage(d)
	return func(ctx context.Context, c *conn) error { return c.append(ctx, name, m) }
}

func (c *conn) parseAppendMessage(d *wire.Decoder) (m appendMessage) {
	if d.Peek() == '(' {
		m.flags = d.FlagList()
		d.SP()
	}
	if d.Peek() == '"' {
		m.date = d.DateTime()
		d.SP()
	}
	if c.has("CATENATE") && d.TryKeyword("CATENATE") {
		m.catenate = true
		return m
	}
	if m.literal, m.utf8 = c.tryUTF8(d); !m.utf8 {
		m.literal = d.Literal()
	}
	switch limit := c.account.AppendLimit(); {
	case m.literal.Binary && !m.utf8 && !c.has("BINARY"):
		d.Fail("a literal, not a literal8")
	case limit > 0 && m.literal.Size > limit:
		d.Refuse(no(imap.ResponseCodeTooBig, "Message too big")) // RFC 7889 §4
	case m.literal.Size == 0:
		d.Refuse(errEmptyMessage)
	}
	return m
}

// append is APPEND (RFC 9051 §6.3.12) with one or more messages (RFC 3502): all of
// them are stored, or none. Messages go from the network to disk in small pieces.
func (c *conn) append(ctx context.Context, name string, m appendMessage) error {
	p, err := c.account.Append(ctx, name)
	if err != nil {
		return err
	}
	defer p.Abort()
	d, limit := c.dec, c.saveLimit()
	for n := 1; ; n++ {
		if err := c.appendOne(ctx, p, m); err != nil {
			return err
		}
		if !d.Try(' ') || !c.has("MULTIAPPEND") {
			break
		}
		if n == limit { // which is 0 where there is none
			return errSaveLimit(limit, 0)
		}
		if m = c.parseAppendMessage(d); d.Err() != nil {
			break
		}
	}
	d.End()
	if err := d.Err(); err != nil {
		return err
	}
	validity, uids, err := p.Commit(ctx)
	if err != nil {
		return err
	}
	c.created(name, validity, imap.UIDSetNum(uids...))
	c.tellSpelling(name)
	if c.has("UIDPLUS") && len(uids) > 0 {
		b := wire.AppendUint([]byte("APPENDUID "), validity)
		c.completed(string(wire.AppendNumbers(append(b, ' '), uids)), completedText(c.name))
	}
	return nil
}

// appendOne takes the octets of one message and what follows them on the line.
func (c *conn) appendOne(ctx context.Context, p *backend.Appender, m appendMessage) error {
	if m.catenate {
		return p.Compose(ctx, m.flags, m.date, func(w io.Writer) error { return c.catenate(ctx, w) })
	}
	if err := p.Announce(ctx, m.literal.Size); err != nil {
		return err
	}
	err := p.Add(ctx, m.flags, m.date, c.dec.Stream(m.literal), m.literal.Size, m.literal.Binary)
	if err == nil {
		c.dec.EndStream()
		if m.utf8 {
			c.dec.Expect(')')
		}
	}
	return err
}
