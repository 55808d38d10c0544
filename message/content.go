package message

import (
	"bytes"
	"errors"
	"io"
	"sort"
)

// Content is a section's octets as they go over the wire. Safe for concurrent
// use as far as its file is.
type Content interface {
	// Len is the whole length in octets, CRLF line ends counted.
	Len() int64
	// WriteRange writes the octets [off, off+n) to w; it must lie within Len.
	// It reads from the nearest mark before off, not from the start of the file.
	// Where the file has become shorter than it was, fewer octets are written and
	// the error is io.ErrUnexpectedEOF: a literal that was announced can't be finished.
	WriteRange(w io.Writer, off, n int64) error
}

var errRange = errors.New("message: range outside of the section")

// nulReplacement is sent for a NUL in a literal, which may not have any (RFC
// 3501 §4.3). It is the one that Dovecot chose, so that what clients
// have cached stays true.
const nulReplacement = 0x80

// stretch is a Content that lies in the file in one piece.
type stretch struct {
	src      io.ReaderAt
	s        *Structure
	from     mark  // where it begins
	end      int64 // on disk
	wire     int64 // length on the wire
	keepNULs bool
}

// content returns a range of the file as it is sent.
func (s *Structure) content(src io.ReaderAt, r Range) *stretch {
	return &stretch{src: src, s: s, from: mark{r.Start, r.wireStart}, end: r.End, wire: r.Wire}
}

func (c *stretch) Len() int64 { return c.wire }

func (c *stretch) WriteRange(w io.Writer, off, n int64) error {
	if off < 0 || n < 0 || off > c.wire-n {
		return errRange
	}
	if n == 0 {
		return nil
	}
	in := blocks.Get().(*block)
	defer blocks.Put(in)
	replace := c.s.nul && !c.keepNULs
	if c.wire == c.end-c.from.disk { // no line end is a bare LF
		win := newWindow(c.src, c.from.disk+off, c.end, in[:])
		return copyWindow(w, &win, n, replace)
	}
	at := c.s.markBefore(c.from, c.from.wire+off)
	rw := rangeWriter{w, c.from.wire + off - at.wire, n}
	// Each octet becomes two at most.
	win := newWindow(c.src, at.disk, c.end, in[:blockSize/2])
	out := blocks.Get().(*block)
	defer blocks.Put(out)
	var conv crlfConverter
	for {
		b, err := win.block()
		if err != nil {
			return err
		}
		if len(b) == 0 {
			return io.ErrUnexpectedEOF
		}
		win.r = win.w
		b = conv.append(out[:0], b)
		if replace {
			replaceNULs(b)
		}
		if _, err := rw.Write(b); err == errDone {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// copyWindow writes the next n octets as they are.
func copyWindow(w io.Writer, win *window, n int64, replace bool) error {
	win.end = min(win.end, win.next+n)
	for n > 0 {
		b, err := win.block()
		if err != nil {
			return err
		}
		if len(b) == 0 {
			return io.ErrUnexpectedEOF
		}
		win.r = win.w
		if replace {
			replaceNULs(b)
		}
		if _, err := w.Write(b); err != nil {
			return err
		}
		n -= int64(len(b))
	}
	return nil
}

// markBefore returns the last mark at or before the octet wire of the file as it is
// sent, but none before from.
func (s *Structure) markBefore(from mark, wire int64) mark {
	i := sort.Search(len(s.marks), func(i int) bool { return s.marks[i].wire > wire })
	if i > 0 && s.marks[i-1].wire > from.wire {
		return s.marks[i-1]
	}
	return from
}

// replaceNULs changes NULs to what may be sent.
func replaceNULs(b []byte) {
	for {
		i := bytes.IndexByte(b, 0)
		if i < 0 {
			return
		}
		b[i] = nulReplacement
		b = b[i+1:]
	}
}

// crlfConverter makes CRLF of bare LF in a stream that it gets piece by piece.
// A lone CR stays.
type crlfConverter struct {
	lastCR bool
}

// append appends b, converted, to dst.
func (c *crlfConverter) append(dst, b []byte) []byte {
	if len(b) == 0 {
		return dst
	}
	lastCR := c.lastCR
	c.lastCR = b[len(b)-1] == '\r'
	for {
		i := bytes.IndexByte(b, '\n')
		if i < 0 {
			return append(dst, b...)
		}
		dst = append(dst, b[:i]...)
		if i == 0 && lastCR || i > 0 && b[i-1] == '\r' {
			dst = append(dst, '\n')
		} else {
			dst = append(dst, '\r', '\n')
		}
		lastCR = false
		b = b[i+1:]
	}
}

// octets is a Content in memory.
type octets []byte

func (b octets) Len() int64 { return int64(len(b)) }

func (b octets) WriteRange(w io.Writer, off, n int64) error {
	if off < 0 || n < 0 || off > int64(len(b))-n {
		return errRange
	}
	_, err := w.Write(b[off : off+n])
	return err
}

// rangeWriter writes those octets of a stream that lie in [off, off+n).
type rangeWriter struct {
	w      io.Writer
	off, n int64 // what is still to be skipped, and to be written
}

// errDone ends a stream of which the rest is not wanted.
var errDone = errors.New("message: done")

// Write takes the next octets; errDone when nothing more is needed.
func (r *rangeWriter) Write(b []byte) (int, error) {
	total := len(b)
	drop := min(r.off, int64(len(b)))
	r.off -= drop
	b = b[drop:]
	b = b[:min(r.n, int64(len(b)))]
	if len(b) > 0 {
		if _, err := r.w.Write(b); err != nil {
			return 0, err
		}
	}
	if r.n -= int64(len(b)); r.n == 0 {
		return total, errDone
	}
	return total, nil
}
