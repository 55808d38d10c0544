package imapd

import (
	"fmt"
	"strings"
	"testing"

	"maildir-imapd/uidmap"
)

// TestKeywordLimits asks for keywords that no folder can have: NO, and not a failure of the server.
func TestKeywordLimits(t *testing.T) {
	s := start(t, nil)
	s.deliver(t, "1700000001.M1P1.host:2,", "Subject: one\n\nHello.\n")
	var many strings.Builder
	for i := range 2000 {
		fmt.Fprintf(&many, " k%d", i)
	}
	c := s.login(t)
	c.send("s SELECT INBOX\r\n")
	c.find("s OK")
	for flags, want := range map[string]string{strings.Repeat("k", 60_000): "a NO [CANNOT] ", many.String()[1:]: "a NO [LIMIT] "} {
		c.send("a STORE 1 +FLAGS (" + flags + ")\r\n")
		if got := c.find("a "); !strings.HasPrefix(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
		c.send("a APPEND INBOX (" + flags + ") {3+}\r\nabc\r\n")
		if got := c.find("a "); !strings.HasPrefix(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if log := s.log.String(); strings.Contains(log, "command failed") {
		t.Errorf("logged as our failure: %.200s", log)
	}
}

// TestKeywordsFull fills a folder with keywords: the last one takes "\*" from PERMANENTFLAGS (RFC 9051 §7.1: "the server MUST send a
// new PERMANENTFLAGS response code without the special flag \*").
func TestKeywordsFull(t *testing.T) {
	s := start(t, nil)
	s.deliver(t, "1700000001.M1P1.host:2,", "Subject: one\n\nHello.\n")
	keywords := make([]string, uidmap.MaxKeywords)
	for i := range keywords {
		keywords[i] = fmt.Sprint("k", i)
	}
	c := s.login(t)
	c.send("s SELECT INBOX\r\n")
	c.find("s OK")
	store := func(more []string, wildcard bool) {
		t.Helper()
		c.send("a STORE 1 +FLAGS.SILENT (" + strings.Join(more, " ") + ")\r\n")
		if got := c.find("* OK [PERMANENTFLAGS "); strings.Contains(got, ` \*)`) != wildcard {
			t.Errorf(`"\*" is there: %v, in ...%s`, !wildcard, got[len(got)-60:])
		}
		c.find("a OK")
	}
	last := len(keywords) - 1
	store(keywords[:last], true)
	store(keywords[last:], false)
	c.send("s SELECT INBOX\r\n")
	if got := c.find("* OK [PERMANENTFLAGS "); strings.Contains(got, ` \*)`) {
		t.Errorf(`SELECT still tells "\*"`)
	}
	c.find("s OK")
}
