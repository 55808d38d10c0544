package wire

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/emersion/go-imap/v2"
)

func TestNumSet(t *testing.T) {
	for _, test := range []struct{ input, want string }{
		{"1", "1"},
		{"3:1", "1:3"},
		{"5,1:2,3,9:7", "1:3,5,7:9"},
		{"1:4294967295", "1:4294967295"},
		{"4294967295,4294967294,1", "1,4294967294:4294967295"},
		{"*", "*"},
		{"*:*", "*"},
		{"*:4", "4:*"},
		{"2,4:*", "2,4:*"},
		{"3,4:*", "3:*"},
		{"1,2:9,4:*,12,*", "1:*"},
		{"7:*,3:*", "3:*"},
		{"1,*", "1,*"},
		{"$", "$"},
		{"", ""}, {"0", ""}, {"1,", ""}, {",1", ""}, {"1:", ""}, {":1", ""}, {"1:0", ""}, {"4294967296", ""},
		{"1,,2", ""}, {"$,1", ""}, {"-1", ""}, {"**", ""},
	} {
		for _, uid := range []bool{false, true} {
			d, _ := newTest(t, test.input+"\r\n")
			if err := d.Next(); err != nil {
				t.Fatal(err)
			}
			set := d.NumSet(uid)
			d.End()
			got := ""
			if d.Err() == nil {
				got = string(AppendNumSet(nil, set))
			}
			if got != test.want {
				t.Errorf("%q (UIDs: %v) is %q, error %v; want %q", test.input, uid, got, d.Err(), test.want)
			}
		}
	}
}

// TestNumSetRandom compares with the sets that package imap makes.
func TestNumSetRandom(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	for range 2000 {
		var want imap.SeqSet
		var parts []string
		for range 1 + r.IntN(8) {
			a, b := r.Uint32N(20), r.Uint32N(20)
			if r.IntN(2) == 0 {
				b = a
			}
			want.AddRange(a, b)
			parts = append(parts, strings.ReplaceAll(fmt.Sprintf(" %d: %d", a, b), " 0", "*"))
		}
		input := strings.ReplaceAll(strings.Join(parts, ","), " ", "")
		d, _ := newTest(t, input+"\r\n")
		if err := d.Next(); err != nil {
			t.Fatal(err)
		}
		got := d.SeqSet()
		if d.Err() != nil || got.String() != want.String() {
			t.Fatalf("seed %d: %s is %q, error %v; want %q", seed, input, got, d.Err(), want)
		}
	}
}
