package imapd

import (
	"strings"
	"testing"
)

// TestManyMessages: changes of many messages, more than a chunk of a snapshot holds, do what those of few do.
func TestManyMessages(t *testing.T) {
	const many = 257
	s := newSession(t, numbered(many, func(int) string { return "" }))
	got := s.do("a STORE 1:* +FLAGS (\\Deleted)\r\n")
	if n := strings.Count(got, "FLAGS (\\Deleted"); n != many || !strings.HasSuffix(got, "a OK Store completed\r\n") {
		t.Errorf("STORE: %d, %.100q", n, got)
	}
	if got = s.do("a CREATE Work\r\nb COPY 1:* Work\r\nc MOVE 2:* Work\r\n"); !strings.Contains(got, "b OK [COPYUID ") || !strings.HasSuffix(got, "c OK MOVE completed\r\n") {
		t.Errorf("COPY and MOVE: %.200q", got)
	}
	if got = s.do("a SELECT Work\r\nb EXPUNGE\r\n"); strings.Count(got, " EXPUNGE\r\n") != 2*many-1 {
		t.Errorf("EXPUNGE: %.100q", got)
	}
}
