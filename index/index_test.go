package index

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	testName = "index"
	testGUID = "0123456789abcdef0123456789abcdef"
)

// world is a directory with the index of a folder that has the UIDs 1 to 100,000, unless they are gone.
type world struct {
	t    testing.TB
	dir  string
	root *os.Root
	log  *logLines
	opt  Options

	jobs   sync.WaitGroup
	ctx    context.Context
	cancel context.CancelFunc

	mu   sync.Mutex
	gone map[uint32]bool
}

// logLines are the lines that were logged.
type logLines struct {
	mu    sync.Mutex
	lines []string
}

func (l *logLines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, string(b))
	return len(b), nil
}

// take returns the lines and forgets them.
func (l *logLines) take() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	lines := l.lines
	l.lines = nil
	return lines
}

func newWorld(t testing.TB) *world {
	w := &world{t: t, dir: t.TempDir(), log: new(logLines), gone: make(map[uint32]bool)}
	var err error
	if w.root, err = os.OpenRoot(w.dir); err != nil {
		t.Fatal(err)
	}
	w.ctx, w.cancel = context.WithCancel(context.Background())
	w.opt = Options{
		Root: w.root, Name: testName, GUID: testGUID, UIDValidity: 7,
		Live: func(uid uint32) bool {
			w.mu.Lock()
			defer w.mu.Unlock()
			return uid > 0 && uid <= 100_000 && !w.gone[uid]
		},
		Queue: &Queue{Background: func(f func(context.Context)) bool {
			w.jobs.Go(func() { f(w.ctx) })
			return true
		}},
		Log: slog.New(slog.NewTextHandler(w.log, nil)),
	}
	t.Cleanup(func() {
		w.cancel()
		w.jobs.Wait()
		w.root.Close()
	})
	return w
}

func (w *world) path() string { return filepath.Join(w.dir, testName) }

// written closes a folder and waits until everything is written.
func (w *world) written(f *Folder) {
	f.Close()
	w.jobs.Wait()
}

// flush waits until what was put is in the file.
func (w *world) flush(f *Folder) {
	w.t.Helper()
	f.queue.signal()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		f.queue.mu.Lock()
		left := f.queue.waiting
		f.queue.mu.Unlock()
		if left == 0 {
			return
		}
		if time.Now().After(deadline) {
			w.t.Fatal("nothing is written")
		}
	}
}

func (w *world) bytes() []byte {
	w.t.Helper()
	b, err := os.ReadFile(w.path())
	if err != nil {
		w.t.Fatal(err)
	}
	return b
}

func (w *world) setBytes(b []byte) {
	w.t.Helper()
	if err := os.WriteFile(w.path(), b, 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// wantLog wants one line with this text, or none where it is "".
func (w *world) wantLog(text string) {
	w.t.Helper()
	lines := w.log.take()
	if text == "" && len(lines) > 0 || text != "" && (len(lines) != 1 || !strings.Contains(lines[0], text)) {
		w.t.Errorf("logged %q, want one line with %q", lines, text)
	}
}

// example is the record of a kind of a message, each of them another one.
func example(k Kind, uid uint32) Record {
	r := Record{
		Base: BaseHash(fmt.Sprint(uid)), Size: int64(uid) * 3, Wire: int64(uid)*4 - 5, MTime: int64(uid) * 1e12,
		First: []byte{}, Second: []byte{},
	}
	if k != Facts {
		r.First = fmt.Appendf(nil, "first %d %d", k, uid)
		r.Second = bytes.Repeat(fmt.Appendf(nil, "second %d %d\r\n", k, uid), int(uid%7))
	}
	return r
}

func equal(a, b Record) bool {
	return a.Base == b.Base && a.Size == b.Size && a.Wire == b.Wire && a.MTime == b.MTime &&
		bytes.Equal(a.First, b.First) && bytes.Equal(a.Second, b.Second)
}

func put(f *Folder, k Kind, uids ...uint32) {
	for _, uid := range uids {
		r := example(k, uid)
		f.Put(k, uid, &r)
	}
}

// get reads one record.
func get(f *Folder, uid uint32, kinds ...Kind) (Record, Kind, bool) {
	var b Batch
	defer b.Release()
	b.Read(f, []uint32{uid}, kinds...)
	r, k, _, ok := b.Get(uid)
	r.First, r.Second = slices.Clone(r.First), slices.Clone(r.Second)
	return r, k, ok
}

// known lists which UIDs up to n have a record, and fails where one is not as it was put.
func (w *world) known(f *Folder, k Kind, n uint32) (uids []uint32) {
	w.t.Helper()
	var b Batch
	defer b.Release()
	for uid := uint32(1); uid <= n; uid++ {
		r, kind, read, ok := b.Get(uid)
		if !read {
			var ahead []uint32
			for x := uid; x <= n && len(ahead) < MaxBatch; x++ {
				ahead = append(ahead, x)
			}
			b.Read(f, ahead, k)
			r, kind, _, ok = b.Get(uid)
		}
		if !ok {
			continue
		}
		if want := example(k, uid); kind != k || !equal(r, want) {
			w.t.Fatalf("UID %d: got %+v, want %+v", uid, r, want)
		}
		uids = append(uids, uid)
	}
	return uids
}

func span(from, to uint32) (uids []uint32) {
	for uid := from; uid <= to; uid++ {
		uids = append(uids, uid)
	}
	return uids
}

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
