package backend

import (
	"slices"
	"sort"

	"github.com/emersion/go-imap/v2"
)

// historyLen is how many ranges of expunged UIDs a folder remembers, 16 octets each.
// Who asks for older ones is told all UIDs that are not there.
const historyLen = 8192

// history is the expunges of a folder, the oldest first (RFC 7162 §5.3). The value is immutable: it
// is part of snapshots, and add only appends behind what they see.
type history struct {
	// since is the mod-sequence from which on every expunge is in list; of what was expunged at or before it
	// nothing is known but that it is gone.
	since uint64
	list  []expunge
}

// expunge is a run of UIDs that were expunged at once.
type expunge struct {
	modseq      uint64
	first, last uint32
}

// add notes that messages, in ascending order of UID, were expunged.
func (h *history) add(modseq uint64, removed []uint32) {
	from := len(h.list)
	for _, uid := range removed {
		if n := len(h.list); n > from && h.list[n-1].last == uid-1 {
			h.list[n-1].last = uid
		} else {
			h.list = append(h.list, expunge{modseq, uid, uid})
		}
	}
	if len(h.list) <= historyLen {
		return
	}
	// Half of it goes at once, so that the copying is paid for by many expunges; of those that
	// happened at once all go or none.
	h.since = h.list[len(h.list)-historyLen/2-1].modseq
	h.list = slices.Clone(h.after(h.since))
}

// after returns what was expunged after modseq.
func (h *history) after(modseq uint64) []expunge {
	i := sort.Search(len(h.list), func(i int) bool { return h.list[i].modseq > modseq })
	return h.list[i:]
}

// KnownMessages is what a client says about its picture of a mailbox (RFC 7162 §3.2.5).
type KnownMessages struct {
	// UIDs it is interested in, without '*'. nil: all that there ever were.
	UIDs imap.UIDSet
	// Seqs and SeqUIDs are the numbers of some of its messages and their UIDs, pairwise, ascending, as many of the one as
	// of the other, without '*'. Up to the last pair that is still right it knows all expunges.
	Seqs    imap.SeqSet
	SeqUIDs imap.UIDSet
}

// Vanished returns the UIDs of known that were expunged after the mod-sequence since, for VANISHED
// (EARLIER), in ascending ranges. Where nobody remembers so long, all that are not there. What the
// view still shows is not in it: it is told of by Sync.
func (v *View) Vanished(since uint64, known KnownMessages) imap.UIDSet {
	if v.told.uidNext <= 1 {
		return nil
	}
	uids := known.UIDs
	if uids == nil {
		uids = imap.UIDSet{{Start: 1, Stop: imap.UID(v.told.uidNext - 1)}}
	}
	agreed := v.agreed(known)
	h := &v.told.history
	var gone uidRanges
	if since < h.since {
		gone = uidRanges{{Start: 1, Stop: ^imap.UID(0)}}
	} else {
		gone = joined(h.after(since))
	}
	var out imap.UIDSet
	for _, r := range uids {
		lo, hi := max(r.Start, agreed+1), min(r.Stop, imap.UID(v.told.uidNext-1))
		i := sort.Search(len(gone), func(i int) bool { return gone[i].Stop >= lo })
		for ; i < len(gone) && gone[i].Start <= hi; i++ {
			out = v.told.absent(out, max(lo, gone[i].Start), min(hi, gone[i].Stop))
		}
	}
	return out
}

// joined returns the UIDs of some expunges.
func joined(list []expunge) (out uidRanges) {
	list = slices.Clone(list)
	slices.SortFunc(list, func(a, b expunge) int { return int(int64(a.first) - int64(b.first)) })
	for _, x := range list {
		if n := len(out); n > 0 && out[n-1].Stop >= imap.UID(x.first)-1 {
			out[n-1].Stop = max(out[n-1].Stop, imap.UID(x.last))
		} else {
			out = append(out, imap.UIDRange{Start: imap.UID(x.first), Stop: imap.UID(x.last)})
		}
	}
	return out
}

// absent appends to out the UIDs from lo to hi that no message of s has, and joins them to what is there.
func (s *snapshot) absent(out imap.UIDSet, lo, hi imap.UID) imap.UIDSet {
	add := func(lo, hi imap.UID) {
		switch n := len(out); {
		case lo > hi:
		case n > 0 && out[n-1].Stop == lo-1:
			out[n-1].Stop = hi
		default:
			out = append(out, imap.UIDRange{Start: lo, Stop: hi})
		}
	}
	for seq := s.ceil(uint32(lo)); seq <= s.n; seq++ {
		uid := imap.UID(s.at(seq).uid)
		if uid > hi {
			break
		}
		add(lo, uid-1)
		lo = uid + 1
	}
	add(lo, hi)
	return out
}

// agreed is the UID up to which the client's picture is right (RFC 7162 §3.2.5.2), 0 where it said nothing that helps.
func (v *View) agreed(known KnownMessages) (last imap.UID) {
	i, next := 0, imap.UID(0) // the next UID is next, in known.SeqUIDs[i]
	for _, r := range known.Seqs {
		for seq := r.Start; seq <= r.Stop && seq <= v.told.n && i < len(known.SeqUIDs); seq++ {
			next = max(next, known.SeqUIDs[i].Start)
			if v.UID(seq) != next {
				return last // and so the later ones: what is missing before them has moved their numbers
			}
			if last = next; last == known.SeqUIDs[i].Stop {
				i++
			}
			next++
		}
	}
	return last
}

// ChangedSince lists those of seqs, which are ascending, whose mod-sequence is greater than since.
func (v *View) ChangedSince(seqs []uint32, since uint64) (out []uint32) {
	s := v.told
	for i := 0; i < len(seqs); {
		k := s.chunkOf(seqs[i])
		end := s.starts[k] + uint32(len(s.chunks[k].msgs)) // the last number in it
		skip := s.chunks[k].modseq <= since
		for ; i < len(seqs) && seqs[i] <= end; i++ {
			if !skip && s.chunks[k].msgs[seqs[i]-1-s.starts[k]].modseq > since {
				out = append(out, seqs[i])
			}
		}
	}
	return out
}
