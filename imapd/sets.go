package imapd

import (
	"maildir-imapd/backend"

	"github.com/emersion/go-imap/v2"
)

// seqs resolves a set of numbers, UIDs or "$" (RFC 5182 §2.1) to ascending sequence numbers. UIDs that
// do not exist are left out; sequence numbers that do not are BAD.
func (c *conn) seqs(set imap.NumSet) ([]uint32, error) {
	if imap.IsSearchRes(set) {
		set = c.saved
	}
	return c.view.Seqs(set)
}

// knownUIDs is the set of UID FETCH (VANISHED): those that the client knows of. "*" is the last that there ever was.
func (c *conn) knownUIDs(set imap.NumSet) backend.KnownMessages {
	if imap.IsSearchRes(set) {
		set = c.saved
	}
	uids, _ := set.(imap.UIDSet)
	last := max(c.view.UIDNext(), 2) - 1
	known := imap.UIDSet{} // nil would be all
	for _, r := range uids {
		if r.Start == 0 {
			r.Start = last
		}
		if r.Stop == 0 {
			r.Stop = last
		}
		known.AddRange(min(r.Start, r.Stop), max(r.Start, r.Stop)) // joins "1:3,5:*" where there is no 5
	}
	return backend.KnownMessages{UIDs: known}
}
