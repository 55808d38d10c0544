package backend

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/emersion/go-imap/v2"
)

// apply does to a client's list of UIDs what changes say. Those without position are sorted in.
func apply(t *testing.T, list []uint32, remove bool, changes []ContextChange) []uint32 {
	t.Helper()
	for _, c := range changes {
		at := int(c.Position) - 1
		switch {
		case c.Position == 0 && remove:
			list = slices.DeleteFunc(list, func(uid uint32) bool { return slices.Contains(c.Numbers, uid) })
		case c.Position == 0:
			list = slices.Sorted(slices.Values(append(list, c.Numbers...)))
		case remove:
			if at+len(c.Numbers) > len(list) || !slices.Equal(list[at:at+len(c.Numbers)], c.Numbers) {
				t.Fatalf("can't remove %v from %v", c, list)
			}
			list = slices.Delete(list, at, at+len(c.Numbers))
		case at > len(list):
			t.Fatalf("can't add %v to %v", c, list)
		default:
			list = slices.Insert(list, at, c.Numbers...)
		}
	}
	return list
}

// A client that follows the changes has what a new search would find.
func TestContext(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	w := newWorld(t)
	n := 0
	deliver := func() {
		n++
		w.deliver(".", fmt.Sprintf("cur/%d.M1.x:2,", 1_000_000_000+n), fmt.Sprintf("Subject: %d\n\nx\n", r.IntN(9)))
	}
	for range 20 {
		deliver()
	}
	v := w.sel(w.start(), "INBOX", false)
	other := w.sel(v.user, "INBOX", false)
	key := or(and(flag(imap.FlagFlagged), Key{Op: KeySeq, Seq: imap.SeqSet{{Start: 1, Stop: 10}}}), and(not(flag(imap.FlagSeen)), head("Subject", "5")), flag(imap.FlagDraft))
	pinned := v.pin(&key)
	fresh := func(order []SortCriterion) (uids []uint32) {
		seqs, err := v.Search(t.Context(), &pinned)
		w.must(err)
		if order != nil {
			seqs, err = v.Sort(t.Context(), seqs, order)
			w.must(err)
		}
		for _, seq := range seqs {
			uids = append(uids, uint32(v.UID(seq)))
		}
		return uids
	}
	orders := [][]SortCriterion{nil, {{Key: SortSubject}}, {{Key: SortSubject, Reverse: true}, {Key: SortArrival, Reverse: true}}}
	contexts, lists := make([]*Context, len(orders)), make([][]uint32, len(orders))
	for i, order := range orders {
		seqs, err := v.Search(t.Context(), &key)
		w.must(err)
		if order != nil {
			seqs, err = v.Sort(t.Context(), seqs, order)
			w.must(err)
		}
		contexts[i], lists[i] = v.Follow(&key, order, seqs), fresh(order)
	}
	flags := []imap.Flag{imap.FlagFlagged, imap.FlagSeen, imap.FlagDraft}
	for step := range 60 {
		by := other
		if r.IntN(2) == 0 {
			by = v
		}
		switch r.IntN(6) {
		case 0:
			deliver()
		case 1:
			seq := 1 + r.Uint32N(by.Len())
			_, err := by.Store(t.Context(), []uint32{seq}, StoreRequest{Op: imap.StoreFlagsAdd, Flags: []imap.Flag{imap.FlagDeleted}})
			w.must(err)
			w.must(by.Expunge(t.Context(), nil))
		default:
			var seqs []uint32
			for seq := range by.Len() {
				if r.IntN(4) == 0 {
					seqs = append(seqs, seq+1)
				}
			}
			_, err := by.Store(t.Context(), seqs, StoreRequest{Op: []imap.StoreFlagsOp{imap.StoreFlagsAdd, imap.StoreFlagsDel}[r.IntN(2)], Flags: flags[r.IntN(3):][:1]})
			w.must(err)
		}
		w.must(v.Poll(t.Context()))
		u := v.Sync(true)
		other.Sync(true)
		for i, x := range contexts {
			lists[i] = apply(t, lists[i], true, x.Expunge(u.Expunged, true))
			removed, added, err := x.Update(t.Context(), true)
			w.must(err)
			lists[i] = apply(t, lists[i], true, removed)
			lists[i] = apply(t, lists[i], false, added)
			if want := fresh(orders[i]); !slices.Equal(lists[i], want) {
				t.Fatalf("seed %d, step %d, order %d: got %v, want %v", seed, step, i, lists[i], want)
			}
		}
	}
}
