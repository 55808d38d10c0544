// Package mutf7 is modified UTF-7 (RFC 3501 §5.1.3), in which mailbox names
// are written on the wire and on disk.
package mutf7

import (
	"encoding/base64"
	"errors"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// ErrInvalid says that a name is not in modified UTF-7.
var ErrInvalid = errors.New("not in modified UTF-7")

// encoding has ',' in the place of '/'. Strict refuses stray bits at the end.
var encoding = base64.NewEncoding("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,").
	WithPadding(base64.NoPadding).Strict()

// direct reports whether c is printable ASCII, which is never written in base64.
func direct(c rune) bool { return c >= 0x20 && c <= 0x7e }

// Encode writes a UTF-8 name in modified UTF-7. Octets that are not UTF-8
// become U+FFFD.
func Encode(name string) string {
	if strings.IndexFunc(name, func(c rune) bool { return !direct(c) || c == '&' }) < 0 {
		return name
	}
	var out, units []byte
	flush := func() {
		if len(units) > 0 {
			out = append(encoding.AppendEncode(append(out, '&'), units), '-')
			units = units[:0]
		}
	}
	for _, c := range name {
		if direct(c) {
			flush()
			if out = append(out, byte(c)); c == '&' {
				out = append(out, '-')
			}
			continue
		}
		for _, u := range utf16.AppendRune(nil, c) {
			units = append(units, byte(u>>8), byte(u))
		}
	}
	flush()
	return string(out)
}

// Decode reads modified UTF-7. It refuses with ErrInvalid what Encode would not have written:
// bad base64, unpaired surrogates, encoded printable ASCII, needless shifts, 8-bit octets.
// So each name has one encoding, and Encode gives back what Decode was given.
func Decode(s string) (string, error) {
	var out []byte
	for rest := s; rest != ""; {
		plain, shifted, found := strings.Cut(rest, "&")
		if out = append(out, plain...); !found {
			break
		}
		code, after, closed := strings.Cut(shifted, "-")
		if !closed {
			return "", ErrInvalid
		}
		rest = after
		if code == "" {
			out = append(out, '&')
			continue
		}
		octets, err := encoding.DecodeString(code)
		if err != nil || len(octets)%2 != 0 {
			return "", ErrInvalid
		}
		units := make([]uint16, len(octets)/2)
		for i := range units {
			units[i] = uint16(octets[2*i])<<8 | uint16(octets[2*i+1])
		}
		for _, c := range utf16.Decode(units) {
			out = utf8.AppendRune(out, c)
		}
	}
	// All the rest that is forbidden shows in that it would be written another way.
	if name := string(out); Encode(name) == s {
		return name, nil
	}
	return "", ErrInvalid
}
