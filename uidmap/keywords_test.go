package uidmap

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestReadKeywords(t *testing.T) {
	a := newAccount(t)
	a.write(keywordsFile, "0 $Junk\n1 NonJunk\n3 foo\n\nno number\n4\n5 \n26 beyond\n-1 x\n7 bad name\n8 line\x01\n9 last")
	k := a.keywords()
	k.Seen(1<<2 | 1<<10 | 1<<26)
	want := []string{"$Junk", "NonJunk", "unknown-2", "foo", "", "", "", "unknown-7", "unknown-8", "last", "unknown-10"}
	if got := k.Names(); !slices.Equal(got, want) {
		t.Errorf("names %q, want %q", got, want)
	}
	for name, want := range map[string]int{"$junk": 0, "NONJUNK": 1, "unknown-2": 2, "Unknown-10": 10, "foo": 3, "last": 9, "unknown-7": 7,
		"missing": -1, "unknown-4": -1, "unknown-11": -1, "unknown-3": -1, "unknown-02": -1, "unknown-99999999999": -1, "": -1, "bad name": -1} {
		if i, ok := k.Index(name); ok != (want >= 0) || ok && i != want {
			t.Errorf("Index(%q) = %d, %v; want %d", name, i, ok, want)
		}
	}
}

func TestAddKeywords(t *testing.T) {
	a := newAccount(t)
	a.write(keywordsFile, "0 $Junk\n2 foo\n")
	old := time.Now().Add(time.Hour).Truncate(time.Second)
	if err := os.Chtimes(filepath.Join(a.path, keywordsFile), old, old.Add(time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	k := a.keywords()
	k.Seen(1 << 1)
	got, err := k.Add(t.Context(), "FOO", "Neu", "neu", "$junk", "next")
	if want := []int{2, 3, 3, 0, 4}; err != nil || !slices.Equal(got, want) {
		t.Fatalf("Add = %d, %v; want %d", got, err, want)
	}
	if got, want := a.read(keywordsFile), "0 $Junk\n1 unknown-1\n2 foo\n3 Neu\n4 next\n"; got != want {
		t.Errorf("file %q, want %q", got, want)
	}
	info, err := os.Stat(filepath.Join(a.path, keywordsFile))
	if err != nil || info.ModTime().Unix() != old.Unix()+1 {
		t.Errorf("mtime went from %v to %v", old, info.ModTime())
	}
	if _, err := os.Stat(filepath.Join(a.path, extrasFile)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s was written for nothing", extrasFile)
	}
	for _, bad := range []string{"", "a b", "a\nb", `\Seen`, "a(", "ä", strings.Repeat("x", 256)} {
		if _, err := k.Add(t.Context(), bad); !errors.Is(err, ErrName) {
			t.Errorf("Add(%q): %v", bad, err)
		}
	}
}

// Two programs add keywords in turns.
func TestKeywordsOfOthers(t *testing.T) {
	a := newAccount(t)
	one, two := a.keywords(), a.keywords()
	for i := range 40 {
		k := one
		if i%2 == 1 {
			k = two
		}
		got, err := k.Add(t.Context(), fmt.Sprint("k", i))
		if err != nil || got[0] != i {
			t.Fatalf("Add %d = %d, %v", i, got, err)
		}
		if err := k.SetExtra(t.Context(), map[string][]int{"m": extrasTo(i)}); err != nil {
			t.Fatal(err)
		}
	}
	if changed, err := one.Refresh(); !changed || err != nil {
		t.Errorf("Refresh = %v, %v", changed, err)
	}
	if !slices.Equal(one.Names(), two.Names()) || !slices.Equal(one.Names(), a.keywords().Names()) {
		t.Error("they know different names")
	}
	if got, want := one.Extra("m"), extrasTo(39); !slices.Equal(got, want) {
		t.Errorf("extras %d, want %d", got, want)
	}
	if changed, err := one.Refresh(); changed || err != nil {
		t.Errorf("Refresh = %v, %v", changed, err)
	}
}

func extrasTo(i int) (set []int) {
	for n := Letters; n <= i; n++ {
		set = append(set, n)
	}
	return set
}

func TestExtras(t *testing.T) {
	a := newAccount(t)
	k := a.keywords()
	for i := range 30 {
		if _, err := k.Add(t.Context(), fmt.Sprint("k", i)); err != nil {
			t.Fatal(err)
		}
	}
	set := func(base string, indexes ...int) {
		t.Helper()
		if err := k.SetExtra(t.Context(), map[string][]int{base: indexes}); err != nil {
			t.Fatal(err)
		}
	}
	set("a b,S=4", 29, 26, 29)
	set("c", 27)
	check := func(k *Keywords) {
		t.Helper()
		if got := k.Extra("a b,S=4"); !slices.Equal(got, []int{26, 29}) {
			t.Errorf("extras %d", got)
		}
		if got := k.Extra("c"); !slices.Equal(got, []int{27}) {
			t.Errorf("extras %d", got)
		}
		if got := k.Extra("d"); got != nil {
			t.Errorf("extras %d", got)
		}
	}
	check(k)
	check(a.keywords())
	for range 100 { // written anew on the way
		set("d", 28)
		set("d")
	}
	check(k)
	check(a.keywords())
	if n := strings.Count(a.read(extrasFile), "\n"); n > 150 {
		t.Errorf("%d lines for a handful of keywords", n)
	}
	for _, bad := range []map[string][]int{{"x": {25}}, {"x": {30}}, {"x": {-1}}} {
		if err := k.SetExtra(t.Context(), bad); !errors.Is(err, ErrLimit) {
			t.Errorf("SetExtra(%v): %v", bad, err)
		}
	}
	if err := k.SetExtra(t.Context(), map[string][]int{"x\ny": {26}}); !errors.Is(err, ErrName) {
		t.Errorf("SetExtra: %v", err)
	}
	if err := k.Forget(t.Context(), []string{"d", "c", "a b,S=4", "never"}); err != nil {
		t.Fatal(err)
	}
	if k = a.keywords(); k.Extra("c") != nil || k.Names()[29] != "k29" {
		t.Errorf("after Forget: %d, %q", k.Extra("c"), k.Names())
	}
	before := a.read(extrasFile)
	if err := k.Forget(t.Context(), []string{"never"}); err != nil || a.read(extrasFile) != before {
		t.Errorf("Forget wrote for nothing (%v)", err)
	}
}

func TestDamagedExtras(t *testing.T) {
	a := newAccount(t)
	file := extrasHead + "\nk 26 one\nnonsense\nk 27\nk 5 x\nk 28 b(d\nk 99999999 x\nm 26,x base\nm 5 base\nm 26 good\nm 30 lost names\nm 26 tor"
	a.write(extrasFile, file)
	k := a.keywords()
	if got := k.Names()[Letters:]; !slices.Equal(got, []string{"one", "unknown-27", "unknown-28", "unknown-29", "unknown-30"}) {
		t.Errorf("names %q", got)
	}
	if err := k.SetExtra(t.Context(), map[string][]int{"new": {26}}); err != nil {
		t.Fatal(err)
	}
	want := extrasHead + "\nk 26 one\nm 26 good\nm 30 lost names\nm 26 new\n"
	if got := a.read(extrasFile); got != want {
		t.Errorf("file %q, want %q", got, want)
	}
	broken := a.glob(extrasFile + ".broken-*")
	if len(broken) != 1 || a.read(broken[0]) != file {
		t.Errorf("set aside: %q", broken)
	}
}

func TestTooManyKeywords(t *testing.T) {
	a := newAccount(t)
	k := a.keywords()
	names := make([]string, MaxKeywords)
	for i := range names {
		names[i] = fmt.Sprint("k", i)
	}
	if _, err := k.Add(t.Context(), names...); err != nil {
		t.Fatal(err)
	}
	if _, err := k.Add(t.Context(), "more"); !errors.Is(err, ErrLimit) {
		t.Errorf("Add: %v", err)
	}
	if got := a.keywords().Names(); !slices.Equal(got, names) {
		t.Errorf("%d names", len(got))
	}
}
