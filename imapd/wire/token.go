package wire

import (
	"encoding/base64"
	"strings"
	"unicode/utf8"
)

// take takes the longest run of octets of a class.
func (d *Decoder) take(class uint8, expected string) string {
	n := 0
	if d.err == nil {
		for n < len(d.line) && classes[d.line[n]]&class != 0 {
			n++
		}
	}
	if n == 0 {
		d.Fail(expected)
		return ""
	}
	s := string(d.line[:n])
	d.line = d.line[n:]
	return s
}

// Tag takes a command's tag.
func (d *Decoder) Tag() string { return d.take(classTag, "a tag") }

// Atom takes an atom.
func (d *Decoder) Atom() string { return d.take(classAtom, "an atom") }

// Keyword takes an atom and returns it in upper case: a command's name, a
// search key. expected is what the client is told if there is none.
func (d *Decoder) Keyword(expected string) string {
	return strings.ToUpper(d.take(classAtom, expected))
}

// TryKeyword takes word, which is in upper case, if it stands next, in any case, as a
// whole atom.
func (d *Decoder) TryKeyword(word string) bool {
	if d.err != nil || len(d.line) < len(word) || !strings.EqualFold(string(d.line[:len(word)]), word) {
		return false
	}
	if len(d.line) > len(word) && classes[d.line[len(word)]]&classAtom != 0 {
		return false
	}
	d.line = d.line[len(word):]
	return true
}

// Ahead reports whether the line goes on with s, which is in ASCII, in any case. It takes nothing.
func (d *Decoder) Ahead(s string) bool {
	return d.err == nil && len(d.line) >= len(s) && strings.EqualFold(string(d.line[:len(s)]), s)
}

// Quoted takes a quoted string. 8-bit octets are allowed, as in UTF-8 (RFC 9051 §4.3) or
// another charset that SEARCH names; once UTF-8 was enabled nothing else will do.
func (d *Decoder) Quoted() string {
	s := d.quoted()
	if d.utf8 && !utf8.Valid(s) {
		d.Fail("a quoted string in UTF-8")
		return ""
	}
	return string(s)
}

func (d *Decoder) quoted() []byte {
	d.Expect('"')
	if d.err != nil {
		return nil
	}
	var unescaped []byte // only where there is a backslash
	for i := 0; i < len(d.line); i++ {
		switch c := d.line[i]; c {
		case '"':
			s := d.line[:i]
			d.line = d.line[i+1:]
			if unescaped != nil {
				return unescaped
			}
			return s
		case '\\':
			if unescaped == nil {
				unescaped = append(make([]byte, 0, len(d.line)), d.line[:i]...)
			}
			i++
			if i == len(d.line) || d.line[i] != '"' && d.line[i] != '\\' {
				d.Fail(`" or \ after \ in a quoted string`)
				return nil
			}
			unescaped = append(unescaped, d.line[i])
		case 0, '\r':
			d.Fail("a quoted string without NUL and CR")
			return nil
		default:
			if unescaped != nil {
				unescaped = append(unescaped, c)
			}
		}
	}
	d.Fail(`" at the end of a quoted string`)
	return nil
}

// String takes a string: quoted or literal.
func (d *Decoder) String() string {
	switch d.Peek() {
	case '"':
		return d.Quoted()
	case '{', '~':
		return string(d.literal(false))
	}
	d.Fail("a string")
	return ""
}

// AString takes an atom or a string.
func (d *Decoder) AString() string {
	if classes[d.Peek()]&classAString != 0 && !d.literal8Next() {
		return d.take(classAString, "an atom or a string")
	}
	return d.stringAs("an atom or a string")
}

func (d *Decoder) stringAs(expected string) string {
	if c := d.Peek(); c != '"' && c != '{' && c != '~' {
		d.Fail(expected)
		return ""
	}
	return d.String()
}

// literal8Next tells ~{ from an atom that begins with a tilde.
func (d *Decoder) literal8Next() bool {
	return d.err == nil && len(d.line) > 1 && d.line[0] == '~' && d.line[1] == '{'
}

// NString takes a string or NIL, for which ok is false.
func (d *Decoder) NString() (s string, ok bool) {
	if d.TryKeyword("NIL") {
		return "", false
	}
	s = d.stringAs("a string or NIL")
	return s, d.err == nil
}

// NValue takes NIL, for which ok is false, or any octets: a string or a literal8 (RFC 5464 §5, value).
func (d *Decoder) NValue() (s string, ok bool) {
	if d.TryKeyword("NIL") {
		return "", false
	}
	switch d.Peek() {
	case '"':
		s = d.Quoted()
	case '{', '~':
		s = string(d.literal(true))
	default:
		d.Fail("a string, a literal8 or NIL")
	}
	return s, d.err == nil
}

// LiteralAhead reports whether a literal or literal8 stands next, and its size in octets.
func (d *Decoder) LiteralAhead() (size int64, ok bool) {
	if c := d.Peek(); c != '{' && !d.literal8Next() {
		return 0, false
	}
	size, _, ok = announced(d.line)
	return size, ok
}

// Number takes a 32-bit number.
func (d *Decoder) Number() uint32 { return uint32(d.number(1<<32-1, "a number")) }

// NZNumber takes a 32-bit number that is not 0.
func (d *Decoder) NZNumber() uint32 {
	n := uint32(d.number(1<<32-1, "a number"))
	if n == 0 {
		d.Fail("a number greater than 0")
	}
	return n
}

// Number64 takes a 63-bit number: number64 of RFC 9051, mod-sequence-valzer
// of RFC 7162.
func (d *Decoder) Number64() int64 { return d.number(1<<63-1, "a number") }

func (d *Decoder) number(limit int64, expected string) int64 {
	n := 0
	if d.err == nil {
		for n < len(d.line) && '0' <= d.line[n] && d.line[n] <= '9' {
			n++
		}
	}
	v, ok := int64(0), false
	if n > 0 {
		v, ok = parseNumber(d.line[:n], limit)
	}
	if !ok {
		d.Fail(expected)
		return 0
	}
	d.line = d.line[n:]
	return v
}

// parseNumber reads decimal digits; ok is false where there are none, others, or the number is
// greater than limit.
func parseNumber(b []byte, limit int64) (v int64, ok bool) {
	if len(b) == 0 {
		return 0, false
	}
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		digit := int64(c - '0')
		if v > (limit-digit)/10 {
			return 0, false
		}
		v = v*10 + digit
	}
	return v, true
}

// Base64 takes base64 up to the next space or the end of the line. "=" is the
// empty string (RFC 4959 §3).
func (d *Decoder) Base64() []byte {
	if d.err != nil {
		return nil
	}
	n := 0
	for n < len(d.line) && d.line[n] != ' ' {
		n++
	}
	b, err := DecodeBase64(d.line[:n])
	if err != nil || n == 0 {
		d.Fail("base64")
		return nil
	}
	d.line = d.line[n:]
	return b
}

// DecodeBase64 decodes base64 as SASL has it; "=" is the empty string. The
// result is never nil without an error.
func DecodeBase64(b []byte) ([]byte, error) {
	if len(b) == 1 && b[0] == '=' {
		return []byte{}, nil
	}
	out := make([]byte, base64.StdEncoding.DecodedLen(len(b)))
	n, err := base64.StdEncoding.Strict().Decode(out, b)
	if err != nil {
		return nil, err
	}
	return out[:n], nil
}
