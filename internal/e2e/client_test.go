package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// client is a connection to an IMAP server that shows what is on the wire. It is
// for one goroutine.
type client struct {
	nc  net.Conn
	br  *bufio.Reader
	tag int
	// Seen gets every response, untagged and tagged, as it comes; nil: nobody looks.
	Seen func(response string)
}

// reply is what a command was answered.
type reply struct {
	Untagged []string // responses without "* " and the CRLF at the end; literals are in them
	Status   string   // OK, NO or BAD
	Text     string   // of the tagged response, with its code
}

// dial connects and reads the greeting.
func dial(addr string) (*client, error) {
	nc, err := net.DialTimeout("tcp", addr, patience)
	if err != nil {
		return nil, err
	}
	c := &client{nc: nc, br: bufio.NewReader(nc)}
	greeting, err := c.response()
	if err == nil && !strings.HasPrefix(greeting, "* OK ") {
		err = fmt.Errorf("greeting: %s", greeting)
	}
	if err != nil {
		nc.Close()
		return nil, err
	}
	return c, nil
}

// login connects, logs in, and closes the connection with the test.
func login(t testing.TB, addr, user string) *client {
	t.Helper()
	c, err := dial(addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.nc.Close() })
	c.ok(t, "LOGIN %s %s", user, password)
	return c
}

// ok runs a command that must succeed.
func (c *client) ok(t testing.TB, format string, args ...any) reply {
	t.Helper()
	r, err := c.do(format, args...)
	if err != nil {
		t.Fatalf(format+": %v", append(args, err)...)
	}
	if r.Status != "OK" {
		t.Fatalf("%s: %s %s", fmt.Sprintf(format, args...), r.Status, r.Text)
	}
	return r
}

// do runs a command. Its error means that the connection is lost.
func (c *client) do(format string, args ...any) (reply, error) {
	tag, err := c.send(format, args...)
	if err != nil {
		return reply{}, err
	}
	return c.finish(tag)
}

// send sends a command and returns its tag.
func (c *client) send(format string, args ...any) (string, error) {
	c.tag++
	tag := "t" + strconv.Itoa(c.tag)
	c.nc.SetDeadline(time.Now().Add(patience))
	_, err := io.WriteString(c.nc, tag+" "+fmt.Sprintf(format, args...)+"\r\n")
	return tag, err
}

// finish reads up to the tagged response.
func (c *client) finish(tag string) (r reply, err error) {
	for {
		line, err := c.response()
		if err != nil {
			return r, err
		}
		if rest, ok := strings.CutPrefix(line, "* "); ok {
			r.Untagged = append(r.Untagged, rest)
			continue
		}
		if rest, ok := strings.CutPrefix(line, tag+" "); ok {
			r.Status, r.Text, _ = strings.Cut(rest, " ")
			return r, nil
		}
		return r, fmt.Errorf("unexpected response %q", line)
	}
}

// comes waits for a response to come, and returns false where it has not by then; a zero time is no limit.
func (c *client) comes(by time.Time) bool {
	if by.IsZero() {
		return true
	}
	c.nc.SetReadDeadline(by)
	_, err := c.br.Peek(1)
	c.nc.SetReadDeadline(time.Now().Add(patience))
	return err == nil
}

// append stores a message with CRLF line ends.
func (c *client) append(mailbox, options, message string) (reply, error) {
	return c.do("APPEND %s %s{%d+}\r\n%s", mailbox, options, len(message), message)
}

// idle begins IDLE. done ends it and gives all that came.
func (c *client) idle(t testing.TB) (done func() []string) {
	t.Helper()
	tag, err := c.send("IDLE")
	if err != nil {
		t.Fatal(err)
	}
	early := c.until(t, "+ ")
	return func() []string {
		t.Helper()
		c.nc.SetDeadline(time.Now().Add(patience))
		if _, err := io.WriteString(c.nc, "DONE\r\n"); err != nil {
			t.Fatal(err)
		}
		r, err := c.finish(tag)
		if err != nil || r.Status != "OK" {
			t.Fatalf("IDLE: %v %+v", err, r)
		}
		return append(early, r.Untagged...)
	}
}

// until reads responses until one begins with prefix, and returns all of them.
func (c *client) until(t testing.TB, prefix string) []string {
	t.Helper()
	c.nc.SetDeadline(time.Now().Add(patience))
	var all []string
	for {
		line, err := c.response()
		if err != nil {
			t.Fatalf("waiting for %q: %v after %q", prefix, err, all)
		}
		all = append(all, line)
		if strings.HasPrefix(line, prefix) {
			return all
		}
	}
}

var literalAtEnd = regexp.MustCompile(`\{(\d+)\}$`)

// response reads one response with its literals, without the CRLF at its end.
func (c *client) response() (string, error) {
	var b strings.Builder
	for {
		line, err := c.br.ReadString('\n')
		if err != nil {
			return b.String() + line, err
		}
		line, ok := strings.CutSuffix(line, "\r\n")
		if !ok {
			return line, fmt.Errorf("a line without CR: %q", line)
		}
		b.WriteString(line)
		m := literalAtEnd.FindStringSubmatch(line)
		if m == nil {
			break
		}
		b.WriteString("\r\n")
		n, err := strconv.ParseInt(m[1], 10, 32)
		if err != nil {
			return "", err
		}
		if _, err := io.CopyN(&b, c.br, n); err != nil {
			return "", err
		}
	}
	if c.Seen != nil {
		c.Seen(b.String())
	}
	return b.String(), nil
}

// uidOf finds the message of the selected mailbox that has this subject.
func (c *client) uidOf(t testing.TB, subject string) string {
	t.Helper()
	r := c.ok(t, "UID SEARCH SUBJECT %s", subject)
	for _, line := range r.Untagged {
		if uid, ok := strings.CutPrefix(line, "SEARCH "); ok && !strings.Contains(uid, " ") {
			return uid
		}
	}
	t.Fatalf("not one message with subject %s: %q", subject, r.Untagged)
	return ""
}
