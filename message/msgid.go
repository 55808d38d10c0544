package message

import "bytes"

// ID stands for a message ID (RFC 5322 §3.6.4) in its normal form, without quoting, comments and white space, in 64
// bits: a hash (FNV-1a). It is never 0. Two IDs that differ have the same one with a probability of 1 in 10^19; who makes
// up such a pair gains no more than by sending the same ID twice.
type ID uint64

// cutID returns the first valid message ID of a field's value, 0 where there is none, and what
// follows it. What is no ID is passed over: text, comments, "<x>" without domain.
func cutID(value []byte) (ID, []byte) {
	for {
		i := bytes.IndexByte(value, '<')
		if i < 0 {
			return 0, nil
		}
		var id ID
		if id, value = angleID(value[i+1:]); id != 0 {
			return id, value
		}
	}
}

// angleID reads an ID up to its ">". Where that is missing, or another "<" comes before it, there is no ID.
func angleID(value []byte) (ID, []byte) {
	const offset, prime = 14695981039346656037, 1099511628211
	hash := ID(offset)
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
			return 0, value[i:]
		case c == '>':
			if left == 0 || right == 0 {
				return 0, value[i+1:]
			}
			return max(hash, 1), value[i+1:]
		case c == '@':
			at = true
			hash = (hash ^ '@') * prime
			continue
		}
		if at {
			right++
		} else {
			left++
		}
		hash = (hash ^ ID(c)) * prime
	}
	return 0, nil
}
