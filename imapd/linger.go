package imapd

import (
	"crypto/tls"
	"io"
	"time"
)

// What linger reads at most, in octets and in time.
const (
	lingerLimit = 1 << 20
	lingerTime  = time.Second
)

// linger is called after a BYE to a client that is still sending. A socket that is closed with input unread is
// reset, and then the client may lose what it has not read yet: so the end is
// announced first, and what comes is dropped for a moment.
func (c *conn) linger() {
	if t, ok := c.nc.(*tls.Conn); ok {
		t.CloseWrite()
	}
	half, ok := c.sock.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		return
	}
	c.sock.SetReadDeadline(time.Now().Add(lingerTime))
	io.CopyN(io.Discard, c.sock, lingerLimit)
}
