package message

import "bytes"

// AppendBaseSubject appends the base subject of a decoded subject (RFC 5256 §2.1), the text that SORT compares and
// THREAD gathers by. reply tells that something was removed which marks a reply or a forwarded message
// (RFC 5256 §3, THREAD REFERENCES). The work is linear in the length of the subject, whatever it is.
func AppendBaseSubject(dst, subject []byte) (base []byte, reply bool) {
	n := len(dst)
	dst = appendSpaced(dst, subject) // step 1
	text := dst[n:]
	for {
		text, reply = cutTrailers(text, reply) // step 2
		text, reply = cutLeaders(text, reply)  // steps 3 to 5
		inner, ok := cutForwarded(text)        // step 6
		if !ok {
			return dst[:n+copy(dst[n:], text)], reply
		}
		text, reply = inner, true
	}
}

// appendSpaced appends text with each stretch of white space as one space.
func appendSpaced(dst, text []byte) []byte {
	space := false
	for _, c := range text {
		if isSpace := c == ' ' || '\t' <= c && c <= '\r'; !isSpace {
			dst = append(dst, c)
			space = false
		} else if !space {
			dst = append(dst, ' ')
			space = true
		}
	}
	return dst
}

// cutTrailers removes each subj-trailer.
func cutTrailers(text []byte, reply bool) ([]byte, bool) {
	for {
		text = bytes.TrimRight(text, " ")
		n := len(text) - len("(fwd)")
		if n < 0 || !equalFold(text[n:], "(fwd)") {
			return text, reply
		}
		text, reply = text[:n], true
	}
}

// cutLeaders removes each subj-leader, and each subj-blob that does not leave the rest empty. The blobs before a
// text that is no subj-refwd are looked at once: step 4 takes them one after the other.
func cutLeaders(text []byte, reply bool) ([]byte, bool) {
	for {
		text = bytes.TrimLeft(text, " ")
		rest, last := text, text // last is the last blob, with what follows it
		for n := blob(rest); n > 0; n = blob(rest) {
			last, rest = rest, rest[n:]
		}
		if n := refwd(rest); n > 0 {
			text, reply = rest[n:], true
			continue
		}
		if len(rest) == 0 {
			rest = last
		}
		return rest, reply
	}
}

// blob returns the length of the subj-blob that text begins with, or 0.
func blob(text []byte) int {
	if len(text) == 0 || text[0] != '[' {
		return 0
	}
	n := bytes.IndexAny(text[1:], "[]") + 1
	if n == 0 || text[n] == '[' {
		return 0
	}
	return n + 1 + leadingSpaces(text[n+1:])
}

// refwd returns the length of the subj-refwd that text begins with, or 0.
func refwd(text []byte) int {
	for _, word := range []string{"re", "fwd", "fw"} {
		n := len(word)
		if len(text) <= n || !equalFold(text[:n], word) {
			continue
		}
		n += leadingSpaces(text[n:])
		n += blob(text[n:])
		if n < len(text) && text[n] == ':' {
			return n + 1
		}
	}
	return 0
}

// cutForwarded returns what is between subj-fwd-hdr and subj-fwd-trl.
func cutForwarded(text []byte) ([]byte, bool) {
	const header = "[fwd:"
	if len(text) <= len(header) || !equalFold(text[:len(header)], header) || text[len(text)-1] != ']' {
		return nil, false
	}
	return text[len(header) : len(text)-1], true
}

// leadingSpaces counts the spaces that text begins with.
func leadingSpaces(text []byte) int { return len(text) - len(bytes.TrimLeft(text, " ")) }
