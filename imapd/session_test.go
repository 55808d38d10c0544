package imapd

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"maildir-imapd/backend"
	"maildir-imapd/imapd/wire"
	"maildir-imapd/watcher"
)

// session is a connection without a network: commands go in as text, and the
// answers come out as text.
type session struct {
	*conn
	root string // the Maildir
	in   *strings.Reader
	sent bytes.Buffer // what was written to the socket
}

// newSession logs in and selects an INBOX with these messages, files in cur/ by name.
func newSession(tb testing.TB, messages map[string]string) *session {
	tb.Helper()
	return openSession(tb, makeMaildir(tb, messages))
}

// makeMaildir makes a Maildir with these messages.
func makeMaildir(tb testing.TB, messages map[string]string) (root string) {
	tb.Helper()
	root = filepath.Join(tb.TempDir(), "Maildir")
	for _, sub := range []string{"cur", "new", "tmp"} {
		if err := os.MkdirAll(filepath.Join(root, sub), 0o700); err != nil {
			tb.Fatal(err)
		}
	}
	for name, text := range messages {
		if err := os.WriteFile(filepath.Join(root, "cur", name), []byte(text), 0o600); err != nil {
			tb.Fatal(err)
		}
	}
	return root
}

// openSession logs in, with a server of its own, and selects the INBOX of a Maildir.
func openSession(tb testing.TB, root string) *session {
	tb.Helper()
	s := &session{root: root, in: strings.NewReader("")}
	must := func(err error) {
		tb.Helper()
		if err != nil {
			tb.Fatal(err)
		}
	}
	log := slog.New(slog.NewTextHandler(tb.Output(), nil))
	watch := watcher.New(watcher.Options{Log: log})
	b := backend.New(backend.Options{Log: log, Watcher: watch})
	account, err := b.Open(tb.Context(), "alice", backend.Location{Root: s.root, Separator: '.'}, false)
	must(err)
	view, err := account.Select(tb.Context(), "INBOX", false)
	must(err)

	srv := New(Config{Log: log})
	c := newConn(srv, discardConn{s})
	c.log, c.account, c.view, c.state = log, account, view, stateSelected
	c.ctx, c.cancel = context.WithCancel(srv.ctx)
	c.out = writer{nc: c.nc, timeout: time.Minute, failed: c.cancel}
	c.dec = wire.NewDecoder(s.in, c.wireLimits(), c.literal)
	s.conn = c
	tb.Cleanup(func() {
		c.cancel()
		c.closeView()
		must(account.Close())
		must(b.Close())
		must(watch.Close())
		srv.cancel()
	})
	return s
}

// do runs the commands of text, lines with CRLF, and returns what was answered.
func (s *session) do(text string) string {
	s.in.Reset(text)
	s.sent.Reset()
	s.dec.Reset(s.in)
	for s.in.Len()+s.dec.Buffered() > 0 && s.dec.Next() == nil {
		s.command()
	}
	s.out.flush()
	return s.sent.String()
}

// args returns a Decoder of a command's arguments, from the space after its name on.
func (s *session) args(text string) *wire.Decoder {
	d := wire.NewDecoder(strings.NewReader(" "+text+"\r\n"), s.wireLimits(), func(int64, bool) error { return nil })
	d.Next() // an error sticks
	return d
}

// discardConn takes what the session writes.
type discardConn struct{ s *session }

func (d discardConn) Write(p []byte) (int, error)      { return d.s.sent.Write(p) }
func (discardConn) Read([]byte) (int, error)           { return 0, io.EOF }
func (discardConn) Close() error                       { return nil }
func (discardConn) LocalAddr() net.Addr                { return &net.UnixAddr{} }
func (discardConn) RemoteAddr() net.Addr               { return &net.UnixAddr{} }
func (discardConn) SetDeadline(time.Time) error        { return nil }
func (discardConn) SetReadDeadline(time.Time) error    { return nil }
func (discardConn) SetWriteDeadline(t time.Time) error { return nil }

// numbered are n messages with ascending names, each with the flags letters that flags gives.
func numbered(n int, flags func(i int) string) map[string]string {
	m := make(map[string]string, n)
	for i := 1; i <= n; i++ {
		m[fmt.Sprintf("17000%05d.M%dP1.host:2,%s", i, i, flags(i))] = fmt.Sprintf("Subject: %d\n\nbody %d\n", i, i)
	}
	return m
}
