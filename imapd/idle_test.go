package imapd

import (
	"testing"
	"time"
)

func TestIdle(t *testing.T) {
	s := start(t, nil)
	c := s.login(t)
	c.send("a SELECT INBOX\r\nb IDLE\r\n")
	c.find("+ idling")
	s.deliver(t, "1700000001.M1P1.host", "Subject: x\n\nx\n")
	c.want("* 1 EXISTS", "* 1 RECENT")
	s.deliver(t, "1700000002.M1P1.host", "Subject: x\n\nx\n")
	c.want("* 2 EXISTS", "* 2 RECENT")
	other := s.login(t)
	other.send("a SELECT INBOX\r\nb STORE 1 +FLAGS (\\Deleted $New)\r\nc EXPUNGE\r\n")
	other.find("c OK")
	// One wake-up or two: the flags need not be told of a message that is gone.
	c.find("* 1 EXPUNGE")
	c.want("* 1 RECENT")
	c.send("done\r\n")
	c.want("b OK")
	c.send("c IDLE\r\nDONE\r\nd IDLE\r\nNOOP\r\ne NOOP\r\n")
	c.want("+ idling", "c OK", "+ idling", "d BAD", "e OK")
}

func TestStillHere(t *testing.T) {
	s := start(t, func(_ *testServer, cfg *Config) { cfg.IdleInterval = 20 * time.Millisecond })
	c := s.login(t)
	c.send("a IDLE\r\n")
	c.want("+ idling", "* OK Still here", "* OK Still here", "* OK Still here")
	c.send("DONE\r\n")
	c.find("a OK")
}

// TestIdleHangUp closes the connection instead of saying DONE.
func TestIdleHangUp(t *testing.T) {
	s := start(t, nil)
	c := s.login(t)
	c.send("a SELECT INBOX\r\nb IDLE\r\n")
	c.find("+ idling")
	c.Close()
	s.log.wait(t, "disconnected", "closed by client")
}

// TestMailboxGone deletes the mailbox under an idling client.
func TestMailboxGone(t *testing.T) {
	s := start(t, nil)
	c, other := s.login(t), s.login(t)
	c.send("a CREATE Work\r\nb SELECT Work\r\nc IDLE\r\n")
	c.find("+ idling")
	other.send("a DELETE Work\r\n")
	other.find("a OK")
	c.want("* BYE ")
	c.wantEnd()
}
