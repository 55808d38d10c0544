package message

import (
	"bytes"
	"strings"
)

// needle is a folded text that is looked for. The octet of it that is rarest in
// text is looked for first: bytes.Index begins with the first, which is often a common one.
type needle struct {
	text []byte
	rare int // index of the rarest octet
}

// common has the octets of folded text, the most common first.
const common = " ETAOINSRHLDCUMFPGWYBVKXJQZ\n.,-"

func newNeedle(text []byte) needle {
	n := needle{text: text}
	best := -1
	for i, c := range text {
		rank := strings.IndexByte(common, c)
		switch {
		case c >= 0xc0: // begins a character: all of a script begin alike
			rank = 0
		case c >= 0x80:
			rank = len(common) / 2
		case rank < 0:
			rank = len(common)
		}
		if rank > best {
			best, n.rare = rank, i
		}
	}
	return n
}

// in reports whether the needle is in b.
func (n needle) in(b []byte) bool {
	if len(n.text) == 0 {
		return true
	}
	rare := n.text[n.rare]
	misses := 0
	for start := 0; start+len(n.text) <= len(b); {
		i := bytes.IndexByte(b[start+n.rare:], rare)
		if i < 0 {
			return false
		}
		start += i
		if start+len(n.text) > len(b) {
			return false
		}
		if bytes.Equal(b[start:start+len(n.text)], n.text) {
			return true
		}
		start++
		if misses++; misses > 16+start/16 { // not that rare here
			return bytes.Contains(b[start:], n.text)
		}
	}
	return false
}
