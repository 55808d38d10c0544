package imapd

import (
	"io"
	"strings"
	"testing"
)

// A client that is still sending when it is thrown out reads the BYE and then the end, and no reset.
func TestByeIsRead(t *testing.T) {
	for name, test := range map[string]struct{ send, bye string }{
		"long line":    {"a " + strings.Repeat("x", 300<<10), "* BYE [TOOBIG] "},
		"long literal": {"a LOGIN {99999999+}\r\n" + strings.Repeat("x", 300<<10), "* BYE [TOOBIG] "},
		"bad commands": {strings.Repeat("a bad\r\n", 40_000), "* BYE Too many"},
	} {
		for _, secure := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				s := start(t, func(s *testServer, cfg *Config) { cfg.TLS = testTLS })
				c := s.dial(t)
				if secure {
					c.send("s STARTTLS\r\n")
					c.want("s OK")
					c.startTLS()
				}
				c.send(test.send)
				c.find(test.bye)
				if rest, err := io.ReadAll(c.r); err != nil {
					t.Errorf("then %q, and %v", rest, err)
				}
			})
		}
	}
}
