package imapd

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"maildir-imapd/auth"
)

func TestShutdown(t *testing.T) {
	s := start(t, nil)
	clients := []*client{s.dial(t), s.login(t), s.login(t)}
	clients[2].send("a SELECT INBOX\r\nb IDLE\r\n")
	clients[2].find("+ idling")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := s.Shutdown(ctx); err != nil {
		t.Fatal(err)
	}
	for _, c := range clients {
		c.want("* BYE [UNAVAILABLE] ")
		c.wantEnd()
	}
	if _, err := net.Dial("tcp", s.addr); err == nil {
		t.Error("the server still listens")
	}
}

// TestShutdownLosesPatience has a command that does not end by itself.
func TestShutdownLosesPatience(t *testing.T) {
	began := make(chan struct{})
	s := start(t, func(_ *testServer, cfg *Config) {
		cfg.Authenticate = func(ctx context.Context, _, _ string) (*auth.User, error) {
			close(began)
			<-ctx.Done()
			return nil, ctx.Err()
		}
	})
	c := s.dial(t)
	c.send("a LOGIN alice secret\r\n")
	<-began
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := s.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Shutdown: %v", err)
	}
	// Its answer may get out before the socket is closed, or not.
	if rest, err := io.ReadAll(c.r); err != nil || len(rest) > 0 && !strings.HasPrefix(string(rest), "a NO ") {
		t.Errorf("%q, %v", rest, err)
	}
}

func TestConnectionLimits(t *testing.T) {
	t.Run("total", func(t *testing.T) {
		s := start(t, func(_ *testServer, cfg *Config) { cfg.Limits.Conns = 1 })
		testTooMany(t, s)
	})
	t.Run("per address", func(t *testing.T) {
		s := start(t, func(s *testServer, cfg *Config) {
			s.remote = elsewhere
			cfg.Limits.ConnsPerIP = 1
		})
		testTooMany(t, s)
	})
	t.Run("per network", func(t *testing.T) {
		s := start(t, func(s *testServer, cfg *Config) {
			cfg.Limits.ConnsPerIP = 1
			var n atomic.Uint32
			s.remote = func() net.Addr { // another address of one network each time
				return &net.TCPAddr{IP: net.IP{0x20, 1, 0xd, 0xb8, 15: byte(n.Add(1))}}
			}
		})
		testTooMany(t, s)
	})
	t.Run("this host", func(t *testing.T) {
		s := start(t, func(_ *testServer, cfg *Config) { cfg.Limits.ConnsPerIP = 1 })
		s.dial(t)
		s.dial(t)
	})
	t.Run("per user", func(t *testing.T) {
		s := start(t, func(_ *testServer, cfg *Config) { cfg.Limits.ConnsPerUser = 1 })
		first := s.login(t)
		second := s.dial(t)
		second.send("a LOGIN alice secret\r\n")
		second.want("a NO [LIMIT] ")
		first.send("b LOGOUT\r\n")
		first.find("b OK")
		first.wantEnd()
		s.log.wait(t, "disconnected", "logged out")
		second.send("c LOGIN alice secret\r\n")
		second.want("c OK ")
	})
}

// testTooMany wants one connection at a time.
func testTooMany(t *testing.T, s *testServer) {
	first := s.dial(t)
	nc, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	second := &client{t, nc, bufio.NewReader(nc)}
	second.want("* BYE [LIMIT] ")
	second.wantEnd()
	first.send("a LOGOUT\r\n")
	first.want("* BYE ", "a OK ")
	first.wantEnd()
	s.log.wait(t, "disconnected")
	s.dial(t)
}

func TestReload(t *testing.T) {
	s := start(t, nil)
	old := s.login(t)
	cfg := s.settings.Load().Config
	cfg.DisabledCapabilities = []string{"idle", "Move"}
	s.Reload(cfg)
	old.send("a IDLE\r\n")
	old.want("+ idling")
	fresh := s.login(t)
	fresh.send("a CAPABILITY\r\nb IDLE\r\nc NOOP\r\n")
	line := fresh.want("* CAPABILITY ")
	if strings.Contains(line, " IDLE") || strings.Contains(line, " MOVE") || !strings.Contains(line, " UIDPLUS") {
		t.Errorf("capabilities: %s", line)
	}
	fresh.want("a OK", "b BAD", "c OK")
}

