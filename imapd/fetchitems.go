package imapd

import (
	"cmp"
	"strconv"

	"maildir-imapd/imapd/wire"
	"maildir-imapd/message"
)

// fetchAtt is a row of the table of data items.
type fetchAtt struct {
	cap string // the capability it belongs to; without that it is unknown
	// parse takes what follows the name and adds the item; nil: nothing follows, and write answers it.
	parse func(f *fetch, d *wire.Decoder)
	write func(f *fetch, b []byte) ([]byte, error)
}

// fetchAtts is the table of data items, by their names up to the '[' of a section.
var fetchAtts = map[string]fetchAtt{
	"UID":           {write: (*fetch).uid},
	"FLAGS":         {write: (*fetch).flags},
	"MODSEQ":        {cap: "CONDSTORE", write: (*fetch).modSeq},
	"INTERNALDATE":  {write: (*fetch).internalDate},
	"RFC822.SIZE":   {write: (*fetch).size},
	"ENVELOPE":      {write: (*fetch).envelope},
	"BODYSTRUCTURE": {write: structureWriter(true)},

	"BODY":          {parse: parseBody},
	"BODY.PEEK":     {parse: parseBodyPeek},
	"RFC822":        {parse: parseRFC822("RFC822", message.All, true)},
	"RFC822.HEADER": {parse: parseRFC822("RFC822.HEADER", message.Header, false)}, // RFC 3501 §6.4.5: as BODY.PEEK
	"RFC822.TEXT":   {parse: parseRFC822("RFC822.TEXT", message.Text, true)},

	"BINARY":      {cap: "BINARY", parse: parseBinary(true)},
	"BINARY.PEEK": {cap: "BINARY", parse: parseBinary(false)},
	"BINARY.SIZE": {cap: "BINARY", parse: parseBinarySize},

	"PREVIEW": {cap: "PREVIEW", parse: parsePreview("PREVIEW")},
	"SNIPPET": {cap: "SNIPPET=FUZZY", parse: parsePreview("SNIPPET")},

	"EMAILID":  {cap: "OBJECTID", write: (*fetch).emailID},
	"THREADID": {cap: "OBJECTID", write: (*fetch).threadID},

	"SAVEDATE": {cap: "SAVEDATE", write: (*fetch).saveDate},
}

// fetchMacros stand alone, in the place of a list (RFC 9051 §6.4.5).
var fetchMacros = map[string][]string{
	"FAST": {"FLAGS", "INTERNALDATE", "RFC822.SIZE"},
	"ALL":  {"FLAGS", "INTERNALDATE", "RFC822.SIZE", "ENVELOPE"},
	"FULL": {"FLAGS", "INTERNALDATE", "RFC822.SIZE", "ENVELOPE", "BODY"},
}

// parseItems takes a macro, an item or a list of items.
func (f *fetch) parseItems(d *wire.Decoder) {
	if d.Peek() == '(' {
		d.List(func() { f.parseItem(d, d.ItemName()) })
		return
	}
	name := d.ItemName()
	macro := fetchMacros[name]
	if macro == nil {
		f.parseItem(d, name)
	}
	for _, name := range macro {
		f.parseItem(d, name)
	}
}

func (f *fetch) parseItem(d *wire.Decoder, name string) {
	att, ok := fetchAtts[name]
	switch {
	case !ok || att.cap != "" && !f.c.has(att.cap):
		d.Fail("a known data item")
	case att.parse != nil:
		att.parse(f, d)
	default:
		f.add(fetchItem{name: name, write: att.write})
	}
}

// add adds an item, unless the same is there already: one line must not ask for a message a
// thousand times.
func (f *fetch) add(item fetchItem) {
	if key := cmp.Or(item.key, item.name); !f.known[key] {
		f.known[key] = true
		f.items = append(f.items, item)
	}
}

func (f *fetch) uid(b []byte) ([]byte, error) {
	return wire.AppendUint(b, f.c.view.UID(f.seq)), nil
}

func (f *fetch) flags(b []byte) ([]byte, error) {
	return append(f.c.view.AppendFlags(append(b, '('), f.seq, !f.c.rev2), ')'), nil
}

func (f *fetch) modSeq(b []byte) ([]byte, error) { return f.c.appendModSeq(b, f.seq), nil }

func (f *fetch) internalDate(b []byte) ([]byte, error) {
	t, err := f.c.view.InternalDate(f.seq)
	if err != nil {
		return b, err
	}
	return wire.AppendDateTime(b, t), nil
}

// saveDate is SAVEDATE (RFC 8514 §4.2).
func (f *fetch) saveDate(b []byte) ([]byte, error) {
	t, err := f.c.view.SaveDate(f.seq)
	if err != nil {
		return b, err
	}
	return wire.AppendDateTime(b, t), nil
}

func (f *fetch) size(b []byte) ([]byte, error) {
	n, ok := f.c.view.KnownSize(f.seq)
	if !ok {
		file, err := f.open()
		if err != nil {
			return b, err
		}
		if n, err = file.WireSize(); err != nil {
			return b, err
		}
	}
	return strconv.AppendInt(b, n, 10), nil
}

func (f *fetch) envelope(b []byte) ([]byte, error) {
	if b, ok := f.c.view.Envelope(b, f.seq); ok {
		return b, nil
	}
	file, err := f.open()
	if err != nil {
		return b, err
	}
	return file.AppendEnvelope(b)
}

// structureWriter writes BODYSTRUCTURE, or BODY where extended is false.
func structureWriter(extended bool) func(f *fetch, b []byte) ([]byte, error) {
	return func(f *fetch, b []byte) ([]byte, error) {
		if b, ok := f.c.view.BodyStructure(b, f.seq, extended); ok {
			return b, nil
		}
		file, err := f.open()
		if err != nil {
			return b, err
		}
		return file.AppendBodyStructure(b, extended, f.c.rev2)
	}
}
