package message

import (
	"bytes"

	"maildir-imapd/imapd/wire"
)

// What stands for the missing half of an address. It can't be NIL, which would
// make it the start or end of a group (RFC 3501 §7.4.2); these are the words that
// clients of Dovecot know.
const (
	missingMailbox = "MISSING_MAILBOX"
	missingDomain  = "MISSING_DOMAIN"
)

// maxDomainLiteral is the longest domain literal that is taken as one, in octets.
const maxDomainLiteral = 256

// addressKind tells what an element of an address list is.
type addressKind uint8

const (
	mailbox addressKind = iota
	groupStart
	groupEnd
)

// address is an element of an address list (RFC 5322 §3.4). The slices are
// valid until the next one is parsed.
type address struct {
	kind    addressKind
	name    []byte // display name or, without one, the comment; of a group its name
	route   []byte // obsolete source route "@a,@b"
	mailbox []byte // local part, unquoted
	host    []byte
}

// addressParser reads an unfolded address list, forgiving whatever can be
// forgiven: it always comes to the end, and each octet is looked at a bounded
// number of times.
type addressParser struct {
	rest    []byte
	inGroup bool

	phrase  []byte // what has been read, with a space for each stretch of white space
	spec    []byte // the same without white space
	comment []byte
	route   []byte
}

// reset begins a new list.
func (p *addressParser) reset(list []byte) {
	p.rest, p.inGroup = list, false
}

// next returns the next element; ok is false at the end.
func (p *addressParser) next() (a address, ok bool) {
	p.phrase, p.spec, p.comment, p.route = p.phrase[:0], p.spec[:0], p.comment[:0], p.route[:0]
	at, words, quoted, space := -1, 0, false, false
	word := func() {
		if space && len(p.phrase) > 0 {
			p.phrase = append(p.phrase, ' ')
		}
		if space || len(p.spec) == 0 {
			words++
		}
		space = false
	}
	for len(p.rest) > 0 {
		c := p.rest[0]
		switch {
		case c <= ' ' || c == 0x7f:
			space = true
			p.rest = p.rest[1:]
		case c == '(':
			p.readComment()
			space = true
		case c == '"':
			word()
			quoted = true
			mark := len(p.phrase)
			p.phrase = p.readQuoted(p.phrase)
			p.spec = append(p.spec, p.phrase[mark:]...)
		case c == '[':
			word()
			n := bytes.IndexByte(p.rest[:min(len(p.rest), maxDomainLiteral)], ']') + 1
			n = max(n, 1)
			p.phrase = append(p.phrase, p.rest[:n]...)
			p.spec = append(p.spec, p.rest[:n]...)
			p.rest = p.rest[n:]
		case c == '<':
			p.rest = p.rest[1:]
			return p.angle(), true
		case c == ':' && !p.inGroup && at < 0 && len(p.phrase) > 0:
			p.rest = p.rest[1:]
			p.inGroup = true
			return address{kind: groupStart, name: p.phrase}, true
		case c == ',' || c == ';':
			if len(p.spec) > 0 || quoted {
				return p.plain(at, words, quoted), true // the delimiter is for the next call
			}
			p.rest = p.rest[1:]
			if c == ';' && p.inGroup {
				p.inGroup = false
				return address{kind: groupEnd}, true
			}
			space = false
			p.comment = p.comment[:0]
		default:
			word()
			if c == '\\' && len(p.rest) > 1 {
				p.rest = p.rest[1:]
				c = p.rest[0]
			} else if c == '@' {
				at = len(p.spec)
			}
			p.phrase = append(p.phrase, c)
			p.spec = append(p.spec, c)
			p.rest = p.rest[1:]
		}
	}
	if len(p.spec) > 0 || quoted {
		return p.plain(at, words, quoted), true
	}
	if p.inGroup {
		p.inGroup = false
		return address{kind: groupEnd}, true
	}
	return address{}, false
}

// plain returns what has been read as an address without angle brackets.
func (p *addressParser) plain(at, words int, quoted bool) address {
	switch {
	case at >= 0:
		return address{name: p.comment, mailbox: p.spec[:at], host: p.spec[at+1:]}
	case words == 1 && !quoted:
		return address{name: p.comment, mailbox: p.spec}
	}
	return address{name: p.phrase}
}

