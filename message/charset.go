package message

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/ianaindex"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/unicode"
)

// UnknownCharsetError names a charset that DecodeCharset does not know:
// NO [BADCHARSET] in answer to SEARCH.
type UnknownCharsetError string

func (e UnknownCharsetError) Error() string {
	return fmt.Sprintf("message: unknown charset %q", string(e))
}

// isUTF8 reports whether text in the charset is UTF-8 as it stands: UTF-8, its
// subset US-ASCII, or none given.
func isUTF8(charset string) bool {
	switch len(charset) {
	case 0:
		return true
	case 4, 5, 8:
		return strings.EqualFold(charset, "utf-8") || strings.EqualFold(charset, "utf8") ||
			strings.EqualFold(charset, "us-ascii") || strings.EqualFold(charset, "ascii")
	}
	return false
}

// charsetNamed finds a charset by a name of MIME, in any case. Names are taken as
// browsers take them, so that "iso-8859-1" is windows-1252, since mail lies about it in
// the same way; what they leave out for fear of scripts is found in IANA's list.
func charsetNamed(name string) (encoding.Encoding, error) {
	name = strings.TrimSpace(name)
	if strings.EqualFold(name, "utf-16") { // package htmlindex leaves byte order marks to others
		return unicode.UTF16(unicode.LittleEndian, unicode.UseBOM), nil
	}
	if e, err := htmlindex.Get(name); err == nil && e != encoding.Replacement {
		return e, nil
	}
	if e, err := ianaindex.MIME.Encoding(name); err == nil && e != nil {
		return e, nil
	}
	switch strings.ToLower(name) {
	case "utf-7", "unicode-1-1-utf-7":
		return utf7{}, nil
	case "cp437":
		return charmap.CodePage437, nil
	case "cp850":
		return charmap.CodePage850, nil
	case "cp858":
		return charmap.CodePage858, nil
	case "cp932":
		return japanese.ShiftJIS, nil
	case "cp949", "uhc":
		return korean.EUCKR, nil
	case "cp50220", "cp50221", "iso-2022-jp-ms", "iso-2022-jp-1", "iso-2022-jp-2", "iso-2022-jp-3": // supersets
		return japanese.ISO2022JP, nil
	}
	return nil, UnknownCharsetError(name)
}

// DecodeCharset returns b, which is in the charset, as UTF-8. It is an
// UnknownCharsetError where the charset is not known, and another error where b is not
// in it. An empty charset is UTF-8.
func DecodeCharset(charset string, b []byte) (string, error) {
	if strings.EqualFold(charset, "us-ascii") || strings.EqualFold(charset, "ascii") {
		for _, c := range b {
			if c >= utf8.RuneSelf {
				return "", errNotInCharset
			}
		}
		return string(b), nil
	}
	if isUTF8(charset) {
		if !utf8.Valid(b) {
			return "", errNotInCharset
		}
		return string(b), nil
	}
	e, err := charsetNamed(charset)
	if err != nil {
		return "", err
	}
	out, err := e.NewDecoder().Bytes(b)
	if err != nil {
		return "", err
	}
	if strings.ContainsRune(string(out), utf8.RuneError) {
		return "", errNotInCharset
	}
	return string(out), nil
}

var errNotInCharset = errors.New("message: octets that are not in the charset")
