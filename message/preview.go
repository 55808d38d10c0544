package message

import (
	"html"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	xunicode "golang.org/x/text/encoding/unicode"
)

// PreviewLength is the greatest length of a preview in characters (RFC 8970 §3.3).
const PreviewLength = 200

// Bounds of what is read for a preview.
const (
	previewParts  = 16      // text parts that are tried
	previewOctets = 1 << 20 // decoded octets of each
)

// Preview returns the beginning of the message's text, in UTF-8 and PreviewLength characters at
// most (RFC 8970): of its first text part that has any, plain text before HTML in a multipart/alternative,
// without markup, quoted text and superfluous white space. It is "" where there is no such text, or
// none that we can read, as in encrypted mail.
func (s *Structure) Preview(src io.ReaderAt) (string, error) {
	parts := previewable(nil, s.Root)
	for _, p := range parts[:min(len(parts), previewParts)] {
		text, err := p.preview(src)
		if text != "" || err != nil {
			return text, err
		}
	}
	return "", nil
}

// previewable appends the text parts of p in the order in which they are tried. A message within the message
// is not this message's text.
func previewable(list []*Part, p *Part) []*Part {
	switch {
	case p.kind == text:
		return append(list, p)
	case p.kind != multipart || p.MediaType == "multipart/encrypted":
		return list
	}
	first := len(list)
	for _, child := range p.Children {
		list = previewable(list, child)
	}
	if p.MediaType == "multipart/alternative" {
		for i := first; i < len(list); i++ {
			if list[i].MediaType == "text/plain" {
				plain := list[i]
				copy(list[first+1:i+1], list[first:i])
				list[first] = plain
				break
			}
		}
	}
	return list
}

// preview returns the beginning of a text part.
func (p *Part) preview(src io.ReaderAt) (string, error) {
	var own, quoted previewText
	t := previewer{own: &own, quoted: &quoted, html: p.MediaType == "text/html", lineStart: true}
	decoder := xunicode.UTF8.NewDecoder() // what is no UTF-8 becomes U+FFFD
	if !isUTF8(p.Charset) {
		if e, err := charsetNamed(p.Charset); err == nil {
			decoder = e.NewDecoder()
		}
	}
	c := charsetReader{decoder: decoder, emit: t.write}
	err := p.decode(src, decodeMark{disk: p.Body.Start}, false, nil, c.write)
	if err == nil {
		err = c.finish()
	}
	if err != nil && err != errDone {
		return "", err
	}
	t.endEntity()
	if own.n > 0 {
		return own.b.String(), nil
	}
	if quoted.n > 1 {
		return quoted.b.String(), nil
	}
	return "", nil
}

// previewText collects a preview.
type previewText struct {
	b     strings.Builder
	n     int  // characters
	space bool // there was white space after the last of them
}

// add adds a character, or one space for a run of white space. It returns false when the text is full.
func (t *previewText) add(r rune) bool {
	if t.n >= PreviewLength {
		return false
	}
	switch r {
	case '\u00ad', '\u034f', '\u200b', '\u2060', '\ufeff': // invisible
		return true
	case '\u200c', '\u200d': // they join letters; between spaces they are padding
		if t.space || t.n == 0 {
			return true
		}
	}
	if unicode.IsSpace(r) || unicode.IsControl(r) {
		t.space = t.n > 0
		return true
	}
	if t.space {
		if t.n+2 > PreviewLength {
			return false
		}
		t.b.WriteByte(' ')
		t.n++
		t.space = false
	}
	t.b.WriteRune(r)
	t.n++
	return true
}

// previewer makes text of a stream of characters, plain or HTML. What is quoted from another message is shown
// only where there is nothing else, with a > before it.
type previewer struct {
	own, quoted *previewText
	html        bool
	octets      int

	// of plain text
	lineStart, inQuote bool

	// of HTML
	state  htmlState
	tag    []byte // of a tag: its beginning; of an entity: all of it
	quote  rune   // within an attribute's value
	skip   string // the element whose contents are no text
	dashes int    // at the end of a comment
	depth  int    // of blockquotes
}

type htmlState uint8

const (
	htmlText htmlState = iota
	htmlTag
	htmlComment
	htmlEntity
)

const (
	maxTag    = 32 // octets of a tag that are looked at
	maxEntity = 32
)

