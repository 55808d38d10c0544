package imapd

import (
	"bytes"
	"context"
	"fmt"
	"sync"

	"maildir-imapd/imapd/wire"

	"github.com/klauspost/compress/flate"
)

// parseCompress takes the argument of COMPRESS (RFC 4978 §3).
func parseCompress(c *conn, d *wire.Decoder) runFunc {
	d.SP()
	if d.Keyword("DEFLATE") != "DEFLATE" {
		d.Fail("DEFLATE")
	}
	return func(ctx context.Context, c *conn) error { return c.compress() }
}

// compress is COMPRESS. What follows the OK is compressed, in both directions.
func (c *conn) compress() error {
	if c.inflate != nil {
		return no("COMPRESSIONACTIVE", "DEFLATE is active already")
	}
	c.after = func() error {
		if err := c.out.flush(); err != nil {
			return fmt.Errorf("connection lost: %w", err)
		}
		if n := c.dec.Buffered(); n > 0 {
			c.log.Warn("what came behind COMPRESS without waiting for the answer is dropped", "octets", n)
		}
		c.inflate = &inflater{read: c.receive}
		c.out.deflate = true
		c.dec.Reset(c)
		return nil
	}
	c.completed("", "DEFLATE active")
	return nil
}

// receive reads what the client has sent, as it comes over the network.
func (c *conn) receive(p []byte) (int, error) {
	n, err := c.nc.Read(p)
	c.read += int64(n)
	return n, err
}

// deflateBuffers hold what is about to be sent.
var deflateBuffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// appendDeflated compresses p, so that the other side can read all of it. Nothing is remembered for the next call:
// an idle connection costs nothing for what it has sent, and secrets of one response can't be guessed
// from the length of another.
func appendDeflated(b *bytes.Buffer, p []byte) error { return flate.StatelessDeflate(b, p, false, nil) }
