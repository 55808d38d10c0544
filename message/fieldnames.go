package message

import "strings"

// FieldNames is a set of names of header fields. Immutable.
type FieldNames map[string]struct{} // in lower case

// NewFieldNames returns the set of these names, in any case.
func NewFieldNames(names ...string) FieldNames {
	s := make(FieldNames, len(names))
	for _, n := range names {
		s[strings.ToLower(n)] = struct{}{}
	}
	return s
}

// Has reports whether the set holds all of these names, in any case.
func (s FieldNames) Has(names ...string) bool {
	for _, n := range names {
		if _, ok := s[strings.ToLower(n)]; !ok {
			return false
		}
	}
	return true
}

func (s FieldNames) has(name []byte) bool {
	var buf [64]byte // names are seldom longer
	b := append(buf[:0], name...)
	for i, c := range b {
		b[i] = lower(c)
	}
	_, ok := s[string(b)]
	return ok
}

// HeaderOf returns a HeaderBlock of octets in memory, which must not change while it is
// used: a header, or what AppendFields took from one.
func HeaderOf(raw []byte) HeaderBlock { return HeaderBlock{raw: raw} }

// AppendFields appends the fields with these names as they stand in the file, and the empty line
// after the header if there is one: Fields and Values of these names say of that what they say of the
// header. ok is false where the header is too large to be known as a whole.
func (h *HeaderBlock) AppendFields(dst []byte, names FieldNames) (_ []byte, ok bool) {
	w := memoryWindow(h.raw)
	for wanted := false; ; {
		line, _ := w.line() // memory does not fail
		switch {
		case len(line) == 0:
			return dst, !h.cut
		case blank(line):
			return append(dst, line...), !h.cut
		case !isFolded(line):
			name, _, ok := cutField(line)
			wanted = ok && names.has(name)
		}
		if wanted {
			dst = append(dst, line...)
		}
	}
}