// write takes the next characters, of which none is cut in two. errDone says that the preview is full.
func (p *previewer) write(b []byte) error {
	if p.octets += len(b); p.octets > previewOctets {
		return errDone
	}
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		b = b[n:]
		next := p.plain
		if p.html {
			next = p.markup
		}
		if !next(r) {
			return errDone
		}
	}
	return nil
}

func (p *previewer) plain(r rune) bool {
	if p.lineStart {
		p.inQuote = r == '>'
	}
	p.lineStart = r == '\n'
	if p.inQuote {
		if p.quoted.n == 0 || r != '>' {
			p.quoted.add(r)
		}
		return true
	}
	return p.own.add(r)
}

// text adds a character of HTML.
func (p *previewer) text(r rune) bool {
	switch {
	case p.skip != "":
		return true
	case p.depth > 0:
		if p.quoted.n == 0 {
			p.quoted.add('>')
		}
		p.quoted.add(r)
		return true
	}
	return p.own.add(r)
}

// markup takes a character of HTML.
func (p *previewer) markup(r rune) bool {
	switch p.state {
	case htmlText:
		switch r {
		case '<':
			p.state, p.tag, p.quote = htmlTag, p.tag[:0], 0
			return true
		case '&':
			p.state, p.tag = htmlEntity, append(p.tag[:0], '&')
			return true
		}
		return p.text(r)
	case htmlTag:
		return p.inTag(r)
	case htmlComment:
		switch {
		case r == '>' && p.dashes >= 2:
			p.state = htmlText
		case r == '-':
			p.dashes++
		default:
			p.dashes = 0
		}
		return true
	default: // htmlEntity
		if r < 0x80 && (r == '#' || '0' <= r && r <= '9' || 'a' <= r|0x20 && r|0x20 <= 'z') && len(p.tag) < maxEntity {
			p.tag = append(p.tag, byte(r))
			return true
		}
		if r == ';' {
			p.tag = append(p.tag, ';')
			return p.endEntity()
		}
		return p.endEntity() && p.markup(r)
	}
}

// inTag takes a character between < and >.
func (p *previewer) inTag(r rune) bool {
	switch {
	case p.quote != 0 && p.skip == "":
		if r == p.quote {
			p.quote = 0
		}
	case r == '>':
		p.state = htmlText
		return p.endTag()
	case r == '<' && p.skip != "": // a < in a script
		p.tag = p.tag[:0]
	case len(p.tag) == 0 && r != '/' && r != '!' && r != '?' && !unicode.IsLetter(r) && p.skip == "":
		p.state = htmlText // a < that is text
		return p.text('<') && p.markup(r)
	case r == '"' || r == '\'':
		p.quote = r
	case len(p.tag) < maxTag && r < 0x80:
		p.tag = append(p.tag, byte(r))
		if string(p.tag) == "!--" && p.skip == "" {
			p.state, p.dashes = htmlComment, 2 // "<!-->" is whole
		}
	}
	return true
}

// endTag acts on a tag that is complete.
func (p *previewer) endTag() bool {
	name := strings.ToLower(string(p.tag))
	name, closing := strings.CutPrefix(name, "/")
	if i := strings.IndexAny(name, " \t\r\n/"); i >= 0 {
		name = name[:i]
	}
	switch {
	case p.skip != "":
		if closing && name == p.skip {
			p.skip = ""
		}
		return true
	case name == "style" || name == "script" || name == "title" || name == "template":
		if !closing {
			p.skip = name
		}
		return true
	case name == "blockquote":
		if !closing {
			p.depth++
		} else if p.depth > 0 {
			p.depth--
		}
	case inlineTags[name]:
		return true
	}
	return p.text(' ')
}

// inlineTags do not part words.
var inlineTags = map[string]bool{
	"a": true, "abbr": true, "b": true, "big": true, "code": true, "em": true, "font": true, "i": true, "ins": true, "mark": true,
	"s": true, "small": true, "span": true, "strike": true, "strong": true, "sub": true, "sup": true, "tt": true, "u": true, "wbr": true,
}

// endEntity adds what an entity stands for, or the entity as it is written.
func (p *previewer) endEntity() bool {
	if p.state != htmlEntity {
		return true
	}
	p.state = htmlText
	for _, r := range html.UnescapeString(string(p.tag)) {
		if !p.text(r) {
			return false
		}
	}
	return true
}
