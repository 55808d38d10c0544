package imapd

import (
	"context"

	"maildir-imapd/backend"
)

// close is CLOSE (RFC 9051 §6.4.1): \Deleted messages go without a word. A read-only mailbox
// loses none, and one that the user may not expunge neither (RFC 4314 §4). One that somebody has deleted has none, and who leaves it
// need not be thrown out.
func (c *conn) close(ctx context.Context) error {
	if !c.view.Lost() && !c.view.ReadOnly() && c.view.Rights().Has(backend.RightExpunge) {
		if err := c.expunge(ctx); err != nil {
			return err
		}
	}
	c.closeView()
	return nil
}

// unselect is UNSELECT (RFC 9051 §6.4.2).
func (c *conn) unselect(context.Context) error {
	c.closeView()
	return nil
}
