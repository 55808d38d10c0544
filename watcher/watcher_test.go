package watcher

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"
)

// kernelCount says how many directories w has the kernel watch.
func (w *Watcher) kernelCount() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.byPath)
}

func needKernel(t testing.TB, w *Watcher) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.kernel == nil {
		t.Skip("this system has no inotify")
	}
}

func TestChanges(t *testing.T) {
	const a, aS = "1.M1P1.h", "1.M1P1.h:2,S"
	for _, tt := range []struct {
		name  string
		setup func(t *testing.T, dir string)
		do    func(t *testing.T, dir string)
		want  []Change
	}{
		{"delivery by rename",
			func(t *testing.T, dir string) { touch(t, dir+"/tmp/"+a) },
			func(t *testing.T, dir string) { check(t, os.Rename(dir+"/tmp/"+a, dir+"/new/"+a)) },
			[]Change{{a, true, Appeared}}},
		{"delivery by link and unlink",
			func(t *testing.T, dir string) { touch(t, dir+"/tmp/"+a) },
			func(t *testing.T, dir string) {
				check(t, os.Link(dir+"/tmp/"+a, dir+"/new/"+a))
				check(t, os.Remove(dir+"/tmp/"+a))
			},
			[]Change{{a, true, Appeared}}},
		{"taken from new to cur",
			func(t *testing.T, dir string) { touch(t, dir+"/new/"+a) },
			func(t *testing.T, dir string) { check(t, os.Rename(dir+"/new/"+a, dir+"/cur/"+a+":2,")) },
			[]Change{{a, true, MovedAway}, {a + ":2,", false, Appeared}}},
		{"flag",
			func(t *testing.T, dir string) { touch(t, dir+"/cur/"+a+":2,") },
			func(t *testing.T, dir string) { check(t, os.Rename(dir+"/cur/"+a+":2,", dir+"/cur/"+aS)) },
			[]Change{{a + ":2,", false, MovedAway}, {aS, false, Appeared}}},
		{"unlink",
			func(t *testing.T, dir string) { touch(t, dir+"/cur/"+aS) },
			func(t *testing.T, dir string) { check(t, os.Remove(dir+"/cur/"+aS)) },
			[]Change{{aS, false, Removed}}},
		{"moved to another folder",
			func(t *testing.T, dir string) { touch(t, dir+"/cur/"+aS); makeFolder(t, dir+"/.Trash") },
			func(t *testing.T, dir string) { check(t, os.Rename(dir+"/cur/"+aS, dir+"/.Trash/cur/"+aS)) },
			[]Change{{aS, false, MovedAway}}},
		{"reading, writing and other attributes say nothing",
			func(t *testing.T, dir string) { touch(t, dir+"/cur/"+aS) },
			func(t *testing.T, dir string) {
				touch(t, dir+"/cur/"+aS)
				check(t, os.Chmod(dir+"/cur/"+aS, 0o400))
				_, err := os.ReadFile(dir + "/cur/" + aS)
				check(t, err)
				touch(t, dir+"/cur/end")
			},
			[]Change{{"end", false, Appeared}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := makeFolder(t, t.TempDir())
			tt.setup(t, dir)
			w, r := startWatcher(t, Options{}, hostSystem), newRecorder()
			needKernel(t, w)
			w.Watch(dir, r.notify)
			tt.do(t, dir)
			r.wantChanges(t, tt.want...)
			if n := r.seenRescans(); n > 0 {
				t.Errorf("%d rescans asked for", n)
			}
		})
	}
}

func TestBurstOfDeliveries(t *testing.T) {
	const n = 2000
	dir := makeFolder(t, t.TempDir())
	for i := range n {
		touch(t, fmt.Sprintf("%s/tmp/%d", dir, i))
	}
	w, r := startWatcher(t, Options{}, hostSystem), newRecorder()
	needKernel(t, w)
	w.Watch(dir, r.notify)
	start := time.Now()
	for i := range n {
		check(t, os.Rename(fmt.Sprintf("%s/tmp/%d", dir, i), fmt.Sprintf("%s/new/%d", dir, i)))
	}
	r.until(t, "all deliveries", func() bool { return len(r.seenChanges()) == n })
	most := int(time.Since(start)/(25*time.Millisecond)) + 2
	if got := r.seenBatches(); got > most {
		t.Errorf("%d batches within %v, want at most %d", got, time.Since(start), most)
	}
	for i, c := range r.seenChanges() {
		if c.Name != fmt.Sprint(i) {
			t.Fatalf("change %d is %v: out of order", i, c)
		}
	}
}

