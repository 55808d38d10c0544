package message

import (
	"bytes"
	"io"
)

// selector tells which header fields are wanted (HEADER.FIELDS, HEADER.FIELDS.NOT).
type selector struct {
	names []string   // in any case
	set   FieldNames // the same, where they are many; else nil
	not   bool

	verbatim bool // the last line gets no line end where it has none
}

// manyNames is from how many names on they are looked up in a set: a client may ask for thousands, of a header of millions
// of fields.
const manyNames = 32

func newSelector(names []string, not bool) selector {
	sel := selector{names: names, not: not}
	if len(names) >= manyNames {
		sel.set = NewFieldNames(names...)
	}
	return sel
}

// wants reports whether the field that begins with this line is wanted. A line that is no
// field is wanted by HEADER.FIELDS.NOT.
func (s selector) wants(line []byte) bool {
	name, _, ok := cutField(line)
	if !ok {
		return s.not
	}
	if s.set != nil {
		return s.set.has(name) != s.not
	}
	for _, n := range s.names {
		if equalFold(name, n) {
			return !s.not
		}
	}
	return s.not
}

// equalFold reports whether b and s are the same in ASCII, in any case.
func equalFold(b []byte, s string) bool {
	if len(b) != len(s) {
		return false
	}
	for i := range len(s) {
		if lower(b[i]) != lower(s[i]) {
			return false
		}
	}
	return true
}

// lower returns an ASCII letter in lower case, anything else as it is.
func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}

// selectFields gives emit the lines of the wanted fields as they are in the file,
// in its order, and the empty line that ends the header. Where
// the header has none, because the message ends, there is none
// (RFC 3501 §6.4.5). A last line without line end gets one. It stops at the
// empty line.
func selectFields(w *window, sel selector, emit func([]byte) error) error {
	wanted := sel.not // a line that continues nothing
	for bol := true; ; {
		line, err := w.line()
		if err != nil {
			return err
		}
		if len(line) == 0 {
			if wanted && !bol && !sel.verbatim {
				return emit(lfOctet)
			}
			return nil
		}
		if bol {
			if blank(line) {
				return emit(line)
			}
			if !isFolded(line) {
				wanted = sel.wants(line)
			}
		}
		bol = complete(line)
		if wanted {
			if err := emit(line); err != nil {
				return err
			}
		}
	}
}

// fieldsOf returns the wanted fields of the header [start, end) of the file.
func fieldsOf(src io.ReaderAt, start, end int64, sel selector) (Content, error) {
	c := &fieldContent{src: src, start: start, end: end, sel: sel}
	if end-start <= blockSize {
		var b bytes.Buffer
		if err := c.stream(&b); err != nil {
			return nil, err
		}
		return octets(b.Bytes()), nil
	}
	var n countWriter
	if err := c.stream(&n); err != nil {
		return nil, err
	}
	c.len = int64(n)
	return c, nil
}

// fieldContent is HEADER.FIELDS of a header that is too large to be kept in memory: it is
// read again for each range.
type fieldContent struct {
	src        io.ReaderAt
	start, end int64
	sel        selector
	len        int64
}

func (c *fieldContent) Len() int64 { return c.len }

func (c *fieldContent) WriteRange(w io.Writer, off, n int64) error {
	if off < 0 || n < 0 || off > c.len-n {
		return errRange
	}
	if n == 0 {
		return nil
	}
	switch err := c.stream(&rangeWriter{w, off, n}); err {
	case errDone:
		return nil
	case nil:
		return io.ErrUnexpectedEOF
	default:
		return err
	}
}

// stream writes all wanted fields, converted.
func (c *fieldContent) stream(w io.Writer) error {
	buf := blocks.Get().(*block)
	defer blocks.Put(buf)
	win := newWindow(c.src, c.start, c.end, buf[:blockSize/2])
	var conv crlfConverter
	out := buf[blockSize/2:]
	return selectFields(&win, c.sel, func(line []byte) error {
		// A line, or a piece of one, grows by one octet at most.
		b := conv.append(out[:0], line)
		replaceNULs(b)
		_, err := w.Write(b)
		return err
	})
}

// countWriter counts octets.
type countWriter int64

func (n *countWriter) Write(b []byte) (int, error) {
	*n += countWriter(len(b))
	return len(b), nil
}