// What builds on a capability that is switched off goes with it: a client that sees SORT=DISPLAY may well send a SORT.
func TestCapabilityNeeds(t *testing.T) {
	for _, test := range []struct{ off, gone, kept, bad string }{
		{"SORT ESEARCH METADATA", "SORT=DISPLAY ESORT SEARCHRES CONTEXT=SEARCH CONTEXT=SORT PARTIAL MULTISEARCH FILTERS LIST-METADATA",
			"THREAD=REFERENCES WITHIN UIDONLY LANGUAGE QRESYNC LIST-STATUS QUOTA=RES-STORAGE IMAP4rev2", "SEARCH RETURN (SAVE) ALL"},
		{"LIST-EXTENDED SPECIAL-USE QUOTA", "LIST-STATUS LIST-METADATA CREATE-SPECIAL-USE QUOTA=RES-STORAGE QUOTA=RES-MESSAGE", "METADATA", `LIST "" * RETURN (STATUS (MESSAGES))`},
		{"ENABLE PREVIEW CATENATE", "IMAP4rev2 QRESYNC UIDONLY UTF8=ACCEPT PREVIEW=FUZZY URL-PARTIAL", "CONDSTORE SNIPPET=FUZZY", "ENABLE QRESYNC"},
	} {
		s := start(t, func(_ *testServer, cfg *Config) { cfg.DisabledCapabilities = strings.Fields(test.off) })
		c := s.login(t)
		c.send("a CAPABILITY\r\nb " + test.bad + "\r\n")
		words := strings.Fields(c.want("* CAPABILITY "))
		c.want("a OK", "b BAD")
		for name := range strings.FieldsSeq(test.gone) {
			if slices.Contains(words, name) {
				t.Errorf("without %s there is %s", test.off, name)
			}
		}
		for name := range strings.FieldsSeq(test.kept) {
			if !slices.Contains(words, name) {
				t.Errorf("without %s there is no %s", test.off, name)
			}
		}
	}
}

// TestPanic has a command that panics: its connection ends, others go on.
func TestPanic(t *testing.T) {
	s := start(t, func(_ *testServer, cfg *Config) {
		right := cfg.Authenticate
		cfg.Authenticate = func(ctx context.Context, user, password string) (*auth.User, error) {
			if user == "mallory" {
				panic("no mallory")
			}
			return right(ctx, user, password)
		}
	})
	other := s.login(t)
	c := s.dial(t)
	c.send("a LOGIN mallory secret\r\n")
	c.want("* BYE [SERVERBUG] Internal error")
	c.wantEnd()
	s.log.wait(t, "panic", "no mallory", "server_test.go")
	other.send("b NOOP\r\n")
	other.want("b OK")
}

// TestPipelining has the answers of many commands in order and in few writes.
func TestPipelining(t *testing.T) {
	s := start(t, nil)
	c := s.login(t)
	before := s.writes.Load()
	var commands strings.Builder
	for i := range 200 {
		fmt.Fprintf(&commands, "t%d NOOP\r\n", i)
	}
	c.send(commands.String())
	for i := range 200 {
		c.want(fmt.Sprintf("t%d OK ", i))
	}
	if n := s.writes.Load() - before; n > 10 {
		t.Errorf("200 answers in %d writes", n)
	}
}

func TestImplicitTLS(t *testing.T) {
	s := start(t, nil)
	l, err := tls.Listen("tcp", "127.0.0.1:0", testTLS())
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	nc, err := tls.Dial("tcp", l.Addr().String(), &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	c := &client{t, nc, bufio.NewReader(nc)}
	if line := c.want("* OK [CAPABILITY "); strings.Contains(line, "STARTTLS") {
		t.Errorf("STARTTLS is announced within TLS: %s", line)
	}
	c.send("a LOGIN alice secret\r\nb SELECT INBOX\r\nc IDLE\r\n")
	c.find("+ idling")
	s.deliver(t, "1700000001.M1P1.host", "Subject: x\n\nx\n")
	c.want("* 1 EXISTS", "* 1 RECENT")
	c.send("DONE\r\n")
	c.want("c OK")
	s.log.wait(t, "msg=login", "tls=true")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := s.Shutdown(ctx); err != nil {
		t.Fatal(err)
	}
	c.want("* BYE")
	if err := <-served; err != ErrServerClosed {
		t.Error(err)
	}
}
