package imapd

import (
	"context"
	"strconv"

	"maildir-imapd/backend"
	"maildir-imapd/imapd/wire"

	"github.com/emersion/go-imap/v2"
)

// quotaRoot is the name of the one quota root that an account with limits has: all its mailboxes are under it.
const quotaRoot = "User quota"

var errNoQuotaRoot = no(imap.ResponseCodeNonExistent, "No such quota root")

// parseGetQuota is GETQUOTA (RFC 9208 §4.1.1).
func parseGetQuota(c *conn, d *wire.Decoder) runFunc {
	d.SP()
	root := d.AString()
	return func(ctx context.Context, c *conn) error {
		q, err := c.account.Quota(ctx)
		if err != nil {
			return err
		}
		if q == nil || root != quotaRoot {
			return errNoQuotaRoot
		}
		c.quota(q)
		return nil
	}
}

// parseGetQuotaRoot is GETQUOTAROOT (RFC 9208 §4.1.2). The mailbox need not exist.
func parseGetQuotaRoot(c *conn, d *wire.Decoder) runFunc {
	d.SP()
	name := d.Mailbox()
	return func(ctx context.Context, c *conn) error {
		q, err := c.account.QuotaOf(ctx, name)
		if err != nil {
			return err
		}
		b := c.appendMailbox(append(c.out.begin(), "* QUOTAROOT "...), name)
		if q != nil {
			b = wire.AppendQuoted(append(b, ' '), quotaRoot)
		}
		c.out.endLine(b)
		if q != nil {
			c.quota(q)
		}
		return nil
	}
}

// parseSetQuota is SETQUOTA (RFC 9208 §4.1.3), which nobody may: limits are what bounds the user who is logged in, and the
// protocol knows no administrators. So QUOTASET is not announced; who tries is told why.
func parseSetQuota(c *conn, d *wire.Decoder) runFunc {
	d.SP()
	d.AString()
	d.SP()
	d.ListOrEmpty(func() {
		d.Keyword("a resource")
		d.SP()
		d.Number64()
	})
	return func(context.Context, *conn) error {
		return no(imap.ResponseCodeNoPerm, "Limits are set by the administrator")
	}
}

// kibi is a number of octets in units of 1024 (RFC 9208 §5.1), rounded up.
func kibi(n int64) int64 { return n/1024 + (n%1024+1023)/1024 }

// quota writes the QUOTA response (RFC 9208 §4.2.1). Resources without limit are left out.
func (c *conn) quota(q *backend.Quota) {
	b := wire.AppendQuoted(append(c.out.begin(), "* QUOTA "...), quotaRoot)
	b = append(b, " ("...)
	if q.Limits.Storage > 0 {
		// Both are rounded up, as Dovecot does: 0 would be a limit that allows nothing.
		b = strconv.AppendInt(append(b, "STORAGE "...), kibi(q.Used.Storage), 10)
		b = strconv.AppendInt(append(b, ' '), kibi(q.Limits.Storage), 10)
	}
	if q.Limits.Messages > 0 {
		if q.Limits.Storage > 0 {
			b = append(b, ' ')
		}
		b = strconv.AppendInt(append(b, "MESSAGE "...), q.Used.Messages, 10)
		b = strconv.AppendInt(append(b, ' '), q.Limits.Messages, 10)
	}
	c.out.endLine(append(b, ')'))
}
