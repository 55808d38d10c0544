package message

import (
	"bytes"
	"encoding/binary"
	"io"
	"math/bits"
)

// Limits of what Scan keeps of a message. What lies beyond is still delivered
// as octets of the part around it.
const (
	maxDepth = 100      // parts within parts
	maxParts = 10_000   // of a message
	maxKept  = 16 << 20 // octets of ENVELOPE and BODYSTRUCTURE, all parts together
)

// Scan reads the whole message once, in order. It fails only where src does;
// a file shorter than size is io.ErrUnexpectedEOF.
func Scan(src io.ReaderAt, size int64) (*Structure, error) {
	buf := blocks.Get().(*block)
	defer blocks.Put(buf)
	f := fieldSets.Get().(*fieldSet)
	defer f.release()
	st := &Structure{Size: size}
	st.Root = &st.root
	s := scanner{window: newWindow(src, 0, size, buf[:]), st: st, f: f, budget: maxKept}
	if _, err := s.part(st.Root, 0, false); err != nil {
		return nil, err
	}
	st.WireSize = s.pos.wire
	st.marks = s.marks
	return st, nil
}

// scanner is one pass of Scan.
type scanner struct {
	window
	st     *Structure
	f      *fieldSet
	budget int // octets that may still be kept
	pos    position
	lastCR bool  // the last octet consumed is CR
	eol    int64 // length on disk of the line end last consumed, 0 where there is none just before pos
	marks  []mark
	open   []boundary // of the multiparts around, the outermost first
	parts  int
}

// stop is where a part ends: at the boundary of an open multipart, or (level
// -1) at the end of the file.
type stop struct {
	level   int
	closing bool     // the boundary is the last of its multipart
	end     position // where the part ends: before the line end before the boundary
}

// part scans a part from its header to the boundary that ends it. digest says that its
// type is message/rfc822 unless told otherwise (RFC 2046 §5.1.5).
func (s *scanner) part(p *Part, depth int, digest bool) (stop, error) {
	s.parts++
	p.isMessage = p.isMessage || depth == 0
	start := s.pos
	at, hit, err := s.header(p)
	if err != nil {
		return stop{}, err
	}
	bodyStart := s.pos
	if hit {
		bodyStart = clamp(at.end, start)
	}
	p.Header = rangeOf(start, bodyStart)
	s.f.describe(p, digest, depth >= maxDepth, &s.budget)
	s.st.HasGlobal = s.st.HasGlobal || p.MediaType == global

	switch {
	case hit:
	case p.kind == multipart:
		at, err = s.multipart(p, depth)
	case p.kind == rfc822:
		child := &Part{isMessage: true}
		p.Children = []*Part{child}
		at, err = s.part(child, depth+1, false)
	default:
		at, err = s.skip()
	}
	if err != nil {
		return stop{}, err
	}
	// The line end before a boundary belongs to that, unless it ends a header: then
	// the parts around this one have it too, so that ranges stay nested.
	at.end = clamp(at.end, bodyStart)
	p.Body = rangeOf(bodyStart, at.end)
	p.Lines = at.end.lines - bodyStart.lines
	if len(p.Children) == 0 && (p.kind == multipart || p.kind == rfc822) {
		p.Children = []*Part{emptyPart(p, bodyStart)}
	}
	return at, nil
}

// multipart scans the body of p up to a boundary of a multipart around it.
func (s *scanner) multipart(p *Part, depth int) (stop, error) {
	level := len(s.open)
	if !s.f.hasBoundary {
		return s.skip()
	}
	s.open = append(s.open, s.f.boundary)
	at, err := s.skip() // the preamble
	for err == nil && at.level == level && !at.closing {
		if s.parts >= maxParts {
			// All that follows belongs to this part, as if it had no boundaries.
			s.open = s.open[:0]
			return s.skip()
		}
		child := new(Part)
		p.Children = append(p.Children, child)
		at, err = s.part(child, depth+1, p.MediaType == "multipart/digest")
	}
	if err != nil || len(s.open) <= level {
		return at, err
	}
	s.open = s.open[:level]
	if at.level == level {
		return s.skip() // the epilogue
	}
	return at, nil
}

// emptyPart is what stands for the parts of p where there are none.
func emptyPart(p *Part, at position) *Part {
	child := &Part{isMessage: p.kind == rfc822}
	child.Header = rangeOf(at, at)
	child.Body = child.Header
	f := fieldSets.Get().(*fieldSet)
	f.begin(child.isMessage)
	budget := maxFields
	f.describe(child, false, true, &budget)
	f.release()
	return child
}

// header scans a header up to the empty line after it, the end, or a boundary:
// then hit is true.
func (s *scanner) header(p *Part) (at stop, hit bool, err error) {
	s.f.begin(p.isMessage)
	for bol := true; ; {
		line, err := s.peekLine()
		if err != nil {
			return stop{}, false, err
		}
		if len(line) == 0 {
			return stop{}, false, nil
		}
		if bol {
			if at, hit = s.boundary(line); hit {
				return at, true, s.finishLine(line)
			}
			if blank(line) {
				s.advance(len(line))
				return stop{}, false, nil
			}
		}
		s.f.add(line, bol)
		bol = complete(line)
		s.advance(len(line))
	}
}

