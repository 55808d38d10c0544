package backend

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // wherever the tests run

	"maildir-imapd/watcher"

	"github.com/emersion/go-imap/v2"
)

func date(year int, month time.Month, mday int) time.Time {
	return time.Date(year, month, mday, 12, 0, 0, 0, time.UTC)
}

func and(keys ...Key) Key { return Key{Op: KeyAnd, Keys: keys} }
func or(keys ...Key) Key  { return Key{Op: KeyOr, Keys: keys} }
func not(key Key) Key     { return Key{Op: KeyNot, Keys: []Key{key}} }

func head(field, text string) Key { return Key{Op: KeyHeader, Field: field, Text: text} }
func body(text string) Key        { return Key{Op: KeyBody, Text: text} }
func flag(f imap.Flag) Key        { return Key{Op: KeyFlag, Flag: f} }

func searchWorld(t *testing.T) (*world, *View) {
	w := newWorld(t)
	for i, m := range []struct{ name, text string }{
		{"cur/1.M1.x:2,S", "From: Alice <alice@example.org>\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\nDate: Mon, 1 Jun 2026 23:30:00 -0800\n\nhello\n"},
		{"cur/2.M2.x:2,FSa", "From: bob@example.org\nSubject: two\nX-Empty:\nDate: Tue, 2 Jun 2026 00:00:00 +0000\nContent-Transfer-Encoding: base64\n\nV29ybGQ=\n"},
		{"cur/3.M3.x:2,", "From: carol@example.org\nSubject: three\n\n" + strings.Repeat("x", 1000) + "\n"},
		{"new/4.M4.x", "Subject: World\nDate: Wed, 3 Jun 2026 10:00:00 +0200\n\nfour\n"},
		{"cur/5.M5.x:2,T", "Subject: five\nDate: nonsense\n\nhello world\n"},
	} {
		w.deliver(".", m.name, m.text)
		at := time.Date(2026, 6, 10+i, 0, 0, 0, 0, time.Local)
		path := filepath.Join(w.root, m.name)
		w.must(os.Chtimes(path, at, at))
	}
	w.must(os.WriteFile(filepath.Join(w.root, "dovecot-keywords"), []byte("0 $Junk\n"), 0o600))
	return w, w.sel(w.start(), "INBOX", false)
}

func TestSearch(t *testing.T) {
	_, v := searchWorld(t)
	all := []uint32{1, 2, 3, 4, 5}
	tests := []struct {
		name string
		key  Key
		want []uint32
	}{
		{"ALL", Key{}, all},
		{"()", and(), all},
		{"OR of nothing", or(), nil},
		{"SEEN", flag(imap.FlagSeen), []uint32{1, 2}},
		{"UNSEEN", not(flag("\\seen")), []uint32{3, 4, 5}},
		{"KEYWORD", flag("$JUNK"), []uint32{2}},
		{"KEYWORD unknown", flag("nope"), nil},
		{"UNKEYWORD unknown", not(flag("nope")), all},
		{"DELETED", flag(imap.FlagDeleted), []uint32{5}},
		{"RECENT", Key{Op: KeyRecent}, all},
		{`FLAG \Recent`, flag(`\Recent`), all},
		{"2:3", Key{Op: KeySeq, Seq: imap.SeqSet{{Start: 2, Stop: 3}}}, []uint32{2, 3}},
		{"3:*,1", Key{Op: KeySeq, Seq: imap.SeqSet{{Start: 3}, {Start: 1, Stop: 1}}}, []uint32{1, 3, 4, 5}},
		{"*", Key{Op: KeySeq, Seq: imap.SeqSet{{}}}, []uint32{5}},
		{"UID 1:4294967295", Key{Op: KeyUID, UIDs: imap.UIDSet{{Start: 1, Stop: 4294967295}}}, all},
		{"UID 2,4,99", Key{Op: KeyUID, UIDs: imap.UIDSetNum(2, 4, 99)}, []uint32{2, 4}},
		{"UID 99", Key{Op: KeyUID, UIDs: imap.UIDSetNum(99)}, nil},
		{"UID 99:*", Key{Op: KeyUID, UIDs: imap.UIDSet{{Start: 99}}}, []uint32{5}},
		{"BEFORE", Key{Op: KeyBefore, Date: date(2026, 6, 12)}, []uint32{1, 2}},
		{"ON", Key{Op: KeyOn, Date: date(2026, 6, 12)}, []uint32{3}},
		{"SINCE", Key{Op: KeySince, Date: date(2026, 6, 12)}, []uint32{3, 4, 5}},
		{"OLDER", Key{Op: KeyOlder, N: int64(time.Since(time.Date(2026, 6, 11, 0, 0, 0, 0, time.Local)) / time.Second)}, []uint32{1, 2}},
		{"YOUNGER", Key{Op: KeyYounger, N: int64(time.Since(time.Date(2026, 6, 11, 0, 0, 0, 0, time.Local))/time.Second) + 60}, []uint32{2, 3, 4, 5}},
		{"SENTON", Key{Op: KeySentOn, Date: date(2026, 6, 1)}, []uint32{1}},
		{"SENTBEFORE", Key{Op: KeySentBefore, Date: date(2026, 6, 3)}, []uint32{1, 2}},
		{"SENTSINCE", Key{Op: KeySentSince, Date: date(2026, 6, 2)}, []uint32{2, 4}},
		{"LARGER", Key{Op: KeyLarger, N: 1000}, []uint32{3}},
		{"SMALLER", Key{Op: KeySmaller, N: 1000}, []uint32{1, 2, 4, 5}},
		{"FROM", head("From", "ALICE"), []uint32{1}},
		{"SUBJECT", head("subject", "grüSSe"), nil}, // ß is not ss: simple folding
		{"SUBJECT decoded", head("subject", "GRÜ"), []uint32{1}},
		{"HEADER", head("X-Empty", ""), []uint32{2}},
		{"HEADER x", head("X-Empty", "x"), nil},
		{"BODY", body("world"), []uint32{2, 5}},
		{"BODY empty", body(""), all},
		{"TEXT", Key{Op: KeyText, Text: "world"}, []uint32{2, 4, 5}},
		{"NOT BODY", not(body("hello")), []uint32{2, 3, 4}},
		{"OR", or(body("hello"), head("subject", "two")), []uint32{1, 2, 5}},
		{"many", and(body("o"), head("Subject", "e"), not(flag(imap.FlagSeen)), Key{Op: KeySmaller, N: 500}), []uint32{5}},
		{"nested", or(and(flag(imap.FlagFlagged), body("world")), not(or(flag(imap.FlagSeen), not(flag(imap.FlagDeleted))))), []uint32{2, 5}},
	}
	for _, tt := range tests {
		got, err := v.Search(t.Context(), &tt.key)
		if err != nil || !slices.Equal(got, tt.want) {
			t.Errorf("%s: got %v, %v, want %v", tt.name, got, err, tt.want)
		}
		// Keys in any order mean the same.
		if len(tt.key.Keys) > 1 {
			slices.Reverse(tt.key.Keys)
			if got, err := v.Search(t.Context(), &tt.key); err != nil || !slices.Equal(got, tt.want) {
				t.Errorf("%s, reversed: got %v, %v, want %v", tt.name, got, err, tt.want)
			}
		}
	}
	_, err := v.Search(t.Context(), new(not(Key{Op: KeySeq, Seq: imap.SeqSetNum(6)})))
	if e, ok := errors.AsType[*imap.Error](err); !ok || e.Type != imap.StatusResponseTypeBad {
		t.Errorf("a sequence number that is too great: %v", err)
	}
}

