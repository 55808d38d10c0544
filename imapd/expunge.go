package imapd

import (
	"context"

	"maildir-imapd/imapd/wire"

	"github.com/emersion/go-imap/v2"
)

// errReadOnly refuses changes after EXAMINE.
var errReadOnly = no("READ-ONLY", "Mailbox is read-only")

// expunge is EXPUNGE (RFC 9051 §6.4.3). The EXPUNGE responses are written with all
// other changes after the command.
func (c *conn) expunge(ctx context.Context) error { return c.expungeUIDs(ctx, nil) }

func parseUIDExpunge(c *conn, d *wire.Decoder) runFunc {
	d.SP()
	uids := d.UIDSet()
	return func(ctx context.Context, c *conn) error {
		if imap.IsSearchRes(uids) {
			uids = c.saved
		}
		return c.expungeUIDs(ctx, &uids)
	}
}

func (c *conn) expungeUIDs(ctx context.Context, uids *imap.UIDSet) error {
	if c.view.ReadOnly() {
		return errReadOnly
	}
	return c.withProgress(c.view, func() error { return c.view.Expunge(ctx, uids) })
}
