package message

import (
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/transform"
)

// utf7 is UTF-7 (RFC 2152), which is in old mail and in no package of encodings. There is no need to write it.
type utf7 struct{ encoding.Encoding }

func (utf7) NewDecoder() *encoding.Decoder { return &encoding.Decoder{Transformer: new(utf7Decoder)} }

// utf7Decoder decodes a stream of UTF-7. What is wrong becomes U+FFFD.
type utf7Decoder struct {
	shifted bool   // within +...-
	empty   bool   // and nothing has come since the +
	acc     uint32 // bits that are no whole unit yet
	have    uint   // number of them
	high    rune   // a surrogate that waits for its other half; 0: none
}

func (d *utf7Decoder) Reset() { *d = utf7Decoder{} }

// Transform implements transform.Transformer.
func (d *utf7Decoder) Transform(dst, src []byte, atEOF bool) (nDst, nSrc int, err error) {
	put := func(r rune) { nDst += utf8.EncodeRune(dst[nDst:], r) }
	for nSrc < len(src) {
		if len(dst)-nDst < 2*utf8.UTFMax {
			return nDst, nSrc, transform.ErrShortDst
		}
		c := src[nSrc]
		switch v := base64Values[c]; {
		case !d.shifted && c == '+':
			*d = utf7Decoder{shifted: true, empty: true}
		case !d.shifted && c < utf8.RuneSelf:
			put(rune(c))
		case !d.shifted:
			put(utf8.RuneError)
		case v < 64:
			d.empty = false
			d.acc, d.have = d.acc<<6|uint32(v), d.have+6
			if d.have >= 16 {
				d.have -= 16
				d.unit(rune(d.acc>>d.have&0xffff), put)
			}
		default:
			if d.high != 0 {
				put(utf8.RuneError)
			}
			if d.empty { // "+-" is a plus sign
				put('+')
			}
			*d = utf7Decoder{}
			if c != '-' {
				continue // it stands for itself
			}
		}
		nSrc++
	}
	if atEOF && d.high != 0 {
		if len(dst)-nDst < utf8.UTFMax {
			return nDst, nSrc, transform.ErrShortDst
		}
		put(utf8.RuneError)
		d.high = 0
	}
	return nDst, nSrc, nil
}

// unit takes the next unit of UTF-16.
func (d *utf7Decoder) unit(u rune, put func(rune)) {
	if d.high != 0 {
		r := utf16.DecodeRune(d.high, u)
		d.high = 0
		put(r)
		if r != utf8.RuneError {
			return
		}
	}
	switch {
	case 0xd800 <= u && u < 0xdc00:
		d.high = u
	default:
		put(u) // the second half of nothing becomes U+FFFD
	}
}
