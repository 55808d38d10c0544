package backend

import (
	"context"
	"slices"
)

// SortKey is what messages are sorted by (RFC 5256 §3, RFC 5957).
type SortKey uint8

const (
	SortArrival SortKey = iota // internal date
	SortDate                   // sent date, in the lack of one the internal date
	SortSize                   // RFC822.SIZE
	SortSubject                // base subject
	SortFrom                   // addr-mailbox of the first address
	SortTo
	SortCc
	SortDisplayFrom // its name, or the address
	SortDisplayTo
)

// SortCriterion is an element of a sort program.
type SortCriterion struct {
	Key     SortKey
	Reverse bool
}

// Sort returns the messages of seqs, which is ascending, in the order of the criteria, the first of
// which counts most. Those that are equal in all stay in the order of their numbers. Messages that have vanished
// from the disk, or can't be read, are left out, as Search does it. Dates are compared by the second.
//
// Headers that were not read yet are read by several goroutines, and what counts of them is
// kept with the mailbox.
func (v *View) Sort(ctx context.Context, seqs []uint32, criteria []SortCriterion) ([]uint32, error) {
	items := make([]sortItem, len(seqs))
	for i, seq := range seqs {
		items[i].seq = seq
	}
	var t *keyTable
	if slices.ContainsFunc(criteria, func(c SortCriterion) bool { return c.Key.inHeader() }) {
		var err error
		if t, err = v.keys(ctx, seqs); err != nil {
			return nil, err
		}
		if items = t.find(v, items); len(items) == 0 {
			return nil, nil
		}
	}
	// Sorting is stable: the criterion that counts most comes last.
	scratch := make([]sortItem, len(items))
	for n, c := range slices.Backward(criteria) {
		if slices.ContainsFunc(criteria[:n], func(before SortCriterion) bool { return before.Key == c.Key }) {
			continue // decided already
		}
		var err error
		if items, err = v.sortKey(ctx, t, c.Key, items); err != nil {
			return nil, err
		}
		if c.Reverse {
			for i := range items {
				items[i].key = ^items[i].key
			}
		}
		radixSort(items, scratch[:len(items)])
	}
	sorted := make([]uint32, len(items))
	for i := range items {
		sorted[i] = items[i].seq
	}
	return sorted, nil
}

// sortItem is a message on its way to its place.
type sortItem struct {
	key    uint64 // of the criterion that counts now
	seq    uint32
	record uint32 // in the keyTable
}

func (k SortKey) inHeader() bool { return k != SortArrival && k != SortSize }

// sortKey sets the keys of all items, and drops those of messages that have vanished.
func (v *View) sortKey(ctx context.Context, t *keyTable, k SortKey, items []sortItem) ([]sortItem, error) {
	switch k {
	case SortArrival, SortSize:
		return v.sortFact(ctx, k, items)
	case SortDate:
		for i := range items {
			items[i].key = signed(t.records[items[i].record].sent)
		}
	default:
		rank, s := t.ranks(), k.stringKey()
		for i := range items {
			items[i].key = uint64(rank[t.records[items[i].record].strings[s]])
		}
	}
	return items, nil
}

// sortFact is sortKey for what the header does not tell.
func (v *View) sortFact(ctx context.Context, k SortKey, items []sortItem) ([]sortItem, error) {
	gone := make([]bool, len(items))
	err := v.inBlocks(ctx, len(items), func(ctx context.Context, v *View, from, to int) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		for i := from; i < to; i++ {
			n, err := v.number(k, items[i].seq)
			if gone[i] = v.mb.passOver(err); err != nil && !gone[i] {
				return err
			}
			items[i].key = signed(n)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	kept := items[:0]
	for i, it := range items {
		if !gone[i] {
			kept = append(kept, it)
		}
	}
	return kept, nil
}

// number is the size of a message in octets, or its internal date in seconds since 1970.
func (v *View) number(k SortKey, seq uint32) (int64, error) {
	if k == SortSize {
		return v.Size(seq)
	}
	t, err := v.InternalDate(seq)
	return t.Unix(), err
}

// signed maps signed numbers to unsigned ones in the same order.
func signed(n int64) uint64 { return uint64(n) ^ 1<<63 }

// radixSort sorts items by key, stable, in a time that does not depend on what the keys are.
func radixSort(items, scratch []sortItem) {
	or, and := uint64(0), ^uint64(0)
	for i := range items {
		or |= items[i].key
		and &= items[i].key
	}
	from, to := items, scratch
	for shift := 0; shift < 64; shift += 8 {
		if (or^and)>>shift&0xff == 0 {
			continue // the same in all
		}
		var starts [256]int
		for i := range from {
			starts[byte(from[i].key>>shift)]++
		}
		sum := 0
		for i, n := range starts {
			starts[i] = sum
			sum += n
		}
		for i := range from {
			b := byte(from[i].key >> shift)
			to[starts[b]] = from[i]
			starts[b]++
		}
		from, to = to, from
	}
	if len(items) > 0 && &from[0] != &items[0] {
		copy(items, from)
	}
}
