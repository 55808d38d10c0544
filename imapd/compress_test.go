package imapd

import (
	"bufio"
	"bytes"
	"compress/flate"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
)

// deflated is a client's end of a connection that is compressed.
type deflated struct {
	net.Conn
	w *flate.Writer
	r interface{ Read([]byte) (int, error) }
}

func (x *deflated) Read(p []byte) (int, error) { return x.r.Read(p) }

func (x *deflated) Write(p []byte) (int, error) {
	if _, err := x.w.Write(p); err != nil {
		return 0, err
	}
	return len(p), x.w.Flush()
}

// compressed logs in and switches compression on.
func compressed(t *testing.T, s *testServer) *client {
	t.Helper()
	nc, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	c := &client{t, nc, bufio.NewReader(nc)}
	c.send("a LOGIN alice secret\r\nb COMPRESS deflate\r\n")
	c.find("b OK ")
	w, err := flate.NewWriter(nc, flate.DefaultCompression)
	if err != nil {
		t.Fatal(err)
	}
	x := &deflated{nc, w, flate.NewReader(nc)}
	return &client{t, x, bufio.NewReader(x)}
}

func TestCompress(t *testing.T) {
	s := start(t, nil)
	c := compressed(t, s)
	c.send("c COMPRESS DEFLATE\r\n")
	c.find("c NO [COMPRESSIONACTIVE]")
	text := strings.Repeat("Subject: what compresses well\r\n", 5000) + "\r\n"
	c.send(fmt.Sprintf("d APPEND INBOX {%d+}\r\n%s\r\ne SELECT INBOX\r\n", len(text), text))
	c.find("e OK ")
	c.send("f FETCH 1 RFC822.SIZE\r\ng FETCH 1 BODY.PEEK[]\r\n")
	c.find(fmt.Sprintf("* 1 FETCH (RFC822.SIZE %d)", len(text)))
	c.find("g OK ")
	for i := range 3 { // IDLE breaks off a read, which the decoder has to survive
		c.send("h IDLE\r\n")
		c.find("+ idling")
		s.deliver(t, fmt.Sprintf("170000000%d.x", i), "Subject: x\n\n")
		c.find(fmt.Sprintf("* %d EXISTS", i+2))
		c.send("DONE\r\n")
		c.find("h OK ")
	}
}

// TestCompressLimits: what is small on the wire must not get around the limits.
func TestCompressLimits(t *testing.T) {
	s := start(t, nil)
	c := compressed(t, s)
	c.send("c NOOP " + strings.Repeat("x", 200<<10))
	c.find("* BYE [TOOBIG]")
}

// TestCompressDamaged: what is no DEFLATE ends the connection.
func TestCompressDamaged(t *testing.T) {
	s := start(t, nil)
	c := compressed(t, s)
	if _, err := c.Conn.(*deflated).Conn.Write(bytes.Repeat([]byte{0xff}, 100)); err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := c.r.ReadString('\n'); err != nil {
			break
		}
	}
	c = compressed(t, s) // and no other
	c.send("z NOOP\r\n")
	c.find("z OK ")
}

// TestCompressLogout: what ends the last block may come behind LOGOUT, and must not reset the connection.
func TestCompressLogout(t *testing.T) {
	c := compressed(t, start(t, nil))
	c.send("z LOGOUT\r\n")
	empty := []byte{0, 0, 0, 0xff, 0xff} // a block without octets
	if _, err := c.Conn.(*deflated).Conn.Write(bytes.Repeat(empty, 60_000)); err != nil {
		t.Fatal(err)
	}
	c.find("z OK ")
	if _, err := c.r.ReadByte(); err != io.EOF && err != io.ErrUnexpectedEOF {
		t.Errorf("then %v", err)
	}
}
