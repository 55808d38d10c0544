package watcher

import (
	"errors"
	"io/fs"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/fsnotify/fsnotify"
)

// system is what a Watcher asks of the host; tests put their own in its place.
type system struct {
	open    func() (*kernel, error)         // errors.ErrUnsupported: there is none to be had, ever
	stat    func(path string) dirState      // the zero value for whatever is not there
	network func(path string) (remote bool) // best effort
}

// kernel is the part of an fsnotify.Watcher that is used here.
type kernel struct {
	events      <-chan fsnotify.Event
	errors      <-chan error
	add, remove func(path string) error
	close       func() error
	newMark     func() (*mark, error) // nil: not to be had
	mark        *mark                 // guarded by Watcher.mu; nil: there is none
}

// mark is what makes the events of Flush.
type mark struct {
	name  string       // of its events
	make  func() error // makes one, which comes after the events of all that has happened
	close func() error
}

// kernelState is the kernel's watches as this package knows them, guarded by
// Watcher.mu.
type kernelState struct {
	kernel *kernel // nil: none to be had, so far
	full   bool    // the kernel refused a watch for want of room; not asked again before the next sweep
	// The same directories by the path that they were added under, which is the one
	// that events bear, and by identity: the kernel has one watch per directory
	// however many paths lead there (symbolic links to a shared folder, bind
	// mounts), and fsnotify names the first.
	byPath map[string]*watchedDir
	byID   map[fileID]*watchedDir
	warned [numWarnings]bool
}

func newKernelState() kernelState {
	return kernelState{byPath: make(map[string]*watchedDir), byID: make(map[fileID]*watchedDir)}
}

// watchedDir is a directory that the kernel watches.
type watchedDir struct {
	path  string
	id    fileID
	users []sideOf
}

// sideOf names new/ or cur/ of a folder.
type sideOf struct {
	f *folder
	i int
}

// side is what is known of a folder's new/ or cur/.
type side struct {
	dir       *watchedDir // nil: not watched by the kernel
	seen      dirState    // at the last look
	lastEvent time.Time
	fresh     bool // seen is not to be relied on: see freshAt
}

// openKernelLocked gets hold of the kernel's notifications, where that works, and
// starts the pumps.
func (w *Watcher) openKernelLocked() {
	if w.kernel != nil || w.closed {
		return
	}
	k, err := w.sys.open()
	if err != nil {
		if !errors.Is(err, errors.ErrUnsupported) {
			w.warnLocked(warnInstance, "", err)
		}
		return
	}
	w.kernel = k
	w.newMarkLocked()
	w.running.Go(func() { w.pumpEvents(k.events) })
	w.running.Go(func() { w.pumpErrors(k.errors) })
}

func (w *Watcher) pumpEvents(events <-chan fsnotify.Event) {
	for ev := range events {
		w.event(ev)
	}
}

func (w *Watcher) pumpErrors(errs <-chan error) {
	for {
		var err error
		select {
		case w.errorsTaken <- struct{}{}:
			continue
		case e, ok := <-errs:
			if !ok {
				return
			}
			err = e
		}
		if !errors.Is(err, fsnotify.ErrEventOverflow) {
			// The descriptor of a directory that went away while it was being
			// removed; the event that says so comes too.
			w.log.Debug("inotify reports an error", "err", err)
			continue
		}
		w.overflowed.Store(true)
		wake(w.wakeDeliver)
	}
}

// makeGoodLocked makes good for events that the kernel had no room for.
func (w *Watcher) makeGoodLocked() {
	if !w.overflowed.Swap(false) {
		return
	}
	w.warnLocked(warnOverflow, "", nil)
	for _, f := range w.folders {
		w.rescanLocked(f)
	}
	// The event of the mark may be among them, or come yet, when somebody waits for a later one: so that has another name.
	w.newMarkLocked()
	w.markedLocked(false)
}

// event files an event under the folders whose directory it happened in.
func (w *Watcher) event(ev fsnotify.Event) {
	var op Op
	switch {
	case ev.Has(fsnotify.Create):
		op = Appeared
	case ev.Has(fsnotify.Remove):
		op = Removed
	case ev.Has(fsnotify.Rename):
		op = MovedAway
	case ev.Has(fsnotify.Chmod):
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.kernel != nil && w.kernel.mark != nil && ev.Name == w.kernel.mark.name {
			w.markedLocked(true)
		}
		return
	default:
		return // writes and attributes: messages don't change
	}
	now := time.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	if d := w.byPath[ev.Name]; d != nil && op != Appeared {
		w.lostLocked(d) // new/ or cur/ itself
	}
	slash := strings.LastIndexByte(ev.Name, '/')
	if slash < 0 {
		return
	}
	d := w.byPath[ev.Name[:slash]]
	if d == nil {
		return // closed meanwhile
	}
	for _, u := range d.users {
		u.f.sides[u.i].lastEvent = now
		w.changeLocked(u.f, Change{Name: ev.Name[slash+1:], New: u.i == inNew, Op: op})
	}
}

// attachLocked has the kernel watch side i of f, if it was there at the last look.
// It reports whether it does now.
func (w *Watcher) attachLocked(f *folder, i int) bool {
	s := &f.sides[i]
	if s.dir != nil {
		return true
	}
	if w.kernel == nil || w.full || !s.seen.exists() {
		return false
	}
	d := w.byID[s.seen.id]
	if d == nil {
		path := f.dir + sideNames[i]
		if other := w.byPath[path]; other != nil {
			// What was added under this path has been renamed, and somebody still
			// watches it under another one.
			w.lostLocked(other)
		}
		if err := w.kernel.add(path); err != nil {
			w.refusedLocked(path, err)
			return false
		}
		d = &watchedDir{path: path, id: s.seen.id}
		w.byPath[path], w.byID[d.id] = d, d
	}
	d.users = append(d.users, sideOf{f, i})
	s.dir = d
	return true
}

// refusedLocked deals with the kernel's refusal of a watch.
func (w *Watcher) refusedLocked(path string, err error) {
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE), errors.Is(err, syscall.ENOMEM):
		w.full = true
		w.warnLocked(warnWatches, path, err)
	case errors.Is(err, fs.ErrNotExist): // removed since the look
	default:
		w.warnLocked(warnRefused, path, err)
	}
}

// detachLocked takes side i of f off the kernel's watch, which ends with its last
// user.
func (w *Watcher) detachLocked(f *folder, i int) {
	d := f.sides[i].dir
	if d == nil {
		return
	}
	f.sides[i].dir = nil
	d.users = slices.DeleteFunc(d.users, func(u sideOf) bool { return u.f == f && u.i == i })
	if len(d.users) == 0 {
		w.removeLocked(d)
	}
}

// lostLocked gives up a kernel watch that is dead or of a wrong directory: its
// users are asked to rescan, and new watches are tried for at once.
func (w *Watcher) lostLocked(d *watchedDir) {
	w.removeLocked(d)
	for _, u := range d.users {
		u.f.sides[u.i].dir = nil
		w.rescanLocked(u.f)
		w.lookSoonLocked(u.f, time.Now())
	}
	d.users = nil
}

func (w *Watcher) removeLocked(d *watchedDir) {
	delete(w.byPath, d.path)
	if w.byID[d.id] == d {
		delete(w.byID, d.id)
	}
	if w.kernel != nil {
		_ = w.kernel.remove(d.path) // fails where the kernel has dropped it already
	}
	w.full = false
}
