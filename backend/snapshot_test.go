package backend

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
)

// TestDiff changes a random snapshot in random ways, and checks that with makes what it
// should, and that the difference, applied as a client applies it, leads from the
// one to the other.
func TestDiff(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Log("seed", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	s := new(snapshot)
	var model []msg
	uid := uint32(1)
	for range 150 {
		var put []msg
		var removed []uint32
		var want []msg
		few := r.IntN(4) > 0
		for _, m := range model {
			switch n := r.IntN(100); {
			case n == 0 && few || n < 30 && !few:
				removed = append(removed, m.uid)
				continue
			case n == 1 && few || n >= 90 && !few:
				m.flags.sys ^= flagSeen
				put = append(put, m)
			}
			want = append(want, m)
		}
		for range r.IntN(300) {
			uid += 1 + r.Uint32N(3)
			m := msg{uid: uid, name: "x"}
			put, want = append(put, m), append(want, m)
		}
		next := new(snapshot)
		next.cut(s.with(put, removed))
		check(t, next, want)

		client := slices.Clone(model)
		var gone []uint32
		var changed []msg
		diff(s, next, differ{
			gone:    func(seq uint32, m *msg) { gone = append(gone, seq) },
			changed: func(seq uint32, old, m *msg) { changed = append(changed, *m) },
			added:   func(seq uint32, m *msg) { client = append(client, *m) },
		})
		for _, seq := range slices.Backward(gone) {
			client = slices.Delete(client, int(seq)-1, int(seq))
		}
		for _, m := range changed {
			i := slices.IndexFunc(client, func(c msg) bool { return c.uid == m.uid })
			client[i] = m
		}
		if !slices.Equal(client, want) {
			t.Fatal("the difference leads elsewhere")
		}
		s, model = next, want
	}
}

// check compares a snapshot with the messages it should have, by all its ways of access.
func check(t *testing.T, s *snapshot, want []msg) {
	t.Helper()
	if int(s.n) != len(want) {
		t.Fatalf("%d messages, want %d", s.n, len(want))
	}
	unseen, first := uint32(0), uint32(0)
	for seq, m := range s.all {
		w := &want[seq-1]
		if *m != *w || s.at(seq) != m {
			t.Fatalf("message %d: UID %d, want %d", seq, m.uid, w.uid)
		}
		if found, at := s.find(w.uid); found != m || at != seq {
			t.Fatalf("UID %d not found", w.uid)
		}
		if !w.flags.has(flagSeen) {
			if unseen++; first == 0 {
				first = seq
			}
		}
	}
	if got := s.sum((*chunk).unseenCount); got != unseen {
		t.Fatalf("%d unseen, want %d", got, unseen)
	}
	if got := s.firstUnseen(); got != first {
		t.Fatalf("first unseen %d, want %d", got, first)
	}
	if s.ceil(0) != 1 || s.after(^imap.UID(0)) != s.n+1 {
		t.Fatal("the ends are wrong")
	}
	for _, c := range s.chunks {
		if len(c.msgs) == 0 || len(c.msgs) > chunkLen {
			t.Fatalf("a chunk of %d", len(c.msgs))
		}
	}
}

func TestFlagsInNames(t *testing.T) {
	seen := flags{sys: flagSeen}
	for _, c := range []struct {
		name string
		add  flags
		want string
	}{
		// What Dovecot makes of the same names.
		{"b:2,PS", flags{sys: flagFlagged}, "b:2,FPS"},
		{"b:2,SP", flags{sys: flagFlagged}, "b:2,FPS"},
		{"b:2,S,X=1", flags{sys: flagFlagged}, "b:2,FS,X=1"},
		{"b:2,SS", flags{sys: flagFlagged}, "b:2,FS"},
		{"b:1,foo", flags{sys: flagFlagged}, "b:2,F"},
		{"b:2", flags{sys: flagFlagged}, "b:2,F"},
		{"b", flags{sys: flagFlagged}, "b:2,F"},
		{"b;2,S", flags{sys: flagFlagged}, "b;2,S:2,F"},
		{"b,S=3:2,", flags{sys: flagAnswered | flagDraft, letters: 1<<0 | 1<<25}, "b,S=3:2,DRaz"},
		{"b:2,STab", flags{}, "b:2,STab"},
	} {
		if got := withFlags(c.name, parseFlags(c.name).apply(imap.StoreFlagsAdd, c.add)); got != c.want {
			t.Errorf("%s with %v: %s, want %s", c.name, c.add, got, c.want)
		}
	}
	if f := parseFlags("b:2,SRF"); f.sys != flagSeen|flagAnswered|flagFlagged {
		t.Errorf("misordered flags: %v", f)
	}
	if f := parseFlags("b:2,S").apply(imap.StoreFlagsDel, seen); f != (flags{}) {
		t.Errorf("\\Seen not removed: %v", f)
	}
}

func TestArrivalOrder(t *testing.T) {
	want := []string{
		"nodigits", "5.x", "1700000001.M5P1.h", "1700000001.M20P1.h", "1700000001.V801I5M000021.h",
		"1700000002.P1Q1.a", "1700000002.P1Q1.b", "1700000003.M1P1.h",
	}
	got := slices.Clone(want)
	rand.Shuffle(len(got), func(i, j int) { got[i], got[j] = got[j], got[i] })
	slices.SortFunc(got, func(a, b string) int { return arrivalOf(a).compare(arrivalOf(b)) })
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
