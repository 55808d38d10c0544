package watcher

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fsnotify/fsnotify"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// recorder is a subscriber that remembers.
type recorder struct {
	mu      sync.Mutex
	batches []Batch
	changes []Change // of all batches
	rescans int
	called  chan struct{} // capacity 1
}

func newRecorder() *recorder { return &recorder{called: make(chan struct{}, 1)} }

func (r *recorder) notify(b Batch) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.batches = append(r.batches, b)
	r.changes = append(r.changes, b.Changes...)
	if b.Rescan {
		r.rescans++
	}
	wake(r.called)
}

func (r *recorder) seenChanges() []Change {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.changes)
}

func (r *recorder) seenRescans() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.rescans
}

func (r *recorder) seenBatches() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.batches)
}

// until waits for cond to hold after some batch.
func (r *recorder) until(t *testing.T, what string, cond func() bool) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	for !cond() {
		select {
		case <-r.called:
		case <-deadline:
			t.Fatalf("still not: %s; got %v, %d rescans", what, r.seenChanges(), r.seenRescans())
		}
	}
}

func (r *recorder) wantChanges(t *testing.T, want ...Change) {
	t.Helper()
	r.until(t, fmt.Sprint(want), func() bool { return len(r.seenChanges()) >= len(want) })
	if got := r.seenChanges(); !slices.Equal(got, want) {
		t.Fatalf("got  %v\nwant %v", got, want)
	}
}

// makeFolder makes an empty Maildir.
func makeFolder(t testing.TB, dir string) string {
	t.Helper()
	for _, sub := range []string{"new", "cur", "tmp"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// check fails the test on an error, for steps that must work.
func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func touch(t testing.TB, path string) {
	t.Helper()
	check(t, os.WriteFile(path, []byte("x\n"), 0o600))
}

func startWatcher(t testing.TB, o Options, sys system) *Watcher {
	t.Helper()
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	w := newWatcher(o, sys)
	t.Cleanup(func() { check(t, w.Close()) })
	return w
}

// logBuffer collects what a Watcher logs.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *logBuffer) count(s string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Count(b.buf.String(), s)
}

func (b *logBuffer) logger() *slog.Logger { return slog.New(slog.NewTextHandler(b, nil)) }

// fakeHost is a host whose directories, inotify and clock (that of synctest) the
// test rules.
type fakeHost struct {
	events chan fsnotify.Event
	errors chan error
	mark   chan struct{} // where it is set: there are marks, and each event that one should make is sent here
	marks  int           // that were made; the first is "mark 1"

	mu      sync.Mutex
	dirs    map[string]dirState
	watched map[string]bool
	openErr error
	room    int // of kernel watches
	remote  bool
}

func newFakeHost(room int) *fakeHost {
	return &fakeHost{
		events: make(chan fsnotify.Event), errors: make(chan error),
		dirs: make(map[string]dirState), watched: make(map[string]bool), room: room,
	}
}

func (h *fakeHost) system() system {
	return system{
		open: func() (*kernel, error) {
			h.mu.Lock()
			defer h.mu.Unlock()
			if h.openErr != nil {
				return nil, h.openErr
			}
			k := &kernel{events: h.events, errors: h.errors, add: h.add, remove: h.remove,
				close: func() error { close(h.events); close(h.errors); return nil }}
			if h.mark != nil {
				k.newMark = func() (*mark, error) {
					h.marks++
					name := fmt.Sprint("mark ", h.marks)
					return &mark{name, func() error { h.mark <- struct{}{}; return nil }, func() error { return nil }}, nil
				}
			}
			return k, nil
		},
		stat: func(path string) dirState {
			h.mu.Lock()
			defer h.mu.Unlock()
			return h.dirs[path]
		},
		network: func(string) bool { return h.remote },
	}
}

func (h *fakeHost) add(path string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.watched) >= h.room {
		return errNoRoom
	}
	h.watched[path] = true
	return nil
}

func (h *fakeHost) remove(path string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.watched[path] {
		return errors.New("not watched")
	}
	delete(h.watched, path)
	return nil
}

func (h *fakeHost) setRoom(n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.room = n
}

// set changes the directory at path, as of age ago.
func (h *fakeHost) set(path string, ino uint64, age time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.dirs[path] = dirState{id: fileID{1, ino}, ctime: time.Now().Add(-age).UnixNano()}
}

func (h *fakeHost) rmdir(path string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.dirs, path)
}

func (h *fakeHost) watching() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Sorted(maps.Keys(h.watched))
}
