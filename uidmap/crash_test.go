package uidmap

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// crash is what a process leaves that is killed at a failpoint.
type crash[P any] struct {
	at      string
	path    string // a copy of the account
	promise P      // what had been promised by then
}

// crashes runs f and takes a copy of the account at each failpoint. promise says what f's
// callers have been told at this moment.
func crashes[P any](t *testing.T, a *account, f func(), promise func() P) []crash[P] {
	t.Helper()
	var all []crash[P]
	seen := make(map[string]int)
	failpoint = func(name string) {
		seen[name]++
		c := crash[P]{fmt.Sprintf("%s#%d", name, seen[name]), t.TempDir(), promise()}
		if err := os.CopyFS(c.path, os.DirFS(a.path)); err != nil {
			t.Fatal(err)
		}
		all = append(all, c)
	}
	defer func() { failpoint = nil }()
	f()
	return all
}

// promisedUIDs is what the callers of a list were told.
type promisedUIDs struct {
	validity uint32
	next     uint32
	alive    map[string]uint32
	given    map[uint32]string // under this validity
}

func (p promisedUIDs) clone() promisedUIDs {
	p.alive, p.given = maps.Clone(p.alive), maps.Clone(p.given)
	return p
}

// look adds what l shows.
func (p *promisedUIDs) look(t *testing.T, l *List) {
	t.Helper()
	if l.UIDValidity() != p.validity {
		*p = promisedUIDs{validity: l.UIDValidity(), given: make(map[uint32]string)}
	}
	p.alive = make(map[string]uint32)
	for r := range l.All() {
		p.alive[r.Base] = r.UID
		if other, ok := p.given[r.UID]; ok && other != r.Base {
			t.Errorf("UID %d names %s and %s", r.UID, other, r.Base)
		}
		p.given[r.UID] = r.Base
	}
	if l.UIDNext() < p.next {
		t.Errorf("UIDNEXT %d after %d", l.UIDNext(), p.next)
	}
	p.next = l.UIDNext()
}

func TestCrashesOfAList(t *testing.T) {
	a := newAccount(t)
	a.write(courierList, "1 1795449320 8\n1 1700000001.M1P1.host\n5 1700000002.M2P1.host\n")
	a.write(courierKeywords+"/:list", "Work\n\n1700000001.M1P1.host:0\n")
	var p promisedUIDs
	all := crashes(t, a, func() {
		l := a.list()
		p.look(t, l)
		for i := range 4 {
			add(t, l, fmt.Sprint("m", i), fmt.Sprint("n", i))
			p.look(t, l)
		}
		drop := func(uids ...uint32) {
			for _, uid := range uids {
				delete(p.alive, p.given[uid]) // no longer promised
			}
			forget(t, l, uids...)
			p.look(t, l)
		}
		drop(8, 9, 10, 11, 12) // rewrites
		drop(l.UIDNext() - 1)  // doesn't
		add(t, l, "n5")        // has a dead line: rewrites
		p.look(t, l)
		a.appendTo(listFile, "18 :to")
		add(t, l, "after torn")
		p.look(t, l)
		a.appendTo(listFile, "3 :damage\n")
		add(t, l, "m0", "m1")
		p.look(t, l)
		os.Remove(filepath.Join(a.path, listFile))
		add(t, l, "m2")
		p.look(t, l)
	}, func() promisedUIDs { return p.clone() })
	if len(all) < 60 {
		t.Errorf("only %d failpoints reached", len(all))
	}
	for _, c := range all {
		t.Run(c.at, func(t *testing.T) { reopen(t, c.path, c.promise) })
	}
}

