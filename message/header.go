package message

import (
	"bytes"
	"io"
	"iter"
)

// HeaderBlock is the header of a message, read without its body: enough for ENVELOPE,
// HEADER.FIELDS, SORT, THREAD and SEARCH in fields. Its methods
// may be called concurrently, Read not.
type HeaderBlock struct {
	src        io.ReaderAt
	start, end int64  // the message, or part, in src
	raw        []byte // the header with the empty line that ends it
	cut        bool   // it is larger than maxHeader on the wire, and raw may be its first octets only
}

// firstRead is how much is read for a header at first, and maxHeader how much of it
// is kept, in octets. What is beyond is found by Fields, and by nothing else here.
const (
	firstRead = 8 << 10
	maxHeader = 1 << 20
)

// ReadHeader reads the header of a message of size octets. It fails only where
// src does. Most headers come with one read of 8 KiB.
func ReadHeader(src io.ReaderAt, size int64) (*HeaderBlock, error) {
	h := new(HeaderBlock)
	if err := h.Read(src, size); err != nil {
		return nil, err
	}
	return h, nil
}

// Read is ReadHeader into memory that h has already: for one header after the other. What h
// gave out before is invalid then. src must stay open as long as contents are used.
func (h *HeaderBlock) Read(src io.ReaderAt, size int64) error { return h.read(src, 0, size) }

// read reads the header of a part that lies in [start, end) of the file.
func (h *HeaderBlock) read(src io.ReaderAt, start, end int64) error {
	*h = HeaderBlock{src: src, start: start, end: end, raw: h.raw[:0]}
	size := end - start
	for want := int64(firstRead); ; want = min(4*want, maxHeader) {
		want = min(want, size)
		from := len(h.raw)
		if cap(h.raw) < int(want) {
			raw := make([]byte, from, max(want, firstRead))
			copy(raw, h.raw)
			h.raw = raw
		}
		h.raw = h.raw[:want]
		if n, err := src.ReadAt(h.raw[from:], start+int64(from)); n < len(h.raw)-from {
			if err == nil || err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return err
		}
		end := headerEnd(h.raw, from)
		if end >= 0 {
			h.raw = h.raw[:end]
		}
		if end >= 0 || want == size || want == maxHeader {
			// Counted on the wire, so that it is the same for copies with other line ends.
			h.cut = end < 0 && want < size || len(h.raw) > maxHeader/2 && wireLen(h.raw) > maxHeader
			return nil
		}
	}
}

// headerEnd returns where the header ends, its empty line included, or -1. The
// first seen octets are known not to have the end in them.
func headerEnd(b []byte, seen int) int {
	i := max(seen-2, 0)
	if i == 0 && len(b) > 0 {
		if n := min(len(b), 2); blank(b[:1]) || blank(b[:n]) {
			return bytes.IndexByte(b, '\n') + 1
		}
	}
	for {
		n := bytes.IndexByte(b[i:], '\n')
		if n < 0 {
			return -1
		}
		i += n + 1
		switch rest := b[i:]; {
		case len(rest) > 0 && rest[0] == '\n':
			return i + 1
		case len(rest) > 1 && rest[0] == '\r' && rest[1] == '\n':
			return i + 2
		}
	}
}

// AppendEnvelope appends the ENVELOPE (RFC 3501 §7.4.2) in the form in which it is sent.
func (h *HeaderBlock) AppendEnvelope(dst []byte) []byte {
	f := fieldSets.Get().(*fieldSet)
	defer f.release()
	f.begin(true)
	w := memoryWindow(h.raw)
	for {
		line, _ := w.line() // memory does not fail
		if len(line) == 0 || blank(line) {
			return f.appendEnvelope(dst, maxKept/4)
		}
		f.add(line, true)
	}
}

// Fields returns BODY[HEADER.FIELDS (names)] or, with not set, BODY[HEADER.FIELDS.NOT
// (names)].
func (h *HeaderBlock) Fields(names []string, not bool) (Content, error) {
	return h.content(newSelector(names, not))
}

// All returns BODY[HEADER].
func (h *HeaderBlock) All() (Content, error) {
	return h.content(selector{not: true, verbatim: true})
}

func (h *HeaderBlock) content(sel selector) (Content, error) {
	if h.cut {
		return fieldsOf(h.src, h.start, h.end, sel)
	}
	w := memoryWindow(h.raw)
	var conv crlfConverter
	b := make([]byte, 0, 512)
	err := selectFields(&w, sel, func(line []byte) error {
		b = conv.append(b, line)
		return nil
	})
	replaceNULs(b)
	return octets(b), err
}

// Values returns the values of all fields with this name in any case, unfolded
// and without white space around them, otherwise as they stand. A value is
// valid until the next one.
func (h *HeaderBlock) Values(name string) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		sel := selector{names: []string{name}}
		var buf []byte
		for raw := range h.fields() {
			if sel.wants(raw) {
				if buf = unfold(buf[:0], raw); !yield(buf) {
					return
				}
			}
		}
	}
}

// fields returns the fields, each with all its lines.
func (h *HeaderBlock) fields() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		rest := h.raw
		for len(rest) > 0 {
			n := 0
			for n < len(rest) && (n == 0 || isFolded(rest[n:])) {
				i := bytes.IndexByte(rest[n:], '\n')
				if i < 0 {
					n = len(rest)
					break
				}
				n += i + 1
			}
			if blank(rest[:n]) || !yield(rest[:n]) {
				return
			}
			rest = rest[n:]
		}
	}
}

// unfold appends the value of a field to dst, without line ends (RFC 5322 §2.2.3)
// and white space around it.
func unfold(dst, raw []byte) []byte {
	_, value, ok := cutField(raw)
	if !ok {
		value = raw
	}
	n := len(dst)
	for len(value) > 0 {
		i := bytes.IndexByte(value, '\n')
		if i < 0 {
			i = len(value) - 1
		}
		dst = append(dst, trimEOL(value[:i+1])...)
		value = value[i+1:]
	}
	trimmed := bytes.Trim(dst[n:], " \t\r")
	return dst[:n+copy(dst[n:], trimmed)]
}
