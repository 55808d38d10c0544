package watcher

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/fsnotify/fsnotify"
)

// flusher is a Watch on a fake host with marks, and its recorder.
func flusher(t *testing.T) (*fakeHost, *Watcher, *Watch, *recorder) {
	h := newFakeHost(10)
	h.set("/m/new", 1, time.Hour)
	h.set("/m/cur", 2, time.Hour)
	h.mark = make(chan struct{}, 10)
	w := startWatcher(t, Options{Window: time.Minute}, h.system())
	r := newRecorder()
	watch := w.Watch("/m", r.notify)
	t.Cleanup(watch.Close)
	return h, w, watch, r
}

func flushing(watch *Watch) <-chan bool {
	done := make(chan bool, 1)
	go func() { done <- watch.Flush() }()
	synctest.Wait()
	return done
}

// The last events may come, and others wait for their mark, when the watcher is closed.
func TestCloseWithinFlush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, w, watch, _ := flusher(t)
		one, two := flushing(watch), flushing(watch)
		closed := w.kernel.close
		w.kernel.close = func() error {
			h.events <- fsnotify.Event{Name: "mark 1", Op: fsnotify.Chmod}
			return closed()
		}
		check(t, w.Close())
		<-one
		if <-two {
			t.Error("flushed")
		}
	})
}

// A mark that was given up when the kernel lost events may come nevertheless: it is not that of those
// who came later.
func TestFlushAfterOverflow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _, watch, r := flusher(t)
		one := flushing(watch)
		h.errors <- fsnotify.ErrEventOverflow
		if <-one {
			t.Error("flushed, though events were lost")
		}
		time.Sleep(time.Minute) // the window, of a rescan
		two := flushing(watch)
		h.events <- fsnotify.Event{Name: "mark 1", Op: fsnotify.Chmod}
		synctest.Wait()
		h.events <- fsnotify.Event{Name: "/m/new/1.x", Op: fsnotify.Create}
		h.events <- fsnotify.Event{Name: "mark 2", Op: fsnotify.Chmod}
		if !<-two || r.seenRescans() != 1 || len(r.seenChanges()) != 1 {
			t.Error("not flushed, or by an older mark")
		}
	})
}

// Events that were lost before the mark are made good for before Flush returns.
func TestFlushTellsOverflow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, w, watch, r := flusher(t)
		done := flushing(watch)
		w.mu.Lock() // deliver can't see to it
		h.errors <- fsnotify.ErrEventOverflow
		sent := make(chan struct{})
		go func() {
			h.events <- fsnotify.Event{Name: "mark 1", Op: fsnotify.Chmod}
			close(sent)
		}()
		w.mu.Unlock()
		if <-done && r.seenRescans() == 0 {
			t.Error("flushed, though events were lost")
		}
		<-sent
	})
}
