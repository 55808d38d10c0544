package message

import (
	"bytes"
	"sync"
)

// field is a header field that ENVELOPE or BODYSTRUCTURE is made of.
type field uint8

const (
	noField field = iota
	fieldDate
	fieldSubject
	fieldFrom
	fieldSender
	fieldReplyTo
	fieldTo
	fieldCc
	fieldBcc
	fieldInReplyTo
	fieldMessageID
	lastEnvelopeField = fieldMessageID
)

const (
	fieldType field = iota + lastEnvelopeField + 1
	fieldEncoding
	fieldID
	fieldDescription
	fieldDisposition
	fieldMD5
	fieldLanguage
	fieldLocation
)

// maxFields is how many octets of the fields above are kept of one header, and
// maxFieldCount how many of them.
const (
	maxFields     = 1 << 20
	maxFieldCount = 1000
)

// fieldSet collects the fields of one header that ENVELOPE and BODYSTRUCTURE need,
// unfolded, and nothing else, so that a header of any size costs little memory.
type fieldSet struct {
	buf     []byte // the values, one after the other
	list    []fieldValue
	current field // that of the last line
	message bool  // envelope fields are wanted, too
	scratch []byte

	boundary    boundary // of the multipart that was described last
	hasBoundary bool
	parser      addressParser
}

type fieldValue struct {
	field      field
	start, end int // in buf
}

var fieldSets = sync.Pool{New: func() any { return new(fieldSet) }}

// release gives the set back to its pool.
func (f *fieldSet) release() {
	if cap(f.buf) <= blockSize && cap(f.scratch) <= blockSize {
		fieldSets.Put(f)
	}
}

// begin empties the set for the next header.
func (f *fieldSet) begin(message bool) {
	f.buf, f.list, f.current, f.message = f.buf[:0], f.list[:0], noField, message
}

// add takes the next line of the header, or where bol is false, the next
// piece of one.
func (f *fieldSet) add(line []byte, bol bool) {
	if bol && !isFolded(line) {
		f.current = noField
		name, value, ok := cutField(line)
		if !ok {
			return
		}
		if f.current = lookupField(name); f.current == noField || len(f.list) == maxFieldCount ||
			f.current <= lastEnvelopeField && !f.message {
			f.current = noField
			return
		}
		f.list = append(f.list, fieldValue{f.current, len(f.buf), len(f.buf)})
		line = value
	}
	if f.current == noField {
		return
	}
	line = trimEOL(line)
	line = line[:min(len(line), maxFields-len(f.buf))]
	f.buf = append(f.buf, line...)
	f.list[len(f.list)-1].end = len(f.buf)
}

// value returns the value of a field entry without white space around it. CR, which
// can be in the middle of a line only, becomes a space.
func (f *fieldSet) value(v fieldValue) []byte {
	b := bytes.Trim(f.buf[v.start:v.end], " \t\r")
	for rest := b; ; {
		i := bytes.IndexByte(rest, '\r')
		if i < 0 {
			return b
		}
		rest[i] = ' '
		rest = rest[i+1:]
	}
}

// first returns the value of the first field of that name.
func (f *fieldSet) first(want field) (value []byte, ok bool) {
	for _, v := range f.list {
		if v.field == want {
			return f.value(v), true
		}
	}
	return nil, false
}

// last returns the value of the last field of that name.
func (f *fieldSet) last(want field) (value []byte, ok bool) {
	for i := len(f.list) - 1; i >= 0; i-- {
		if f.list[i].field == want {
			return f.value(f.list[i]), true
		}
	}
	return nil, false
}

// isFolded reports whether a header line continues the one before.
func isFolded(line []byte) bool {
	return len(line) > 0 && (line[0] == ' ' || line[0] == '\t')
}

// cutField cuts a header line into name and value. White space before the
// colon is allowed (RFC 5322 §4.5.8), but a name has none in it: so the first
// line of an mbox, "From x Mon Jan  1 00:00:00", is no field.
func cutField(line []byte) (name, value []byte, ok bool) {
	i := bytes.IndexByte(line, ':')
	if i <= 0 {
		return nil, nil, false
	}
	name = bytes.TrimRight(line[:i], " \t")
	for _, c := range name {
		if c <= ' ' || c == 0x7f {
			return nil, nil, false
		}
	}
	return name, line[i+1:], len(name) > 0
}

// lookupField finds the field with this name in any case.
func lookupField(name []byte) field {
	var buf [32]byte
	if len(name) > len(buf) {
		return noField
	}
	for i, c := range name {
		buf[i] = lower(c)
	}
	switch string(buf[:len(name)]) {
	case "date":
		return fieldDate
	case "subject":
		return fieldSubject
	case "from":
		return fieldFrom
	case "sender":
		return fieldSender
	case "reply-to":
		return fieldReplyTo
	case "to":
		return fieldTo
	case "cc":
		return fieldCc
	case "bcc":
		return fieldBcc
	case "in-reply-to":
		return fieldInReplyTo
	case "message-id":
		return fieldMessageID
	case "content-type":
		return fieldType
	case "content-transfer-encoding":
		return fieldEncoding
	case "content-id":
		return fieldID
	case "content-description":
		return fieldDescription
	case "content-disposition":
		return fieldDisposition
	case "content-md5":
		return fieldMD5
	case "content-language":
		return fieldLanguage
	case "content-location":
		return fieldLocation
	}
	return noField
}
