package watcher

import (
	"errors"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Options; the zero value of each field means its default.
type Options struct {
	Log *slog.Logger
	// Window in which events are coalesced: 20 to 50 ms, default 25 ms.
	Window time.Duration
	// PollInterval of folders that cannot be watched, default 10 s (1 s where the
	// system has no inotify); also of the slow second look at those that are (six
	// times this).
	PollInterval time.Duration
}

// Watcher watches folders. Safe for concurrent use.
type Watcher struct {
	// Immutable after New.
	log          *slog.Logger
	window, poll time.Duration
	sys          system
	stop         chan struct{} // closed by Close
	wakeDeliver  chan struct{} // capacity 1: dirty was empty and is not any more, or overflowed
	wakeLook     chan struct{} // capacity 1: soon got an earlier entry
	flushes      chan flush    // to deliver
	errorsTaken  chan struct{} // from pumpErrors: all that came is noted
	running      sync.WaitGroup

	overflowed atomic.Bool // the kernel lost events; deliver hasn't seen to it yet

	mu      sync.Mutex
	closed  bool
	folders map[string]*folder // by the cleaned dir of Watch
	// dirty are the folders with something to say, oldest first. The window is the
	// same for all, so the order of becoming dirty is the order of becoming due.
	dirty []*folder
	soon  map[*folder]time.Time // looks that don't wait for the next sweep
	marks marks
	kernelState
}

// folder is a Maildir folder that at least one Watch is for. All fields but dir
// are guarded by Watcher.mu.
type folder struct {
	dir     string
	watches []*Watch // replaced, never written to: deliver reads it without mu
	sides   [2]side  // new/ and cur/
	network bool     // other hosts may write here, unseen by the kernel

	queued  bool // in dirty
	due     time.Time
	changes []Change
	rescan  bool // changes is nil, and stays so until the batch is out
}

// Indexes of folder.sides, and the names of what they stand for.
const (
	inNew = iota
	inCur
)

var sideNames = [2]string{inNew: "/new", inCur: "/cur"}

// New starts the watcher's goroutines. It does not fail where inotify is not to
// be had: it polls then.
func New(o Options) *Watcher { return newWatcher(o, hostSystem) }

func newWatcher(o Options, sys system) *Watcher {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Window <= 0 {
		o.Window = 25 * time.Millisecond
	}
	if o.PollInterval <= 0 {
		o.PollInterval = defaultPollInterval
	}
	w := &Watcher{
		log: o.Log, window: o.Window, poll: o.PollInterval, sys: sys,
		stop:        make(chan struct{}),
		wakeDeliver: make(chan struct{}, 1),
		wakeLook:    make(chan struct{}, 1),
		flushes:     make(chan flush),
		errorsTaken: make(chan struct{}),
		folders:     make(map[string]*folder),
		soon:        make(map[*folder]time.Time),
		kernelState: newKernelState(),
	}
	w.mu.Lock()
	w.openKernelLocked()
	w.mu.Unlock()
	w.running.Go(w.deliver)
	w.running.Go(w.lookAround)
	return w
}

// Watch calls notify for each batch of changes in dir/new and dir/cur until the
// Watch is closed. dir is an absolute path; it need not exist yet. notify is called
// from the watcher's own goroutine, one call at a time, and must return at once; it
// may call Watch and Watch.Close. After Watch has returned, nothing that changes is
// missed. Several Watches of one folder share the kernel's watches.
//
// Watch on a closed Watcher returns a Watch that says nothing.
func (w *Watcher) Watch(dir string, notify func(Batch)) *Watch {
	dir = filepath.Clean(dir)
	h := &Watch{w: w, notify: notify}
	// Before mu is taken, since these can hang. What changes between here and the
	// kernel's watches makes the first look ask for a rescan.
	now, seen := time.Now(), w.statSides(dir)
	network := w.sys.network(dir)

	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		h.closed.Store(true)
		return h
	}
	f := w.folders[dir]
	if f == nil {
		f = &folder{dir: dir, network: network}
		w.folders[dir] = f
		if network {
			w.warnLocked(warnNetwork, dir, nil)
		}
		for i := range f.sides {
			f.sides[i].seen = seen[i]
			w.attachLocked(f, i)
		}
		for i := range f.sides {
			f.sides[i].fresh = f.polled() && seen[i].freshAt(now)
		}
		w.relookIfFreshLocked(f, now)
	}
	h.f = f
	f.watches = append(slices.Clip(f.watches), h)
	return h
}

