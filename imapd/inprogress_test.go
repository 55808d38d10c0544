package imapd

import (
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestAwait: a client that waits long hears something, and one that is gone ends the command.
func TestAwait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &session{}
		c := &conn{cfg: &settings{}, tag: "a1", out: writer{nc: discardConn{s}, timeout: time.Minute}}
		done := make(chan struct{})
		time.AfterFunc(25*time.Second, func() { close(done) })
		c.await(done, nil, 10*time.Second)
		if got, want := s.sent.String(), strings.Repeat("* OK [INPROGRESS (\"a1\" NIL NIL)] Still working\r\n", 2); got != want {
			t.Errorf("got %q", got)
		}

		client, server := net.Pipe()
		client.Close()
		gone := make(chan struct{})
		c = &conn{cfg: &settings{}, out: writer{nc: server, timeout: time.Minute, failed: func() { close(gone) }}}
		c.await(gone, nil, 10*time.Second)
	})
}

// TestBesideMany: only changes of many messages are told of while they last.
func TestBesideMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &session{}
		c := &conn{cfg: &settings{}, tag: "a1", out: writer{nc: discardConn{s}, timeout: time.Minute}}
		for _, step := range []struct{ n, lines int }{{manyMessages - 1, 0}, {manyMessages, 2}} {
			s.sent.Reset()
			err := c.besideMany(step.n, func() error {
				time.Sleep(25 * time.Second)
				return errMailboxGone
			})
			if n := strings.Count(s.sent.String(), "\n"); n != step.lines || err != errMailboxGone {
				t.Errorf("%d messages: %v, %q", step.n, err, s.sent.String())
			}
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

// TestManyMessages: changes of many messages, which run beside the connection, do what those of few do.
func TestManyMessages(t *testing.T) {
	s := newSession(t, numbered(manyMessages+1, func(int) string { return "" }))
	got := s.do("a STORE 1:* +FLAGS (\\Deleted)\r\n")
	if n := strings.Count(got, "FLAGS (\\Deleted"); n != manyMessages+1 || !strings.HasSuffix(got, "a OK Store completed\r\n") {
		t.Errorf("STORE: %d, %.100q", n, got)
	}
	if got = s.do("a CREATE Work\r\nb COPY 1:* Work\r\nc MOVE 2:* Work\r\n"); !strings.Contains(got, "b OK [COPYUID ") || !strings.HasSuffix(got, "c OK MOVE completed\r\n") {
		t.Errorf("COPY and MOVE: %.200q", got)
	}
	if got = s.do("a SELECT Work\r\nb EXPUNGE\r\n"); strings.Count(got, " EXPUNGE\r\n") != 2*manyMessages+1 {
		t.Errorf("EXPUNGE: %.100q", got)
	}
}
