package wire

import "strings"

// Section is the section of BODY[section] (RFC 9051 §6.4.5).
type Section struct {
	Path []int // part numbers, from 1
	// Text is "", HEADER, HEADER.FIELDS, HEADER.FIELDS.NOT, TEXT or MIME.
	Text   string
	Fields []string // of HEADER.FIELDS and HEADER.FIELDS.NOT, as the client wrote them
}

// maxPath is the greatest depth of a part that can be named. Nobody nests so deep, and a path
// is kept for each item of a FETCH.
const maxPath = 100

// Section takes a section with its brackets.
func (d *Decoder) Section() (s Section) {
	d.Expect('[')
	if d.Try(']') {
		return s
	}
	if s.Path = d.sectionPath(); s.Path != nil {
		if d.Try(']') {
			return s
		}
		d.Expect('.')
	}
	s.Text = strings.ToUpper(d.take(classItem, "a section"))
	switch s.Text {
	case "HEADER", "TEXT":
	case "HEADER.FIELDS", "HEADER.FIELDS.NOT":
		d.SP()
		d.List(func() { s.Fields = append(s.Fields, d.headerField()) })
	case "MIME":
		if s.Path == nil {
			d.Fail("a part number before MIME")
		}
	default:
		d.Fail("a section")
	}
	d.Expect(']')
	return s
}

// ParseSection reads a section that stands alone, without brackets, as in the SECTION of an IMAP URL (RFC 5092
// §11).
func ParseSection(s string) (Section, error) {
	d := Decoder{line: []byte("[" + s + "]"), litLeft: -1} // there is nobody who could send a literal
	sec := d.Section()
	d.End()
	return sec, d.err
}

// SectionPart takes the section of BINARY[section] with its brackets: part
// numbers, or nothing (RFC 3516 §4.2).
func (d *Decoder) SectionPart() []int {
	d.Expect('[')
	path := d.sectionPath()
	d.Expect(']')
	return path
}

// sectionPath takes 1.2.3, leaving a dot that is not followed by a number. It is nil where
// there is no number.
func (d *Decoder) sectionPath() (path []int) {
	if !isDigit(d.Peek()) {
		return nil
	}
	for {
		path = append(path, int(d.number(1<<31-1, "a part number")))
		if d.err == nil && path[len(path)-1] == 0 {
			d.Fail("a part number greater than 0")
		}
		if len(path) > maxPath {
			d.Fail("fewer part numbers")
		}
		if d.err != nil || len(d.line) < 2 || d.line[0] != '.' || !isDigit(d.line[1]) {
			return path
		}
		d.line = d.line[1:]
	}
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// ItemName takes the name of a FETCH item, without a section: '[', which begins
// one, is an ATOM-CHAR, so that the name of BODY[...] is no atom. In upper case.
func (d *Decoder) ItemName() string {
	return strings.ToUpper(d.take(classItem, "a data item's name"))
}

// headerField takes header-fld-name: an astring that could be a field's name.
func (d *Decoder) headerField() string {
	name := d.AString()
	for i := range len(name) {
		if classes[name[i]]&classField == 0 {
			d.Fail("a header field's name")
			return ""
		}
	}
	if name == "" {
		d.Fail("a header field's name")
	}
	return name
}

// Partial is <offset.count> (RFC 9051 §6.4.5), in octets.
type Partial struct {
	Offset int64
	Count  int64 // greater than 0
}

// TryPartial takes a partial, if there is one.
func (d *Decoder) TryPartial() (p Partial, ok bool) {
	if !d.Try('<') {
		return p, false
	}
	p.Offset = d.Number64()
	d.Expect('.')
	p.Count = d.Number64()
	if p.Count == 0 {
		d.Fail("a count greater than 0")
	}
	d.Expect('>')
	return p, d.err == nil
}
