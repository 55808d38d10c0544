package index

import (
	"bytes"
	"context"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"testing"
)

func TestFolder(t *testing.T) {
	w := newWorld(t)
	f := New(w.opt)
	if _, _, ok := get(f, 1, Head); ok || f.Has(Head, 1) {
		t.Error("something is known of nothing")
	}
	if _, err := os.Stat(w.path()); err == nil {
		t.Error("there is a file, though nothing was written")
	}
	for _, uid := range rand.Perm(1000) {
		put(f, Head, uint32(uid)+1)
	}
	put(f, Body, span(500, 600)...)
	w.written(f)
	if fi, err := os.Stat(w.path()); err != nil || fi.Mode().Perm() != 0o600 {
		t.Error(fi.Mode(), err)
	}

	f = New(w.opt)
	defer f.Close()
	if got := w.known(f, Head, 2000); !slices.Equal(got, span(1, 1000)) {
		t.Errorf("%d heads", len(got))
	}
	if got := w.known(f, Body, 2000); !slices.Equal(got, span(500, 600)) {
		t.Errorf("bodies %v", got)
	}
	if _, k, ok := get(f, 550, Facts, Body, Head); !ok || k != Body {
		t.Errorf("the first kind that there is: %v, %v", k, ok)
	}
	if !f.Has(Body, 500) || f.Has(Body, 499) || f.Has(Facts, 500) {
		t.Error("Has")
	}

	// The later one counts, before and after it is written.
	changed := Record{Base: 1, First: []byte("changed")}
	f.Put(Head, 3, &changed)
	w.flush(f)
	if r, _, ok := get(f, 3, Head); !ok || !equal(r, changed) {
		t.Errorf("got %+v", r)
	}
	f.Forget(4, 5)
	if _, _, ok := get(f, 4, Head); ok || f.Has(Head, 5) {
		t.Error("not forgotten")
	}
	f.Outdated(6)
	if _, _, ok := get(f, 6, Head); ok || f.Has(Head, 6) {
		t.Error("outdated, and still known")
	}
	w.gone[7] = true
	w.written(f)
	f2 := New(w.opt)
	defer f2.Close()
	if r, _, ok := get(f2, 3, Head); !ok || !equal(r, changed) {
		t.Errorf("got %+v", r)
	}
	for _, uid := range []uint32{6, 7} {
		if _, _, ok := get(f2, uid, Head); ok {
			t.Errorf("UID %d is known again", uid)
		}
	}
	f3 := (*Folder)(nil)
	f3.Put(Head, 1, &changed)
	f3.Forget(1)
	f3.Outdated(1)
	f3.Close()
	if _, _, ok := get(f3, 1, Head); ok || f3.Has(Head, 1) {
		t.Error("nil knows something")
	}
	w.wantLog("")
}

// What can't be written in time is dropped.
func TestQueueIsBounded(t *testing.T) {
	w := newWorld(t)
	release := make(chan struct{})
	background := w.opt.Queue.Background
	w.opt.Queue.Background = func(f func(context.Context)) bool {
		return background(func(ctx context.Context) { <-release; f(ctx) })
	}
	f := New(w.opt)
	big := Record{Second: make([]byte, 60<<10)}
	for uid := uint32(1); uid <= 1000; uid++ {
		f.Put(Head, uid, &big)
		f.Outdated(uid + 1000)
	}
	f.queue.mu.Lock()
	if n := len(f.queue.data); n < maxQueued/2 || n > maxQueued+maxRecord || cap(f.queue.data) > 4*maxQueued {
		t.Errorf("%d octets are queued", n)
	}
	f.queue.mu.Unlock()
	for range 100_000 {
		f.Outdated(1)
	}
	if n := len(f.queue.records); n > maxQueued/32 {
		t.Errorf("%d records are queued", n)
	}
	f.Put(Head, 5000, &Record{Second: make([]byte, maxRecord)})
	if f.Has(Head, 5000) {
		t.Error("too large a record is queued")
	}
	close(release)
	w.written(f)
	if n := f.o.Queue.octets.Load(); n != 0 {
		t.Errorf("%d octets are left in the books", n)
	}
	f = New(w.opt)
	defer f.Close()
	if r, _, ok := get(f, 1, Head); !ok || len(r.Second) != len(big.Second) {
		t.Error("the first was not written")
	}
}

// A file in which most is dead, or that has many small blocks, is written anew.
func TestCompact(t *testing.T) {
	w := newWorld(t)
	f := New(w.opt)
	big := Record{Second: bytes.Repeat([]byte("x"), 10_000)}
	for range 50 {
		for uid := uint32(1); uid <= 20; uid++ {
			big.Base++
			f.Put(Body, uid, &big)
		}
		put(f, Head, span(1, 20)...)
		w.flush(f)
	}
	for uid := uint32(21); uid <= 200; uid++ {
		put(f, Head, uid)
		w.flush(f)
	}
	w.written(f)
	if n := len(w.bytes()); n > 2<<20 {
		t.Errorf("%d octets", n)
	}
	f = New(w.opt)
	defer f.Close()
	if got := w.known(f, Head, 400); len(got) != 200 {
		t.Errorf("%d are left", len(got))
	}
	if f.blocks > 120 {
		t.Errorf("%d blocks", f.blocks)
	}
	if r, _, ok := get(f, 20, Body); !ok || r.Base != big.Base {
		t.Errorf("the last one does not count: %+v", r.Base)
	}
	if _, err := os.Stat(w.path() + ".new"); err == nil {
		t.Error("the file of the copy is left")
	}
	w.wantLog("")
}