// skip consumes octets up to a boundary of an open multipart, or the end. It
// begins at the start of a line.
func (s *scanner) skip() (stop, error) {
	for bol := true; ; {
		if s.r == s.w || bol && s.w-s.r < 2 {
			if err := s.fill(); err != nil {
				return stop{}, err
			}
		}
		b := s.unread()
		if len(b) == 0 {
			return stop{level: -1, end: s.pos}, nil
		}
		if len(s.open) == 0 {
			s.advance(len(b))
			continue
		}
		if bol && bytes.HasPrefix(b, dashes) {
			line, err := s.peekLine()
			if err != nil {
				return stop{}, err
			}
			if at, hit := s.boundary(line); hit {
				return at, s.finishLine(line)
			}
			bol = complete(line)
			s.advance(len(line))
			continue
		}
		if i := lineWithDashes(b); i >= 0 {
			s.advance(i)
			bol = true
			continue
		}
		bol = false
		if s.next == s.end {
			s.advance(len(b))
			continue
		}
		s.advance(max(len(b)-2, 0)) // the last octets may be the start of "\n--"
		if err := s.fill(); err != nil {
			return stop{}, err
		}
	}
}

// boundary reports whether a line is a delimiter of an open multipart.
func (s *scanner) boundary(line []byte) (stop, bool) {
	if len(s.open) == 0 || !bytes.HasPrefix(line, dashes) {
		return stop{}, false
	}
	level, closing := findBoundary(s.open, trimEOL(line[2:]))
	if level < 0 {
		return stop{}, false
	}
	end := s.pos
	if s.eol > 0 {
		end = position{end.disk - s.eol, end.wire - 2, end.lines - 1}
	}
	return stop{level, closing, end}, true
}

// finishLine consumes the line of which piece has been peeked at.
func (s *scanner) finishLine(piece []byte) error {
	for {
		s.advance(len(piece))
		if len(piece) == 0 || s.eol > 0 {
			return nil
		}
		var err error
		if piece, err = s.peekLine(); err != nil {
			return err
		}
	}
}

// advance consumes n octets of the window, and counts.
func (s *scanner) advance(n int) {
	if n == 0 {
		return
	}
	b := s.buf[s.r : s.r+n]
	s.r += n
	lf := bytes.Count(b, lfOctet)
	bare := lf
	if lf > 0 {
		if b[0] == '\n' && s.lastCR {
			bare--
		}
		if bytes.IndexByte(b, '\r') >= 0 {
			bare -= countCRLF(b)
		}
	}
	s.eol = 0
	if b[n-1] == '\n' {
		s.eol = 1
		if n > 1 && b[n-2] == '\r' || n == 1 && s.lastCR {
			s.eol = 2
		}
	}
	s.lastCR = b[n-1] == '\r'
	s.pos.disk += int64(n)
	s.pos.wire += int64(n + bare)
	s.pos.lines += int64(lf)
	s.st.nul = s.st.nul || bytes.IndexByte(b, 0) >= 0
	if !s.lastCR {
		last := mark{}
		if len(s.marks) > 0 {
			last = s.marks[len(s.marks)-1]
		}
		if s.pos.wire-last.wire >= markEvery {
			s.marks = append(s.marks, mark{s.pos.disk, s.pos.wire})
		}
	}
}

// lineWithDashes returns where the first line but one that begins with "--" is in b, or -1. What
// is looked for is the dash, which is rare in text and never in base64, and not the line
// end, which comes every 76 octets.
func lineWithDashes(b []byte) int {
	for i := 0; ; {
		n := bytes.IndexByte(b[i:], '-')
		if n < 0 {
			return -1
		}
		i += n
		if i > 0 && b[i-1] == '\n' && i+1 < len(b) && b[i+1] == '-' {
			return i
		}
		for i < len(b) && b[i] == '-' {
			i++
		}
	}
}

// countCRLF counts the CRLFs in b, eight octets at a time: bytes.Count
// with two octets stops at each.
func countCRLF(b []byte) int {
	const (
		ones = 0x0101010101010101
		low7 = 0x7f * ones
	)
	n, cr := 0, uint64(0) // cr: the octet before was CR
	for ; len(b) >= 8; b = b[8:] {
		x := binary.LittleEndian.Uint64(b)
		// The high bit of an octet is set where it is zero.
		lf, r := x^'\n'*ones, x^'\r'*ones
		lf = ^((lf&low7 + low7) | lf | low7)
		r = ^((r&low7 + low7) | r | low7)
		n += bits.OnesCount64(lf & (r<<8 | cr))
		cr = r >> 56
	}
	for _, c := range b {
		if c == '\n' && cr != 0 {
			n++
		}
		cr = 0
		if c == '\r' {
			cr = 1
		}
	}
	return n
}

func rangeOf(from, to position) Range {
	return Range{Start: from.disk, End: to.disk, Wire: to.wire - from.wire, wireStart: from.wire}
}

// clamp returns the later of p and least.
func clamp(p, least position) position {
	if p.disk < least.disk {
		return least
	}
	return p
}

var (
	lfOctet = []byte{'\n'}
	crlf    = []byte("\r\n")
	dashes  = []byte("--")
)
