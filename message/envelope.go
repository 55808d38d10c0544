package message

import "maildir-imapd/imapd/wire"

// emptyEnvelope is the envelope of a message without header.
const emptyEnvelope = "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)"

// AppendEnvelope appends the ENVELOPE of the message (RFC 3501 §7.4.2) in the
// form in which it is sent.
func (s *Structure) AppendEnvelope(dst []byte) []byte { return s.Root.AppendEnvelope(dst) }

// AppendEnvelope appends the ENVELOPE of a message part: of the root, or of the message in a
// message/rfc822 part. Any other part has an envelope of NILs.
func (p *Part) AppendEnvelope(dst []byte) []byte {
	if p.envelope == nil {
		return append(dst, emptyEnvelope...)
	}
	return append(dst, p.envelope...)
}

// appendEnvelope appends the envelope that the fields make. Address lists are cut
// where it grows longer than limit octets.
func (f *fieldSet) appendEnvelope(dst []byte, limit int) []byte {
	limit += len(dst)
	dst = append(dst, '(')
	dst = f.appendText(dst, fieldDate)
	dst = append(dst, ' ')
	dst = f.appendText(dst, fieldSubject)
	dst = append(dst, ' ')
	from := len(dst)
	dst = f.appendAddresses(dst, fieldFrom, limit)
	fromEnd := len(dst)
	for _, name := range [...]field{fieldSender, fieldReplyTo} {
		dst = append(dst, ' ')
		n := len(dst)
		dst = f.appendAddresses(dst, name, limit)
		if string(dst[n:]) == "NIL" {
			dst = append(dst[:n], dst[from:fromEnd]...)
		}
	}
	for _, name := range [...]field{fieldTo, fieldCc, fieldBcc} {
		dst = append(dst, ' ')
		dst = f.appendAddresses(dst, name, limit)
	}
	dst = append(dst, ' ')
	dst = f.appendText(dst, fieldInReplyTo)
	dst = append(dst, ' ')
	dst = f.appendText(dst, fieldMessageID)
	return append(dst, ')')
}

// appendText appends the value of the last field of that name, as Dovecot does.
func (f *fieldSet) appendText(dst []byte, name field) []byte {
	v, ok := f.last(name)
	return wire.AppendNString(dst, v, ok)
}

// appendAddresses appends the addresses of all fields of that name, or NIL
// where there is none.
func (f *fieldSet) appendAddresses(dst []byte, name field, limit int) []byte {
	n := len(dst)
	for _, v := range f.list {
		if v.field != name {
			continue
		}
		f.parser.reset(f.value(v))
		for a, ok := f.parser.next(); ok; a, ok = f.parser.next() {
			if len(dst) >= limit && a.kind != groupEnd {
				break
			}
			if len(dst) == n {
				dst = append(dst, '(')
			}
			dst = appendAddress(dst, a)
		}
	}
	if len(dst) == n {
		return append(dst, "NIL"...)
	}
	return append(dst, ')')
}
