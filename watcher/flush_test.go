package watcher

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fsnotify/fsnotify"
)

// What happened before Flush was called has been told when it returns, however long the window.
func TestFlush(t *testing.T) {
	w := startWatcher(t, Options{Window: time.Hour}, hostSystem)
	needKernel(t, w)
	var wg sync.WaitGroup
	for range 8 {
		dir := makeFolder(t, t.TempDir())
		r := newRecorder()
		h := w.Watch(dir, r.notify)
		wg.Go(func() {
			defer h.Close()
			for i := range 200 {
				a, b := fmt.Sprintf("%d.x", i), fmt.Sprintf("%d.x:2,", i)
				if err := os.WriteFile(filepath.Join(dir, "new", a), nil, 0o600); err != nil {
					t.Error(err)
				}
				if err := os.Rename(filepath.Join(dir, "new", a), filepath.Join(dir, "cur", b)); err != nil {
					t.Error(err)
				}
				if !h.Flush() {
					t.Error("not flushed")
				}
				want := []Change{{a, true, Appeared}, {a, true, MovedAway}, {b, false, Appeared}}
				if got := r.seenChanges(); !slices.Equal(got[3*i:], want) {
					t.Errorf("after %d: got %v, want %v", i, got[3*i:], want)
					return
				}
			}
		})
	}
	wg.Wait()
}

// Another subscriber of the folder hears of what one has flushed.
func TestFlushIsForAll(t *testing.T) {
	w := startWatcher(t, Options{Window: time.Hour}, hostSystem)
	needKernel(t, w)
	dir := makeFolder(t, t.TempDir())
	one, two := newRecorder(), newRecorder()
	h := w.Watch(dir, one.notify)
	w.Watch(dir, two.notify)
	touch(t, dir+"/new/1.x")
	if !h.Flush() {
		t.Error("not flushed")
	}
	for _, r := range []*recorder{one, two} {
		if got := r.seenChanges(); !slices.Equal(got, []Change{{"1.x", true, Appeared}}) {
			t.Errorf("got %v", got)
		}
	}
}

func TestFlushClosed(t *testing.T) {
	w := newWatcher(Options{}, hostSystem)
	needKernel(t, w)
	h, other := w.Watch(makeFolder(t, t.TempDir()), newRecorder().notify), w.Watch(makeFolder(t, t.TempDir()), newRecorder().notify)
	h.Close()
	check(t, w.Close())
	if h.Flush() || other.Flush() {
		t.Error("flushed")
	}
}

// Where the kernel shows nothing, or not all, or has lost the event, Flush says so.
func TestFlushPolled(t *testing.T) {
	for _, test := range []struct {
		name string
		host func(h *fakeHost)
		mark func(h *fakeHost)
		want bool
	}{
		{name: "all is well", mark: func(h *fakeHost) { h.events <- fsnotify.Event{Name: "mark 1", Op: fsnotify.Chmod} }, want: true},
		{name: "no room", host: func(h *fakeHost) { h.setRoom(1) }},
		{name: "network", host: func(h *fakeHost) { h.remote = true }},
		{name: "overflow", mark: func(h *fakeHost) { h.errors <- fsnotify.ErrEventOverflow }},
		{name: "lost", mark: func(*fakeHost) {}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newFakeHost(10)
				h.set("/m/new", 1, time.Hour)
				h.set("/m/cur", 2, time.Hour)
				if test.host != nil {
					test.host(h)
				}
				h.mark = make(chan struct{}, 1)
				w := startWatcher(t, Options{}, h.system())
				watch := w.Watch("/m", newRecorder().notify)
				defer watch.Close()
				if test.mark != nil {
					go func() {
						<-h.mark
						test.mark(h)
					}()
				}
				if got := watch.Flush(); got != test.want {
					t.Errorf("Flush() = %v", got)
				}
			})
		})
	}
}

// BenchmarkFlush is what a NOOP costs in a folder that was just changed.
func BenchmarkFlush(b *testing.B) {
	w := newWatcher(Options{}, hostSystem)
	defer w.Close()
	needKernel(b, w)
	h := w.Watch(makeFolder(b, b.TempDir()), func(Batch) {})
	for b.Loop() {
		if !h.Flush() {
			b.Fatal("not flushed")
		}
	}
}
