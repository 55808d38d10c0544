package wire

import (
	"cmp"
	"slices"

	"github.com/emersion/go-imap/v2"
)

// SeqSet takes a sequence-set of message numbers, or "$", for which it returns
// imap.SearchRes() (RFC 5182 §2.1).
func (d *Decoder) SeqSet() imap.NumSet {
	if d.Try('$') {
		return imap.SearchRes()
	}
	return numSet[imap.SeqSet](d, func(a, b uint32) imap.SeqRange { return imap.SeqRange{Start: a, Stop: b} })
}

// UIDSet takes a sequence-set of UIDs, or "$".
func (d *Decoder) UIDSet() imap.UIDSet {
	if d.Try('$') {
		return imap.SearchRes()
	}
	return numSet[imap.UIDSet](d, func(a, b uint32) imap.UIDRange {
		return imap.UIDRange{Start: imap.UID(a), Stop: imap.UID(b)}
	})
}

// NumSet takes a set of UIDs if uid is set, and of message numbers otherwise.
func (d *Decoder) NumSet(uid bool) imap.NumSet {
	if uid {
		return d.UIDSet()
	}
	return d.SeqSet()
}

// numSet takes a sequence-set and brings it into the form of package imap:
// ascending, disjoint, "*" as 0, and ranges with "*" as n:0 at the end. The
// work is n log n in the length of the line, whatever the numbers.
func numSet[S ~[]R, R any](d *Decoder, newRange func(first, last uint32) R) S {
	type numRange struct{ first, last uint32 }
	var (
		static []numRange
		star   bool   // there is a "*"
		from   uint32 // the least n of all n:*; 0: none
	)
	for {
		a, b := d.setNumber(), uint32(0)
		if d.Try(':') {
			b = d.setNumber()
		} else {
			b = a
		}
		if d.err != nil {
			return nil
		}
		switch {
		case a == 0 && b == 0:
			star = true
		case a == 0 || b == 0: // 3:* and *:3 are the same
			if n := a | b; from == 0 || n < from {
				from = n
			}
		default:
			static = append(static, numRange{min(a, b), max(a, b)})
		}
		if !d.Try(',') {
			break
		}
	}
	slices.SortFunc(static, func(a, b numRange) int { return cmp.Compare(a.first, b.first) })
	merged := static[:0]
	for _, r := range static {
		if n := len(merged); n > 0 && uint64(r.first) <= uint64(merged[n-1].last)+1 {
			merged[n-1].last = max(merged[n-1].last, r.last)
		} else {
			merged = append(merged, r)
		}
	}
	set := make(S, 0, len(merged)+1)
	for _, r := range merged {
		if from != 0 && uint64(r.last)+1 >= uint64(from) { // part of n:*
			from = min(from, r.first)
			break
		}
		set = append(set, newRange(r.first, r.last))
	}
	if from != 0 {
		set = append(set, newRange(from, 0))
	} else if star {
		set = append(set, newRange(0, 0))
	}
	return set
}

// setNumber takes a seq-number; "*" is 0.
func (d *Decoder) setNumber() uint32 {
	if d.Try('*') {
		return 0
	}
	n := uint32(d.number(1<<32-1, "a number or * in a set"))
	if n == 0 {
		d.Fail("a number greater than 0 in a set")
	}
	return n
}
