package imapd

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

func TestLoginTimeout(t *testing.T) {
	s := start(t, func(_ *testServer, cfg *Config) { cfg.Limits.Login = 100 * time.Millisecond })
	c := s.dial(t)
	// Being busy does not help.
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			case <-time.After(5 * time.Millisecond):
				c.Conn.Write([]byte("a NOOP\r\n"))
			}
		}
	}()
	c.find("* BYE ")
	close(stop)
	<-stopped
	s.log.wait(t, "disconnected", "log-in time-out")
}

func TestIdleTimeout(t *testing.T) {
	s := start(t, func(_ *testServer, cfg *Config) { cfg.Limits.Idle = 50 * time.Millisecond })
	c := s.login(t)
	c.want("* BYE Autologout")
	c.wantEnd()
	c = s.login(t)
	c.send("a IDLE\r\n")
	c.want("+ idling", "* BYE Autologout")
	c.wantEnd()
}

// TestSlowCommand has a line and a literal that come so slowly that the command's time is over first.
func TestSlowCommand(t *testing.T) {
	for _, begin := range []string{"a NO", "a CREATE {10}\r\nx", "a CREATE {10+}\r\nx", "a APPEND INBOX {10+}\r\nx", "a ) {10+}\r\nx"} {
		t.Run(begin, func(t *testing.T) {
			s := start(t, func(_ *testServer, cfg *Config) { cfg.Limits.Command = 50 * time.Millisecond })
			c := s.login(t)
			c.send(begin)
			c.find("* BYE ")
			c.wantEnd()
		})
	}
}

// TestClientDoesNotRead has a client that asks for a lot and takes nothing.
func TestClientDoesNotRead(t *testing.T) {
	s := start(t, func(_ *testServer, cfg *Config) { cfg.Limits.Write = 50 * time.Millisecond })
	s.deliver(t, "1700000001.M1P1.host", "Subject: x\n\n"+strings.Repeat("some text\n", 100_000))
	c := s.login(t)
	var commands bytes.Buffer
	commands.WriteString("a SELECT INBOX\r\n")
	for range 100 {
		commands.WriteString("b FETCH 1 BODY.PEEK[]\r\n")
	}
	c.send(commands.String())
	s.log.wait(t, "disconnected", "client does not read")
}

func TestBadCommands(t *testing.T) {
	s := start(t, func(_ *testServer, cfg *Config) { cfg.Limits.BadCommands, cfg.Limits.BadBeforeLogin = 3, 2 })
	c := s.dial(t)
	c.send("a BOGUS\r\nb NOOP\r\nc FETCH 1 FLAGS\r\nd NOOP\r\n")
	c.want("a BAD", "b OK", "c BAD", "* BYE ")
	c.wantEnd()
	c = s.login(t)
	c.send("a BOGUS\r\nb (\r\nc NOOP\r\nd BOGUS\r\n\r\n(\r\ng NOOP\r\n")
	c.want("a BAD", "b BAD", "c OK", "d BAD", "* BAD", "* BAD", "* BYE ")
	c.wantEnd()
}
