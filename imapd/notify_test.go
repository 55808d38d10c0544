package imapd

import (
	"fmt"
	"testing"
)

// TestNotifyPushes delivers mail while the client sends commands, which break off the wait for changes as changes break
// off the wait for commands: whatever comes first, each message is told once and each command answered, over
// TLS and compressed as well.
func TestNotifyPushes(t *testing.T) {
	for _, test := range []struct {
		name    string
		connect func(t *testing.T, s *testServer) *client
	}{
		{"plain", func(t *testing.T, s *testServer) *client { return s.login(t) }},
		{"TLS", func(t *testing.T, s *testServer) *client {
			c := s.dial(t)
			c.send("tls STARTTLS\r\n")
			c.want("tls OK")
			c.startTLS()
			c.send("login LOGIN alice secret\r\n")
			c.want("login OK")
			return c
		}},
		{"DEFLATE", compressed},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := start(t, func(_ *testServer, cfg *Config) { cfg.TLS = testTLS })
			c := test.connect(t, s)
			c.send("a CREATE Work\r\nb SELECT INBOX\r\nc NOTIFY SET (SELECTED (MessageNew (UID) MessageExpunge)) (MAILBOXES Work (MessageNew MessageExpunge))\r\n")
			c.find("c OK")
			const n = 50
			go func() {
				for i := range n {
					s.deliver(t, fmt.Sprintf("17000000%02d.M1P1.host", i), "Subject: x\n\nx\n")
				}
			}()
			told, answered := 0, 0
			c.send("0 NOOP\r\n")
			for told < n || answered < n {
				line := c.line()
				var seq, uid, tag int
				if _, err := fmt.Sscanf(line, "* %d FETCH (UID %d)", &seq, &uid); err == nil {
					if told++; seq != told || uid != told {
						t.Fatalf("got %q, want message %d", line, told)
					}
				} else if _, err := fmt.Sscanf(line, "%d OK", &tag); err == nil {
					if tag != answered {
						t.Fatalf("got %q, want the answer to %d", line, answered)
					}
					if answered++; answered < n {
						c.send(fmt.Sprintf("%d NOOP\r\n", answered))
					}
				}
			}
			other := s.login(t)
			other.send("a APPEND Work {14+}\r\nSubject: x\r\n\r\n\r\n")
			other.find("a OK")
			c.find("* STATUS Work (MESSAGES 1 UIDNEXT 2 ")
		})
	}
}

// TestNotifyMailboxGone deletes the selected mailbox under a client that has no command running.
func TestNotifyMailboxGone(t *testing.T) {
	s := start(t, nil)
	c, other := s.login(t), s.login(t)
	c.send("a CREATE Work\r\nb SELECT Work\r\nc NOTIFY SET (SELECTED (MessageNew MessageExpunge))\r\n")
	c.find("c OK")
	other.send("a DELETE Work\r\n")
	other.find("a OK")
	c.want("* BYE ")
	c.wantEnd()
}

// TestNotifyNames: the client hears of a mailbox as soon as another session has made it, and not of its own.
func TestNotifyNames(t *testing.T) {
	s := start(t, nil)
	c, other := s.login(t), s.login(t)
	c.send("a NOTIFY SET (PERSONAL (MailboxName))\r\nb CREATE Mine\r\n")
	c.want("a OK", "b OK")
	other.send("a CREATE Theirs\r\n")
	other.find("a OK")
	c.want(`* LIST (\HasNoChildren) "." Theirs`)
}
