package message

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
)

// maxParams is how many parameters of a field are looked at.
const maxParams = 100

// param is a parameter of Content-Type or Content-Disposition (RFC 2045 §5.1).
// The name is as it is written. The continuations of RFC 2231 §3 are
// put together, as §6 asks of IMAP servers; where one of them is percent-encoded the
// name ends in "*" and the value is, still encoded.
type param struct {
	name, value string
}

// get returns the value of the parameter with this name in any case,
// percent-encoding and charset of RFC 2231 removed.
func get(params []param, name string) (value string, ok bool) {
	for _, p := range params {
		if strings.EqualFold(p.name, name) {
			return p.value, true
		}
		if base, found := strings.CutSuffix(p.name, "*"); found && strings.EqualFold(base, name) {
			v := p.value
			if _, after, ok := strings.Cut(v, "'"); ok {
				if _, after, ok := strings.Cut(after, "'"); ok {
					v = after
				}
			}
			return percentDecode(v), true
		}
	}
	return "", false
}

// parseParams reads what follows the type: parameters, each after a semicolon.
func parseParams(b []byte) []param {
	var params []param
	sections := false
	for len(params) < maxParams {
		b = skipCFWS(b)
		if len(b) == 0 {
			break
		}
		if b[0] == ';' {
			b = b[1:]
			continue
		}
		var name []byte
		name, b = token(b)
		if len(name) == 0 { // not a parameter
			b = b[1:]
			continue
		}
		if b = skipCFWS(b); len(b) == 0 || b[0] != '=' {
			continue // a name without value
		}
		var value []byte
		value, b = paramValue(skipCFWS(b[1:]))
		params = append(params, param{string(name), string(value)})
		sections = sections || bytes.IndexByte(name, '*') >= 0
	}
	if sections {
		return joinSections(params)
	}
	return params
}

// paramValue reads a value: a quoted string, or whatever comes before the next
// semicolon without comments, since file names with spaces are seen without quotes.
func paramValue(b []byte) (value, rest []byte) {
	if len(b) > 0 && b[0] == '"' {
		for i := 1; i < len(b); i++ {
			switch {
			case b[i] == '"':
				return value, b[i+1:]
			case b[i] == '\\' && i+1 < len(b):
				i++
			}
			value = append(value, b[i])
		}
		return value, nil
	}
	for len(b) > 0 && b[0] != ';' {
		if b[0] == '(' {
			b = skipComment(b)
			continue
		}
		value = append(value, b[0])
		b = b[1:]
	}
	return bytes.TrimSpace(value), b
}

// section is a parameter name cut into its pieces: name*number*.
func section(name string) (base string, number int, extended bool) {
	base, extended = strings.CutSuffix(name, "*")
	i := strings.LastIndexByte(base, '*')
	if i <= 0 {
		return base, -1, extended
	}
	n, err := strconv.Atoi(base[i+1:])
	if err != nil || n < 0 {
		return name, -1, false
	}
	return base[:i], n, extended
}

// joinSections puts continued parameters together in the place of their first
// section.
func joinSections(params []param) []param {
	var joined []param
	for i, p := range params {
		base, number, _ := section(p.name)
		if number < 0 {
			joined = append(joined, p)
			continue
		}
		if slices.ContainsFunc(joined, func(q param) bool {
			return strings.EqualFold(strings.TrimSuffix(q.name, "*"), base)
		}) {
			continue // it has been put together, or is given whole
		}
		joined = append(joined, join(params[i:], base))
	}
	return joined
}

// join puts the sections of a parameter together, in the order of their numbers, up to
// the first gap.
func join(params []param, base string) param {
	var sections [maxParams]*param
	extended := false
	for i, p := range params {
		b, n, ext := section(p.name)
		if n >= 0 && n < maxParams && sections[n] == nil && strings.EqualFold(b, base) {
			sections[n] = &params[i]
			extended = extended || ext
		}
	}
	var value strings.Builder
	for _, p := range sections {
		if p == nil {
			break
		}
		if _, _, ext := section(p.name); extended && !ext {
			value.WriteString(percentEncode(p.value))
		} else {
			value.WriteString(p.value)
		}
	}
	if extended {
		base += "*"
	}
	return param{base, value.String()}
}

// percentDecode undoes the encoding of RFC 2231 §4; a "%" without two hex
// digits stays.
func percentDecode(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if hi, lo := unhex(s[i+1]), unhex(s[i+2]); hi >= 0 && lo >= 0 {
				b.WriteByte(byte(hi<<4 | lo))
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// percentEncode encodes what can't be in the value of an extended parameter.
func percentEncode(s string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; isToken(c) && c < 0x80 && !strings.ContainsRune("*'%", rune(c)) {
			b.WriteByte(c)
		} else {
			b.WriteByte('%')
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
		}
	}
	return b.String()
}

// unhex returns the value of a hex digit, -1 where c is none.
func unhex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// isToken reports whether c may be in a token (RFC 2045 §5.1). 8-bit
// octets are let through.
func isToken(c byte) bool {
	return c > ' ' && c != 0x7f && strings.IndexByte(`()<>@,;:\"/[]?=`, c) < 0
}

// token reads the token at the start of b, which may be empty.
func token(b []byte) (tok, rest []byte) {
	i := 0
	for i < len(b) && isToken(b[i]) {
		i++
	}
	return b[:i], b[i:]
}

// skipCFWS skips white space and comments.
func skipCFWS(b []byte) []byte {
	for len(b) > 0 {
		switch {
		case b[0] <= ' ':
			b = b[1:]
		case b[0] == '(':
			b = skipComment(b)
		default:
			return b
		}
	}
	return b
}

// skipComment skips the comment at the start of b; one that does not end goes on to the end.
func skipComment(b []byte) []byte {
	depth := 0
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return b[i+1:]
			}
		}
	}
	return nil
}
