package backend

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
)

func TestRadixSort(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	for range 200 {
		items := make([]sortItem, r.IntN(300))
		mask := uint64(0xff) << r.IntN(64)
		for i := range items {
			items[i] = sortItem{key: r.Uint64() & (mask | r.Uint64()&r.Uint64()), seq: uint32(i)}
		}
		want := slices.Clone(items)
		slices.SortStableFunc(want, func(a, b sortItem) int {
			switch {
			case a.key < b.key:
				return -1
			case a.key > b.key:
				return 1
			}
			return 0
		})
		if radixSort(items, make([]sortItem, len(items))); !slices.Equal(items, want) {
			t.Fatalf("seed %d: got %v, want %v", seed, items, want)
		}
	}
}

// Strings that come later find their places among those that were sorted before.
func TestKeyOrder(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	names := newKeyNames()
	for range 20 {
		for range r.IntN(50) {
			names.string(fmt.Append(nil, r.IntN(1000)))
		}
		old := names.strings[:1+r.IntN(len(names.strings))]
		names.order.ranks(old)
		rank := names.order.ranks(names.strings)
		for a := range names.strings {
			for b := range names.strings {
				if (rank[a] < rank[b]) != (names.strings[a] < names.strings[b]) {
					t.Fatalf("seed %d: %q and %q", seed, names.strings[a], names.strings[b])
				}
			}
		}
	}
}

// sortWorld has n messages; the subject of the newest comes first.
func sortWorld(t *testing.T, n int) (*world, *View) {
	w := newWorld(t)
	for i := range n {
		w.deliver(".", fmt.Sprintf("cur/%d.M1.x:2,", 1_000_000_000+i), sortMail(n-i))
	}
	return w, w.sel(w.start(), "INBOX", false)
}

func sortMail(i int) string {
	return fmt.Sprintf("Subject: %05d\nMessage-ID: <%d@x>\nReferences: <%d@x>\n\nbody\n", i, i, i-1)
}

func bySubject(t *testing.T, v *View) []uint32 {
	t.Helper()
	all := make([]uint32, v.Len())
	for i := range all {
		all[i] = uint32(i + 1)
	}
	got, err := v.Sort(t.Context(), all, []SortCriterion{{Key: SortSubject}})
	if err != nil {
		t.Error(err)
	}
	return got
}

// What sessions share follows the folder: new mail, expunged mail, and views that know of neither.
func TestSortShared(t *testing.T) {
	w, v := sortWorld(t, 5)
	other := w.sel(v.user, "INBOX", false)
	if got := bySubject(t, v); !slices.Equal(got, []uint32{5, 4, 3, 2, 1}) {
		t.Errorf("got %v", got)
	}
	table := v.mb.keyIndex.table.Load()
	if got := bySubject(t, other); !slices.Equal(got, []uint32{5, 4, 3, 2, 1}) || v.mb.keyIndex.table.Load() != table {
		t.Errorf("got %v", got)
	}
	w.deliver(".", "cur/1000000009.M1.x:2,", sortMail(3))
	w.must(os.Remove(filepath.Join(w.root, "cur/1000000004.M1.x:2,"))) // subject 1
	w.must(v.Poll(t.Context()))
	v.Sync(true)
	if got := bySubject(t, v); !slices.Equal(got, []uint32{4, 3, 5, 2, 1}) {
		t.Errorf("after a change: got %v", got)
	}
	if got := bySubject(t, other); !slices.Equal(got, []uint32{4, 3, 2, 1}) { // the file of 5 is gone
		t.Errorf("the other session, which was not told: got %v", got)
	}
	other.Sync(true)
	if got := bySubject(t, other); !slices.Equal(got, []uint32{4, 3, 5, 2, 1}) {
		t.Errorf("the other session: got %v", got)
	}
}

// Messages that vanish before they were ever read are left out.
func TestSortVanished(t *testing.T) {
	w, v := sortWorld(t, 4)
	w.must(os.Remove(filepath.Join(w.root, "cur/1000000001.M1.x:2,")))
	if got := bySubject(t, v); !slices.Equal(got, []uint32{4, 3, 1}) {
		t.Errorf("got %v", got)
	}
	nodes, err := v.Thread(t.Context(), []uint32{1, 2, 3, 4}, References)
	if err != nil || threads(nodes) != "(1)(4 3)" {
		t.Errorf("got %s, %v", threads(nodes), err)
	}
	got, err := v.Sort(t.Context(), []uint32{1, 2, 3, 4}, []SortCriterion{{Key: SortSize, Reverse: true}, {Key: SortArrival, Reverse: true}})
	if err != nil || len(got) != 3 {
		t.Errorf("got %v, %v", got, err)
	}
}

// Names of messages that are gone don't pile up.
func TestSortNames(t *testing.T) {
	w, v := sortWorld(t, 10)
	for round := range 8 {
		for i := range 100 {
			w.deliver(".", fmt.Sprintf("cur/%d.M1.x:2,", 1_100_000_000+1000*round+i), sortMail(10_000+1000*round+i))
		}
		w.must(v.Poll(t.Context()))
		v.Sync(true)
		if got := bySubject(t, v); len(got) != 110 || !slices.IsSorted(got[10:]) || got[0] != 10 {
			t.Fatalf("round %d: got %v", round, got)
		}
		var last []uint32
		for seq := range v.Len() {
			last = append(last, seq+1)
		}
		_, err := v.Store(t.Context(), last[10:], StoreRequest{Op: imap.StoreFlagsAdd, Flags: []imap.Flag{imap.FlagDeleted}})
		w.must(err)
		w.must(v.Expunge(t.Context(), nil))
		v.Sync(true)
	}
	if n := len(v.mb.keyIndex.table.Load().strings); n > 600 {
		t.Errorf("%d strings", n)
	}
}

// Sessions sort at the same time, while mail arrives.
func TestSortConcurrent(t *testing.T) {
	w, v := sortWorld(t, 300)
	var views []*View
	for range 4 {
		views = append(views, w.sel(v.user, "INBOX", false))
	}
	var group sync.WaitGroup
	for _, v := range views {
		group.Go(func() {
			for deadline := time.Now().Add(300 * time.Millisecond); time.Now().Before(deadline); {
				got := bySubject(t, v)
				if uint32(len(got)) != v.Len() || got[0] != 300 || got[299] != 1 {
					t.Errorf("got %v", got)
					return
				}
				if _, err := v.Thread(t.Context(), got[:0], Refs); err != nil {
					t.Error(err)
				}
				v.Sync(true)
			}
		})
	}
	for i := range 20 {
		w.deliver(".", fmt.Sprintf("cur/%d.M1.x:2,", 1_200_000_000+i), sortMail(400+i))
		w.must(v.Poll(t.Context()))
	}
	group.Wait()
}