// reopen opens what a crash left and holds it against what was promised.
func reopen(t *testing.T, path string, p promisedUIDs) {
	a := accountAt(t, path)
	l := a.list()
	if l.UIDValidity() < p.validity {
		t.Fatalf("UIDVALIDITY %d after %d", l.UIDValidity(), p.validity)
	}
	if l.UIDValidity() == p.validity {
		for base, uid := range p.alive {
			if r, ok := l.Lookup(base); !ok || r.UID != uid {
				t.Errorf("%s had UID %d, has now %+v", base, uid, r)
			}
		}
	} else if !strings.Contains(a.read(listFile), fmt.Sprint("V", l.UIDValidity())) {
		t.Error("the new UIDVALIDITY is not on disk")
	}
	p.look(t, l)
	uid := add(t, l, "newcomer")[0]
	if other, ok := p.given[uid]; ok {
		t.Errorf("UID %d named %s", uid, other)
	}
	p.look(t, l)
	p.look(t, a.list())
	if _, err := a.root.Stat(listFile + ".lock"); err == nil {
		t.Error("the lock is left")
	}
}

// A crash in the midst of writing lines may leave any part of them.
func TestCrashWhileAppending(t *testing.T) {
	a := newAccount(t)
	l := a.list()
	add(t, l, "before")
	var p promisedUIDs
	p.look(t, l)
	old := len(a.read(listFile))
	all := crashes(t, a, func() { add(t, l, "one", "two", "three") }, p.clone)
	i := slices.IndexFunc(all, func(c crash[promisedUIDs]) bool { return strings.HasPrefix(c.at, "append: written") })
	if i < 0 {
		t.Fatal("did not append")
	}
	for _, zeros := range []bool{false, true} {
		whole, err := os.ReadFile(filepath.Join(all[i].path, listFile))
		if err != nil {
			t.Fatal(err)
		}
		for size := old; size <= len(whole); size++ {
			left := whole[:size]
			if zeros { // the length was on disk before the content
				left = append(slices.Clone(left), make([]byte, len(whole)-size)...)
			}
			path := t.TempDir()
			if err := os.WriteFile(filepath.Join(path, listFile), left, 0o600); err != nil {
				t.Fatal(err)
			}
			// Whole lines may have been seen by readers without lock.
			seen := all[i].promise.clone()
			seen.look(t, accountAt(t, path).list())
			reopen(t, path, seen)
		}
	}
}

func TestCrashesOfValidity(t *testing.T) {
	a := newAccount(t)
	var given []uint32
	all := crashes(t, a, func() {
		for range 5 {
			v, err := a.next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			given = append(given, v)
		}
	}, func() []uint32 { return slices.Clone(given) })
	for _, c := range all {
		v, err := accountAt(t, c.path).next(t.Context())
		if err != nil || len(c.promise) > 0 && v <= slices.Max(c.promise) {
			t.Errorf("%s: %d, %v after %d", c.at, v, err, c.promise)
		}
	}
}

func TestCrashesOfKeywords(t *testing.T) {
	type promise struct {
		names map[string]int
		sets  map[string][]int
	}
	p := promise{make(map[string]int), make(map[string][]int)}
	a := newAccount(t)
	all := crashes(t, a, func() {
		k := a.keywords()
		addNames := func(names ...string) {
			t.Helper()
			indexes, err := k.Add(t.Context(), names...)
			if err != nil {
				t.Fatal(err)
			}
			for i, name := range names {
				p.names[name] = indexes[i]
			}
		}
		set := func(base string, indexes ...int) {
			t.Helper()
			delete(p.sets, base) // meanwhile it is the old or the new one
			if err := k.SetExtra(t.Context(), map[string][]int{base: indexes}); err != nil {
				t.Fatal(err)
			}
			p.sets[base] = indexes
		}
		addNames("one", "two")
		for i := range 4 { // to beyond the letters
			addNames(fmt.Sprint("k", i), fmt.Sprint("l", i), fmt.Sprint("m", i), fmt.Sprint("n", i), fmt.Sprint("o", i), fmt.Sprint("p", i), fmt.Sprint("q", i))
		}
		set("a", 26, 27)
		set("b", 27)
		set("a")
		a.appendTo(extrasFile, "m 26 to")
		addNames("late")
		set("c", 28)
		a.appendTo(extrasFile, "what?\n")
		set("d", 26)
	}, func() promise { return promise{maps.Clone(p.names), maps.Clone(p.sets)} })
	for _, c := range all {
		t.Run(c.at, func(t *testing.T) {
			k := accountAt(t, c.path).keywords()
			check := func() {
				t.Helper()
				for name, index := range c.promise.names {
					if i, ok := k.Index(name); !ok || i != index {
						t.Errorf("%s was %d, is %d, %v", name, index, i, ok)
					}
				}
				for base, set := range c.promise.sets {
					if got := k.Extra(base); !slices.Equal(got, set) {
						t.Errorf("%s had %d, has %d", base, set, got)
					}
				}
			}
			check()
			if _, err := k.Add(t.Context(), "newOne"); err != nil {
				t.Error(err)
			}
			check()
		})
	}
}

