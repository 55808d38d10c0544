package message

import (
	"bytes"
	"errors"
	"io"
	"sort"
)

// ErrUnknownCTE says that a part's Content-Transfer-Encoding is not known:
// NO [UNKNOWN-CTE] (RFC 3516 §4.3).
var ErrUnknownCTE = errors.New("message: unknown Content-Transfer-Encoding")

// Binary is a part as it is after its Content-Transfer-Encoding was undone (RFC 3516).
type Binary struct {
	content Content
	nul     bool
}

// Len is the decoded size in octets: BINARY.SIZE.
func (b *Binary) Len() int64 { return b.content.Len() }

// WriteRange is that of Content; the offset is one of decoded octets.
func (b *Binary) WriteRange(w io.Writer, off, n int64) error {
	return b.content.WriteRange(w, off, n)
}

// HasNUL reports whether there are NULs in it, so that it has to be sent as a literal8.
func (b *Binary) HasNUL() bool { return b.nul }

var _ Content = (*Binary)(nil)

// Binary returns the part that path names, decoded; ok is false where there is none. The line
// ends of a text part are CRLF. A multipart and the message itself (the empty
// path) have no encoding of their own (RFC 2045 §6.4), so these are sent as they
// are, but with their NULs. The error is ErrUnknownCTE, or one of src.
//
// The first call for a part decodes it once from start to end; what it finds out
// stays with the Structure, so that partial fetches in a row don't begin
// at the start again.
func (s *Structure) Binary(src io.ReaderAt, path []int) (b *Binary, ok bool, err error) {
	p := s.Part(path)
	if p == nil {
		return nil, false, nil
	}
	whole := len(path) == 0
	if p.encoding == cteUnknown && !whole {
		return nil, true, ErrUnknownCTE
	}
	if whole || p.kind == multipart || p.encoding == cteIdentity || p.encoding == cteBinary {
		c := s.content(src, p.Body)
		if whole {
			c = s.content(src, s.whole())
		}
		c.keepNULs = true
		if !s.nul {
			return &Binary{c, false}, true, nil
		}
		var f nulFinder
		err := c.WriteRange(&f, 0, c.Len())
		return &Binary{c, f.found}, true, err
	}
	m := p.decoded.Load()
	if m == nil {
		if m, err = p.mapDecoded(src); err != nil {
			return nil, true, err
		}
		p.decoded.Store(m)
	}
	return &Binary{&decodedContent{src, p, m}, m.nul}, true, nil
}

// decodeMap says how long a decoded part is, and where decoding can begin.
type decodeMap struct {
	len   int64
	nul   bool
	marks []decodeMark // ascending
}

// decodeMark says that octet decoded of the decoded part begins at disk. The decoder holds nothing back there.
type decodeMark struct{ disk, decoded int64 }

// decode gives emit the decoded part from a mark on, with the line ends of text as CRLF if crlf is
// set; mark is called where decoding could begin, if it is not nil.
func (p *Part) decode(src io.ReaderAt, from decodeMark, crlf bool, mark func(disk int64), emit func([]byte) error) error {
	in, out := blocks.Get().(*block), blocks.Get().(*block)
	defer blocks.Put(in)
	defer blocks.Put(out)
	// Decoding makes nothing longer but a line end of quoted-printable, and LF of text.
	win := newWindow(src, from.disk, p.Body.End, in[:blockSize/4])
	plain := p.encoding != cteBase64 && p.encoding != cteQuotedPrintable
	if plain {
		win.buf = in[:]
	}
	dec := transferDecoder{encoding: p.encoding}
	var conv crlfConverter
	for {
		b, err := win.block()
		if err != nil {
			return err
		}
		end := len(b) == 0
		switch {
		case end:
			b = dec.finish(out[:0])
		case plain:
			win.r = win.w
		default:
			n := wholeUnits(b)
			win.r += n
			b = dec.append(out[:0], b[:n])
		}
		if crlf && len(b) > 0 {
			half := out[len(b):len(b)]
			b = conv.append(half, b)
		}
		if len(b) > 0 {
			if err := emit(b); err != nil {
				return err
			}
		}
		if end {
			return nil
		}
		if mark != nil && dec.clean() && !conv.lastCR {
			mark(win.offset())
		}
	}
}

// wholeUnits returns how much of b to decode at once so that the decoder likely holds nothing
// back after it: up to the last line end.
func wholeUnits(b []byte) int {
	if i := bytes.LastIndexByte(b, '\n'); i >= 0 {
		return i + 1
	}
	return len(b)
}

// mapDecoded decodes the whole part and keeps nothing of it.
func (p *Part) mapDecoded(src io.ReaderAt) (*decodeMap, error) {
	m := new(decodeMap)
	mark := func(disk int64) {
		last := int64(0)
		if len(m.marks) > 0 {
			last = m.marks[len(m.marks)-1].decoded
		}
		if m.len-last >= markEvery {
			m.marks = append(m.marks, decodeMark{disk, m.len})
		}
	}
	err := p.decode(src, decodeMark{disk: p.Body.Start}, p.kind == text, mark, func(b []byte) error {
		m.len += int64(len(b))
		m.nul = m.nul || bytes.IndexByte(b, 0) >= 0
		return nil
	})
	return m, err
}

// decodedContent is a part that is decoded while it is written.
type decodedContent struct {
	src io.ReaderAt
	p   *Part
	m   *decodeMap
}

func (c *decodedContent) Len() int64 { return c.m.len }

func (c *decodedContent) WriteRange(w io.Writer, off, n int64) error {
	if off < 0 || n < 0 || off > c.m.len-n {
		return errRange
	}
	if n == 0 {
		return nil
	}
	from := decodeMark{disk: c.p.Body.Start}
	if i := sort.Search(len(c.m.marks), func(i int) bool { return c.m.marks[i].decoded > off }); i > 0 {
		from = c.m.marks[i-1]
	}
	rw := rangeWriter{w, off - from.decoded, n}
	err := c.p.decode(c.src, from, c.p.kind == text, nil, func(b []byte) error {
		_, err := rw.Write(b)
		return err
	})
	switch err {
	case errDone:
		return nil
	case nil:
		return io.ErrUnexpectedEOF
	}
	return err
}

// nulFinder is a writer that looks for NULs.
type nulFinder struct{ found bool }

func (f *nulFinder) Write(b []byte) (int, error) {
	f.found = f.found || bytes.IndexByte(b, 0) >= 0
	return len(b), nil
}
