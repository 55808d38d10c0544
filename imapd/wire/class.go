package wire

// Classes of octets (RFC 9051 §9).
const (
	classAtom    = 1 << iota // ATOM-CHAR
	classAString             // ASTRING-CHAR: ATOM-CHAR or ']'
	classTag                 // ASTRING-CHAR but not '+'
	classList                // list-char: ATOM-CHAR, ']', '%' or '*'
	classField               // ftext of RFC 5322: a header field's name
	classItem                // letters, digits, '.', '-': what a FETCH item is named with, up to '['
)

var classes = func() (t [256]uint8) {
	for c := 0x21; c < 0x7f; c++ {
		if c != ':' {
			t[c] |= classField
		}
		switch c {
		case '(', ')', '{', '"', '\\':
		case '%', '*':
			t[c] |= classList
		case ']':
			t[c] |= classAString | classTag | classList
		case '+':
			t[c] |= classAtom | classAString | classList
		default:
			t[c] |= classAtom | classAString | classTag | classList
		}
	}
	for c := range t {
		if 'a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9' || c == '.' || c == '-' {
			t[c] |= classItem
		}
	}
	return t
}()
