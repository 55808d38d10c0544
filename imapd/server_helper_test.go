package imapd

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"maildir-imapd/auth"
	"maildir-imapd/backend"
	"maildir-imapd/internal/selfsigned"
	"maildir-imapd/watcher"
)

// patience is how long a test waits for what must come.
const patience = 20 * time.Second

// testServer serves one user, alice with the password secret, on a real listener.
type testServer struct {
	*Server
	root   string // alice's Maildir
	log    logBuffer
	addr   string
	remote func() net.Addr // where clients seem to come from; nil: where they do
	writes atomic.Int64
}

// start starts a server; change, if not nil, changes its configuration before.
func start(tb testing.TB, change func(s *testServer, cfg *Config)) *testServer {
	tb.Helper()
	s := &testServer{root: filepath.Join(tb.TempDir(), "Maildir")}
	for _, sub := range []string{"cur", "new", "tmp"} {
		if err := os.MkdirAll(filepath.Join(s.root, sub), 0o700); err != nil {
			tb.Fatal(err)
		}
	}
	log := slog.New(slog.NewTextHandler(&s.log, nil))
	w := watcher.New(watcher.Options{Log: log})
	b := backend.New(backend.Options{Log: log, Watcher: w, AppendLimit: 1 << 20})
	cfg := Config{
		Log: log,
		Authenticate: func(_ context.Context, user, password string) (*auth.User, error) {
			if password != "secret" {
				return nil, auth.ErrInvalid
			}
			return &auth.User{Name: user}, nil
		},
		Open: func(ctx context.Context, u *auth.User) (*backend.User, error) {
			return b.Open(ctx, u.Name, backend.Location{Root: s.root, Separator: '.'}, false)
		},
	}
	if change != nil {
		change(s, &cfg)
	}
	s.Server = New(cfg)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	s.addr = l.Addr().String()
	served := make(chan error, 1)
	go func() { served <- s.Serve(testListener{l, s}) }()
	tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			tb.Errorf("Shutdown: %v", err)
		}
		if err := <-served; err != ErrServerClosed {
			tb.Errorf("Serve: %v", err)
		}
		if err := b.Close(); err != nil {
			tb.Error(err)
		}
		if err := w.Close(); err != nil {
			tb.Error(err)
		}
		if tb.Failed() {
			tb.Logf("log:\n%s", s.log.String())
		}
	})
	return s
}

// deliver puts a message into new/, as Postfix does.
func (s *testServer) deliver(tb testing.TB, name, text string) {
	tb.Helper()
	tmp := filepath.Join(s.root, "tmp", name)
	if err := os.WriteFile(tmp, []byte(text), 0o600); err != nil {
		tb.Fatal(err)
	}
	if err := os.Rename(tmp, filepath.Join(s.root, "new", name)); err != nil {
		tb.Fatal(err)
	}
}

// testListener's connections count writes, and may lie about where they come from.
type testListener struct {
	net.Listener
	s *testServer
}

func (l testListener) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return testConn{nc, l.s}, nil
}

type testConn struct {
	net.Conn
	s *testServer
}

func (c testConn) Write(p []byte) (int, error) {
	c.s.writes.Add(1)
	return c.Conn.Write(p)
}

func (c testConn) CloseWrite() error { return c.Conn.(*net.TCPConn).CloseWrite() }

func (c testConn) RemoteAddr() net.Addr {
	if c.s.remote != nil {
		return c.s.remote()
	}
	return c.Conn.RemoteAddr()
}

// logBuffer is a log that many write and the test reads.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// wait waits until some line of the log holds all of the words.
func (l *logBuffer) wait(tb testing.TB, words ...string) {
	tb.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
	lines:
		for line := range strings.Lines(l.String()) {
			for _, word := range words {
				if !strings.Contains(line, word) {
					continue lines
				}
			}
			return
		}
	}
	tb.Fatalf("no line of the log has %q:\n%s", words, l.String())
}

// client is a client that sends text and compares lines.
type client struct {
	tb testing.TB
	net.Conn
	r *bufio.Reader
}

// dial connects and reads the greeting.
func (s *testServer) dial(tb testing.TB) *client {
	tb.Helper()
	nc, err := net.Dial("tcp", s.addr)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { nc.Close() })
	c := &client{tb, nc, bufio.NewReader(nc)}
	c.want("* OK [CAPABILITY IMAP4rev1 ")
	return c
}

// login connects and logs in.
func (s *testServer) login(tb testing.TB) *client {
	tb.Helper()
	c := s.dial(tb)
	c.send("login LOGIN alice secret\r\n")
	c.want("login OK [CAPABILITY IMAP4rev1 ")
	return c
}

func (c *client) send(text string) {
	c.tb.Helper()
	c.SetWriteDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(c, text); err != nil {
		c.tb.Fatalf("sending %.100q: %v", text, err)
	}
}

func (c *client) line() string {
	c.tb.Helper()
	c.SetReadDeadline(time.Now().Add(patience))
	line, err := c.r.ReadString('\n')
	if err != nil {
		c.tb.Fatalf("reading: %v (after %q)", err, line)
	}
	return strings.TrimRight(line, "\r\n")
}

// want reads lines, each with the prefix wanted, and returns the last.
func (c *client) want(prefixes ...string) (line string) {
	c.tb.Helper()
	for _, want := range prefixes {
		if line = c.line(); !strings.HasPrefix(line, want) {
			c.tb.Fatalf("got %q, want %q", line, want)
		}
	}
	return line
}

// find reads lines up to one with the prefix wanted, and returns that.
func (c *client) find(prefix string) string {
	c.tb.Helper()
	for {
		if line := c.line(); strings.HasPrefix(line, prefix) {
			return line
		}
	}
}

// wantEnd wants the connection to be closed.
func (c *client) wantEnd() {
	c.tb.Helper()
	c.SetReadDeadline(time.Now().Add(patience))
	if line, err := c.r.ReadString('\n'); err == nil {
		c.tb.Fatalf("got %q, want the end of the connection", line)
	} else if ne, ok := err.(net.Error); ok && ne.Timeout() {
		c.tb.Fatal("the connection is still open")
	}
}

// startTLS does the client's handshake.
func (c *client) startTLS() {
	c.tb.Helper()
	tc := tls.Client(c.Conn, &tls.Config{InsecureSkipVerify: true})
	c.SetDeadline(time.Now().Add(patience))
	if err := tc.Handshake(); err != nil {
		c.tb.Fatal(err)
	}
	c.Conn, c.r = tc, bufio.NewReader(tc)
}

// testTLS is a configuration with a certificate made now.
var testTLS = sync.OnceValue(func() *tls.Config {
	cert, key, err := selfsigned.Make(time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
	if err != nil {
		panic(err)
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		panic(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{pair}}
})
