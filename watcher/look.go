package watcher

import "time"

const (
	// slowLook is how many polls make one look at a folder with kernel watches.
	slowLook = 6
	// tick is the coarsest time stamp of a directory to reckon with (FAT, some NFS
	// servers); a directory changed within the last tick may change again without
	// its ctime moving.
	tick = 2 * time.Second
)

// fileID is a directory's identity: it differs between two that had the same path
// one after the other.
type fileID struct{ dev, ino uint64 }

// dirState is what one look at a directory sees; the zero value: it isn't there,
// or may not be looked at.
type dirState struct {
	id    fileID
	ctime int64 // in nanoseconds since 1970. Not mtime, which rsync -a and tar set back after they have put something in
}

func (s dirState) exists() bool { return s != dirState{} }

func (w *Watcher) statSides(dir string) (seen [2]dirState) {
	for i, name := range sideNames {
		seen[i] = w.sys.stat(dir + name)
	}
	return seen
}

// polled reports whether the kernel does not show all that happens in f.
func (f *folder) polled() bool {
	return f.network || f.sides[inNew].dir == nil || f.sides[inCur].dir == nil
}

// lookAround looks at folders: in a sweep per poll interval, and in between at
// those in soon.
func (w *Watcher) lookAround() {
	sweep := time.Now().Add(w.poll)
	timer := time.NewTimer(w.poll)
	defer timer.Stop()
	for n := 1; ; {
		select {
		case <-w.stop:
			return
		case <-w.wakeLook:
		case <-timer.C:
		}
		due := w.takeSoon()
		sweeping := !time.Now().Before(sweep)
		if sweeping {
			due = append(due, w.takeSweep(n%slowLook == 0)...)
			n++
		}
		for _, f := range due {
			w.look(f)
			select {
			case <-w.stop:
				return
			default:
			}
		}
		if sweeping {
			sweep = time.Now().Add(w.poll) // from now: looking may have taken long
		}
		timer.Reset(time.Until(w.nextSoon(sweep)))
	}
}

// takeSweep returns the folders of a sweep: the polled ones or all.
func (w *Watcher) takeSweep(all bool) (due []*folder) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.full = false
	w.openKernelLocked()
	for _, f := range w.folders {
		if all || f.polled() {
			due = append(due, f)
		}
	}
	return due
}

// takeSoon takes the folders out of soon whose time has come.
func (w *Watcher) takeSoon() (due []*folder) {
	now := time.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	for f, at := range w.soon {
		if !now.Before(at) {
			due = append(due, f)
			delete(w.soon, f)
		}
	}
	return due
}

// nextSoon returns when to wake up next: at limit or before.
func (w *Watcher) nextSoon(limit time.Time) time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, at := range w.soon {
		if at.Before(limit) {
			limit = at
		}
	}
	return limit
}

// lookSoonLocked has f looked at when it is at, or earlier.
func (w *Watcher) lookSoonLocked(f *folder, at time.Time) {
	if w.folders[f.dir] != f {
		return
	}
	if old, ok := w.soon[f]; !ok || at.Before(old) {
		w.soon[f] = at
		wake(w.wakeLook)
	}
}

// look compares f with what was seen of it last.
func (w *Watcher) look(f *folder) {
	now, seen := time.Now(), w.statSides(f.dir)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed || w.folders[f.dir] != f {
		return
	}
	for i := range f.sides {
		w.lookAtLocked(f, i, seen[i], now)
	}
	w.relookIfFreshLocked(f, now)
}

func (w *Watcher) lookAtLocked(f *folder, i int, seen dirState, now time.Time) {
	s := &f.sides[i]
	changed, wasFresh := seen != s.seen, s.fresh
	s.seen, s.fresh = seen, false
	switch {
	case s.dir == nil:
		// Whether watched from now on or not: what happened since the last look
		// made no event.
		attached := w.attachLocked(f, i)
		if changed || wasFresh && seen.exists() || attached {
			w.rescanLocked(f)
		}
	case s.dir.id != seen.id:
		// Another directory has the path, or none has, and there was no event: a
		// parent was renamed, or something was mounted.
		w.detachLocked(f, i)
		w.attachLocked(f, i)
		w.rescanLocked(f)
	case f.network:
		if changed || wasFresh {
			w.rescanLocked(f)
		}
	case changed && time.Unix(0, seen.ctime).After(s.lastEvent):
		// The latest change made no event. After an unmount and mount the
		// directory is the same and the watch is gone: get a new one.
		w.lostLocked(s.dir)
	}
	// A state is fresh once: a server whose clock is ahead would have us rescan
	// for ever.
	s.fresh = changed && f.polled() && seen.freshAt(now)
}

// freshAt reports whether another look should follow soon: another change at the
// time now could leave ctime as it is, or the directory may be about to be made
// again.
func (s dirState) freshAt(now time.Time) bool {
	return !s.exists() || now.Sub(time.Unix(0, s.ctime)) < tick
}

// relookIfFreshLocked sees to the second look at a folder whose first one, at the
// time now, was at a fresh state.
func (w *Watcher) relookIfFreshLocked(f *folder, now time.Time) {
	for i := range f.sides {
		if f.sides[i].fresh {
			w.lookSoonLocked(f, now.Add(tick))
			return
		}
	}
}
