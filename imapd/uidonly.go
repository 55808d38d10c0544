package imapd

import (
	"maildir-imapd/imapd/wire"

	"github.com/emersion/go-imap/v2"
)

// errUIDRequired refuses sequence numbers after ENABLE UIDONLY (RFC 9586 §3).
var errUIDRequired = newError(imap.StatusResponseTypeBad, "UIDREQUIRED", "There are no sequence numbers after ENABLE UIDONLY")

// beUIDOnly leaves sequence numbers out of all that is said and heard from now on (RFC 9586 §3). EXISTS is a number of
// messages, and stays (§3.6). Results that are kept up to date may have been asked for by sequence numbers.
func (c *conn) beUIDOnly() {
	c.uidOnly = true
	for _, x := range c.contexts {
		x.uid = true
	}
}

// vanishes reports whether VANISHED stands for EXPUNGE (RFC 7162 §3.2.10, RFC 9586 §3.4).
func (c *conn) vanishes() bool { return c.qresync || c.uidOnly }

// appendFetch appends the beginning of every FETCH response. With uid the first item is UID, but a UIDFETCH has the UID in the
// place of the sequence number, and in an item only where the client asks for that (RFC 9586 §3.3).
func (c *conn) appendFetch(b []byte, seq uint32, uid bool) []byte {
	b = append(b, "* "...)
	if c.uidOnly {
		return append(wire.AppendUint(b, c.view.UID(seq)), " UIDFETCH ("...)
	}
	b = append(wire.AppendUint(b, seq), " FETCH ("...)
	if uid {
		b = append(wire.AppendUint(append(b, "UID "...), c.view.UID(seq)), ' ')
	}
	return b
}

// addUID adds the UID that answers have unasked, but UIDFETCH has not.
func (f *fetch) addUID() {
	if !f.c.uidOnly {
		f.add(fetchItem{name: "UID", write: (*fetch).uid})
	}
}
