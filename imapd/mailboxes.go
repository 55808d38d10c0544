package imapd

import (
	"context"

	"maildir-imapd/imapd/wire"

	"github.com/emersion/go-imap/v2"
)

func parseCreate(c *conn, d *wire.Decoder) runFunc {
	d.SP()
	name := d.MailboxAsGiven()
	var use []imap.MailboxAttr
	if d.Try(' ') { // create-param of RFC 4466 §2.2
		d.List(func() {
			if !d.TryKeyword("USE") || !c.has("CREATE-SPECIAL-USE") { // RFC 6154 §3
				d.Fail("a known parameter of CREATE")
			}
			d.SP()
			d.ListOrEmpty(func() { use = append(use, d.MailboxAttr()) })
		})
	}
	return func(ctx context.Context, c *conn) error {
		if err := c.ownChange(func() error { return c.account.Create(ctx, name, use) }, name); err != nil {
			return err
		}
		c.tellCreated(ctx, name)
		c.tellSpelling(name)
		return nil
	}
}

func parseDelete(c *conn, d *wire.Decoder) runFunc {
	d.SP()
	name := d.MailboxAsGiven()
	return func(ctx context.Context, c *conn) error {
		if err := c.ownChange(func() error { return c.account.Delete(ctx, name) }, name); err != nil {
			return err
		}
		c.leaveIfLost()
		c.tellSpelling(name)
		return nil
	}
}

func parseRename(c *conn, d *wire.Decoder) runFunc {
	d.SP()
	from := d.MailboxAsGiven()
	d.SP()
	to := d.MailboxAsGiven()
	return func(ctx context.Context, c *conn) error {
		if err := c.ownChange(func() error { return c.account.Rename(ctx, from, to) }, from, to); err != nil {
			return err
		}
		c.leaveIfLost()
		if c.account.Canonical(from) != from || c.account.Canonical(to) != to {
			c.tellName(to, from)
		}
		return nil
	}
}

// tellSpelling tells how a mailbox is called that the client has spelled otherwise (RFC 9051
// §6.3.9.7): INBOX in small letters, or not in the normal form of Unicode.
func (c *conn) tellSpelling(name string) {
	if c.account.Canonical(name) != name {
		c.tellName(name, name)
	}
}

// tellName writes a LIST response for a name that is another one now, to those who know OLDNAME. Where it can't, what the
// command did is done all the same.
func (c *conn) tellName(name, old string) {
	if !c.rev2 {
		return
	}
	m, err := c.account.Describe(name)
	if err != nil {
		c.log.Error("LIST with OLDNAME failed", "error", err)
		return
	}
	m.OldName = old
	c.listLine("LIST", m, false)
}

// leaveIfLost leaves the selected mailbox where this connection itself has deleted or renamed
// it: others are thrown out, but this one must have its answer.
func (c *conn) leaveIfLost() {
	if c.view != nil && c.view.MailboxGone() {
		c.leave()
	}
}

func parseSubscribe(c *conn, d *wire.Decoder) runFunc {
	d.SP()
	name := d.Mailbox()
	return func(ctx context.Context, c *conn) error {
		return c.ownChange(func() error { return c.account.Subscribe(ctx, name) }, name)
	}
}

func parseUnsubscribe(c *conn, d *wire.Decoder) runFunc {
	d.SP()
	name := d.Mailbox()
	return func(ctx context.Context, c *conn) error {
		return c.ownChange(func() error { return c.account.Unsubscribe(ctx, name) }, name)
	}
}
