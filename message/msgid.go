package message

import "bytes"

// ID stands for a message ID (RFC 5322 §3.6.4) in 64 bits: a hash (FNV-1a) of its normal form. It is never 0. Two IDs that differ
// have the same one with a probability of 1 in 10^19; who makes up such a pair gains no more than by sending the same ID twice.
type ID uint64

// idOf returns the ID of a normal form, 0 for none.
func idOf(normal []byte) ID {
	if len(normal) == 0 {
		return 0
	}
	hash := ID(14695981039346656037)
	for _, c := range normal {
		hash = (hash ^ ID(c)) * 1099511628211
	}
	return max(hash, 1)
}

// cutID returns the first valid message ID of a field's value, nil where there is none, and what
// follows it. What is no ID is passed over: text, comments, "<x>" without domain. The ID is in its normal form,
// without quoting, comments and white space, which is made in place: value is overwritten.
func cutID(value []byte) (id, rest []byte) {
	for {
		i := bytes.IndexByte(value, '<')
		if i < 0 {
			return nil, nil
		}
		if id, value = angleID(value[i+1:]); id != nil {
			return id, value
		}
	}
}

// angleID reads an ID up to its ">". Where that is missing, or another "<" comes before it, there is no ID.
func angleID(value []byte) (id, rest []byte) {
	id = value[:0]
	left, right, at, quoted := 0, 0, false, false // left and right count octets
	for i := 0; i < len(value); i++ {
		c := value[i]
		switch {
		case c == '\\' && quoted && i+1 < len(value):
			i++
			c = value[i]
		case c == '"' && !at:
			quoted = !quoted
			continue
		case quoted:
		case c <= ' ':
			continue
		case c == '<':
			return nil, value[i:]
		case c == '>':
			if left == 0 || right == 0 {
				return nil, value[i+1:]
			}
			return id, value[i+1:]
		case c == '@':
			at = true
			id = append(id, c)
			continue
		}
		if at {
			right++
		} else {
			left++
		}
		id = append(id, c)
	}
	return nil, nil
}

// threadFields have the ID of the first message of a thread, in the order in which they are asked.
var threadFields = [...]string{"References", "In-Reply-To", "Message-ID"}

// AppendThreadRoot appends the ID, in its normal form, of the oldest message of its thread that a message names: the first of References,
// else of In-Reply-To (as RFC 5256 §3, REFERENCES, step 1), else the message's own. It appends nothing where there is none,
// or the header is too large to be known as a whole. Copies of a message with other line ends have the same.
func (h *HeaderBlock) AppendThreadRoot(dst []byte) []byte {
	if h.cut {
		return dst
	}
	var found [len(threadFields)][]byte
	for raw := range h.fields() {
		name, _, _ := cutField(raw)
		for i, want := range threadFields {
			if found[i] == nil && equalFold(name, want) {
				found[i] = raw // of several, the first counts
			}
		}
	}
	n := len(dst)
	for _, raw := range found {
		dst = unfold(dst[:n], raw)
		if id, _ := cutID(dst[n:]); id != nil {
			return append(dst[:n], id...)
		}
	}
	return dst[:n]
}
