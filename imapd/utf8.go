package imapd

import (
	"maildir-imapd/imapd/wire"

	"github.com/emersion/go-imap/v2"
)

// appendMailbox appends the name of a mailbox, in UTF-8 to those who have enabled it and in modified
// UTF-7 to others (RFC 9051 appendix A.1).
func (c *conn) appendMailbox(b []byte, name string) []byte {
	if c.utf8 {
		return wire.AppendMailboxUTF8(b, name)
	}
	return wire.AppendMailbox(b, name)
}

// tryUTF8 takes UTF8 (~{n} up to its literal, if that stands next (RFC 6855 §4). The parenthesis after the
// literal is still to come.
func (c *conn) tryUTF8(d *wire.Decoder) (lit wire.Literal, ok bool) {
	if !c.has("UTF8=ACCEPT") || !d.TryKeyword("UTF8") {
		return lit, false
	}
	d.SP()
	d.Expect('(')
	switch lit = d.Literal(); {
	case !lit.Binary:
		d.Fail("a literal8")
	case !c.utf8:
		d.Refuse(no(imap.ResponseCodeCannot, "ENABLE UTF8=ACCEPT first"))
	}
	return lit, true
}
