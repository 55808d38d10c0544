package uidmap

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func FuzzParseList(f *testing.F) {
	f.Add(dovecotList)
	f.Add("1 1795449320 5\n1 1700000001.M1P1.host\n2 1700000002.M2P1.host\n")
	f.Add("3 V7 N1 Pv Xabc\n1 S4 W5 G7 Zx :a:2,S\r\n2 :a\n9 :b\n12 :to")
	f.Add("3 V4294967295 N4294967295 G" + guid + "\n4294967294 :a\n")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := parseList(text)
		if err != nil {
			return
		}
		if c.validity == 0 || c.next == 0 || c.aboveTorn < c.next {
			t.Fatalf("UIDVALIDITY %d, UIDNEXT %d, %d", c.validity, c.next, c.aboveTorn)
		}
		if int(c.off)+len(c.torn) != len(text) {
			t.Fatalf("%d bytes and %q of %d", c.off, c.torn, len(text))
		}
		last, dead := uint32(0), 0
		for i := range c.recs {
			r := &c.recs[i]
			if r.uid <= last || r.uid >= c.next || !ValidBase(r.name()) {
				t.Fatalf("UID %d %q after %d, next is %d", r.uid, r.name(), last, c.next)
			}
			last = r.uid
			_ = r.record()
			if r.dead {
				dead++
			} else if found := c.find(r.name()); found != r {
				t.Fatalf("%q is found as %v", r.name(), found)
			}
			if c.byUID(r.uid) != r {
				t.Fatalf("UID %d is not found", r.uid)
			}
		}
		if dead != c.dead {
			t.Fatalf("%d dead, counted %d", dead, c.dead)
		}
		// Read line by line, it is the same.
		head, body, _ := strings.Cut(text, "\n")
		p := &content{}
		if err := p.parseHeader(strings.TrimSuffix(head, "\r")); err != nil {
			t.Fatal(err)
		}
		for body != "" {
			n := min(len(body), 7)
			if err := p.parseLines(p.torn + body[:n]); err != nil {
				t.Fatal(err)
			}
			body = body[n:]
		}
		if p.next != c.next || p.torn != c.torn || len(p.recs) != len(c.recs) || p.dead != c.dead {
			t.Fatalf("in pieces: next %d, %d records, torn %q; at once: %d, %d, %q", p.next, len(p.recs), p.torn, c.next, len(c.recs), c.torn)
		}
	})
}

// What a list writes, it reads; nothing is lost.
func FuzzRewriteList(f *testing.F) {
	f.Add(dovecotList, "new")
	f.Add("1 1795449320 5\n1 a\n2 b\n", "b")
	f.Add("3 V7 N1 Pv Xabc\n1 S4 W5 G7 Zx :a:2,S\r\n2 :a\n9 :b\n12 :to", "a")
	f.Fuzz(func(t *testing.T, text, base string) {
		c, err := parseList(text)
		if err != nil {
			return
		}
		a := newAccount(t)
		a.write(listFile, text)
		l := a.list()
		if c.next <= maxUID-tornGap && ValidBase(base) {
			add(t, l, base)
		}
		again := a.list()
		if !slices.Equal(dump(l), dump(again)) || again.UIDNext() != l.UIDNext() || again.UIDNext() < c.next ||
			l.UIDValidity() != c.validity || again.GUID() != l.GUID() || again.fields != c.fields {
			t.Fatalf("%q became %q", text, a.read(listFile))
		}
		for i := range c.recs {
			r := &c.recs[i]
			if got := again.byUID(r.uid); !r.dead && (got == nil || got.text != r.text) {
				t.Fatalf("lost %q", r.text)
			}
		}
	})
}

