package script

import (
	"bufio"
	"compress/flate"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

const (
	// patience is how long the responses that a script waits for may take to come. It
	// is a limit for what is broken: nothing waits for it where all is well.
	patience = 10 * time.Second
	// maxResponse is the greatest response in octets that a script may get.
	maxResponse = 64 << 20
)

// conn is the client's end of a connection. It is owned by the runner.
type conn struct {
	n   int // the number in C2:, S2:
	nc  net.Conn
	br  *bufio.Reader
	log *transcript

	out     []piece  // lines of C that were not sent yet
	outTags []string // the tag of each piece's command
	pending []string // responses that came before a continuation request
}

func dial(n int, addr string, log *transcript) (*conn, error) {
	nc, err := net.DialTimeout("tcp", addr, patience)
	if err != nil {
		return nil, err
	}
	return &conn{n: n, nc: nc, br: bufio.NewReader(nc), log: log}, nil
}

// queue adds what a C line sends. flush sends it.
func (c *conn) queue(line string, pieces []piece) {
	tag, _, _ := strings.Cut(line, " ")
	for _, p := range pieces {
		c.out = append(c.out, p)
		c.outTags = append(c.outTags, tag)
	}
}

// flush sends what was queued: all in one packet, but for synchronizing
// literals, which wait for the server's "+". Where a tagged response refuses
// the literal, the rest of that command is left out.
func (c *conn) flush() error {
	pieces, tags := c.out, c.outTags
	c.out, c.outTags = nil, nil
	var packet strings.Builder
	for i := 0; i < len(pieces); i++ {
		packet.WriteString(pieces[i].octets)
		if !pieces[i].wait && i+1 < len(pieces) {
			continue
		}
		if err := c.send(packet.String()); err != nil {
			return err
		}
		packet.Reset()
		if !pieces[i].wait {
			continue
		}
		if err := c.await(); err != nil {
			return err
		}
		for goOn := false; !goOn; {
			r, err := c.read()
			if err != nil {
				return fmt.Errorf("waiting for a continuation request: %w", err)
			}
			if strings.HasPrefix(r, "+") {
				break
			}
			c.pending = append(c.pending, r)
			if strings.HasPrefix(r, tags[i]+" ") {
				for pieces[i].wait {
					i++
				}
				goOn = true
			}
		}
	}
	return nil
}

func (c *conn) send(octets string) error {
	c.log.add(fmt.Sprintf("C%d", c.n), octets)
	if err := c.nc.SetWriteDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	_, err := io.WriteString(c.nc, octets)
	return err
}

// startTLS does the client's handshake. Nothing that came in clear may be left.
func (c *conn) startTLS() error {
	if c.br.Buffered() > 0 || len(c.pending) > 0 {
		return errors.New("the server goes on in clear")
	}
	// Certificates of tests sign themselves.
	tc := tls.Client(c.nc, &tls.Config{InsecureSkipVerify: true})
	c.log.add(fmt.Sprintf("C%d", c.n), "(handshake)\r\n")
	if err := errors.Join(c.await(), c.nc.SetWriteDeadline(time.Now().Add(patience)), tc.Handshake()); err != nil {
		return err
	}
	c.nc, c.br = tc, bufio.NewReader(tc)
	return nil
}

// deflate compresses all from now on, in both directions.
func (c *conn) deflate() error {
	w, err := flate.NewWriter(c.nc, flate.DefaultCompression)
	if err != nil {
		return err
	}
	// What was read ahead is compressed.
	d := &deflated{c.nc, w, flate.NewReader(c.br)}
	c.nc, c.br = d, bufio.NewReader(d)
	return nil
}

// deflated is a connection whose octets are compressed.
type deflated struct {
	net.Conn
	w *flate.Writer
	r io.Reader
}

func (d *deflated) Read(p []byte) (int, error) {
	n, err := d.r.Read(p)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = io.EOF // the end of the connection, which need not end the compressed stream
	}
	return n, err
}

func (d *deflated) Write(p []byte) (int, error) {
	n, err := d.w.Write(p)
	return n, errors.Join(err, d.w.Flush())
}

// await starts the time in which what is wanted next has to come: all of it, for a
// server that says something else now and then could keep a script for ever.
func (c *conn) await() error { return c.nc.SetReadDeadline(time.Now().Add(patience)) }

// next is the next response, without the last CRLF.
func (c *conn) next() (string, error) {
	if len(c.pending) > 0 {
		r := c.pending[0]
		c.pending = c.pending[1:]
		return r, nil
	}
	return c.read()
}

// errNoResponse says that the server is silent.
var errNoResponse = fmt.Errorf("it did not come within %v", patience)

// read reads one response from the socket: a line, with the literals that
// it announces and what follows them.
func (c *conn) read() (string, error) {
	r, err := c.readResponse()
	if r != "" || err == nil {
		c.log.add(fmt.Sprintf("S%d", c.n), r)
	}
	var timeout net.Error
	switch {
	case errors.Is(err, io.EOF) && r != "":
		return "", fmt.Errorf("the connection ends within a response: %w", io.ErrUnexpectedEOF)
	case errors.As(err, &timeout) && timeout.Timeout():
		return "", errNoResponse
	}
	return strings.TrimSuffix(r, "\r\n"), err
}

func (c *conn) readResponse() (string, error) {
	var b strings.Builder
	for {
		line, err := c.br.ReadString('\n')
		b.WriteString(line)
		if err != nil {
			return b.String(), err
		}
		if !strings.HasSuffix(line, "\r\n") {
			return b.String(), fmt.Errorf("a line ends without CR: %q", line)
		}
		n, ok := literalSize(strings.TrimSuffix(line, "\r\n"))
		if !ok {
			return b.String(), nil
		}
		if b.Len()+n > maxResponse {
			return b.String(), fmt.Errorf("a response of more than %d octets", maxResponse)
		}
		if m, err := io.CopyN(&b, c.br, int64(n)); err != nil {
			return b.String(), fmt.Errorf("%d octets of a literal of %d: %w", m, n, err)
		}
	}
}

// literalSize reads the {n} that ends a line.
func literalSize(line string) (n int, ok bool) {
	if !strings.HasSuffix(line, "}") {
		return 0, false
	}
	i := strings.LastIndexByte(line, '{')
	if i < 0 {
		return 0, false
	}
	n, err := strconv.Atoi(line[i+1 : len(line)-1])
	return n, err == nil && n >= 0
}
