package imapd

import (
	"context"
	"strings"

	"maildir-imapd/backend"
	"maildir-imapd/imapd/wire"
)

// emailID is EMAILID (RFC 8474 §5.1).
func (f *fetch) emailID(b []byte) ([]byte, error) {
	return f.objectID(b, (*backend.View).EmailID, (*backend.File).AppendEmailID)
}

// threadID is THREADID (RFC 8474 §5.2).
func (f *fetch) threadID(b []byte) ([]byte, error) {
	return f.objectID(b, (*backend.View).ThreadID, (*backend.File).AppendThreadID)
}

// objectID appends an object ID, which is known, or is in the file.
func (f *fetch) objectID(b []byte, known func(*backend.View, []byte, uint32) ([]byte, bool), read func(*backend.File, []byte) ([]byte, error)) ([]byte, error) {
	b = append(b, '(')
	if b, ok := known(f.c.view, b, f.seq); ok {
		return append(b, ')'), nil
	}
	file, err := f.open()
	if err != nil {
		return b, err
	}
	if b, err = read(file, b); err != nil {
		return b, err
	}
	return append(b, ')'), nil
}

// objectIDKey is EMAILID or THREADID in SEARCH (RFC 8474 §6).
func objectIDKey(op backend.KeyOp) func(*search, *wire.Decoder) backend.Key {
	return func(_ *search, d *wire.Decoder) backend.Key {
		d.SP()
		id := d.Atom()
		if len(id) > 255 || strings.ContainsFunc(id, notInObjectID) { // RFC 8474 §7
			d.Fail("an object ID")
		}
		return backend.Key{Op: op, Text: id}
	}
}

func notInObjectID(c rune) bool {
	return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '_' && c != '-'
}

// tellCreated sets the response code of CREATE (RFC 8474 §4.1), if what was made is a mailbox.
func (c *conn) tellCreated(ctx context.Context, name string) {
	if !c.has("OBJECTID") {
		return
	}
	if id, err := c.account.MailboxID(ctx, name); err == nil {
		c.completed("MAILBOXID ("+id+")", completedText(c.name))
	}
}