// Close ends all watches and waits for the goroutines. It must not be called from
// a notify function.
func (w *Watcher) Close() error {
	w.mu.Lock()
	if w.closed {
		w.mu.Unlock()
		return nil
	}
	w.closed = true
	close(w.stop)
	k := w.kernel
	w.kernel = nil
	w.mu.Unlock()

	var err error
	if k != nil {
		err = k.close() // ends the pumps, which may wait for mu
		if k.mark != nil {
			err = errors.Join(err, k.mark.close())
		}
	}
	w.running.Wait()
	return err
}

// Watch is one subscription.
type Watch struct {
	w      *Watcher
	notify func(Batch)
	f      *folder // nil when born closed
	closed atomic.Bool
}

// Close ends the subscription. notify is not called after Close has returned
// (unless it is running: Close may be called from within notify).
func (h *Watch) Close() {
	h.w.mu.Lock()
	defer h.w.mu.Unlock()
	if h.closed.Swap(true) {
		return
	}
	f := h.f
	f.watches = slices.DeleteFunc(slices.Clone(f.watches), func(o *Watch) bool { return o == h })
	if len(f.watches) > 0 || h.w.closed {
		return
	}
	for i := range f.sides {
		h.w.detachLocked(f, i)
	}
	delete(h.w.folders, f.dir)
	delete(h.w.soon, f)
}

// changeLocked notes a change for f's next batch.
func (w *Watcher) changeLocked(f *folder, c Change) {
	if f.rescan {
		return // which covers it: the directory is read later than this
	}
	if len(f.changes) == maxChanges {
		w.rescanLocked(f)
		return
	}
	f.changes = append(f.changes, c)
	w.enqueueLocked(f)
}

// rescanLocked makes f's next batch ask for a look at everything.
func (w *Watcher) rescanLocked(f *folder) {
	f.rescan, f.changes = true, nil
	w.enqueueLocked(f)
}

func (w *Watcher) enqueueLocked(f *folder) {
	if f.queued {
		return
	}
	f.queued, f.due = true, time.Now().Add(w.window)
	w.dirty = append(w.dirty, f)
	if len(w.dirty) == 1 {
		wake(w.wakeDeliver)
	}
}

// deliver hands out batches when they are due.
func (w *Watcher) deliver() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-w.stop:
			return
		case x := <-w.flushes:
			b, to := w.batchOf(x.f)
			b.handTo(to)
			close(x.done)
			continue
		case <-w.wakeDeliver:
		case <-timer.C:
		}
		for {
			b, to, wait := w.next()
			if wait > 0 {
				timer.Reset(wait)
			}
			if to == nil {
				break
			}
			b.handTo(to)
		}
	}
}

func (b Batch) handTo(to []*Watch) {
	for _, h := range to {
		if !h.closed.Load() {
			h.notify(b)
		}
	}
}

// next takes the batch that is due off the queue. Without one, to is nil and wait
// is how long until there will be (0: nothing is queued).
func (w *Watcher) next() (b Batch, to []*Watch, wait time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.makeGoodLocked()
	for len(w.dirty) > 0 && !w.closed {
		f := w.dirty[0]
		if wait = time.Until(f.due); wait > 0 {
			return Batch{}, nil, wait
		}
		w.dirty[0] = nil
		w.dirty = w.dirty[1:]
		if b = f.takeLocked(); len(f.watches) > 0 {
			return b, f.watches, 0
		}
	}
	w.dirty = nil
	return Batch{}, nil, 0
}

// takeLocked takes f's batch; f is not in dirty any more.
func (f *folder) takeLocked() Batch {
	b := Batch{Changes: f.changes, Rescan: f.rescan}
	f.changes, f.rescan, f.queued = nil, false, false
	return b
}

// wake sets the dirty bit of a channel of capacity 1.
func wake(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
