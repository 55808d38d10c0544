package message

import "strconv"

// AppendBodyStructure appends BODYSTRUCTURE, or BODY where extended is false
// (RFC 3501 §7.4.2). With rev2 a message/global is shown with what is in it, as a message/rfc822 is (RFC 9051 §9
// media-message); to clients of IMAP4rev1 it is a part like any other.
func (s *Structure) AppendBodyStructure(dst []byte, extended, rev2 bool) []byte {
	return s.Root.AppendBodyStructure(dst, extended, rev2)
}

// AppendBodyStructure appends the structure of the part.
func (p *Part) AppendBodyStructure(dst []byte, extended, rev2 bool) []byte {
	kind := p.kind
	if kind == rfc822 && p.MediaType == global && !rev2 {
		kind = leaf
	}
	dst = append(dst, '(')
	if kind == multipart {
		for _, child := range p.Children {
			dst = child.AppendBodyStructure(dst, extended, rev2)
		}
		dst = append(dst, ' ')
	}
	if p.fields == nil {
		dst = append(dst, defaultFields...)
	} else {
		dst = append(dst, p.fields...)
	}
	if kind != multipart {
		dst = append(dst, ' ')
		dst = strconv.AppendInt(dst, p.Body.Wire, 10)
	}
	if kind == rfc822 {
		dst = append(dst, ' ')
		dst = p.Children[0].AppendEnvelope(dst)
		dst = append(dst, ' ')
		dst = p.Children[0].AppendBodyStructure(dst, extended, rev2)
	}
	if kind == rfc822 || kind == text {
		dst = append(dst, ' ')
		dst = strconv.AppendInt(dst, p.Lines, 10)
	}
	if extended {
		dst = append(dst, ' ')
		if p.extension == nil {
			dst = append(dst, noExtension...)
		} else {
			dst = append(dst, p.extension...)
		}
	}
	return append(dst, ')')
}
