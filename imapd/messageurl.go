package imapd

import (
	"math"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"maildir-imapd/imapd/wire"

	"github.com/emersion/go-imap/v2"
)

// messageURL is an IMAP URL of a message, or of a part of one, on this server (RFC 5092 §6): relative, without
// scheme, server and user.
//
//	/Drafts;UIDVALIDITY=385759045/;UID=20/;SECTION=1.MIME/;PARTIAL=0.1024
//	;UID=20
type messageURL struct {
	mailbox  string // in UTF-8; "": the one that is selected
	validity uint32 // UIDVALIDITY that the mailbox must have; 0: any
	uid      imap.UID
	section  wire.Section
	partial  wire.Partial // wholeContent where it has none
}

// parseMessageURL reads a URL; ok is false where it is another kind of URL, or none.
func parseMessageURL(s string) (u messageURL, ok bool) {
	u.partial = wholeContent
	for i := range len(s) {
		if !urlOctet(s[i]) {
			return u, false
		}
	}
	i := strings.Index(strings.ToUpper(s), ";UID=") // all is ASCII, lengths stay
	if i < 0 || !u.setMailbox(s[:i]) {
		return u, false
	}
	params := strings.Split(s[i+1:], "/;")
	uid, ok := param(params[0], "UID")
	n, err := strconv.ParseUint(uid, 10, 32)
	if u.uid = imap.UID(n); !ok || err != nil || n == 0 {
		return u, false
	}
	params = params[1:]
	if len(params) > 0 {
		if v, ok := param(params[0], "SECTION"); ok {
			if u.section, err = wire.ParseSection(v); err != nil || v == "" {
				return u, false
			}
			params = params[1:]
		}
	}
	if len(params) > 0 {
		v, ok := param(params[0], "PARTIAL")
		if u.partial, err = parsePartialRange(v); !ok || err != nil {
			return u, false
		}
		params = params[1:]
	}
	return u, len(params) == 0
}

// urlOctet reports whether an octet may stand in the URL as it is (RFC 3986 §2); those that would
// begin a query or a fragment may not.
func urlOctet(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-._~!$&'()*+,;=:@/%", c) >= 0
}

// setMailbox reads "/mailbox;UIDVALIDITY=n/", or nothing.
func (u *messageURL) setMailbox(path string) bool {
	if path == "" {
		return true
	}
	path, slash := strings.CutPrefix(path, "/")
	path, end := strings.CutSuffix(path, "/")
	name, validity, has := strings.Cut(path, ";")
	if has {
		v, ok := param(validity, "UIDVALIDITY")
		n, err := strconv.ParseUint(v, 10, 32)
		if !ok || err != nil || n == 0 {
			return false
		}
		u.validity = uint32(n)
	}
	name, err := url.PathUnescape(name)
	if strings.EqualFold(name, "INBOX") {
		name = "INBOX"
	}
	u.mailbox = name
	return slash && end && err == nil && name != "" && utf8.ValidString(name)
}

// param returns the decoded value of name=value.
func param(s, name string) (value string, ok bool) {
	key, value, ok := strings.Cut(s, "=")
	value, err := url.PathUnescape(value)
	return value, ok && err == nil && strings.EqualFold(key, name)
}

// parsePartialRange reads "offset" or "offset.count" (RFC 5092 §11, partial-range).
func parsePartialRange(s string) (p wire.Partial, err error) {
	offset, count, has := strings.Cut(s, ".")
	o, err := strconv.ParseUint(offset, 10, 63)
	if p = (wire.Partial{Offset: int64(o), Count: math.MaxInt64}); err != nil || !has {
		return p, err
	}
	n, err := strconv.ParseUint(count, 10, 63)
	if p.Count = int64(n); n == 0 {
		err = strconv.ErrRange
	}
	return p, err
}