func TestSubscribersShareKernelWatches(t *testing.T) {
	dir := makeFolder(t, t.TempDir())
	w := startWatcher(t, Options{}, hostSystem)
	needKernel(t, w)
	r1, r2 := newRecorder(), newRecorder()
	h1, h2 := w.Watch(dir, r1.notify), w.Watch(dir+"/", r2.notify)
	if n := w.kernelCount(); n != 2 {
		t.Fatalf("%d kernel watches, want 2", n)
	}
	touch(t, dir+"/new/a")
	r1.wantChanges(t, Change{"a", true, Appeared})
	r2.wantChanges(t, Change{"a", true, Appeared})

	h1.Close()
	h1.Close() // does no harm
	touch(t, dir+"/new/b")
	r2.wantChanges(t, Change{"a", true, Appeared}, Change{"b", true, Appeared})
	r1.wantChanges(t, Change{"a", true, Appeared})

	h2.Close()
	if n := w.kernelCount(); n != 0 || len(w.folders) != 0 {
		t.Errorf("%d kernel watches and %d folders are left", n, len(w.folders))
	}
}

// A shared folder that is reached by two paths has one kernel watch per directory,
// and closing one path must not make the other deaf.
func TestSymlinkedFolder(t *testing.T) {
	root := t.TempDir()
	dir, link := makeFolder(t, root+"/shared"), root+"/link"
	check(t, os.Symlink(dir, link))
	w := startWatcher(t, Options{}, hostSystem)
	needKernel(t, w)
	r1, r2 := newRecorder(), newRecorder()
	h1 := w.Watch(dir, r1.notify)
	w.Watch(link, r2.notify)
	touch(t, dir+"/new/a")
	r1.wantChanges(t, Change{"a", true, Appeared})
	r2.wantChanges(t, Change{"a", true, Appeared})
	h1.Close()
	touch(t, dir+"/new/b")
	r2.wantChanges(t, Change{"a", true, Appeared}, Change{"b", true, Appeared})
}

// The folder that was renamed keeps its watchers at the new path, even when another
// one is made at the old.
func TestRenamedFolderAndSuccessor(t *testing.T) {
	root := t.TempDir()
	a, b := makeFolder(t, root+"/.A"), root+"/.B"
	w := startWatcher(t, Options{PollInterval: 20 * time.Millisecond}, hostSystem)
	needKernel(t, w)
	rA, rB := newRecorder(), newRecorder()
	w.Watch(a, rA.notify)
	check(t, os.Rename(a, b))
	w.Watch(b, rB.notify)
	makeFolder(t, a)
	rA.until(t, "watch of the folder made anew", func() bool {
		return w.kernelCount() == 4
	})
	// Files appear until both have shown one; rescans while watches are rebuilt
	// may swallow some.
	for i := 0; !hasPrefix(rA, "a") || !hasPrefix(rB, "b"); i++ {
		if i > 500 {
			t.Fatalf("A got %v, B got %v", rA.seenChanges(), rB.seenChanges())
		}
		touch(t, fmt.Sprintf("%s/new/a%d", a, i))
		touch(t, fmt.Sprintf("%s/new/b%d", b, i))
		select {
		case <-rA.called:
		case <-rB.called:
		case <-time.After(time.Second):
		}
	}
	if hasPrefix(rA, "b") && lastIs(rA, "b") {
		t.Errorf("A still hears of B's files: %v", rA.seenChanges())
	}
}

func hasPrefix(r *recorder, p string) bool {
	return slices.ContainsFunc(r.seenChanges(), func(c Change) bool { return c.Name[:1] == p })
}

func lastIs(r *recorder, p string) bool {
	c := r.seenChanges()
	return c[len(c)-1].Name[:1] == p
}

