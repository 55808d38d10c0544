package watcher

import (
	"errors"
	"fmt"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fsnotify/fsnotify"
)

var errNoRoom error = syscall.ENOSPC

// settle lets the clock run for d and all goroutines come to rest.
func settle(d time.Duration) {
	time.Sleep(d) // of synctest's clock
	synctest.Wait()
}

const (
	testWindow = 25 * time.Millisecond
	testPoll   = 10 * time.Second
)

// withFakeHost runs f in a bubble with a Watcher on h and a folder /m that was last
// changed an hour ago, watched by r.
func withFakeHost(t *testing.T, h func() *fakeHost, f func(t *testing.T, h *fakeHost, w *Watcher, r *recorder, log *logBuffer)) {
	synctest.Test(t, func(t *testing.T) {
		h, r, log := h(), newRecorder(), new(logBuffer)
		h.set("/m/new", 1, time.Hour)
		h.set("/m/cur", 2, time.Hour)
		w := startWatcher(t, Options{Log: log.logger(), Window: testWindow, PollInterval: testPoll}, h.system())
		w.Watch("/m", r.notify)
		f(t, h, w, r, log)
	})
}

func wantRescans(t *testing.T, r *recorder, want int, when string) {
	t.Helper()
	if got := r.seenRescans(); got != want {
		t.Fatalf("%s: %d rescans asked for, want %d", when, got, want)
	}
}

func TestPollsWithoutInotify(t *testing.T) {
	withFakeHost(t, func() *fakeHost {
		h := newFakeHost(100)
		h.openErr = syscall.EMFILE
		return h
	}, func(t *testing.T, h *fakeHost, w *Watcher, r *recorder, log *logBuffer) {
		settle(5 * testPoll)
		wantRescans(t, r, 0, "nothing changed")

		h.set("/m/cur", 2, 5*time.Second)
		settle(testPoll + testWindow)
		wantRescans(t, r, 1, "after a change")
		settle(5 * testPoll)
		wantRescans(t, r, 1, "an old change needs no second look")

		if n := log.count("max_user_instances"); n != 1 {
			t.Errorf("advice was logged %d times, want once", n)
		}

		h.mu.Lock()
		h.openErr = nil
		h.mu.Unlock()
		settle(testPoll + testWindow)
		wantRescans(t, r, 2, "when the kernel takes over")
		if got := h.watching(); !slices.Equal(got, []string{"/m/cur", "/m/new"}) {
			t.Errorf("watching %v", got)
		}
		h.events <- fsnotify.Event{Name: "/m/new/a", Op: fsnotify.Create}
		settle(testWindow)
		r.wantChanges(t, Change{"a", true, Appeared})
	})
}

func TestPollLooksAgainAtFreshMtime(t *testing.T) {
	withFakeHost(t, func() *fakeHost { return newFakeHost(0) },
		func(t *testing.T, h *fakeHost, w *Watcher, r *recorder, log *logBuffer) {
			settle(testPoll - time.Millisecond)
			h.set("/m/new", 1, 0) // and again in the same tick, after the look
			settle(time.Millisecond + testWindow)
			wantRescans(t, r, 1, "after the look")
			settle(tick)
			wantRescans(t, r, 2, "after the tick")
			settle(5 * testPoll)
			wantRescans(t, r, 2, "later")
			if n := log.count("max_user_watches"); n != 1 {
				t.Errorf("advice was logged %d times, want once", n)
			}
		})
}

// A clock of the server that is ahead must not make each look ask for another.
func TestPollFutureMtime(t *testing.T) {
	withFakeHost(t, func() *fakeHost { return newFakeHost(0) },
		func(t *testing.T, h *fakeHost, w *Watcher, r *recorder, log *logBuffer) {
			h.set("/m/new", 1, -24*time.Hour)
			settle(20 * testPoll)
			wantRescans(t, r, 2, "one change")
		})
}

func TestWatchOfFreshFolderIsRelookedAt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, r := newFakeHost(0), newRecorder()
		h.set("/m/new", 1, time.Second)
		h.set("/m/cur", 2, time.Hour)
		w := startWatcher(t, Options{}, h.system())
		w.Watch("/m", r.notify)
		settle(tick + testWindow)
		wantRescans(t, r, 1, "changed within a tick of Watch")
	})
}

func TestNoRoomForSomeFolders(t *testing.T) {
	withFakeHost(t, func() *fakeHost { return newFakeHost(2) },
		func(t *testing.T, h *fakeHost, w *Watcher, r *recorder, log *logBuffer) {
			polled := newRecorder()
			h.set("/p/new", 3, time.Hour)
			h.set("/p/cur", 4, time.Hour)
			w.Watch("/p", polled.notify)
			h.set("/p/new", 3, 3*time.Second)
			settle(testPoll + testWindow)
			wantRescans(t, polled, 1, "polled")
			wantRescans(t, r, 0, "watched")

			h.setRoom(4)
			settle(testPoll + testWindow)
			wantRescans(t, polled, 2, "when there is room")
			if got := len(h.watching()); got != 4 {
				t.Errorf("%d watches, want 4", got)
			}
		})
}

func TestNetworkFolderIsWatchedAndPolled(t *testing.T) {
	withFakeHost(t, func() *fakeHost {
		h := newFakeHost(100)
		h.remote = true
		return h
	}, func(t *testing.T, h *fakeHost, w *Watcher, r *recorder, log *logBuffer) {
		h.events <- fsnotify.Event{Name: "/m/new/local", Op: fsnotify.Create}
		settle(testWindow)
		r.wantChanges(t, Change{"local", true, Appeared})
		h.set("/m/new", 1, 3*time.Second) // from another host
		settle(testPoll + testWindow)
		wantRescans(t, r, 1, "after a poll")
		if n := log.count("network file system"); n != 1 {
			t.Errorf("logged %d times, want once", n)
		}
	})
}

