package message

import (
	"bytes"
	"io"
	"strings"
	"sync"

	"golang.org/x/text/transform"
)

// Matcher looks for a text in messages, as SEARCH does: a substring in any case (RFC 3501
// §6.4.4), in text that has been decoded. The empty text is found
// everywhere. Safe for concurrent use.
type Matcher struct {
	needle needle // folded
	spaced needle // for fields: folded, white space as single spaces
	hasLF  bool   // line ends matter
}

// NewMatcher returns a Matcher for a text in UTF-8.
func NewMatcher(text string) *Matcher {
	folded := fold(nil, []byte(text))
	m := &Matcher{hasLF: bytes.IndexByte(folded, '\n') >= 0}
	m.spaced = newNeedle(spaces(bytes.Clone(folded)))
	if m.hasLF {
		folded = withoutCR(folded)
	}
	m.needle = newNeedle(folded)
	return m
}

// matchBuffers are what one search needs.
type matchBuffers struct {
	value, shown, folded []byte
	header               HeaderBlock // of a part
	parser               addressParser
}

var matchPool = sync.Pool{New: func() any { return new(matchBuffers) }}

func (b *matchBuffers) release() {
	b.header.src = nil
	if max(cap(b.value), cap(b.shown), cap(b.folded), cap(b.header.raw)) <= 4*blockSize {
		matchPool.Put(b)
	}
}

// Field looks in the fields with this name in any case, each by itself: in the decoded value
// as it is written and, with addresses, as it is displayed. The empty text is found where there is such a
// field.
func (m *Matcher) Field(h *HeaderBlock, name string) bool {
	bufs := matchPool.Get().(*matchBuffers)
	defer bufs.release()
	sel := selector{names: []string{name}}
	for raw := range h.fields() {
		if sel.wants(raw) && m.field(bufs, raw, false) {
			return true
		}
	}
	return false
}

// Header looks in all fields, in their names too.
func (m *Matcher) Header(h *HeaderBlock) bool {
	if len(m.needle.text) == 0 {
		return true
	}
	bufs := matchPool.Get().(*matchBuffers)
	defer bufs.release()
	return m.fields(bufs, h)
}

// fields looks in all fields.
func (m *Matcher) fields(bufs *matchBuffers, h *HeaderBlock) bool {
	for raw := range h.fields() {
		if m.field(bufs, raw, true) {
			return true
		}
	}
	return false
}

// field looks in a field with all its lines.
func (m *Matcher) field(bufs *matchBuffers, raw []byte, withName bool) bool {
	if len(m.spaced.text) == 0 {
		return true
	}
	name, _, ok := cutField(raw)
	b := bufs.value[:0]
	if withName && ok {
		b = append(append(b, name...), ':', ' ')
	}
	head := len(b)
	b = unfold(b, raw)
	bufs.value = b
	if m.value(bufs, b) {
		return true
	}
	if !ok || !isAddressField(name) {
		return false
	}
	bufs.shown = appendDisplayed(bufs.shown[:0], b[head:], &bufs.parser)
	bufs.folded = spaces(fold(bufs.folded[:0], bufs.shown))
	return m.spaced.in(bufs.folded)
}

// value looks in an unfolded value, encoded words decoded.
func (m *Matcher) value(bufs *matchBuffers, b []byte) bool {
	if bytes.Contains(b, wordStart) {
		bufs.shown = appendDecodedWords(bufs.shown[:0], b)
		b = bufs.shown
	}
	bufs.folded = spaces(fold(bufs.folded[:0], b))
	return m.spaced.in(bufs.folded)
}

// isAddressField reports whether a field's value is an address list.
func isAddressField(name []byte) bool {
	if len(name) > 7 && equalFold(name[:7], "resent-") {
		name = name[7:]
	}
	switch lookupField(name) {
	case fieldFrom, fieldSender, fieldReplyTo, fieldTo, fieldCc, fieldBcc:
		return true
	}
	return false
}

// appendDisplayed appends an address list as clients show it: names decoded and without
// quotes, in front of their addresses.
func appendDisplayed(dst, list []byte, p *addressParser) []byte {
	p.reset(list)
	for a, ok := p.next(); ok; a, ok = p.next() {
		switch a.kind {
		case groupStart:
			dst = append(appendDecodedWords(dst, a.name), ": "...)
			continue
		case groupEnd:
			continue
		}
		if len(a.name) > 0 {
			dst = append(appendDecodedWords(dst, a.name), ' ')
		}
		dst = append(appendUTF8(append(dst, '<'), a.mailbox), '@')
		dst = append(appendUTF8(dst, a.host), ">, "...)
	}
	return dst
}

// Body looks in the body of a message: in its parts of type text and message, decoded, and in the messages
// in it with their headers, but not in parts of other types, nor between parts (RFC 9051 §6.4.4).
func (m *Matcher) Body(src io.ReaderAt, s *Structure) (bool, error) {
	if len(m.needle.text) == 0 {
		return true, nil
	}
	return m.body(src, s.Root, false)
}

// Text looks in the header and the body of a message, and in the headers
// of its parts.
func (m *Matcher) Text(src io.ReaderAt, s *Structure) (bool, error) {
	if len(m.needle.text) == 0 {
		return true, nil
	}
	if ok, err := m.header(src, s.Root); ok || err != nil {
		return ok, err
	}
	return m.body(src, s.Root, true)
}

