package imapd

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"maildir-imapd/auth"
)

// elsewhere is the address of a client on another host.
func elsewhere() net.Addr { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 4242} }

func TestPrivacy(t *testing.T) {
	s := start(t, func(s *testServer, cfg *Config) {
		s.remote = elsewhere
		cfg.TLS = testTLS
	})
	c := s.dial(t)
	c.send("a CAPABILITY\r\n")
	line := c.want("* CAPABILITY ")
	c.want("a OK")
	for name, want := range map[string]bool{"STARTTLS": true, "LOGINDISABLED": true, "AUTH=": false} {
		if strings.Contains(line, name) != want {
			t.Errorf("%s announced in clear: %v, want %v", name, !want, want)
		}
	}
	// Nobody asks for a password in a literal that would go in clear.
	c.send("b LOGIN alice {6}\r\n")
	c.want("b NO [PRIVACYREQUIRED] ")
	c.send("c LOGIN alice {6+}\r\nsecret\r\n")
	c.want("c NO [PRIVACYREQUIRED] ")
	c.send("d AUTHENTICATE PLAIN\r\n")
	c.want("d NO [PRIVACYREQUIRED] ")

	c.send("e STARTTLS\r\n")
	c.want("e OK")
	c.startTLS()
	c.send("f CAPABILITY\r\n")
	line = c.want("* CAPABILITY ")
	c.want("f OK")
	for name, want := range map[string]bool{"STARTTLS": false, "LOGINDISABLED": false, "AUTH=PLAIN": true} {
		if strings.Contains(line, name) != want {
			t.Errorf("%s announced over TLS: %v, want %v", name, !want, want)
		}
	}
	c.send("g STARTTLS\r\n")
	c.want("g BAD")
	c.send("h LOGIN alice secret\r\n")
	c.want("h OK")
}

func TestAllowPlaintext(t *testing.T) {
	s := start(t, func(s *testServer, cfg *Config) {
		s.remote = elsewhere
		cfg.AllowPlaintext = true
	})
	s.login(t)
}

// TestStartTLSInjection has a command in clear behind STARTTLS: it must not be run within TLS, where
// it would seem to come from the client.
func TestStartTLSInjection(t *testing.T) {
	s := start(t, func(_ *testServer, cfg *Config) { cfg.TLS = testTLS })
	c := s.dial(t)
	c.send("a STARTTLS\r\nevil NOOP\r\nevil LOGIN alice {6+}\r\nsecret\r\n")
	c.want("a OK")
	c.startTLS()
	c.send("b NOOP\r\n")
	c.want("b OK")
	s.log.wait(t, "plain text after STARTTLS dropped")
}

func TestStartTLSFails(t *testing.T) {
	s := start(t, func(_ *testServer, cfg *Config) {
		cfg.TLS = func() *tls.Config { return &tls.Config{} }
	})
	c := s.dial(t)
	c.send("a STARTTLS\r\n")
	c.want("a OK")
	c.send("b NOOP\r\n")
	s.log.wait(t, "disconnected", "TLS handshake failed")
}

func TestLoginLog(t *testing.T) {
	s := start(t, func(s *testServer, cfg *Config) {
		s.remote = elsewhere
		cfg.AllowPlaintext = true
	})
	c := s.dial(t)
	c.send("a LOGIN \"mal\\\"lory ip=1.2.3.4\" hunter2\r\n")
	c.want("a NO [AUTHENTICATIONFAILED] ")
	s.log.wait(t, `msg="login failed"`, "ip=192.0.2.1", `user="mal\"lory ip=1.2.3.4"`, `mechanism="LOGIN command"`, "tls=false", "reason=")
	c.send("b AUTHENTICATE PLAIN AGFsaWNlAGh1bnRlcjI=\r\n")
	c.want("b NO [AUTHENTICATIONFAILED] ")
	s.log.wait(t, `msg="login failed"`, "user=alice", "mechanism=PLAIN")
	c.send("c AUTHENTICATE PLAIN AGFsaWNlAHNlY3JldA==\r\n")
	c.want("c OK [CAPABILITY ")
	s.log.wait(t, "msg=login", "user=alice", "mechanism=PLAIN", "ip=192.0.2.1")
	if strings.Contains(s.log.String(), "secret") || strings.Contains(s.log.String(), "hunter2") {
		t.Error("a password is in the log")
	}
}

// TestFailureDelay has one who waits for the answer to a wrong password, and one who does not.
func TestFailureDelay(t *testing.T) {
	s := start(t, func(_ *testServer, cfg *Config) { cfg.AuthFailureDelay = time.Hour })
	slow := s.dial(t)
	slow.send("a LOGIN alice wrong\r\n")
	s.log.wait(t, "login failed")
	s.login(t)
	// Shutdown does not wait for it.
	if err := s.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	slow.want("a NO [AUTHENTICATIONFAILED] ", "* BYE ")
}

// How long the password was looked at shows in no answer: with hashes of several kinds in a user
// file, it would tell names that exist.
func TestFailureDelayHidesHash(t *testing.T) {
	for _, hashing := range []time.Duration{0, 300 * time.Millisecond, 5 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			const delay = 2 * time.Second
			srv := New(Config{
				Log: slog.New(slog.DiscardHandler),
				Authenticate: func(context.Context, string, string) (*auth.User, error) {
					time.Sleep(hashing) // of synctest's clock
					return nil, auth.ErrInvalid
				},
				AuthFailureDelay: delay,
			})
			nc, other := net.Pipe()
			defer other.Close()
			defer nc.Close()
			c := newConn(srv, nc)
			c.log = srv.settings.Load().Log
			begin := time.Now()
			if err := c.logIn(t.Context(), "PLAIN", "bob", "x", false); err != errWrongPassword {
				t.Error(err)
			}
			if got, want := time.Since(begin), max(delay, hashing); got != want {
				t.Errorf("hashing for %s: answered after %s, want %s", hashing, got, want)
			}
		})
	}
}

func TestDatabaseDown(t *testing.T) {
	s := start(t, func(_ *testServer, cfg *Config) {
		cfg.Authenticate = func(context.Context, string, string) (*auth.User, error) {
			return nil, errors.New("/etc/secret: no such file")
		}
	})
	c := s.dial(t)
	c.send("a LOGIN alice secret\r\n")
	if line := c.want("a NO [UNAVAILABLE] "); strings.Contains(line, "/etc") {
		t.Errorf("a path got out: %s", line)
	}
	s.log.wait(t, "login failed", "/etc/secret")
}
