package backend

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
)

// TestSearchChunks: whole chunks are judged as each of their messages would be.
func TestSearchChunks(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Log("seed", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	names := make(keywordNames, maxLetters+2)
	for i := range names {
		names[i] = imap.Flag(rune('A' + i))
	}
	for range 300 {
		// Some chunks are of one mind.
		var msgs []msg
		var chunks []*chunk
		for uid := uint32(1); len(chunks) < 4; chunks = appendChunks(chunks, msgs) {
			like := flags{sys: uint8(r.UintN(32)), letters: r.Uint32N(4)}
			msgs = nil
			for range 1 + r.IntN(chunkLen) {
				uid += 1 + r.Uint32N(2)
				m := msg{uid: uid, modseq: 1 + r.Uint64N(1000), flags: like}
				if r.IntN(chunkLen) == 0 {
					m.flags.sys ^= 1 << r.IntN(5)
					m.flags.setExtra([]int{maxLetters + r.IntN(2)})
				}
				msgs = append(msgs, m)
			}
		}
		s := &snapshot{names: &names}
		s.cut(chunks)
		v := &View{told: s}
		key := randomKey(r, s, 3)
		p, err := v.planSearch(&key)
		if err != nil {
			t.Fatal(err)
		}
		got, err := v.searchMemory(p)
		if err != nil {
			t.Fatal(err)
		}
		var want []uint32
		for seq, m := range s.all {
			x := searcher{v: v, seq: seq, m: m}
			if ok, err := x.eval(p); err != nil {
				t.Fatal(err)
			} else if ok {
				want = append(want, seq)
			}
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%+v: %d messages, want %d", key, len(got), len(want))
		}
	}
}

// randomKey is a key that needs nothing but the snapshot.
func randomKey(r *rand.Rand, s *snapshot, depth int) Key {
	n := r.IntN(8)
	if depth == 0 {
		n = r.IntN(5)
	}
	switch n {
	case 0:
		return Key{}
	case 1:
		return flag(systemFlags[r.IntN(len(systemFlags))].flag)
	case 2:
		return flag(append(*s.names, "unknown")[r.IntN(len(*s.names)+1)])
	case 3:
		return Key{Op: KeyModSeq, N: r.Int64N(1100)}
	case 4:
		var set imap.UIDSet
		for range 1 + r.IntN(3) {
			from := imap.UID(1 + r.Uint32N(2*s.n))
			set = append(set, imap.UIDRange{Start: from, Stop: from + imap.UID(r.Uint32N(s.n))})
		}
		return Key{Op: KeyUID, UIDs: set}
	case 5:
		return not(randomKey(r, s, depth-1))
	case 6:
		return and(randomKey(r, s, depth-1), randomKey(r, s, depth-1))
	}
	return or(randomKey(r, s, depth-1), randomKey(r, s, depth-1))
}