func TestCrashesOfSubscriptions(t *testing.T) {
	a := newAccount(t)
	var names []string
	all := crashes(t, a, func() {
		s, err := OpenSubscriptions(a.root, ".", '.', a.o)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 5 {
			name := fmt.Sprint("Folder.", i)
			if err := s.Add(t.Context(), name); err != nil {
				t.Fatal(err)
			}
			names = append(names, name)
		}
	}, func() []string { return slices.Clone(names) })
	for _, c := range all {
		a := accountAt(t, c.path)
		s, err := OpenSubscriptions(a.root, ".", '.', a.o)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range c.promise {
			if !s.Has(name) {
				t.Errorf("%s: %s is lost", c.at, name)
			}
		}
		if err := s.Add(t.Context(), "after"); err != nil {
			t.Errorf("%s: %v", c.at, err)
		}
	}
}

// What is on disk when: a rename only after the content, a return only after the directory.
func TestOrderOfWrites(t *testing.T) {
	a := newAccount(t)
	l := a.list()
	k := a.keywords()
	s := a.subscriptions('.')
	tx := lock(t, l)
	defer func() { failpoint = nil }()
	var steps []string
	failpoint = func(name string) { steps = append(steps, name) }
	replaced := []string{"replace: created", "replace: written", "file synced", "replace: renamed", "directory synced"}
	locked := func(steps ...string) []string {
		return append(append([]string{"lock: taken"}, steps...), "lock: before release")
	}
	for _, test := range []struct {
		name string
		do   func() error
		want []string
	}{
		{"append", func() error { return tx.Add([]Record{{Base: "a"}, {Base: "b"}}) }, []string{"append: before", "append: written", "data synced"}},
		{"rewrite", func() error { return tx.Forget([]uint32{1}) }, replaced},
		{"validity", func() error { _, err := a.next(t.Context()); return err }, []string{"validity: taken", "directory synced"}},
		{"keyword", func() error { _, err := k.Add(t.Context(), "a"); return err }, locked(replaced...)},
		{"first extra", func() error { return k.setCourier(t.Context(), courierDone) }, locked(replaced...)},
		{"extra", func() error { return k.setCourier(t.Context(), courierTakesKeywords) }, locked("extras: before", "extras: written", "data synced")},
		{"subscribe", func() error { return s.Add(t.Context(), "a") }, locked(replaced...)},
		{"unsubscribe", func() error { return s.Remove(t.Context(), "a") }, locked(replaced...)},
		{"nothing new", func() error { return s.Remove(t.Context(), "a") }, locked()},
	} {
		steps = nil
		if err := test.do(); err != nil {
			t.Errorf("%s: %v", test.name, err)
		}
		if !slices.Equal(steps, test.want) {
			t.Errorf("%s: %q, want %q", test.name, steps, test.want)
		}
	}
	failpoint = nil
	unlock(t, tx)
}
