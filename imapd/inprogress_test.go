package imapd

import (
	"log/slog"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// progressConn is a connection that only writes.
func progressConn(out net.Conn, failed func()) *conn {
	cfg := newSettings(Config{})
	return &conn{cfg: cfg, tag: "a1", progressAt: time.Now().Add(cfg.ProgressInterval), out: writer{nc: out, timeout: time.Minute, failed: failed}}
}

// TestWithProgress: a client that waits long hears something, and nothing once its command is over; one that is gone ends the command.
func TestWithProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &session{}
		c := progressConn(discardConn{s}, nil)
		err := c.withProgress(nil, func() error {
			time.Sleep(25 * time.Second)
			return errMailboxGone
		})
		if got, want := s.sent.String(), strings.Repeat("* OK [INPROGRESS (\"a1\" NIL NIL)] Still working\r\n", 2); got != want || err != errMailboxGone {
			t.Errorf("got %q, %v", got, err)
		}
		s.sent.Reset()
		for range 5 { // mailboxes, say, none of which takes long
			if err := c.withProgress(nil, func() error { time.Sleep(6 * time.Second); return nil }); err != nil {
				t.Error(err)
			}
		}
		if n := strings.Count(s.sent.String(), "\n"); n != 3 {
			t.Errorf("a command of many parts: %d lines in 30 s, want 3", n)
		}
		s.sent.Reset()
		time.Sleep(time.Minute)
		if s.sent.Len() > 0 {
			t.Errorf("after the command: %q", s.sent.String())
		}

		client, server := net.Pipe()
		client.Close()
		gone := make(chan struct{})
		c = progressConn(server, func() { close(gone) })
		if err := c.withProgress(nil, func() error { <-gone; return nil }); err != nil {
			t.Error(err)
		}
	})
}

// TestInProgress: the numbers are those of the command that runs, and not all is done before it is over (RFC 9585 §4).
func TestInProgress(t *testing.T) {
	s := searchSession(t)
	s.tag = "a1"
	for _, step := range []struct{ command, want string }{
		{"", `[INPROGRESS ("a1" NIL NIL)] `},
		{"a1 SEARCH TEXT x\r\n", `[INPROGRESS ("a1" 9 10)] `},
		{"a1 STORE 1:3 +FLAGS.SILENT ($x)\r\n", `[INPROGRESS ("a1" 2 3)] `},
		{"a1 STORE 1 +FLAGS.SILENT ($y)\r\n", `[INPROGRESS ("a1" 0 1)] `},
		{"a] COPY 2:5 INBOX\r\n", `[INPROGRESS (NIL 3 4)] `},
	} {
		if step.command != "" {
			s.do(step.command)
		}
		if got := s.inProgress(s.view); got != step.want {
			t.Errorf("after %q %q", step.command, got)
		}
	}
	s.view.ResetProgress()
	if got := s.inProgress(s.view); got != "[INPROGRESS (NIL NIL NIL)] " {
		t.Errorf("before the first message: %q", got)
	}
	s.cfg.disabled = map[string]bool{"INPROGRESS": true}
	if got := s.inProgress(s.view); got != "" {
		t.Errorf("switched off: %q", got)
	}
}

// panicConn is a connection that can't be written.
type panicConn struct{ discardConn }

func (panicConn) Write([]byte) (int, error) { panic("x") }

// TestProgressPanic: a panic while the client is told ends its connection, and not the process.
func TestProgressPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gone := make(chan struct{})
		c := progressConn(panicConn{}, func() { close(gone) })
		c.log = slog.New(slog.DiscardHandler)
		if err := c.withProgress(nil, func() error { <-gone; return nil }); err != nil || c.out.flush() == nil {
			t.Errorf("%v, and the output is not broken", err)
		}
	})
}
