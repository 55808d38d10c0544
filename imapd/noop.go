package imapd

import "context"

// noop is NOOP and CHECK (RFC 9051 §6.1.2, RFC 3501 §6.4.1). The changes are told after it, as after
// any command; this one looks at the disk first.
func (c *conn) noop(ctx context.Context) error {
	if c.view == nil {
		return nil
	}
	return c.view.Poll(ctx)
}
