package imapd

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"maildir-imapd/backend"
)

// threadText is THREAD as RFC 5256 §5 has it: thread-list of nodes[0], and the nodes after it.
func threadText(b *strings.Builder, nodes []backend.ThreadNode) []backend.ThreadNode {
	b.WriteByte('(')
	for {
		n := nodes[0]
		nodes = nodes[1:]
		if n.Seq > 0 {
			fmt.Fprint(b, n.Seq)
		}
		if n.Children > 0 && n.Seq > 0 {
			b.WriteByte(' ')
		}
		if n.Children == 1 {
			continue
		}
		for range n.Children {
			nodes = threadText(b, nodes)
		}
		b.WriteByte(')')
		return nodes
	}
}

func written(nodes []backend.ThreadNode) string {
	s := &session{}
	c := &conn{out: writer{nc: discardConn{s}, timeout: time.Minute}}
	c.threads(nodes)
	c.out.flush()
	return s.sent.String()
}

func TestThreads(t *testing.T) {
	// The examples of RFC 5256 §4.
	for want, nodes := range map[string][]backend.ThreadNode{
		"* THREAD\r\n":                          nil,
		"* THREAD (2)(3 6 (4 23)(44 7 96))\r\n": {{Seq: 2}, {Seq: 3, Children: 1}, {Seq: 6, Children: 2}, {Seq: 4, Children: 1}, {Seq: 23}, {Seq: 44, Children: 1}, {Seq: 7, Children: 1}, {Seq: 96}},
		"* THREAD ((3)(5))\r\n":                 {{Seq: 0, Children: 2}, {Seq: 3}, {Seq: 5}},
	} {
		if got := written(nodes); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}

	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	for range 500 {
		var nodes []backend.ThreadNode
		for range r.IntN(5) {
			for left := uint32(1); left > 0; left-- {
				n := backend.ThreadNode{Seq: uint32(len(nodes) + 1)}
				if len(nodes) < 60 {
					n.Children = r.Uint32N(4)
				}
				nodes = append(nodes, n)
				left += n.Children
			}
		}
		var want strings.Builder
		want.WriteString("* THREAD")
		for rest := nodes; len(rest) > 0; {
			if len(rest) == len(nodes) {
				want.WriteByte(' ')
			}
			rest = threadText(&want, rest)
		}
		if got := written(nodes); got != want.String()+"\r\n" {
			t.Fatalf("seed %d:\n got %q\nwant %q", seed, got, want.String())
		}
	}
}

// A thread may be as deep as a mailbox is large.
func TestThreadsDeep(t *testing.T) {
	const n = 300_000
	nodes := make([]backend.ThreadNode, 0, 2*n)
	for i := range uint32(n) {
		nodes = append(nodes, backend.ThreadNode{Seq: i + 1, Children: 2}, backend.ThreadNode{Seq: n + i + 1})
	}
	nodes = append(nodes, backend.ThreadNode{Seq: 2*n + 1})
	if got := written(nodes); strings.Count(got, "(") != strings.Count(got, ")") || strings.Count(got, "(") != 2*n+1 {
		t.Errorf("got %.100q...", got)
	}
}

// FuzzSort: nothing that can be said in these commands makes a fault of ours.
func FuzzSort(f *testing.F) {
	for _, seed := range []string{
		"SORT (REVERSE DATE SUBJECT) UTF-8 ALL", "UID SORT RETURN (MIN PARTIAL -1:-5) (DISPLAYFROM) US-ASCII NOT SEEN", "SORT RETURN (UPDATE SAVE) (SIZE) \"utf-8\" 1:*",
		"THREAD REFERENCES UTF-8 TEXT x", "UID THREAD REFS UTF-8 UID 1:4", "SEARCH RETURN (UPDATE PARTIAL 3:1) OLDER 5", "ESEARCH IN (selected personal) RETURN (COUNT) 1:3",
		"ESEARCH IN (subtree-one (a b) mailboxes INBOX) SUBJECT {1+}\r\nx", "CANCELUPDATE \"a\"", "UID FETCH 1:* FLAGS (PARTIAL -1:-2)",
	} {
		f.Add(seed)
	}
	s := searchSession(f)
	s.do("a EXAMINE INBOX\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		got := s.do("a " + text + "\r\n")
		if strings.Contains(got, "SERVERBUG") {
			t.Fatalf("%q: %q", text, got)
		}
	})
}