// Large records fill few blocks.
func TestCompactLarge(t *testing.T) {
	w := newWorld(t)
	f := New(w.opt)
	big := Record{Second: bytes.Repeat([]byte("x"), 10_000)}
	for range 10 {
		for uid := uint32(1); uid <= 100; uid++ {
			big.Base++
			f.Put(Body, uid, &big)
		}
		w.flush(f)
	}
	w.written(f)
	if n := len(w.bytes()); n > 3<<20 {
		t.Errorf("%d octets", n)
	}
	f = New(w.opt)
	defer f.Close()
	if r, _, ok := get(f, 100, Body); !ok || r.Base != big.Base {
		t.Errorf("the last one does not count: %+v", r.Base)
	}
}

// All at once, with the file being removed again and again.
func TestConcurrent(t *testing.T) {
	w := newWorld(t)
	f := New(w.opt)
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			r := rand.New(rand.NewPCG(uint64(i), 0))
			for range 300 {
				k := Kind(1 + r.IntN(3))
				put(f, k, span(uint32(1+r.IntN(500)), uint32(r.IntN(600)))...)
				w.known(f, k, uint32(r.IntN(600)))
				f.Has(k, 1)
				switch r.IntN(20) {
				case 0:
					os.Remove(w.path())
				case 1:
					f.Outdated(uint32(r.IntN(500)))
				case 2:
					f.Forget(span(1, 100)...)
				case 3:
					os.Truncate(w.path(), int64(r.IntN(10_000)))
				}
			}
		})
	}
	all.Wait()
	w.written(f)
	f = New(w.opt)
	defer f.Close()
	w.known(f, Head, 1000)
}

// After the end of the process has begun, the last is written at once.
func TestEnd(t *testing.T) {
	w := newWorld(t)
	f := New(w.opt)
	put(f, Head, 1)
	w.cancel()
	w.jobs.Wait()
	f.Close()
	f = New(w.opt)
	if _, _, ok := get(f, 1, Head); !ok {
		t.Error("lost")
	}
	f.Close()
	put(f, Head, 1)
	if _, _, ok := get(f, 1, Head); ok || f.Has(Head, 1) {
		t.Error("used after its end")
	}
	f.Close()
}

// What is discarded leaves no file.
func TestDiscard(t *testing.T) {
	w := newWorld(t)
	f := New(w.opt)
	put(f, Head, span(1, 10)...)
	f.Discard()
	w.jobs.Wait()
	if _, err := os.Stat(w.path()); err == nil {
		t.Error("there is a file")
	}
	if n := w.opt.Queue.octets.Load(); n != 0 {
		t.Errorf("%d octets are left in the books", n)
	}
}

// FuzzFile: whatever the file is, nothing panics, and what is put after it is known.
func FuzzFile(f *testing.F) {
	w := newWorld(f)
	x := New(w.opt)
	put(x, Head, span(1, 5)...)
	w.flush(x)
	put(x, Body, span(1, 5)...)
	w.written(x)
	f.Add(w.bytes())
	f.Add(appendHeader(nil, testGUID, 7))
	var b block
	b.add(keyOf(Head, 1), []byte{1, 2, 3})
	b.add(keyOf(Head, 2), nil)
	f.Add(b.append(appendHeader(nil, testGUID, 7), headerLen, func(key, ref) {}))
	f.Add([]byte(nil))
	f.Fuzz(func(t *testing.T, file []byte) {
		w := newWorld(t)
		w.setBytes(file)
		x := New(w.opt)
		for uid := range uint32(10) {
			get(x, uid, Body, Head, Facts)
		}
		put(x, Head, 1)
		w.written(x)
		x = New(w.opt)
		defer x.Close()
		if r, _, ok := get(x, 1, Head); !ok || !equal(r, example(Head, 1)) {
			t.Fatalf("got %+v, %v", r, ok)
		}
	})
}

func BenchmarkPut(b *testing.B) {
	w := newWorld(b)
	f := New(w.opt)
	text := Record{First: make([]byte, 300), Second: make([]byte, 400)}
	for i := 0; b.Loop(); i++ {
		f.Put(Head, uint32(i%100_000)+1, &text)
	}
	w.written(f)
}

func BenchmarkRead(b *testing.B) {
	w := newWorld(b)
	f := New(w.opt)
	defer f.Close()
	text := Record{First: make([]byte, 300), Second: make([]byte, 400)}
	const n = 20_000
	for uid := uint32(1); uid <= n; uid++ {
		f.Put(Head, uid, &text)
		if uid%2000 == 0 {
			w.flush(f)
		}
	}
	var batch Batch
	defer batch.Release()
	uids := make([]uint32, 0, MaxBatch)
	for i := 0; b.Loop(); i++ {
		uid := uint32(i%n) + 1
		_, _, read, _ := batch.Get(uid)
		if !read {
			uids = uids[:0]
			for x := uid; x <= n && len(uids) < MaxBatch; x++ {
				uids = append(uids, x)
			}
			batch.Read(f, uids, Head)
		}
	}
}
