package imapd

import (
	"errors"
	"slices"

	"github.com/emersion/go-imap/v2"
)

// saved is what "$" means after this search (RFC 5182 §2.4, RFC 9394 §3.2): all that was found, but only what is told
// where MIN, MAX or PARTIAL is, and neither ALL nor COUNT.
//
// UIDs are kept, which stay right when messages are expunged. Those of neighbours in the
// view make one range, whether or not they are consecutive: no other message will come between them.
func (s *search) saved(seqs []uint32) (set imap.UIDSet) {
	if len(seqs) == 0 {
		return nil
	}
	told := s.options & searchShown
	if told != 0 && told&(searchAll|searchCount) == 0 {
		some := []uint32{}
		if told&searchPartial != 0 {
			some = append(some, s.partial.of(seqs)...)
		}
		if told&searchMin != 0 {
			some = append(some, seqs[0])
		}
		if told&searchMax != 0 {
			some = append(some, seqs[len(seqs)-1])
		}
		seqs = some
	}
	if !slices.IsSorted(seqs) { // of SORT, or of several options
		seqs = slices.Sorted(slices.Values(seqs))
	}
	v := s.c.view
	for i, seq := range seqs {
		if i > 0 && seq-seqs[i-1] <= 1 {
			set[len(set)-1].Stop = v.UID(seq)
		} else {
			set = append(set, imap.UIDRange{Start: v.UID(seq), Stop: v.UID(seq)})
		}
	}
	return set
}

// saveNothing empties "$" after a SAVE that is answered NO; BAD leaves it as it was (RFC 5182 §2.1).
func (s *search) saveNothing(err error) {
	e, ok := errors.AsType[*imap.Error](err)
	if s.options&searchSave != 0 && !(ok && e.Type == imap.StatusResponseTypeBad) {
		s.c.saved = nil
	}
}
