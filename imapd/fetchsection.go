package imapd

import (
	"errors"
	"strconv"
	"strings"

	"maildir-imapd/backend"
	"maildir-imapd/imapd/wire"
	"maildir-imapd/message"
)

// specifiers of a section by their names on the wire.
var specifiers = map[string]message.Specifier{
	"":                  message.All,
	"HEADER":            message.Header,
	"HEADER.FIELDS":     message.HeaderFields,
	"HEADER.FIELDS.NOT": message.HeaderFieldsNot,
	"TEXT":              message.Text,
	"MIME":              message.MIME,
}

// parseBody takes BODY, the short form of BODYSTRUCTURE, or BODY[section]<partial>.
func parseBody(f *fetch, d *wire.Decoder) {
	if d.Peek() == '[' {
		f.parseSection(d, true)
		return
	}
	f.add(fetchItem{name: "BODY", write: structureWriter(false)})
}

func parseBodyPeek(f *fetch, d *wire.Decoder) { f.parseSection(d, false) }

func (f *fetch) parseSection(d *wire.Decoder, setsSeen bool) {
	sec := d.Section()
	f.addContent(d, sectionName(sec), setsSeen, findSection(message.Section{
		Path:      sec.Path,
		Specifier: specifiers[sec.Text],
		Fields:    sec.Fields,
	}))
}

// parseRFC822 is RFC822 and its like, other names of sections (RFC 3501 §6.4.5).
func parseRFC822(name string, spec message.Specifier, setsSeen bool) func(f *fetch, d *wire.Decoder) {
	return func(f *fetch, _ *wire.Decoder) {
		f.setsSeen = f.setsSeen || setsSeen
		f.add(fetchItem{name: name, write: contentWriter(findSection(message.Section{Specifier: spec}), wholeContent)})
	}
}

// findContent finds octets in the message that is open; ok is false where it has no such part.
type findContent func(f *fetch) (c message.Content, ok bool, err error)

func findSection(sec message.Section) findContent {
	if len(sec.Path) == 0 && sec.Specifier == message.HeaderFields && backend.Indexed(sec.Fields...) {
		return func(f *fetch) (message.Content, bool, error) { return f.indexedFields(sec) }
	}
	return func(f *fetch) (message.Content, bool, error) { return f.section(sec) }
}

// indexedFields finds header fields that may be known without opening the message.
func (f *fetch) indexedFields(sec message.Section) (message.Content, bool, error) {
	if c, ok := f.c.view.HeaderFields(f.seq, sec.Fields); ok {
		return c, true, nil
	}
	return f.section(sec)
}

// addContent takes the partial, if there is one, and adds the item.
func (f *fetch) addContent(d *wire.Decoder, name string, setsSeen bool, find findContent) {
	part, key := wholeContent, name
	if p, ok := d.TryPartial(); ok {
		part = p
		name += "<" + strconv.FormatInt(p.Offset, 10) + ">"
		key = name + strconv.FormatInt(p.Count, 10)
	}
	f.setsSeen = f.setsSeen || setsSeen
	f.add(fetchItem{name, key, contentWriter(find, part)})
}

// sectionName is BODY[section] as it stands in the response, in upper case.
func sectionName(s wire.Section) string {
	b := appendPath([]byte("BODY["), s.Path)
	if len(s.Path) > 0 && s.Text != "" {
		b = append(b, '.')
	}
	b = append(b, s.Text...)
	for i, field := range s.Fields {
		if i == 0 {
			b = append(b, " ("...)
		} else {
			b = append(b, ' ')
		}
		b = wire.AppendAString(b, strings.ToUpper(field))
	}
	if len(s.Fields) > 0 {
		b = append(b, ')')
	}
	return string(append(b, ']'))
}

// appendPath appends part numbers: 1.2.3.
func appendPath(b []byte, path []int) []byte {
	for i, n := range path {
		if i > 0 {
			b = append(b, '.')
		}
		b = strconv.AppendInt(b, int64(n), 10)
	}
	return b
}

// wholeContent is the partial that leaves nothing out.
var wholeContent = wire.Partial{Offset: 0, Count: 1<<63 - 1}

// contentWriter writes octets as a literal. Where the message is gone, or has no such part, NIL.
func contentWriter(find findContent, part wire.Partial) func(f *fetch, b []byte) ([]byte, error) {
	return func(f *fetch, b []byte) ([]byte, error) {
		content, ok, err := find(f)
		if errors.Is(err, backend.ErrGone) {
			f.gone, ok, err = true, false, nil // as Dovecot has it
		}
		switch {
		case err != nil:
			return b, err
		case !ok:
			return append(b, "NIL"...), nil
		}
		if x, ok := content.(*message.Binary); ok && x.HasNUL() {
			b = append(b, '~') // literal8 (RFC 3516 §4.3)
		}
		return f.literal(b, content, part)
	}
}

// section finds a section. The header of the message itself is read without the rest of it.
func (f *fetch) section(sec message.Section) (c message.Content, ok bool, err error) {
	file, err := f.open()
	if err != nil {
		return nil, false, err
	}
	if len(sec.Path) == 0 {
		switch sec.Specifier {
		case message.All:
			c, err = file.Whole()
			return c, true, err
		case message.Header, message.HeaderFields, message.HeaderFieldsNot:
			h, err := file.Header()
			if err != nil {
				return nil, false, err
			}
			if sec.Specifier == message.Header {
				c, err = h.All()
			} else {
				c, err = h.Fields(sec.Fields, sec.Specifier == message.HeaderFieldsNot)
			}
			return c, true, err
		}
	}
	s, err := file.Structure()
	if err != nil {
		return nil, false, err
	}
	return s.Lookup(file, sec)
}

// literal writes a literal, without holding more of it in memory than the output buffer. When
// the file has become shorter since it was measured, the literal can't be finished, and nothing that
// could follow would be understood: the connection ends.
func (f *fetch) literal(b []byte, content message.Content, part wire.Partial) ([]byte, error) {
	size := content.Len()
	off := min(part.Offset, size)
	n := min(part.Count, size-off)
	out := &f.c.out
	out.end(wire.AppendLiteral(b, n))
	if err := content.WriteRange(out, off, n); err != nil {
		if out.err != nil {
			return nil, f.c.ctx.Err() // the client is gone
		}
		out.abort(err)
		return nil, err
	}
	return out.begin(), nil
}

// abort makes the connection end without another octet.
func (w *writer) abort(err error) {
	w.err = err
	w.failed()
}