func TestSlowLookFindsWhatEventsMissed(t *testing.T) {
	withFakeHost(t, func() *fakeHost { return newFakeHost(100) },
		func(t *testing.T, h *fakeHost, w *Watcher, r *recorder, log *logBuffer) {
			h.set("/m/cur", 2, 0)
			settle(slowLook*testPoll + time.Second)
			wantRescans(t, r, 1, "missed event: one batch for that and for the new watch")

			// A change with its event is not missed.
			h.set("/m/cur", 2, 0)
			time.Sleep(time.Millisecond)
			h.events <- fsnotify.Event{Name: "/m/cur/a:2,S", Op: fsnotify.Create}
			settle(2 * slowLook * testPoll)
			wantRescans(t, r, 1, "seen event")

			// A parent was renamed: same names, other directories, no event.
			h.set("/m/new", 11, time.Hour)
			h.set("/m/cur", 12, time.Hour)
			settle(slowLook*testPoll + time.Second)
			wantRescans(t, r, 2, "other directories")
			if got := h.watching(); !slices.Equal(got, []string{"/m/cur", "/m/new"}) {
				t.Errorf("watching %v", got)
			}
		})
}

func TestOverflowRescansAll(t *testing.T) {
	withFakeHost(t, func() *fakeHost { return newFakeHost(100) },
		func(t *testing.T, h *fakeHost, w *Watcher, r *recorder, log *logBuffer) {
			other := newRecorder()
			h.set("/o/new", 3, time.Hour)
			h.set("/o/cur", 4, time.Hour)
			w.Watch("/o", other.notify)
			h.errors <- fsnotify.ErrEventOverflow
			h.errors <- errors.New("something else")
			settle(2 * testWindow)
			wantRescans(t, r, 1, "overflow")
			wantRescans(t, other, 1, "overflow")
			if n := log.count("max_queued_events"); n != 1 {
				t.Errorf("advice was logged %d times, want once", n)
			}
		})
}

// fsnotify may report an error with its lock held, and Watch wants that lock: errors
// have to be taken in whatever else is going on.
func TestErrorsAreTakenWithoutTheLock(t *testing.T) {
	withFakeHost(t, func() *fakeHost { return newFakeHost(100) },
		func(t *testing.T, h *fakeHost, w *Watcher, r *recorder, log *logBuffer) {
			w.mu.Lock()
			for range 3 {
				h.errors <- fsnotify.ErrEventOverflow // a deadlock fails the test
			}
			w.mu.Unlock()
			settle(2 * testWindow)
			wantRescans(t, r, 1, "overflow")
		})
}

func TestCoalescing(t *testing.T) {
	withFakeHost(t, func() *fakeHost { return newFakeHost(100) },
		func(t *testing.T, h *fakeHost, w *Watcher, r *recorder, log *logBuffer) {
			start := time.Now()
			var at []time.Duration
			w.Watch("/m", func(Batch) { at = append(at, time.Since(start)) })
			// Drops every 10 ms: the window runs from the first one of a batch.
			for i := range 6 {
				h.events <- fsnotify.Event{Name: fmt.Sprintf("/m/new/%d", i), Op: fsnotify.Create}
				settle(10 * time.Millisecond)
			}
			settle(testWindow)
			want := []time.Duration{25 * time.Millisecond, 55 * time.Millisecond}
			if !slices.Equal(at, want) {
				t.Errorf("batches after %v, want %v", at, want)
			}
			if n := len(r.seenChanges()); n != 6 {
				t.Errorf("%d changes, want 6", n)
			}
		})
}

func TestHugeBurstBecomesRescan(t *testing.T) {
	withFakeHost(t, func() *fakeHost { return newFakeHost(100) },
		func(t *testing.T, h *fakeHost, w *Watcher, r *recorder, log *logBuffer) {
			for i := range maxChanges + 10 {
				h.events <- fsnotify.Event{Name: fmt.Sprintf("/m/new/%d", i), Op: fsnotify.Create}
			}
			settle(testWindow)
			if r.seenBatches() != 1 || r.seenRescans() != 1 || len(r.seenChanges()) != 0 {
				t.Errorf("%d batches, %d rescans, %d changes; want one rescan alone",
					r.seenBatches(), r.seenRescans(), len(r.seenChanges()))
			}
		})
}

func TestMissingFolderIsFoundLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, r := newFakeHost(100), newRecorder()
		w := startWatcher(t, Options{PollInterval: testPoll}, h.system())
		w.Watch("/m", r.notify)
		settle(3 * testPoll)
		wantRescans(t, r, 0, "nothing there")
		h.set("/m/new", 1, 0)
		h.set("/m/cur", 2, 0)
		settle(testPoll + testWindow)
		wantRescans(t, r, 1, "made")
		h.rmdir("/m/new")
		h.events <- fsnotify.Event{Name: "/m/new", Op: fsnotify.Remove}
		settle(testPoll)
		h.set("/m/new", 5, 0)
		settle(testPoll + tick)
		if got := h.watching(); !slices.Equal(got, []string{"/m/cur", "/m/new"}) {
			t.Errorf("watching %v", got)
		}
	})
}
