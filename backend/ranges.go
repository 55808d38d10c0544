package backend

import (
	"slices"
	"sort"

	"github.com/emersion/go-imap/v2"
)

// uidRanges is a set of UIDs as ascending ranges with gaps between them.
type uidRanges []imap.UIDRange

// add puts the UIDs from lo to hi in.
func (r *uidRanges) add(lo, hi imap.UID) {
	x := *r
	i := sort.Search(len(x), func(i int) bool { return x[i].Stop >= lo-1 }) // the first that it touches;
	j := sort.Search(len(x), func(j int) bool { return x[j].Start-1 > hi }) // the first behind it
	if i < j {
		lo, hi = min(lo, x[i].Start), max(hi, x[j-1].Stop)
	}
	*r = slices.Replace(x, i, j, imap.UIDRange{Start: lo, Stop: hi})
}

func (r uidRanges) has(uid uint32) bool {
	u := imap.UID(uid)
	i := sort.Search(len(r), func(i int) bool { return r[i].Stop >= u })
	return i < len(r) && r[i].Start <= u
}

// count is the number of messages in s whose UID is in r.
func (r uidRanges) count(s *snapshot) (n uint32) {
	for _, x := range r {
		n += s.after(x.Stop) - s.ceil(uint32(x.Start))
	}
	return n
}

// after is the sequence number of the first message with a greater UID.
func (s *snapshot) after(uid imap.UID) uint32 {
	if uid == ^imap.UID(0) {
		return s.n + 1
	}
	return s.ceil(uint32(uid) + 1)
}
