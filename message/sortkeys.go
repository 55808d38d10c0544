package message

import (
	"bytes"
	"unicode/utf8"
)

// SortKeys is what SORT and THREAD compare of a message (RFC 5256, RFC 5957). Strings are collated, see appendKey and
// AppendCollated, and are cut after maxSortKey octets; "" stands for a field that is missing. Of several fields with
// one name the first counts.
type SortKeys struct {
	Sent    int64 // the Date header, in seconds since 1970
	HasSent bool  // there is one that can be understood

	Subject []byte // base subject
	Reply   bool   // the subject is that of a reply or a forwarded message

	From, To, Cc           []byte // addr-mailbox of the first address
	DisplayFrom, DisplayTo []byte // its display name, or the address

	MessageID  ID   // 0 where there is none
	References []ID // the oldest first; those nearest to the message, where there are very many

	scratch []byte
	parser  addressParser
}

// maxSortKey is how many octets of a string are compared.
const maxSortKey = 500

// ReadSortKeys takes the keys from a header into the memory that k has already.
func (k *SortKeys) ReadSortKeys(h *HeaderBlock) {
	*k = SortKeys{
		Subject: k.Subject[:0], From: k.From[:0], To: k.To[:0], Cc: k.Cc[:0], DisplayFrom: k.DisplayFrom[:0], DisplayTo: k.DisplayTo[:0],
		References: k.References[:0], scratch: k.scratch, parser: k.parser,
	}
	var seen [len(sortFields)]bool
	var inReplyTo ID
	for raw := range h.fields() {
		field := sortField(raw)
		if field < 0 || seen[field] {
			continue
		}
		k.scratch = unfold(k.scratch[:0], raw)
		value := k.scratch
		seen[field] = true
		switch sortFields[field] {
		case "Date":
			if t, ok := ParseDate(value); ok {
				k.Sent, k.HasSent = t.Unix(), true
			} else {
				seen[field] = false // as HeaderBlock.Date
			}
		case "Subject":
			k.readSubject(value)
		case "From":
			k.From, k.DisplayFrom = k.readAddress(k.From, k.DisplayFrom, value)
		case "To":
			k.To, k.DisplayTo = k.readAddress(k.To, k.DisplayTo, value)
		case "Cc":
			k.Cc, _ = k.readAddress(k.Cc, nil, value)
		case "Message-ID":
			id, _ := cutID(value)
			k.MessageID = idOf(id)
		case "In-Reply-To":
			id, _ := cutID(value)
			inReplyTo = idOf(id)
		case "References":
			k.readReferences(value)
		}
	}
	if len(k.References) == 0 && inReplyTo != 0 {
		k.References = append(k.References, inReplyTo)
	}
}

var sortFields = [...]string{"Date", "Subject", "From", "To", "Cc", "Message-ID", "In-Reply-To", "References"}

// sortField returns the index in sortFields of a field, or -1.
func sortField(raw []byte) int {
	name, _, ok := cutField(raw)
	if !ok {
		return -1
	}
	for i, want := range sortFields {
		if equalFold(name, want) {
			return i
		}
	}
	return -1
}

// maxReferences is how many references of a message count.
const maxReferences = 200

func (k *SortKeys) readReferences(value []byte) {
	for id, rest := cutID(value); id != nil; id, rest = cutID(rest) {
		k.References = append(k.References, idOf(id))
	}
	if n := len(k.References) - maxReferences; n > 0 {
		k.References = k.References[:copy(k.References, k.References[n:])]
	}
}

func (k *SortKeys) readSubject(value []byte) {
	value, converted := decodeKey(value)
	n := len(value)
	base, reply := AppendBaseSubject(value[:n:n], value)
	k.Subject, k.Reply = appendKey(k.Subject, base[n:], converted), reply
}

// decodeKey decodes encoded words. Where one can't be converted to UTF-8, they are as octets.
func decodeKey(value []byte) (text []byte, converted bool) {
	if !bytes.Contains(value, wordStart) && utf8.Valid(value) {
		return value, true
	}
	var run wordRun
	if text = run.decode(nil, value); !run.failed {
		return text, true
	}
	run = wordRun{octets: true}
	return run.decode(nil, value), false
}

// appendKey appends a string as it is compared. Those that can't be converted to UTF-8 come after all others, in the order
// of their octets (RFC 5255 §4.6): 0xff is in no UTF-8.
func appendKey(dst, text []byte, converted bool) []byte {
	if converted {
		return cutKey(AppendCollated(dst, text))
	}
	return cutKey(append(append(dst, 0xff), text...))
}

// readAddress appends the keys that the first address of a list makes. Of a group that is its name, as in ENVELOPE.
func (k *SortKeys) readAddress(mailbox, display, list []byte) ([]byte, []byte) {
	k.parser.reset(list)
	a, ok := k.parser.next()
	if !ok {
		return mailbox, display
	}
	if a.kind == groupStart {
		a.mailbox, a.name = a.name, nil
	}
	mailbox = cutKey(AppendCollated(mailbox, a.mailbox))
	name, converted := decodeKey(a.name)
	switch {
	case len(name) > 0:
		display = appendKey(display, name, converted)
	case len(a.host) > 0 && len(a.mailbox) > 0: // RFC 5957 §3
		display = append(display, mailbox...)
		display = AppendCollated(append(display, '@'), a.host)
	default:
		display = append(display, mailbox...)
	}
	return mailbox, cutKey(display)
}

func cutKey(key []byte) []byte { return key[:min(len(key), maxSortKey)] }
