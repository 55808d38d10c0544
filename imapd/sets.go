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
	known := make(imap.UIDSet, len(uids))
	for i, r := range uids {
		lo, hi := r.Start, r.Stop
		if lo == 0 {
			lo = max(c.view.UIDNext(), 2) - 1
		}
		if hi == 0 {
			hi = max(c.view.UIDNext(), 2) - 1
		}
		known[i] = imap.UIDRange{Start: min(lo, hi), Stop: max(lo, hi)}
	}
	return backend.KnownMessages{UIDs: known}
}
