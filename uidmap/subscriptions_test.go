package uidmap

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func (a *account) subscriptions(sep byte) *Subscriptions {
	a.t.Helper()
	s, err := OpenSubscriptions(a.root, ".", sep, a.o)
	if err != nil {
		a.t.Fatalf("OpenSubscriptions: %v", err)
	}
	return s
}

func TestSubscriptions(t *testing.T) {
	tests := []struct {
		name, file string
		sep        byte
		names      []string
		added      string // the file after adding "New.Sub" or "New/Sub"
	}{
		{"version 2", "V\t2\n\nWork\nWork\tSub\nINBOX\nEntw&APw-rfe\nwith space\n", '.',
			[]string{"Work", "Work.Sub", "INBOX", "Entw&APw-rfe", "with space"},
			"V\t2\n\nWork\nWork\tSub\nINBOX\nEntw&APw-rfe\nwith space\nNew\tSub\n"},
		{"version 2, slash", "V\t2\n\nWork\tSub\nA.B\n", '/', []string{"Work/Sub", "A.B"}, "V\t2\n\nWork\tSub\nA.B\nNew\tSub\n"},
		{"version 2, escapes", "V\t2\n\na\x01tb\tc\x011\n", '.', []string{"a\tb.c\x01"}, "V\t2\n\na\x01tb\tc\x011\nNew\tSub\n"},
		{"version 2, not ours to show", "V\t2\n\nA.B\tC\nbad\x01n\nD\n", '.', []string{"D"}, "V\t2\n\nA.B\tC\nbad\x01n\nD\nNew\tSub\n"},
		{"version 2, more header", "V\t2\nX\tY\n\nD\n", '.', []string{"D"}, "V\t2\nX\tY\n\nD\nNew\tSub\n"},
		{"version 2, empty", "V\t2\n\n", '.', nil, "V\t2\n\nNew\tSub\n"},
		{"version 2, cut off", "V\t2", '.', nil, "V\t2\n\nNew\tSub\n"},
		{"version 1", "Work\nA.B.C\nINBOX\nDrafts\n", '.', []string{"Work", "A.B.C", "INBOX", "Drafts"}, "Work\nA.B.C\nINBOX\nDrafts\nNew.Sub\n"},
		{"version 1, no line end", "Work\nA/B", '/', []string{"Work", "A/B"}, "Work\nA/B\nNew/Sub\n"},
		{"version 1, empty", "", '.', nil, "New.Sub\n"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			a := newAccount(t)
			a.write(subscriptionsFile, test.file)
			s := a.subscriptions(test.sep)
			if !s.Exists() || !slices.Equal(s.Names(), test.names) {
				t.Errorf("names %q, want %q", s.Names(), test.names)
			}
			name := "New" + string(rune(test.sep)) + "Sub"
			for range 2 {
				if err := s.Add(t.Context(), name); err != nil {
					t.Fatal(err)
				}
			}
			if got := a.read(subscriptionsFile); got != test.added {
				t.Errorf("file %q, want %q", got, test.added)
			}
			if !s.Has(name) || !a.subscriptions(test.sep).Has(name) {
				t.Error("not subscribed")
			}
			if err := s.Remove(t.Context(), append(s.Names(), "missing")...); err != nil {
				t.Fatal(err)
			}
			if left := a.subscriptions(test.sep).Names(); len(left) > 0 || len(s.Names()) > 0 {
				t.Errorf("left: %q", left)
			}
			if err := s.Add(t.Context(), name); err != nil || !slices.Equal(a.subscriptions(test.sep).Names(), []string{name}) {
				t.Errorf("subscribed again: %q, %v", s.Names(), err)
			}
		})
	}
}

func TestSubscriptionsOfOthers(t *testing.T) {
	a := newAccount(t)
	one, two := a.subscriptions('.'), a.subscriptions('.')
	if one.Exists() || one.Names() != nil {
		t.Errorf("names of no file: %q", one.Names())
	}
	for i, s := range []*Subscriptions{one, two, one} {
		if err := s.Add(t.Context(), string(rune('a'+i))); err != nil {
			t.Fatal(err)
		}
	}
	if err := two.Remove(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	if changed, err := one.Refresh(); !changed || err != nil || !slices.Equal(one.Names(), []string{"b", "c"}) {
		t.Errorf("Refresh = %v, %v: %q", changed, err, one.Names())
	}
	if got, want := a.read(subscriptionsFile), "V\t2\n\nb\nc\n"; got != want {
		t.Errorf("file %q, want %q", got, want)
	}
	if err := os.Remove(filepath.Join(a.path, subscriptionsFile)); err != nil {
		t.Fatal(err)
	}
	if changed, err := one.Refresh(); !changed || err != nil || len(one.Names()) > 0 || one.Exists() {
		t.Errorf("Refresh = %v, %v: %q", changed, err, one.Names())
	}
}

func TestSubscriptionErrors(t *testing.T) {
	a := newAccount(t)
	s := a.subscriptions('.')
	for _, bad := range []string{"", "a\nb", "a\rb", "a\x00"} {
		if err := s.Add(t.Context(), "good", bad); !errors.Is(err, ErrName) {
			t.Errorf("Add(%q): %v", bad, err)
		}
	}
	if s.Has("good") || s.Exists() {
		t.Error("changed in spite of an error")
	}
	a.write(subscriptionsFile, "V\t3\n\nx\n")
	if _, err := OpenSubscriptions(a.root, ".", '.', a.o); !errors.Is(err, ErrVersion) {
		t.Errorf("version 3: %v", err)
	}
	if err := s.Add(t.Context(), "x"); !errors.Is(err, ErrVersion) || a.read(subscriptionsFile) != "V\t3\n\nx\n" {
		t.Errorf("Add to version 3: %v", err)
	}
	a.write(subscriptionsFile, "x\n")
	big := strings.Repeat("x", maxSubscriptions)
	if err := s.Add(t.Context(), big); !errors.Is(err, ErrLimit) || s.Has(big) || !s.Has("x") {
		t.Errorf("Add of 16 MiB: %v", err)
	}
}
