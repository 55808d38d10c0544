package message

import (
	"bytes"
	"strings"

	"maildir-imapd/imapd/wire"
)

// cte is a Content-Transfer-Encoding (RFC 2045 §6).
type cte uint8

const (
	cteIdentity cte = iota // 7bit, 8bit
	cteBinary
	cteQuotedPrintable
	cteBase64
	cteUnknown
)

// parseEncoding reads the value of Content-Transfer-Encoding, and returns its token as it stands.
func parseEncoding(value []byte) (cte, []byte) {
	tok, _ := token(skipCFWS(value))
	for _, known := range encodings {
		if equalFold(tok, known.name) {
			return known.cte, tok
		}
	}
	return cteUnknown, tok
}

var encodings = [...]struct {
	name string
	cte  cte
}{
	{"", cteIdentity},
	{"7bit", cteIdentity},
	{"8bit", cteIdentity},
	{"binary", cteBinary},
	{"quoted-printable", cteQuotedPrintable},
	{"base64", cteBase64},
}

// maxBoundary is the longest boundary that is looked for, in octets; RFC 2046 §5.1.1 allows
// 70. maxCharset is the longest name of a charset.
const (
	maxBoundary = 1000
	maxCharset  = 100
)

// defaultFields are those of a text part that does not say what it is.
const defaultFields = `"text" "plain" ("charset" "us-ascii") NIL NIL "7bit"`

// noExtension is the extension data of a part without: md5 (or parameters),
// disposition, language and location.
const noExtension = "NIL NIL NIL NIL"

// describe sets what the header says of part p. In a multipart/digest the default
// type is message/rfc822. With flat set p gets no children. budget is how much may be kept.
func (f *fieldSet) describe(p *Part, digest, flat bool, budget *int) {
	keep := func(b []byte) []byte {
		*budget -= len(b)
		f.scratch = b[:0]
		return bytes.Clone(b)
	}
	if p.isMessage {
		if b := f.appendEnvelope(f.scratch[:0], *budget/4); len(b) <= *budget {
			p.envelope = keep(b)
		}
	}
	value, given := f.first(fieldType)
	typ, subtype, params, ok := parseType(value)
	if !ok {
		given = false
	}
	switch {
	case given:
	case digest && !flat:
		typ, subtype = []byte("message"), []byte("rfc822")
	default:
		typ, subtype = []byte("text"), []byte("plain")
	}
	p.MediaType = mediaType(typ, subtype)
	switch {
	case p.MediaType == "message/rfc822", p.MediaType == global:
		p.kind = rfc822
	case strings.HasPrefix(p.MediaType, "multipart/"):
		p.kind = multipart
		b, ok := get(params, "boundary")
		f.boundary = boundary(strings.TrimRight(b, " \t"))
		f.hasBoundary = ok && len(b) <= maxBoundary
	case strings.HasPrefix(p.MediaType, "text/"):
		p.kind = text
	}
	if flat && (p.kind == rfc822 || p.kind == multipart) {
		// Too deep: octets of which nothing more is known.
		p.kind, p.MediaType = leaf, "application/octet-stream"
		typ, subtype, params = []byte("application"), []byte("octet-stream"), nil
	}
	if c, _ := get(params, "charset"); len(c) <= maxCharset {
		p.Charset = c
	}
	value, _ = f.first(fieldEncoding)
	var written []byte
	p.encoding, written = parseEncoding(value)

	if b := f.appendFields(f.scratch[:0], p.kind, typ, subtype, params, written); string(b) != defaultFields {
		if len(b) <= *budget {
			p.fields = keep(b)
		} else {
			p.kind, p.MediaType = text, "text/plain"
		}
	}
	if b := f.appendExtension(f.scratch[:0], p.kind, params); string(b) != noExtension && len(b) <= *budget {
		p.extension = keep(b)
	}
}

