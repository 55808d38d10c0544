package message

import (
	"bytes"
	"io"
)

// Section names what BODY[section] names (RFC 3501 §6.4.5).
type Section struct {
	Path      []int // part numbers from 1; empty: the message itself
	Specifier Specifier
	Fields    []string // of HEADER.FIELDS and HEADER.FIELDS.NOT, as the client wrote them
}

// Specifier is the text part of a section.
type Specifier uint8

// The specifiers of RFC 3501 §6.4.5.
const (
	All Specifier = iota // BODY[] or BODY[1.2]
	Header
	HeaderFields
	HeaderFieldsNot
	Text
	MIME
)

// Lookup resolves a section to bytes that can be written; ok is false where
// the message has no such part (the client gets NIL). It reads src for
// HEADER.FIELDS and HEADER.FIELDS.NOT only. src must stay open as long
// as c is used.
func (s *Structure) Lookup(src io.ReaderAt, sec Section) (c Content, ok bool, err error) {
	p := s.Root
	if len(sec.Path) > 0 {
		if p = s.Part(sec.Path); p == nil {
			return nil, false, nil
		}
		switch sec.Specifier {
		case All:
			return s.content(src, p.Body), true, nil
		case MIME:
			return s.content(src, p.Header), true, nil
		}
		// HEADER and TEXT are those of the message in the part.
		if p.kind != rfc822 {
			return nil, false, nil
		}
		p = p.Children[0]
	}
	switch sec.Specifier {
	case All:
		return s.content(src, s.whole()), true, nil
	case Header:
		return s.content(src, p.Header), true, nil
	case HeaderFields, HeaderFieldsNot:
		sel := newSelector(sec.Fields, sec.Specifier == HeaderFieldsNot)
		c, err = fieldsOf(src, p.Header.Start, p.Header.End, sel)
		return c, err == nil, err
	case Text:
		return s.content(src, p.Body), true, nil
	}
	return nil, false, nil
}

// Part returns the part that a path names, nil where there is none. Part 1 of a message that is no
// multipart is its body; the parts of a message/rfc822 part are those of the
// message in it (RFC 3501 §6.4.5). An empty path is the root.
func (s *Structure) Part(path []int) *Part {
	p, isMessage := s.Root, true
	for _, n := range path {
		if p.kind == rfc822 && !isMessage {
			p, isMessage = p.Children[0], true
		}
		switch {
		case p.kind == multipart && n >= 1 && n <= len(p.Children):
			p = p.Children[n-1]
		case p.kind == multipart || !isMessage || n != 1:
			return nil
		}
		isMessage = false
	}
	return p
}

// Whole is BODY[] of a message that is in memory: it needs no scan.
func Whole(msg []byte) Content {
	s := &Structure{Size: int64(len(msg)), WireSize: int64(wireLen(msg)), nul: bytes.IndexByte(msg, 0) >= 0}
	return s.content(bytes.NewReader(msg), s.whole())
}

// whole is the range of the message itself.
func (s *Structure) whole() Range { return Range{End: s.Size, Wire: s.WireSize} }
