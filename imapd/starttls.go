package imapd

import (
	"context"
	"crypto/tls"
	"fmt"
	"time"
)

// startTLS is STARTTLS (RFC 9051 §6.2.1).
func (c *conn) startTLS(context.Context) error {
	c.after = c.upgrade
	return nil
}

// upgrade puts TLS on the socket after the OK. What the client sent behind STARTTLS without waiting
// was sent in clear, and maybe by somebody else: it is dropped.
func (c *conn) upgrade() error {
	if err := c.out.flush(); err != nil {
		return fmt.Errorf("connection lost: %w", err)
	}
	if n := c.dec.Buffered(); n > 0 {
		c.log.Warn("plain text after STARTTLS dropped", "octets", n)
	}
	c.dec.Reset(c)
	tc := tls.Server(c.nc, c.cfg.TLS())
	c.nc, c.out.nc = tc, tc
	if err := c.handshake(); err != nil {
		return fmt.Errorf("TLS handshake failed: %w", err)
	}
	c.secure = true
	return nil
}

// handshake does the TLS handshake, if there is TLS, in the time in which the client has to log in.
func (c *conn) handshake() error {
	tc, ok := c.nc.(*tls.Conn)
	if !ok {
		return nil
	}
	c.nc.SetDeadline(c.loginBy)
	if c.srv.isClosing() { // see Read
		return errShutdown
	}
	if err := tc.HandshakeContext(c.ctx); err != nil {
		return err
	}
	return c.nc.SetDeadline(time.Time{})
}
