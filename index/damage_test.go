package index

import (
	"bytes"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
)

// A process that is killed leaves any beginning of what it wrote. All whole blocks are
// used, and writing goes on behind them.
func TestCutShort(t *testing.T) {
	w := newWorld(t)
	f := New(w.opt)
	for from := uint32(1); from <= 30; from += 10 {
		put(f, Head, span(from, from+9)...)
		w.flush(f)
	}
	w.written(f)
	whole := w.bytes()
	last := 0
	for n := range len(whole) + 1 {
		w.setBytes(whole[:n])
		f := New(w.opt)
		got := w.known(f, Head, 30)
		if len(got)%10 != 0 || len(got) < last || !slices.Equal(got, span(1, uint32(len(got)))) {
			t.Fatalf("of %d octets: %v", n, got)
		}
		last = len(got)
		if n%13 == 0 || n == len(whole) {
			put(f, Head, 31)
			w.written(f)
			f = New(w.opt)
			if _, _, ok := get(f, 31, Head); !ok || len(w.known(f, Head, 30)) != last {
				t.Fatalf("of %d octets: writing does not go on", n)
			}
		}
		f.Close()
	}
	if last != 30 {
		t.Errorf("%d of the whole file", last)
	}
}

// A block whose directory is damaged costs itself and what follows, and nothing before it.
func TestDamagedDirectory(t *testing.T) {
	w := newWorld(t)
	f := New(w.opt)
	put(f, Head, span(1, 10)...)
	w.flush(f)
	first := len(w.bytes())
	put(f, Head, span(11, 20)...)
	w.written(f)
	b := w.bytes()
	b[first+blockHeadLen] ^= 1 // a UID
	w.setBytes(b)
	f = New(w.opt)
	defer f.Close()
	if got := w.known(f, Head, 20); !slices.Equal(got, span(1, 10)) {
		t.Errorf("known: %v", got)
	}
	w.wantLog("not whole")
}

// TestDamaged flips octets anywhere: what is answered is what was put, and what was lost
// can be put again.
func TestDamaged(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	w := newWorld(t)
	f := New(w.opt)
	put(f, Head, span(1, 700)...)
	put(f, Facts, span(1, 300)...)
	w.written(f)
	whole := w.bytes()
	for range 150 {
		b := slices.Clone(whole)
		for range 1 + r.IntN(3) {
			i := r.IntN(len(b))
			if r.IntN(3) == 0 {
				i = r.IntN(headerLen + blockHeadLen + 100*entryLen)
			}
			b[i] ^= byte(1 + r.IntN(255))
		}
		w.setBytes(b)
		f := New(w.opt)
		w.known(f, Head, 700)
		w.known(f, Facts, 700)
		put(f, Body, 5)
		put(f, Facts, 2)
		w.flush(f)
		if len(w.known(f, Body, 10)) != 1 || !slices.Contains(w.known(f, Facts, 10), 2) {
			t.Error("it does not start anew")
		}
		w.known(f, Head, 700)
		w.written(f)
		if lines := w.log.take(); len(lines) > 2 {
			t.Errorf("logged %q", lines)
		}
	}
}

// Damage is found in a file that is read already, too.
func TestDamagedWhileOpen(t *testing.T) {
	for name, damage := range map[string]func(w *world){
		"shorter": func(w *world) { os.Truncate(w.path(), 100) },
		"zeros":   func(w *world) { w.setBytes(make([]byte, 10_000)) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			f := New(w.opt)
			put(f, Head, span(1, 100)...)
			w.flush(f)
			damage(w)
			if got := w.known(f, Head, 100); len(got) > 0 {
				t.Errorf("known: %v", got)
			}
			w.wantLog("start anew")
			put(f, Head, span(1, 100)...)
			w.written(f)
			f = New(w.opt)
			defer f.Close()
			if got := w.known(f, Head, 100); len(got) != 100 {
				t.Errorf("known after it: %v", got)
			}
			w.wantLog("")
		})
	}
}

// The file may be removed, or replaced, at any time.
func TestRemovedWhileOpen(t *testing.T) {
	for name, change := range map[string]func(w *world){
		"removed":  func(w *world) { os.Remove(w.path()) },
		"replaced": func(w *world) { os.WriteFile(w.path()+".x", []byte("x"), 0o600); os.Rename(w.path()+".x", w.path()) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			f := New(w.opt)
			put(f, Head, span(1, 100)...)
			w.flush(f)
			change(w)
			if got := w.known(f, Head, 100); len(got) != 100 {
				t.Errorf("what was read is lost: %v", got)
			}
			put(f, Head, 101)
			w.flush(f)
			put(f, Head, 102)
			w.written(f)
			f = New(w.opt)
			defer f.Close()
			if got := w.known(f, Head, 200); !slices.Equal(got, []uint32{101, 102}) {
				t.Errorf("known after it: %v", got)
			}
		})
	}
}

func TestForeign(t *testing.T) {
	for name, change := range map[string]func(*Options){
		"GUID":        func(o *Options) { o.GUID = strings.ToUpper(o.GUID) },
		"UIDVALIDITY": func(o *Options) { o.UIDValidity++ },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			f := New(w.opt)
			put(f, Head, 1, 2)
			w.written(f)
			change(&w.opt)
			f = New(w.opt)
			if _, _, ok := get(f, 1, Head); ok {
				t.Error("the other folder's records are used")
			}
			w.wantLog("another folder")
			put(f, Head, 3)
			w.written(f)
			f = New(w.opt)
			defer f.Close()
			if got := w.known(f, Head, 10); !slices.Equal(got, []uint32{3}) {
				t.Errorf("known: %v", got)
			}
			w.wantLog("")
		})
	}
}

// Whoever comes second may read, and writes nothing.
func TestLocked(t *testing.T) {
	w := newWorld(t)
	first := New(w.opt)
	defer first.Close()
	put(first, Head, span(1, 10)...)
	w.flush(first)
	second := New(w.opt)
	if got := w.known(second, Head, 20); len(got) != 10 {
		t.Errorf("known: %v", got)
	}
	before := w.bytes()
	put(second, Head, 11)
	w.flush(second)
	if !bytes.Equal(before, w.bytes()) {
		t.Error("the second has written")
	}
	put(first, Head, 12)
	w.flush(first)
	if got := w.known(second, Head, 20); len(got) != 10 {
		t.Errorf("known: %v", got)
	}
	os.Truncate(w.path(), 80)
	w.known(second, Head, 20)
	if _, err := os.Stat(w.path()); err != nil {
		t.Error("the second has removed the file of the first")
	}
	second.Close()
}

// Where there can be no file there is no index, and that is all.
func TestNoFile(t *testing.T) {
	w := newWorld(t)
	if err := os.Mkdir(w.path(), 0o700); err != nil {
		t.Fatal(err)
	}
	f := New(w.opt)
	put(f, Head, 1)
	w.flush(f)
	for range 3 {
		if _, _, ok := get(f, 1, Head); ok {
			t.Error("known")
		}
	}
	w.written(f)
	w.wantLog("go on without")

	w = newWorld(t)
	w.opt.Name = "missing/index"
	f = New(w.opt)
	put(f, Head, 1)
	w.flush(f)
	get(f, 1, Head)
	w.written(f)
	w.wantLog("go on without")
}
