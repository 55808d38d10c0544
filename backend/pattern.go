package backend

import (
	"strings"

	"golang.org/x/text/unicode/norm"
)

// pattern is a mailbox name with wildcards (RFC 3501 §6.3.8), compiled to an automaton
// whose states are the positions in the pattern, all of which are
// followed at once, a bit each. So a match costs len(name) × len(pattern) / 64 steps at
// most, whatever the wildcards. Owned by one goroutine.
type pattern struct {
	sep        byte
	literals   int // octets that are no wildcards: no shorter name matches
	end        int // the state in which a name has matched
	star, wild bits
	at         [256]bits // where an octet stands; nil: nowhere
	now, next  bits
	inferiors  bool // has a '%'
}

// bits is a set of small numbers.
type bits []uint64

func (b bits) set(i int) { b[i/64] |= 1 << (i % 64) }

func (b bits) has(i int) bool { return b[i/64]&(1<<(i%64)) != 0 }

func compilePattern(s string, sep byte) *pattern {
	s = joinWildcards(s)
	p := &pattern{sep: sep, end: len(s)}
	words := len(s)/64 + 1
	p.star, p.wild, p.now, p.next = make(bits, words), make(bits, words), make(bits, words), make(bits, words)
	for i := range len(s) {
		switch c := s[i]; c {
		case '*':
			p.star.set(i)
			p.wild.set(i)
		case '%':
			p.wild.set(i)
			p.inferiors = true
		default:
			if p.at[c] == nil {
				p.at[c] = make(bits, words)
			}
			p.at[c].set(i)
			p.literals++
		}
	}
	return p
}

// joinWildcards makes one wildcard of each run of them, so that none
// follows another. A run with a '*' is a '*'.
func joinWildcards(s string) string {
	var out []byte
	for i := range len(s) {
		c := s[i]
		if n := len(out); n > 0 && (c == '*' || c == '%') && (out[n-1] == '*' || out[n-1] == '%') {
			if c == '*' {
				out[n-1] = '*'
			}
			continue
		}
		out = append(out, c)
	}
	return string(out)
}

// match reports whether the whole name matches. INBOX at the start of name,
// alone or as a parent, matches in any case (RFC 3501 §5.1).
func (p *pattern) match(name string) bool {
	if len(name) < p.literals {
		return false
	}
	folded := 0
	if name == inboxName || strings.HasPrefix(name, inboxName) && name[len(inboxName)] == p.sep {
		folded = len(inboxName)
	}
	clear(p.now)
	p.now.set(0)
	p.skipWildcards(p.now)
	for i := range len(name) {
		c := name[i]
		at, lower, stays := p.at[c], bits(nil), p.wild
		if i < folded {
			lower = p.at[c|0x20]
		}
		if c == p.sep {
			stays = p.star
		}
		var carry, any uint64
		for w, now := range p.now {
			var passes uint64
			if at != nil {
				passes = at[w]
			}
			if lower != nil {
				passes |= lower[w]
			}
			passes &= now
			p.next[w] = passes<<1 | carry | now&stays[w]
			carry = passes >> 63
			any |= p.next[w]
		}
		if any == 0 {
			return false
		}
		p.skipWildcards(p.next)
		p.now, p.next = p.next, p.now
	}
	return p.now.has(p.end)
}

// skipWildcards adds the states that follow from a wildcard matching nothing.
func (p *pattern) skipWildcards(b bits) {
	var carry uint64
	for w := range b {
		skips := b[w] & p.wild[w]
		b[w] |= skips<<1 | carry
		carry = skips >> 63
	}
}

// patterns match where one of them does.
type patterns []*pattern

// compilePatterns joins the reference with each pattern (RFC 3501 §6.3.8).
func compilePatterns(ref string, list []string, sep byte) (ps patterns) {
	for _, s := range list {
		if s != "" { // matches nothing (RFC 5258 §3)
			ps = append(ps, compilePattern(norm.NFC.String(ref+s), sep))
		}
	}
	return ps
}

func (ps patterns) match(name string) bool {
	for _, p := range ps {
		if p.match(name) {
			return true
		}
	}
	return false
}
