package message

import (
	"bytes"
	"unicode/utf8"
)

// DecodeWords returns an unfolded field value as it is displayed: encoded words (RFC
// 2047) decoded, white space between them removed. Octets that are no UTF-8 are taken as
// windows-1252, as are those of a word in an unknown charset: what is ASCII in it can be found (RFC 5255 §4.6).
func DecodeWords(value []byte) string {
	return string(appendDecodedWords(nil, value))
}

// appendDecodedWords appends what DecodeWords returns.
func appendDecodedWords(dst, value []byte) []byte {
	var run wordRun
	return run.decode(dst, value)
}

// decode appends value with its encoded words decoded.
func (r *wordRun) decode(dst, value []byte) []byte {
	ends := wordEnds{value: value}
	for done := 0; ; {
		i := bytes.Index(value[done:], wordStart)
		if i < 0 {
			return appendUTF8(r.flush(dst), value[done:])
		}
		i += done
		w, n := ends.word(i)
		if n == 0 {
			dst = appendUTF8(r.flush(dst), value[done:i+len(wordStart)])
			done = i + len(wordStart)
			continue
		}
		between := value[done:i]
		if !r.begun || len(bytes.Trim(between, " \t\r\n")) > 0 {
			dst = appendUTF8(r.flush(dst), between)
		} else if !bytes.EqualFold(r.charset, w.charset) {
			dst = r.flush(dst)
		}
		r.add(w)
		done = i + n
	}
}

var wordStart, wordEnd = []byte("=?"), []byte("?=")

// wordRun is adjacent encoded words of one charset. They are decoded
// together, since there are programs that split a character over two.
type wordRun struct {
	begun   bool
	charset []byte
	text    []byte // decoded, in charset

	octets bool // words that can't be converted are appended as they are
	failed bool // there was one
}

func (r *wordRun) add(w encodedWord) {
	r.begun, r.charset = true, w.charset
	r.text = w.appendText(r.text)
}

// flush appends the words as UTF-8, and begins the next run.
func (r *wordRun) flush(dst []byte) []byte {
	if !r.begun {
		return dst
	}
	text := r.text
	r.begun, r.text = false, text[:0]
	if charset := string(r.charset); isUTF8(charset) {
		if utf8.Valid(text) {
			return append(dst, text...)
		}
	} else if e, err := charsetNamed(charset); err == nil {
		if out, err := e.NewDecoder().Bytes(text); err == nil {
			return append(dst, out...)
		}
	}
	r.failed = true
	if r.octets {
		return append(dst, text...)
	}
	return appendUTF8(dst, text)
}

// encodedWord is =?charset?encoding?text?=.
type encodedWord struct {
	charset []byte // without a language (RFC 2231 §5)
	isB     bool
	text    []byte
}

// wordEnds finds encoded words. It remembers where it last saw the end of one, so that
// many starts without end cost no more than one.
type wordEnds struct {
	value []byte
	end   int // of the first "?=" at or after the last start
}

// word reads the encoded word at start, where "=?" is; n is its length in octets, or 0 where
// there is none. White space in its text is let pass, as seen in the wild; a "=?" is not.
func (e *wordEnds) word(start int) (w encodedWord, n int) {
	const maxHead = 100 // of charset, language and encoding
	head := e.value[start+2 : min(len(e.value), start+2+maxHead)]
	i := bytes.IndexByte(head, '?')
	if i <= 0 || i+3 > len(head) || head[i+2] != '?' {
		return encodedWord{}, 0
	}
	switch head[i+1] {
	case 'B', 'b':
		w.isB = true
	case 'Q', 'q':
	default:
		return encodedWord{}, 0
	}
	w.charset, _, _ = bytes.Cut(head[:i], []byte{'*'})
	text := start + 2 + i + 3
	if e.end < text {
		e.end = len(e.value)
		if i := bytes.Index(e.value[text:], wordEnd); i >= 0 {
			e.end = text + i
		}
	}
	if e.end == len(e.value) {
		return encodedWord{}, 0
	}
	w.text = e.value[text:e.end]
	if bytes.Contains(w.text, wordStart) {
		return encodedWord{}, 0
	}
	return w, e.end + len(wordEnd) - start
}

// appendText appends the octets that the word encodes.
func (w encodedWord) appendText(dst []byte) []byte {
	if w.isB {
		d := transferDecoder{encoding: cteBase64}
		return d.finish(d.append(dst, w.text))
	}
	return appendQPOctets(dst, bytes.ReplaceAll(w.text, []byte{'_'}, []byte{' '}))
}

// appendUTF8 appends b as UTF-8: octets that are not, as windows-1252.
func appendUTF8(dst, b []byte) []byte {
	for len(b) > 0 {
		if b[0] < utf8.RuneSelf {
			i := 1
			for i < len(b) && b[i] < utf8.RuneSelf {
				i++
			}
			dst = append(dst, b[:i]...)
			b = b[i:]
			continue
		}
		r, n := utf8.DecodeRune(b)
		if r == utf8.RuneError && n == 1 {
			r = latin(b[0])
		}
		dst = utf8.AppendRune(dst, r)
		b = b[n:]
	}
	return dst
}