// appendFields appends body-type, parameters, id, description and encoding (RFC 3501
// §7.4.2), of a multipart only the subtype.
func (f *fieldSet) appendFields(dst []byte, k kind, typ, subtype []byte, params []param, encoding []byte) []byte {
	if k == multipart {
		return wire.AppendString(dst, subtype)
	}
	if k == text {
		if _, ok := get(params, "charset"); !ok {
			params = append(params, param{"charset", "us-ascii"})
		}
	}
	dst = wire.AppendString(dst, typ)
	dst = append(dst, ' ')
	dst = wire.AppendString(dst, subtype)
	dst = append(dst, ' ')
	dst = appendParams(dst, params)
	dst = append(dst, ' ')
	dst = f.appendNonEmpty(dst, fieldID)
	dst = append(dst, ' ')
	dst = f.appendNonEmpty(dst, fieldDescription)
	dst = append(dst, ' ')
	if len(encoding) == 0 {
		return append(dst, `"7bit"`...)
	}
	return wire.AppendString(dst, encoding)
}

// appendExtension appends the extension data without its leading space.
func (f *fieldSet) appendExtension(dst []byte, k kind, params []param) []byte {
	if k == multipart {
		dst = appendParams(dst, params)
	} else {
		dst = f.appendNonEmpty(dst, fieldMD5)
	}
	dst = append(dst, ' ')
	dst = f.appendDisposition(dst)
	dst = append(dst, ' ')
	dst = f.appendLanguage(dst)
	dst = append(dst, ' ')
	return f.appendNonEmpty(dst, fieldLocation)
}

// appendNonEmpty appends the value of a field, or NIL where there is none or it is empty.
func (f *fieldSet) appendNonEmpty(dst []byte, name field) []byte {
	v, _ := f.first(name)
	return wire.AppendNString(dst, v, len(v) > 0)
}

// appendDisposition appends Content-Disposition (RFC 2183).
func (f *fieldSet) appendDisposition(dst []byte) []byte {
	v, _ := f.first(fieldDisposition)
	disposition, rest := token(skipCFWS(v))
	if len(disposition) == 0 {
		return append(dst, "NIL"...)
	}
	dst = append(dst, '(')
	dst = wire.AppendString(dst, disposition)
	dst = append(dst, ' ')
	dst = appendParams(dst, parseParams(rest))
	return append(dst, ')')
}

// appendLanguage appends the tags of Content-Language (RFC 3282) as a list.
func (f *fieldSet) appendLanguage(dst []byte) []byte {
	v, _ := f.first(fieldLanguage)
	n := len(dst)
	for v = skipCFWS(v); len(v) > 0; v = skipCFWS(v) {
		var tag []byte
		if tag, v = token(v); len(tag) == 0 {
			v = v[1:] // a comma, or junk
			continue
		}
		if len(dst) == n {
			dst = append(dst, '(')
		} else {
			dst = append(dst, ' ')
		}
		dst = wire.AppendString(dst, tag)
	}
	if len(dst) == n {
		return append(dst, "NIL"...)
	}
	return append(dst, ')')
}

// appendParams appends body-fld-param.
func appendParams(dst []byte, params []param) []byte {
	if len(params) == 0 {
		return append(dst, "NIL"...)
	}
	for i, p := range params {
		dst = append(dst, "( "[min(i, 1)])
		dst = wire.AppendString(dst, p.name)
		dst = append(dst, ' ')
		dst = wire.AppendString(dst, p.value)
	}
	return append(dst, ')')
}

// parseType reads Content-Type. ok is false where it says nothing. A text type
// without subtype is text/plain, as seen in mail of the last century.
func parseType(value []byte) (typ, subtype []byte, params []param, ok bool) {
	typ, rest := token(skipCFWS(value))
	if len(typ) == 0 {
		return nil, nil, nil, false
	}
	if rest = skipCFWS(rest); len(rest) > 0 && rest[0] == '/' {
		subtype, rest = token(skipCFWS(rest[1:]))
	}
	if len(subtype) == 0 {
		if !bytes.EqualFold(typ, []byte("text")) {
			return nil, nil, nil, false
		}
		subtype = []byte("plain")
	}
	if i := bytes.IndexByte(rest, ';'); i >= 0 {
		params = parseParams(rest[i:])
	}
	return typ, subtype, params, true
}

// mediaType returns type and subtype in lower case, without allocating for the usual ones.
func mediaType(typ, subtype []byte) string {
	var buf [64]byte
	b := append(append(append(buf[:0], typ...), '/'), subtype...)
	for i, c := range b {
		b[i] = lower(c)
	}
	switch string(b) {
	case "text/plain":
		return "text/plain"
	case "text/html":
		return "text/html"
	case "multipart/mixed":
		return "multipart/mixed"
	case "multipart/alternative":
		return "multipart/alternative"
	}
	return string(b)
}
