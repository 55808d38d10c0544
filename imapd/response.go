package imapd

import (
	"maildir-imapd/imapd/wire"

	"github.com/emersion/go-imap/v2"
)

// untagged writes "* " and text, which must be valid as it stands.
func (c *conn) untagged(text string) {
	b := append(c.out.begin(), "* "...)
	c.out.endLine(append(b, text...))
}

// tagged writes the answer that ends a command. text may hold anything.
func (c *conn) tagged(status imap.StatusResponseType, code imap.ResponseCode, text string) {
	b := c.out.begin()
	if c.tag == "" { // the command had none
		b = append(b, '*')
	} else {
		b = append(b, c.tag...)
	}
	b = append(b, ' ')
	b = append(b, status...)
	if code != "" {
		b = append(b, " ["...)
		b = append(b, code...)
		b = append(b, ']')
	}
	c.out.endLine(wire.AppendText(append(b, ' '), text))
}

// completed sets the text of the tagged OK, with a response code or "".
func (c *conn) completed(code, text string) {
	if code != "" {
		text = "[" + code + "] " + text
	}
	c.done = text
}

// newError returns an error that is told to the client as it is.
func newError(status imap.StatusResponseType, code imap.ResponseCode, text string) *imap.Error {
	return &imap.Error{Type: status, Code: code, Text: text}
}

func no(code imap.ResponseCode, text string) *imap.Error {
	return newError(imap.StatusResponseTypeNo, code, text)
}

func bad(text string) *imap.Error { return newError(imap.StatusResponseTypeBad, "", text) }