// Some days begin at one o'clock, as in Chile, or twice, as they did in Jordan.
func TestSearchDay(t *testing.T) {
	for _, tt := range []struct {
		zone, at string
		day      time.Time
	}{
		{"America/Santiago", "2025-09-06T23:30:00-04:00", date(2025, 9, 6)},
		{"America/Santiago", "2025-09-07T01:00:00-03:00", date(2025, 9, 7)},
		{"America/Santiago", "2025-04-05T23:30:00-03:00", date(2025, 4, 5)},
		{"America/Santiago", "2025-04-05T23:30:00-04:00", date(2025, 4, 5)},
		{"Asia/Amman", "2021-10-28T23:30:00+03:00", date(2021, 10, 28)},
		{"Asia/Amman", "2021-10-29T00:30:00+03:00", date(2021, 10, 29)},
		{"Asia/Amman", "2021-10-29T00:30:00+02:00", date(2021, 10, 29)},
	} {
		zone, err := time.LoadLocation(tt.zone)
		if err != nil {
			t.Fatal(err)
		}
		at, err := time.Parse(time.RFC3339, tt.at)
		if err != nil {
			t.Fatal(err)
		}
		for _, off := range []int{-1, 0, 1} { // the day that is asked for
			for op, want := range map[KeyOp]bool{KeyBefore: off > 0, KeyOn: off == 0, KeySince: off <= 0} {
				p, err := new(View).planSearch(&Key{Op: op, Date: tt.day.AddDate(0, 0, off)})
				if err != nil {
					t.Fatal(err)
				}
				if got := p.covers(at.In(zone)); got != want {
					t.Errorf("%v in %v, key %v, %+d days: %v", tt.at, zone, op, off, got)
				}
			}
		}
	}
}

// A message whose file has vanished matches nothing, and is no error.
func TestSearchVanished(t *testing.T) {
	w, v := searchWorld(t)
	w.must(os.Remove(filepath.Join(w.root, "cur/2.M2.x:2,FSa")))
	w.rename("cur/1.M1.x:2,S", "cur/1.M1.x:2,FS") // by another program
	for _, tt := range []struct {
		key  Key
		want []uint32
	}{
		{not(body("nothing")), []uint32{1, 3, 4, 5}},
		{Key{Op: KeyLarger, N: 1}, []uint32{1, 3, 4, 5}},
		{not(head("Subject", "nothing")), []uint32{1, 3, 4, 5}},
		{head("From", "alice"), []uint32{1}},
	} {
		if got, err := v.Search(t.Context(), &tt.key); err != nil || !slices.Equal(got, tt.want) {
			t.Errorf("%+v: got %v, %v, want %v", tt.key, got, err, tt.want)
		}
	}
}

