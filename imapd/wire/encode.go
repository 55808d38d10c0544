package wire

import (
	"bytes"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"maildir-imapd/mutf7"

	"github.com/emersion/go-imap/v2"
)

// maxQuoted is the longest string that is sent quoted; longer ones become
// literals, which clients read without looking at each octet.
const maxQuoted = 1024

// AppendQuoted appends s as a quoted string (RFC 9051 §4.3). s must have no
// CR, LF or NUL; AppendString takes care of those.
func AppendQuoted[T ~string | ~[]byte](dst []byte, s T) []byte {
	dst = append(dst, '"')
	for i := range len(s) {
		if s[i] == '"' || s[i] == '\\' {
			dst = append(dst, '\\')
		}
		dst = append(dst, s[i])
	}
	return append(dst, '"')
}

// AppendString appends s as a quoted string where it is 7-bit text of
// moderate length, and as a literal otherwise. NUL can't be sent in either
// (RFC 9051 §9, CHAR8) and is left out.
func AppendString[T ~string | ~[]byte](dst []byte, s T) []byte {
	nul := 0
	quoted := len(s) <= maxQuoted
	for i := range len(s) {
		switch c := s[i]; {
		case c == 0:
			nul++
		case c == '\r' || c == '\n' || c >= 0x80:
			quoted = false
		}
	}
	if nul == 0 && quoted {
		return AppendQuoted(dst, s)
	}
	if nul > 0 {
		return AppendString(dst, bytes.ReplaceAll([]byte(s), []byte{0}, nil))
	}
	dst = AppendLiteral(dst, int64(len(s)))
	return append(dst, s...)
}

// AppendNString is AppendString, or NIL where the value is absent.
func AppendNString[T ~string | ~[]byte](dst []byte, s T, present bool) []byte {
	if !present {
		return append(dst, "NIL"...)
	}
	return AppendString(dst, s)
}

// AppendAString appends s as an atom where it can be one, else as AppendString does.
// "NIL" is quoted, lest it be taken for the absent string.
func AppendAString[T ~string | ~[]byte](dst []byte, s T) []byte {
	if len(s) == 0 || len(s) > maxQuoted || isNIL(s) {
		return AppendString(dst, s)
	}
	for i := range len(s) {
		if classes[s[i]]&classAString == 0 {
			return AppendString(dst, s)
		}
	}
	return append(dst, s...)
}

func isNIL[T ~string | ~[]byte](s T) bool {
	return len(s) == 3 && s[0]|0x20 == 'n' && s[1]|0x20 == 'i' && s[2]|0x20 == 'l'
}

// AppendLiteral appends the announcement of a literal of n octets: "{n}\r\n".
func AppendLiteral(dst []byte, n int64) []byte {
	dst = append(dst, '{')
	dst = strconv.AppendInt(dst, n, 10)
	return append(dst, "}\r\n"...)
}

// AppendLiteral8 is AppendLiteral for octets that may hold NUL (RFC 3516 §4.2).
func AppendLiteral8(dst []byte, n int64) []byte {
	return AppendLiteral(append(dst, '~'), n)
}

// AppendMailbox appends a UTF-8 mailbox name in modified UTF-7.
func AppendMailbox(dst []byte, name string) []byte {
	return AppendAString(dst, EncodeMailbox(name))
}

// AppendMailboxUTF8 appends a mailbox name for those who have enabled UTF-8: as an
// atom or a quoted string (RFC 9051 §5.1).
func AppendMailboxUTF8(dst []byte, name string) []byte {
	for i := range len(name) {
		if name[i] >= 0x80 {
			return AppendStringUTF8(dst, name)
		}
	}
	return AppendAString(dst, name)
}

// AppendStringUTF8 is AppendString, but UTF-8 is quoted (RFC 9051 §4.3, RFC 6855 §3).
func AppendStringUTF8(dst []byte, s string) []byte {
	if len(s) > maxQuoted || strings.ContainsAny(s, "\x00\r\n") || !utf8.ValidString(s) {
		return AppendString(dst, s)
	}
	return AppendQuoted(dst, s)
}

// EncodeMailbox returns a UTF-8 mailbox name as it is sent: in modified UTF-7.
func EncodeMailbox(name string) string { return mutf7.Encode(name) }

// AppendDelim appends a hierarchy separator: quoted, or NIL for 0.
func AppendDelim(dst []byte, delim rune) []byte {
	if delim == 0 {
		return append(dst, "NIL"...)
	}
	return AppendQuoted(dst, string(delim))
}

// AppendUint appends n in decimal.
func AppendUint[T ~uint32 | ~uint64](dst []byte, n T) []byte {
	return strconv.AppendUint(dst, uint64(n), 10)
}

// AppendRange appends first:last, or first alone where they are the same.
// 0 is '*'.
func AppendRange[T ~uint32](dst []byte, first, last T) []byte {
	dst = appendSetNumber(dst, first)
	if first == last {
		return dst
	}
	return appendSetNumber(append(dst, ':'), last)
}

func appendSetNumber[T ~uint32](dst []byte, n T) []byte {
	if n == 0 {
		return append(dst, '*')
	}
	return AppendUint(dst, n)
}

// AppendNumSet appends a sequence-set or uid-set. It must not be empty:
// the grammar has no empty set.
func AppendNumSet(dst []byte, set imap.NumSet) []byte {
	if imap.IsSearchRes(set) {
		return append(dst, '$')
	}
	switch set := set.(type) {
	case imap.SeqSet:
		for i, r := range set {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = AppendRange(dst, r.Start, r.Stop)
		}
	case imap.UIDSet:
		for i, r := range set {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = AppendRange(dst, r.Start, r.Stop)
		}
	}
	return dst
}

// AppendNumbers appends ascending numbers as a sequence-set, runs as ranges:
// 1,2,3,7 is "1:3,7".
func AppendNumbers[T ~uint32](dst []byte, nums []T) []byte {
	for i := 0; i < len(nums); {
		end := i + 1
		for end < len(nums) && nums[end] == nums[end-1]+1 {
			end++
		}
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = AppendRange(dst, nums[i], nums[end-1])
		i = end
	}
	return dst
}

// AppendDateTime appends t as a date-time with t's own zone:
// "07-Jul-1996 02:44:25 -0700". The grammar allows a space in the place of a
// leading zero as well; Dovecot writes the zero, and clients may compare.
func AppendDateTime(dst []byte, t time.Time) []byte {
	if y := t.Year(); y < 0 || y > 9999 { // date-year has four digits
		t = time.Unix(0, 0).UTC()
	}
	return t.AppendFormat(dst, `"02-Jan-2006 15:04:05 -0700"`)
}

// AppendFlags appends a flag list with its parentheses.
func AppendFlags[T ~string](dst []byte, flags []T) []byte {
	dst = append(dst, '(')
	for i, f := range flags {
		if i > 0 {
			dst = append(dst, ' ')
		}
		dst = append(dst, f...)
	}
	return append(dst, ')')
}

// AppendText appends s as the human-readable text of a response, which ends at the end of
// the line: anything but printable ASCII becomes '?'. Empty text, which the grammar
// has not, becomes "-".
func AppendText(dst []byte, s string) []byte {
	if strings.TrimSpace(s) == "" {
		return append(dst, '-')
	}
	for _, r := range s {
		if r < 0x20 || r >= 0x7f {
			r = '?'
		}
		dst = append(dst, byte(r))
	}
	return dst
}
