package message

import (
	"sync"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// AppendCollated appends text in the form in which i;unicode-casemap (RFC 5051 §2) compares it, octet by octet: each
// character in titlecase, and that decomposed. This is the collation of SORT and THREAD. Octets that are no UTF-8
// are taken as windows-1252.
func AppendCollated(dst, text []byte) []byte {
	for len(text) > 0 {
		var n int
		dst, n = foldASCII(dst, text)
		if text = text[n:]; len(text) == 0 {
			break
		}
		r, n := utf8.DecodeRune(text)
		if r == utf8.RuneError && n == 1 {
			r = latin(text[0])
		}
		if r < smallRunes {
			f := &collationTable()[r]
			dst = append(dst, f.b[:f.n]...)
		} else {
			dst = collateRune(dst, r)
		}
		text = text[n:]
	}
	return dst
}

var collationTable = sync.OnceValue(func() *[smallRunes]folded {
	t := new([smallRunes]folded)
	for r := range rune(smallRunes) {
		t[r].n = uint8(copy(t[r].b[:], collateRune(nil, r)))
	}
	return t
})

// collateRune appends the collated form of one character.
func collateRune(dst []byte, r rune) []byte {
	var enc [utf8.UTFMax]byte
	return norm.NFKD.Append(dst, enc[:utf8.EncodeRune(enc[:], unicode.ToTitle(r))]...)
}