// A message that can't be read does not hide the others.
func TestSearchUnreadable(t *testing.T) {
	w, v := searchWorld(t)
	w.must(os.Remove(filepath.Join(w.root, "cur/2.M2.x:2,FSa")))
	w.must(os.Symlink("1.M1.x:2,S", filepath.Join(w.root, "cur/2.M2.x:2,FSa")))
	for _, key := range []Key{not(body("nothing")), not(head("X-Spam", "nothing")), {Op: KeyLarger, N: 1}} {
		if got, err := v.Search(t.Context(), &key); err != nil || !slices.Equal(got, []uint32{1, 3, 4, 5}) {
			t.Errorf("%+v: got %v, %v", key, got, err)
		}
	}
	for _, key := range []SortKey{SortSubject, SortSize} {
		got, err := v.Sort(t.Context(), []uint32{1, 2, 3}, []SortCriterion{{Key: key}})
		if slices.Sort(got); err != nil || !slices.Equal(got, []uint32{1, 3}) {
			t.Errorf("sort key %v: got %v, %v", key, got, err)
		}
	}
	if got, err := v.Thread(t.Context(), []uint32{2, 3}, OrderedSubject); err != nil || len(got) != 1 || got[0].Seq != 3 {
		t.Errorf("got %v, %v", got, err)
	}
}

// What costs less is asked first, and a key costs as much as its dearest part.
func TestSearchCost(t *testing.T) {
	_, v := searchWorld(t)
	p, err := v.planSearch(new(and(body("x"), or(head("From", "x"), flag("x")), Key{Op: KeyLarger}, not(flag("x")))))
	if err != nil || p.cost != costBody || p.keys[1].cost != costMeta || p.keys[2].cost != costHeader || p.keys[2].keys[0].cost != costMemory {
		t.Errorf("got %+v, %v", p, err)
	}
	var costs []cost
	for _, k := range p.keys {
		costs = append(costs, k.cost)
	}
	if !slices.IsSorted(costs) {
		t.Errorf("keys cost %v", costs)
	}
}

func TestSearchEmpty(t *testing.T) {
	w := newWorld(t)
	v := w.sel(w.start(), "INBOX", false)
	key := Key{Op: KeySeq, Seq: imap.SeqSet{{Start: 1}}} // 1:*
	if got, err := v.Search(t.Context(), &key); err != nil || len(got) != 0 {
		t.Errorf("got %v, %v", got, err)
	}
}

// More messages than one block, by several goroutines, in order.
func TestSearchMany(t *testing.T) {
	w := newWorld(t)
	var want []uint32
	for i := range 500 {
		text := "Subject: x\n\nnothing\n"
		if i%7 == 0 {
			text = "Subject: x\n\nthe needle\n"
			want = append(want, uint32(i)+1)
		}
		w.deliver(".", "", text)
	}
	v := w.sel(w.start(), "INBOX", false)
	key := and(body("NEEDLE"), head("Subject", "X"))
	got, err := v.Search(t.Context(), &key)
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := v.Search(ctx, &key); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func BenchmarkSearch(b *testing.B) {
	for _, x := range []struct {
		name string
		key  Key
	}{
		{"flags", and(not(flag(imap.FlagSeen)), Key{Op: KeyUID, UIDs: imap.UIDSet{{Start: 10, Stop: 1 << 30}}})},
		{"header", head("Subject", "needle")},
		{"body", body("needle")},
	} {
		b.Run(x.name, func(b *testing.B) {
			w := newBenchWorld(b)
			v, err := w.Select(b.Context(), "INBOX", true)
			if err != nil {
				b.Fatal(err)
			}
			defer v.Close()
			for b.Loop() {
				if _, err := v.Search(b.Context(), &x.key); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(v.Len()), "ns/message")
		})
	}
}

// newBenchWorld is an account with 2000 messages of 2 KB.
func newBenchWorld(b *testing.B) *User {
	root := b.TempDir()
	for _, sub := range []string{"cur", "new", "tmp"} {
		if err := os.Mkdir(filepath.Join(root, sub), 0o700); err != nil {
			b.Fatal(err)
		}
	}
	text := "From: Alice <alice@example.org>\nTo: bob@example.org\nSubject: A message\nDate: Mon, 1 Jun 2026 23:30:00 -0800\n\n" +
		strings.Repeat("Some words that are not what is looked for.\n", 45)
	for i := range 2000 {
		if err := os.WriteFile(filepath.Join(root, fmt.Sprintf("cur/17%08d.M%dP1.x:2,S", i, i)), []byte(text), 0o600); err != nil {
			b.Fatal(err)
		}
	}
	watch := watcher.New(watcher.Options{Log: slog.New(slog.DiscardHandler)})
	back := New(Options{Log: slog.New(slog.DiscardHandler), Watcher: watch})
	a, err := back.Open(b.Context(), "alice", Location{Root: root}, false)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := errors.Join(a.Close(), back.Close(), watch.Close()); err != nil {
			b.Error(err)
		}
	})
	return a
}