func TestFolderMadeAgain(t *testing.T) {
	dir := makeFolder(t, filepath.Join(t.TempDir(), "m"))
	w, r := startWatcher(t, Options{PollInterval: 20 * time.Millisecond}, hostSystem), newRecorder()
	needKernel(t, w)
	w.Watch(dir, r.notify)
	check(t, os.RemoveAll(dir))
	r.until(t, "rescan", func() bool { return r.seenRescans() > 0 })
	makeFolder(t, dir)
	r.until(t, "new kernel watches", func() bool { return w.kernelCount() == 2 })
	touch(t, dir+"/new/a")
	r.until(t, "a", func() bool { return slices.Contains(r.seenChanges(), Change{"a", true, Appeared}) })
}

func TestCloseWithinNotify(t *testing.T) {
	dir := makeFolder(t, t.TempDir())
	w := startWatcher(t, Options{Window: time.Millisecond}, hostSystem)
	var (
		h     *Watch
		calls int
		done  = make(chan struct{})
		r     = newRecorder()
	)
	var mu sync.Mutex
	mu.Lock() // until h is set
	h = w.Watch(dir, func(Batch) {
		mu.Lock()
		defer mu.Unlock()
		calls++
		h.Close()
		w.Watch(dir, r.notify)
		close(done)
	})
	mu.Unlock()
	touch(t, dir+"/new/a")
	<-done
	touch(t, dir+"/new/b")
	r.until(t, "a batch", func() bool { return r.seenBatches() > 0 })
	mu.Lock()
	defer mu.Unlock()
	if calls != 1 {
		t.Errorf("notify was called %d times, want once", calls)
	}
}

func TestWatchAfterClose(t *testing.T) {
	w := New(Options{})
	check(t, w.Close())
	check(t, w.Close())
	h := w.Watch(t.TempDir(), func(Batch) { t.Error("called") })
	h.Close()
}

func TestConcurrentUse(t *testing.T) {
	root := t.TempDir()
	for i := range 4 {
		makeFolder(t, fmt.Sprintf("%s/%d", root, i))
	}
	w := startWatcher(t, Options{Window: time.Millisecond, PollInterval: time.Millisecond}, hostSystem)
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 100 {
				dir := fmt.Sprintf("%s/%d", root, (g+i)%4)
				h := w.Watch(dir, func(Batch) {})
				touch(t, fmt.Sprintf("%s/new/%d-%d", dir, g, i))
				h.Close()
			}
		})
	}
	wg.Wait()
	if n := w.kernelCount(); n != 0 {
		t.Errorf("%d kernel watches are left", n)
	}
}

// BenchmarkLatency is from the rename into new/ to the call of notify; extra-ns is
// what it takes beyond the window.
func BenchmarkLatency(b *testing.B) {
	dir := makeFolder(b, b.TempDir())
	const window = time.Millisecond
	w := startWatcher(b, Options{Window: window}, hostSystem)
	got := make(chan time.Time)
	w.Watch(dir, func(Batch) { got <- time.Now() })
	var extra time.Duration
	for i := range b.N {
		touch(b, dir+"/tmp/x")
		start := time.Now()
		check(b, os.Rename(dir+"/tmp/x", fmt.Sprintf("%s/new/%d", dir, i)))
		extra += (<-got).Sub(start) - window
	}
	b.ReportMetric(float64(extra.Nanoseconds())/float64(b.N), "extra-ns/op")
}

// BenchmarkBurst is one delivery of a long burst, with 1,000 folders watched.
func BenchmarkBurst(b *testing.B) {
	root := b.TempDir()
	w := startWatcher(b, Options{}, hostSystem)
	for i := range 1000 {
		w.Watch(makeFolder(b, fmt.Sprintf("%s/%d", root, i)), func(Batch) {})
	}
	dir, r := root+"/7", newRecorder()
	w.Watch(dir, r.notify)
	touch(b, dir+"/tmp/x")
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		check(b, os.Link(dir+"/tmp/x", fmt.Sprintf("%s/new/%d", dir, i)))
		if i%10000 == 9999 {
			b.StopTimer()
			check(b, os.RemoveAll(dir+"/new"))
			check(b, os.Mkdir(dir+"/new", 0o700))
			b.StartTimer()
		}
	}
}

func BenchmarkWatchClose(b *testing.B) {
	dir := makeFolder(b, b.TempDir())
	w := startWatcher(b, Options{}, hostSystem)
	b.ReportAllocs()
	for b.Loop() {
		w.Watch(dir, func(Batch) {}).Close()
	}
}
