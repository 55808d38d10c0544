package message

import (
	"encoding/binary"
	"slices"
	"sync"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/unicode/norm"
)

// Text is compared in a folded form: each character is decomposed (so that "é" is the same
// in one code point and in two) and each of the outcome stands for all that differ
// from it in case only. What is the same to i;unicode-casemap (RFC 5051), as I18NLEVEL=1
// asks for, is the same here; Unicode's case folding finds a little more.

// smallRunes is the number of code points that foldTable covers: those of up
// to two octets.
const smallRunes = 0x800

// folded is the folded form of a small rune.
type folded struct {
	b [7]byte
	n uint8
}

var foldTable = sync.OnceValue(func() *[smallRunes]folded {
	t := new([smallRunes]folded)
	for r := range rune(smallRunes) {
		t[r].n = uint8(copy(t[r].b[:], foldRune(nil, r)))
	}
	return t
})

// foldRune appends the folded form of any rune.
func foldRune(dst []byte, r rune) []byte {
	if 0x3400 <= r && r <= 0x9fff { // Han
		return utf8.AppendRune(dst, r)
	}
	var enc [utf8.UTFMax]byte
	var buf [64]byte
	decomposed := norm.NFKD.Append(buf[:0], enc[:utf8.EncodeRune(enc[:], unicode.ToTitle(r))]...)
	for len(decomposed) > 0 {
		r, n := utf8.DecodeRune(decomposed)
		decomposed = decomposed[n:]
		first := r
		for other := unicode.SimpleFold(r); other != r; other = unicode.SimpleFold(other) {
			first = min(first, other)
		}
		dst = utf8.AppendRune(dst, first)
	}
	return dst
}

// folder folds a stream of UTF-8 that it gets piece by piece. Octets that
// are no UTF-8 are taken as windows-1252.
type folder struct {
	carry []byte // the beginning of a character
}

// append appends the folded form of b, except for a character that has not come as a
// whole.
func (f *folder) append(dst, b []byte) []byte {
	if len(f.carry) > 0 {
		n := min(utf8.UTFMax-len(f.carry), len(b))
		joined := append(f.carry, b[:n]...)
		if !utf8.FullRune(joined) && n == len(b) {
			f.carry = joined
			return dst
		}
		had := len(f.carry)
		f.carry = f.carry[:0]
		done := 0
		for done < had {
			var size int
			dst, size = foldFirst(dst, joined[done:])
			done += size
		}
		b = b[done-had:]
	}
	table := foldTable()
	for {
		var n int
		dst, n = foldASCII(dst, b)
		b = b[n:]
		for len(b) > 1 && b[0] >= 0xc2 && b[0] < 0xe0 && b[1]&0xc0 == 0x80 {
			f := &table[rune(b[0]&0x1f)<<6|rune(b[1]&0x3f)]
			n := len(dst) + int(f.n)
			dst = append(dst, f.b[:]...)[:n]
			b = b[2:]
		}
		if len(b) == 0 {
			break
		}
		if b[0] < utf8.RuneSelf {
			continue
		}
		if !utf8.FullRune(b) {
			f.carry = append(f.carry, b...)
			break
		}
		dst, n = foldFirst(dst, b)
		b = b[n:]
	}
	return dst
}

// finish appends what the end of the stream has cut.
func (f *folder) finish(dst []byte) []byte {
	for done := 0; done < len(f.carry); {
		var size int
		dst, size = foldFirst(dst, f.carry[done:])
		done += size
	}
	f.carry = f.carry[:0]
	return dst
}

// foldFirst appends the folded form of the first character of b.
func foldFirst(dst, b []byte) ([]byte, int) {
	r, n := utf8.DecodeRune(b)
	if r == utf8.RuneError && n == 1 {
		r = latin(b[0])
	}
	if r < smallRunes {
		f := &foldTable()[r]
		return append(dst, f.b[:f.n]...), n
	}
	return foldRune(dst, r), n
}

// foldASCII appends the folded form of the ASCII characters that b begins with, and
// returns how many they are.
func foldASCII(dst, b []byte) ([]byte, int) {
	const (
		high = 0x8080808080808080
		ones = 0x0101010101010101
	)
	dst = slices.Grow(dst, len(b))
	out := dst[len(dst) : len(dst)+len(b)]
	i := 0
	for ; i+8 <= len(b); i += 8 {
		x := binary.LittleEndian.Uint64(b[i:])
		if x&high != 0 {
			break
		}
		// The high bit of an octet is set where it is a lower-case letter.
		lower := (x + (0x80-'a')*ones) &^ (x + (0x80-'z'-1)*ones) & high
		binary.LittleEndian.PutUint64(out[i:], x-lower>>2)
	}
	for ; i < len(b) && b[i] < utf8.RuneSelf; i++ {
		c := b[i]
		if 'a' <= c && c <= 'z' {
			c -= 'a' - 'A'
		}
		out[i] = c
	}
	return dst[:len(dst)+i], i
}

// latin is what an octet means that should be UTF-8 and isn't.
func latin(c byte) rune { return charmap.Windows1252.DecodeByte(c) }