// angle reads the rest of an address in angle brackets, and what is between it and the
// next delimiter.
func (p *addressParser) angle() address {
	p.spec = p.spec[:0]
	a := address{name: p.phrase}
	at := -1
	closed := false
loop:
	for len(p.rest) > 0 {
		c := p.rest[0]
		switch {
		case c == '(':
			p.readComment()
			continue
		case c == '"' && closed:
			n := len(p.phrase)
			p.phrase = p.readQuoted(p.phrase)[:n]
			continue
		case c == '"':
			p.spec = p.readQuoted(p.spec)
			continue
		case c == '>':
			closed = true
		case c == ',' && len(p.spec) > 0 && p.spec[0] == '@' && p.isRoute():
			p.spec = append(p.spec, c)
		case c == ',' || c == ';' && (closed || p.inGroup):
			break loop
		case closed || c <= ' ' || c == 0x7f:
		case c == ':' && len(p.spec) > 0 && p.spec[0] == '@' && len(p.route) == 0:
			p.route = append(p.route, p.spec...)
			p.spec, at = p.spec[:0], -1
		default:
			if c == '\\' && len(p.rest) > 1 {
				p.rest = p.rest[1:]
				c = p.rest[0]
			} else if c == '@' {
				at = len(p.spec)
			}
			p.spec = append(p.spec, c)
		}
		p.rest = p.rest[1:]
	}
	if a.mailbox, a.route = p.spec, p.route; at >= 0 {
		a.mailbox, a.host = p.spec[:at], p.spec[at+1:]
	}
	if len(a.name) == 0 {
		a.name = p.comment
	}
	return a
}

// isRoute reports whether a comma within angle brackets is followed by the next
// domain of a source route (RFC 5322 §4.4, obs-domain-list).
func (p *addressParser) isRoute() bool {
	rest := bytes.TrimLeft(p.rest[1:], " \t")
	return len(p.route) == 0 && len(rest) > 0 && rest[0] == '@'
}

// readQuoted appends the quoted string at the start of rest to dst, unquoted. One that
// does not end goes on to the end.
func (p *addressParser) readQuoted(dst []byte) []byte {
	i := 1
	for ; i < len(p.rest) && p.rest[i] != '"'; i++ {
		if p.rest[i] == '\\' && i+1 < len(p.rest) {
			i++
		}
		dst = append(dst, p.rest[i])
	}
	p.rest = p.rest[min(i+1, len(p.rest)):]
	return dst
}

// readComment reads the comment at the start of rest; comments nest. One that does not end
// goes on to the end.
func (p *addressParser) readComment() {
	p.comment = p.comment[:0]
	for i, depth := 1, 1; i < len(p.rest); i++ {
		c := p.rest[i]
		switch {
		case c == '\\' && i+1 < len(p.rest):
			i++
			c = p.rest[i]
		case c == '(':
			depth++
		case c == ')':
			if depth--; depth == 0 {
				p.rest = p.rest[i+1:]
				return
			}
		}
		p.comment = append(p.comment, c)
	}
	p.rest = nil
}

// appendAddress appends an element of an address list as ENVELOPE shows it.
func appendAddress(dst []byte, a address) []byte {
	dst = append(dst, '(')
	switch a.kind {
	case groupStart: // RFC 3501 §7.4.2: the name is in the mailbox field
		dst = append(dst, "NIL NIL "...)
		dst = wire.AppendString(dst, a.name)
		dst = append(dst, " NIL"...)
	case groupEnd:
		dst = append(dst, "NIL NIL NIL NIL"...)
	default:
		dst = wire.AppendNString(dst, a.name, len(a.name) > 0)
		dst = append(dst, ' ')
		dst = wire.AppendNString(dst, a.route, len(a.route) > 0)
		dst = append(dst, ' ')
		dst = appendOr(dst, a.mailbox, missingMailbox)
		dst = append(dst, ' ')
		dst = appendOr(dst, a.host, missingDomain)
	}
	return append(dst, ')')
}

func appendOr(dst, s []byte, missing string) []byte {
	if len(s) == 0 {
		return wire.AppendString(dst, missing)
	}
	return wire.AppendString(dst, s)
}
