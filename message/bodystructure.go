package message

import "strconv"

// AppendBodyStructure appends BODYSTRUCTURE, or BODY where extended is false
// (RFC 3501 §7.4.2).
func (s *Structure) AppendBodyStructure(dst []byte, extended bool) []byte {
	return s.Root.AppendBodyStructure(dst, extended)
}

// AppendBodyStructure appends the structure of the part.
func (p *Part) AppendBodyStructure(dst []byte, extended bool) []byte {
	dst = append(dst, '(')
	if p.kind == multipart {
		for _, child := range p.Children {
			dst = child.AppendBodyStructure(dst, extended)
		}
		dst = append(dst, ' ')
	}
	if p.fields == nil {
		dst = append(dst, defaultFields...)
	} else {
		dst = append(dst, p.fields...)
	}
	if p.kind != multipart {
		dst = append(dst, ' ')
		dst = strconv.AppendInt(dst, p.Body.Wire, 10)
	}
	if p.kind == rfc822 {
		dst = append(dst, ' ')
		dst = p.Children[0].AppendEnvelope(dst)
		dst = append(dst, ' ')
		dst = p.Children[0].AppendBodyStructure(dst, extended)
	}
	if p.kind == rfc822 || p.kind == text {
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
