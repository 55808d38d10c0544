package watcher

import "time"

// Flush has notify called for all that has happened in the folder before Flush was
// called, without waiting for the window, and reports whether that is so. It is not where
// the kernel does not show all that happens in the folder (it is polled), or the
// kernel has lost events. It takes some tens of microseconds, and must not be called from a notify
// function.
//
// The kernel queues the events of one inotify instance in the order in which things happened. So Flush makes an event of its
// own, waits until that arrives, and then has the folder's batch delivered, due or not.
func (h *Watch) Flush() bool {
	w := h.w
	w.mu.Lock()
	if h.closed.Load() || w.closed || w.kernel == nil || w.kernel.mark == nil || h.f.polled() {
		w.mu.Unlock()
		return false
	}
	r := w.markLocked()
	w.mu.Unlock()
	late := time.NewTimer(patience)
	defer late.Stop()
	select {
	case <-r.done:
	case <-late.C:
		return false
	case <-w.stop:
		return false
	}
	if !r.arrived {
		return false
	}
	// Errors come on a way of their own: one that came before the mark has been noted when this is taken.
	select {
	case <-w.errorsTaken:
	case <-w.stop:
		return false
	}
	f := flush{h.f, make(chan struct{})}
	select {
	case w.flushes <- f:
		<-f.done
		return true
	case <-w.stop:
		return false
	}
}

// patience is how long Flush waits for an event that the kernel has queued already.
const patience = time.Second

// flush asks deliver for a folder's batch.
type flush struct {
	f    *folder
	done chan struct{} // closed after the calls of notify
}

// round is a mark that is on its way, and all who wait for it.
type round struct {
	done    chan struct{}
	arrived bool // written before done is closed. False: the event is lost
}

// marks lets one mark be on its way at a time, for the kernel may make one event of two.
// Guarded by Watcher.mu.
type marks struct {
	underWay *round
	next     *round // of those who came later: they need a mark that is made after they came
}

// markLocked joins a round whose mark is made from now on.
func (w *Watcher) markLocked() *round {
	r := &round{done: make(chan struct{})}
	switch {
	case w.marks.underWay == nil:
		w.beginLocked(r)
	case w.marks.next == nil:
		w.marks.next = r
	default:
		r = w.marks.next
	}
	return r
}

func (w *Watcher) beginLocked(r *round) {
	w.marks.underWay = r
	if w.kernel == nil || w.kernel.mark == nil { // since they came
		w.markedLocked(false)
	} else if err := w.kernel.mark.make(); err != nil {
		w.log.Debug("can't make an event", "err", err)
		w.markedLocked(false)
	}
}

// newMarkLocked makes a mark, in the place of the one there is.
func (w *Watcher) newMarkLocked() {
	k := w.kernel
	if k == nil || k.newMark == nil {
		return
	}
	old := k.mark
	var err error
	if k.mark, err = k.newMark(); err != nil {
		w.log.Debug("can't make a mark", "err", err) // Flush does without
	}
	if old != nil {
		_ = k.remove(old.name)
		_ = old.close()
	}
}

// markedLocked ends the round whose event has arrived, or is lost.
func (w *Watcher) markedLocked(arrived bool) {
	r := w.marks.underWay
	if r == nil {
		return
	}
	w.marks.underWay = nil
	r.arrived = arrived
	close(r.done)
	if next := w.marks.next; next != nil {
		w.marks.next = nil
		w.beginLocked(next)
	}
}

// batchOf takes a folder's batch off the queue, due or not.
func (w *Watcher) batchOf(f *folder) (b Batch, to []*Watch) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.makeGoodLocked()
	for i, x := range w.dirty {
		if x == f {
			w.dirty = append(w.dirty[:i], w.dirty[i+1:]...)
			return f.takeLocked(), f.watches
		}
	}
	return Batch{}, nil
}
