package backend

import (
	"context"
	"slices"

	"github.com/emersion/go-imap/v2"
)

// Context is a search whose result is kept up to date (RFC 5267 §4.3). It belongs to the session of its View.
//
// What a search key says of a message is looked at when the message is new or its flags change. So the time that
// passes (YOUNGER, OLDER) changes nothing by itself, which RFC 5032 §2 leaves to us.
type Context struct {
	v     *View
	key   Key
	order []SortCriterion // nil: that of the mailbox
	seen  *snapshot       // up to which it was evaluated
	uids  []uint32        // the result in its order
}

// ContextChange is a change of a result: Numbers, in the order of the result, are added so that the first of them is at
// Position, or removed from there, and Position counts from 1. It is 0 where the order is that of
// the mailbox, which needs no positions.
type ContextChange struct {
	Position uint32
	Numbers  []uint32 // sequence numbers, or UIDs
}

// Follow keeps a result up to date: seqs, which Search has found, and Sort has sorted by order. Sequence
// numbers in the key go on to mean the messages that they mean now.
func (v *View) Follow(key *Key, order []SortCriterion, seqs []uint32) *Context {
	x := &Context{v: v, key: v.pin(key), order: slices.Clone(order), seen: v.told, uids: make([]uint32, len(seqs))}
	for i, seq := range seqs {
		x.uids[i] = v.told.at(seq).uid
	}
	return x
}

// pin returns the key with UIDs in the place of sequence numbers.
func (v *View) pin(key *Key) Key {
	k := *key
	if k.Op == KeySeq {
		spans, _ := v.spans(k.Seq) // they were right when the search ran
		k = Key{Op: KeyUID}
		for _, s := range spans {
			k.UIDs = append(k.UIDs, imap.UIDRange{Start: v.UID(s.start), Stop: v.UID(s.end - 1)})
		}
	}
	k.Keys = slices.Clone(k.Keys)
	for i := range k.Keys {
		k.Keys[i] = v.pin(&k.Keys[i])
	}
	return k
}

// Expunge removes messages that Sync has told of as expunged, and returns the changes with the numbers
// of before, or with UIDs.
func (x *Context) Expunge(list []Expunged, uid bool) []ContextChange {
	numbers := make(map[uint32]uint32, len(list))
	for _, e := range list {
		numbers[uint32(e.UID)] = e.Seq
		if uid {
			numbers[uint32(e.UID)] = uint32(e.UID)
		}
	}
	return x.remove(numbers)
}

// remove removes the messages that have a number in numbers, by UID, and returns the changes.
func (x *Context) remove(numbers map[uint32]uint32) (changes []ContextChange) {
	if len(numbers) == 0 {
		return nil
	}
	kept := make([]uint32, 0, len(x.uids))
	for _, uid := range x.uids {
		n, ok := numbers[uid]
		if !ok {
			kept = append(kept, uid)
			continue
		}
		// The position is what it is after those before it were removed.
		changes = x.appendChange(changes, uint32(len(kept)+1), n, 0)
	}
	x.uids = kept
	return changes
}

// appendChange appends a number to the last change, if that has its place there: positions of one change grow by step with each
// number.
func (x *Context) appendChange(changes []ContextChange, position, number, step uint32) []ContextChange {
	if x.order == nil {
		position, step = 0, 0
	}
	if n := len(changes); n > 0 {
		last := &changes[n-1]
		if last.Position+step*uint32(len(last.Numbers)) == position {
			last.Numbers = append(last.Numbers, number)
			return changes
		}
	}
	return append(changes, ContextChange{position, []uint32{number}})
}

// Update evaluates what has changed since the last time, after Sync, and returns what is to be removed, first, and then what is
// to be added.
func (x *Context) Update(ctx context.Context, uid bool) (removed, added []ContextChange, err error) {
	v := x.v
	if x.seen == v.told {
		return nil, nil, nil
	}
	told := v.told
	var changed []uint32
	diff(x.seen, told, differ{
		gone:    func(uint32, *msg) {},
		changed: func(seq uint32, _, _ *msg) { changed = append(changed, seq) },
		added:   func(seq uint32, _ *msg) { changed = append(changed, seq) },
	})
	if len(changed) == 0 {
		x.seen = told
		return nil, nil, nil
	}
	matching, err := v.match(ctx, &x.key, changed)
	if err != nil {
		return nil, nil, err
	}
	number := func(seq uint32) uint32 {
		if uid {
			return told.at(seq).uid
		}
		return seq
	}
	drop, add := make(map[uint32]uint32), make(map[uint32]uint32) // numbers by UID
	for _, seq := range changed {
		if _, ok := slices.BinarySearch(matching, seq); ok {
			add[told.at(seq).uid] = number(seq)
		} else {
			drop[told.at(seq).uid] = number(seq)
		}
	}
	for _, u := range x.uids {
		delete(add, u) // it is there
	}
	result, err := x.merge(ctx, add, drop, number)
	if err != nil {
		return nil, nil, err
	}
	removed = x.remove(drop)
	for i, u := range result {
		if n, ok := add[u]; ok {
			added = x.appendChange(added, uint32(i+1), n, 1)
		}
	}
	x.uids, x.seen = result, told
	return removed, added, nil
}

// merge returns the result without the messages of drop and with those of add, in its order. Messages that
// have no place in that, since their files have vanished, go from add, or to drop.
func (x *Context) merge(ctx context.Context, add, drop map[uint32]uint32, number func(seq uint32) uint32) ([]uint32, error) {
	result := make([]uint32, 0, len(x.uids)+len(add))
	for _, u := range x.uids {
		if _, ok := drop[u]; !ok {
			result = append(result, u)
		}
	}
	if len(add) == 0 {
		return result, nil
	}
	for u := range add {
		result = append(result, u)
	}
	slices.Sort(result)
	if x.order == nil {
		return result, nil
	}
	told := x.v.told
	seqs := make([]uint32, len(result))
	for i, u := range result {
		_, seqs[i] = told.find(u)
	}
	sorted, err := x.v.Sort(ctx, seqs, x.order)
	if err != nil {
		return nil, err
	}
	if len(sorted) < len(seqs) {
		for _, seq := range lacking(seqs, sorted) {
			u := told.at(seq).uid
			if _, ok := add[u]; ok {
				delete(add, u)
			} else {
				drop[u] = number(seq)
			}
		}
	}
	result = result[:len(sorted)]
	for i, seq := range sorted {
		result[i] = told.at(seq).uid
	}
	return result, nil
}

// lacking returns those of all, which is ascending, that are not in some.
func lacking(all, some []uint32) []uint32 {
	some = slices.Sorted(slices.Values(some))
	return slices.DeleteFunc(all, func(n uint32) bool {
		_, ok := slices.BinarySearch(some, n)
		return ok
	})
}