// body looks in the body of p, and in the headers of the messages in it, of the
// other parts if headers is set.
func (m *Matcher) body(src io.ReaderAt, p *Part, headers bool) (bool, error) {
	encoded := p.MediaType == global && (p.encoding == cteBase64 || p.encoding == cteQuotedPrintable) // RFC 6532 §3.7 allows it
	if p.kind == text || encoded || p.kind == leaf && strings.HasPrefix(p.MediaType, "message/") {
		return m.text(src, p)
	}
	for _, child := range p.Children {
		if headers || p.kind == rfc822 {
			if ok, err := m.header(src, child); ok || err != nil {
				return ok, err
			}
		}
		if ok, err := m.body(src, child, headers); ok || err != nil {
			return ok, err
		}
	}
	return false, nil
}

// header looks in the header of p.
func (m *Matcher) header(src io.ReaderAt, p *Part) (bool, error) {
	if p.Header.Start == p.Header.End {
		return false, nil
	}
	bufs := matchPool.Get().(*matchBuffers)
	defer bufs.release()
	if err := bufs.header.read(src, p.Header.Start, p.Header.End); err != nil {
		return false, err
	}
	return m.fields(bufs, &bufs.header), nil
}

// text looks in a part as it is decoded.
func (m *Matcher) text(src io.ReaderAt, p *Part) (bool, error) {
	bufs := matchPool.Get().(*matchBuffers)
	defer bufs.release()
	t := textMatcher{m: m, bufs: bufs}
	bufs.folded = bufs.folded[:0]
	write := t.write
	var c *charsetReader
	if !isUTF8(p.Charset) {
		if e, err := charsetNamed(p.Charset); err == nil { // else what is ASCII can be found
			c = &charsetReader{decoder: e.NewDecoder(), emit: t.write}
			write = c.write
		}
	}
	err := p.decode(src, decodeMark{disk: p.Body.Start}, false, nil, write)
	if err == nil && c != nil {
		err = c.finish()
	}
	if err == nil {
		err = t.finish()
	}
	if err == errDone {
		return true, nil
	}
	return false, err
}

// textMatcher looks in a stream of UTF-8. It ends with errDone when the text is found.
type textMatcher struct {
	m    *Matcher
	bufs *matchBuffers
	fold folder
}

func (t *textMatcher) write(b []byte) error { return t.look(t.fold.append(t.bufs.folded, b)) }

func (t *textMatcher) finish() error { return t.look(t.fold.finish(t.bufs.folded)) }

// look looks in b, which begins with what was kept, and keeps as much of
// its end as a match can begin in.
func (t *textMatcher) look(b []byte) error {
	if t.m.hasLF {
		b = withoutCR(b)
	}
	if t.m.needle.in(b) {
		return errDone
	}
	keep := min(len(t.m.needle.text)-1, len(b))
	t.bufs.folded = b[:copy(b, b[len(b)-keep:])]
	return nil
}

// charsetReader makes UTF-8 of a stream in another charset.
type charsetReader struct {
	decoder transform.Transformer
	emit    func([]byte) error
	rest    []byte // what of a character has come
}

func (c *charsetReader) write(b []byte) error {
	if len(c.rest) > 0 {
		b = append(c.rest, b...)
	}
	n, err := c.transform(b, false)
	c.rest = append(c.rest[:0], b[n:]...)
	return err
}

func (c *charsetReader) finish() error {
	_, err := c.transform(c.rest, true)
	return err
}

// transform converts b as far as it goes, and returns how far.
func (c *charsetReader) transform(b []byte, atEOF bool) (int, error) {
	out := blocks.Get().(*block)
	defer blocks.Put(out)
	done := 0
	for {
		nDst, nSrc, err := c.decoder.Transform(out[:], b[done:], atEOF)
		done += nSrc
		if nDst > 0 {
			if err := c.emit(out[:nDst]); err != nil {
				return done, err
			}
		}
		switch {
		case err == transform.ErrShortDst && nSrc+nDst > 0:
		case err == nil || err == transform.ErrShortSrc && len(b)-done < 64:
			return done, nil
		default: // it can't be decoded from here
			return len(b), nil
		}
	}
}

// fold appends the folded form of b.
func fold(dst, b []byte) []byte {
	var f folder
	return f.finish(f.append(dst, b))
}

// spaces makes one space of each stretch of white space, in place.
func spaces(b []byte) []byte {
	if bytes.IndexByte(b, '\t') < 0 && !bytes.Contains(b, doubleSpace) && !bytes.ContainsAny(b, "\r\n") {
		return b
	}
	n := 0
	for _, c := range b {
		if strings.IndexByte(" \t\r\n", c) >= 0 {
			if n > 0 && b[n-1] == ' ' {
				continue
			}
			c = ' '
		}
		b[n] = c
		n++
	}
	return b[:n]
}

var doubleSpace = []byte("  ")

// withoutCR removes CRs, in place.
func withoutCR(b []byte) []byte {
	if bytes.IndexByte(b, '\r') < 0 {
		return b
	}
	n := 0
	for _, c := range b {
		if c != '\r' {
			b[n] = c
			n++
		}
	}
	return b[:n]
}
