package imapd

import (
	"context"
	"slices"

	"maildir-imapd/imapd/wire"

	"github.com/emersion/go-imap/v2"
)

func parseSelect(readOnly bool) parseFunc {
	return func(c *conn, d *wire.Decoder) runFunc {
		d.SP()
		name := d.MailboxAsGiven()
		var p selectParams
		if d.Try(' ') { // select-params of RFC 4466 §2.4
			d.List(func() { p.parse(c, d) })
		}
		return func(ctx context.Context, c *conn) error { return c.selectMailbox(ctx, name, readOnly, p) }
	}
}

// selectParams are the parameters of SELECT and EXAMINE.
type selectParams struct {
	condstore bool // RFC 7162 §3.1.8
	qresync   *qresync
}

func (p *selectParams) parse(c *conn, d *wire.Decoder) {
	switch name := d.Keyword("a parameter of SELECT"); {
	case name == "CONDSTORE" && c.has("CONDSTORE") && !p.condstore:
		p.condstore = true
	case name == "QRESYNC" && c.has("QRESYNC") && p.qresync == nil:
		if !c.qresync { // RFC 7162 §3.2.5
			d.Fail("ENABLE QRESYNC before QRESYNC")
		}
		p.qresync = parseQResync(c, d)
	default:
		d.Fail("a known parameter of SELECT, once")
	}
}

// selectMailbox is SELECT and EXAMINE (RFC 9051 §6.3.2, §6.3.3; RFC 3501 §6.3.1). The mailbox that was selected
// before is left even where this fails.
func (c *conn) selectMailbox(ctx context.Context, name string, readOnly bool, p selectParams) error {
	c.leave()
	v, err := c.account.Select(ctx, name, readOnly)
	if err != nil {
		return err
	}
	c.view, c.state = v, stateSelected
	c.flags()
	c.count(v.Len(), " EXISTS")
	if c.rev2 {
		if err := c.tellSelected(name); err != nil {
			c.closeView()
			return err
		}
	} else {
		c.count(v.NumRecent(), " RECENT")
		if n := v.FirstUnseen(); n > 0 && !c.uidOnly {
			c.code("UNSEEN", uint64(n), "First unseen.")
		}
	}
	c.code("UIDVALIDITY", uint64(v.UIDValidity()), "UIDs valid")
	c.code("UIDNEXT", uint64(v.UIDNext()), "Predicted next UID")
	if c.has("CONDSTORE") {
		c.code("HIGHESTMODSEQ", v.HighestModSeq(), "Highest")
	}
	if c.has("OBJECTID") { // RFC 8474 §4.2
		c.untagged("OK [MAILBOXID (" + v.MailboxID() + ")] Mailbox ID")
	}
	c.condstore = c.condstore || p.condstore
	if p.qresync != nil {
		if err := c.resync(ctx, p.qresync); err != nil {
			return err
		}
	}
	access := "READ-WRITE"
	if v.ReadOnly() {
		access = "READ-ONLY"
	}
	c.completed(access, completedText(c.name))
	return nil
}

// tellSelected writes the LIST response that IMAP4rev2 wants of the selected mailbox (RFC 9051 §6.3.2).
func (c *conn) tellSelected(name string) error {
	m, err := c.account.Describe(name)
	if err != nil {
		return err
	}
	if slices.Contains(m.Attrs, imap.MailboxAttrNonExistent) {
		m.Attrs = nil // he may read it, and not look it up (RFC 4314 §4): it is there, and more is not said
	}
	if m.Mailbox != name {
		m.OldName = name
	}
	c.listLine("LIST", m, false)
	return nil
}

// leave closes the selected mailbox, if there is one, and says so: responses after
// CLOSED are about another mailbox (RFC 9051 §7.1).
func (c *conn) leave() {
	if c.view != nil {
		c.closeView()
		c.untagged("OK [CLOSED] Previous mailbox closed.")
	}
}
