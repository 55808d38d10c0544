package imapd

import "context"

// emailID is EMAILID (RFC 8474 §5.1).
func (f *fetch) emailID(b []byte) ([]byte, error) {
	id, err := f.c.view.EmailID(f.seq)
	if err != nil {
		return b, err
	}
	return append(append(append(b, '('), id...), ')'), nil
}

// threadID is THREADID, which is NIL: what belongs together would have to be found over all mailboxes, and may not
// change once it was told (RFC 8474 §5.2). THREAD groups the messages of one.
func threadID(_ *fetch, b []byte) ([]byte, error) { return append(b, "NIL"...), nil }

// tellCreated sets the response code of CREATE (RFC 8474 §4.1), if what was made is a mailbox.
func (c *conn) tellCreated(ctx context.Context, name string) {
	if !c.has("OBJECTID") {
		return
	}
	if id, err := c.account.MailboxID(ctx, name); err == nil {
		c.completed("MAILBOXID ("+id+")", completedText(c.name))
	}
}
