package backend

import (
	"context"

	"github.com/emersion/go-imap/v2"
)

// status answers STATUS (RFC 3501 §6.3.10, RFC 8438); it looks at the disk
// first. It takes no message's \Recent. A mailbox that is lost then gives errNonExistent.
func (mb *Mailbox) status(ctx context.Context, name string, o *imap.StatusOptions) (*imap.StatusData, error) {
	if err := mb.enter(ctx); err != nil {
		return nil, err
	}
	err := mb.freshenNamed(ctx)
	mb.leave()
	if err != nil {
		return nil, err
	}
	s := mb.snap.Load()
	data := &imap.StatusData{Mailbox: name, UIDNext: imap.UID(s.uidNext), UIDValidity: mb.uidValidity, HighestModSeq: s.modseq}
	data.NumMessages = &s.n
	if o.NumRecent {
		mb.mu.Lock()
		data.NumRecent = new(mb.unclaimed.count(s))
		mb.mu.Unlock()
	}
	if o.NumUnseen {
		data.NumUnseen = new(s.sum((*chunk).unseenCount))
	}
	if o.NumDeleted {
		data.NumDeleted = new(s.sum((*chunk).deletedCount))
	}
	if o.DeletedStorage { // RFC 9208 §4.1.4: what counts in the quota
		var sum int64
		for _, m := range s.all {
			if m.flags.has(flagDeleted) {
				sum += mb.usage(m).Storage
			}
		}
		data.DeletedStorage = &sum
	}
	if o.Size {
		var sum int64
		v := View{mb: mb, told: s} // to read what is known ahead
		defer v.Release()
		for seq, m := range s.all {
			v.knownFact(seq)
			n, err := mb.wireSize(m)
			if err == nil { // one that has vanished counts nothing
				sum += n
			}
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
		}
		data.Size = &sum
	}
	return data, nil
}