func FuzzKeywords(f *testing.F) {
	f.Add("0 $Junk\n1 NonJunk\n2 foo\n", extrasHead+"\nk 26 one\nm 26 base\nm - base\ncourier done\n")
	f.Add("25 z\n26 x\n", extrasHead+"\nm 999,26 b c\nm 26 tor")
	f.Fuzz(func(t *testing.T, letters, extras string) {
		a := newAccount(t)
		a.write(keywordsFile, letters)
		a.write(extrasFile, extras)
		k := a.keywords()
		k.Seen(0xa5)
		names := k.Names()
		if len(names) > MaxKeywords {
			t.Fatalf("%d names", len(names))
		}
		for i, name := range names {
			if name != "" && !validKeyword(name) {
				t.Fatalf("name %q", name)
			}
			if j, ok := k.Index(name); name != "" && (!ok || !strings.EqualFold(names[j], name)) {
				t.Fatalf("%q is %d, found as %d, %v", name, i, j, ok)
			}
		}
		sets := fmt.Sprint(k.extras.sets)
		i, err := k.Add(t.Context(), "brand", "new", "brand")
		if len(names) > MaxKeywords-2 {
			return
		}
		if err != nil || i[0] == i[1] || i[0] != i[2] {
			t.Fatalf("Add = %d, %v", i, err)
		}
		if err := k.SetExtra(t.Context(), map[string][]int{"x": {}}); err != nil {
			t.Fatal(err)
		}
		again := a.keywords()
		if !slices.Equal(again.Names(), k.Names()) {
			t.Fatalf("names %q, read again %q", k.Names(), again.Names())
		}
		for i, name := range names {
			if name != "" && k.Names()[i] != name {
				t.Fatalf("%q became %q", name, k.Names()[i])
			}
		}
		if delete(k.extras.sets, "x"); !strings.Contains(sets, "x:") && fmt.Sprint(again.extras.sets) != sets {
			t.Fatalf("sets %s became %v", sets, again.extras.sets)
		}
	})
}

func FuzzSubscriptions(f *testing.F) {
	f.Add("V\t2\n\nWork\nWork\tSub\nINBOX\nEntw&APw-rfe\nwith space\n", "Work.New", byte('.'))
	f.Add("Work\nA.B.C\nINBOX\nDrafts\n", "A/B", byte('/'))
	f.Add("V\t2\nX\n\na\x01tb\x011\tc\n\n\x01", "a\tb.\x01t", byte('.'))
	f.Add("\nV\t", "0", byte('.')) // not to become a version 2
	f.Fuzz(func(t *testing.T, text, name string, sep byte) {
		if sep != '/' {
			sep = '.'
		}
		a := newAccount(t)
		a.write(subscriptionsFile, text)
		s, err := OpenSubscriptions(a.root, ".", sep, a.o)
		if err != nil {
			return
		}
		before := s.Names()
		if s.Add(t.Context(), name) != nil {
			return
		}
		again := a.subscriptions(sep)
		if !again.Has(name) || !slices.Equal(again.Names(), s.Names()) {
			t.Fatalf("%q with %q: names %q, read again %q", text, name, s.Names(), again.Names())
		}
		for _, b := range before {
			if !again.Has(b) {
				t.Fatalf("lost %q", b)
			}
		}
		if err := again.Remove(t.Context(), name); err != nil || a.subscriptions(sep).Has(name) {
			t.Fatalf("not removed (%v)", err)
		}
	})
}

func FuzzCourier(f *testing.F) {
	f.Add("Work\n$Junk\n\n1700000001.M1P1.host:1 0\n1700000002.M2P1.host:0\n", "$Junk\nWork\n", "INBOX.Sent\nINBOX\n")
	f.Fuzz(func(t *testing.T, list, file, subscriptions string) {
		a := newAccount(t)
		a.write(courierKeywords+"/:list", list)
		a.write(courierKeywords+"/.1.x", file)
		a.write(courierSubscriptions, subscriptions)
		keywords, err := ImportCourierKeywords(a.root, ".")
		if err != nil {
			t.Fatal(err)
		}
		for base, names := range keywords {
			if slices.ContainsFunc(names, func(s string) bool { return !validKeyword(s) }) {
				t.Fatalf("%q has %q", base, names)
			}
		}
		if _, err := CourierSubscriptions(a.root, "."); err != nil {
			t.Fatal(err)
		}
	})
}
