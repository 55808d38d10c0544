package index

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// Limits of what waits to be written, in octets. What is too much is dropped.
const (
	maxQueued       = 4 << 20  // of one folder
	maxQueuedOfAll  = 32 << 20 // of all folders of a Queue
	enoughToBeginBy = 256 << 10
)

// window is how long writing waits for more to come.
const window = 500 * time.Millisecond

// Queue is what all folders of a process share. Safe for concurrent use.
type Queue struct {
	// Background runs f on a goroutine of its own that is waited for in the end; its context is
	// cancelled when it should come to an end. It returns false where it is too late for that.
	Background func(f func(context.Context)) bool

	octets atomic.Int64 // that wait
}

// queue is what waits to be written to one folder.
type queue struct {
	wake chan struct{} // capacity 1: enough has come, or the folder is closed

	mu      sync.Mutex // guards the fields below
	records []queued
	data    []byte
	waiting int       // records, with those that are being written
	paused  time.Time // nothing is taken until then
	working bool      // a goroutine writes, or is about to
	closing bool
}

// queued is a record that waits: data[from:to].
type queued struct {
	key
	from, to int
}

// Put remembers a record. It copies what it keeps and never waits for the disk.
func (f *Folder) Put(k Kind, uid uint32, r *Record) {
	if f == nil {
		return
	}
	if len(r.First)+len(r.Second) <= maxRecord-64 {
		f.enqueue(keyOf(k, uid), r)
	}
}

// enqueue queues a record; nil says that what is remembered is not true any more.
func (f *Folder) enqueue(k key, r *Record) {
	q := &f.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closing || len(q.data) > maxQueued || len(q.records) > maxQueued/64 || f.o.Queue.octets.Load() > maxQueuedOfAll {
		return
	}
	if !q.paused.IsZero() && time.Now().Before(q.paused) {
		return
	}
	if !q.working && !f.o.Queue.Background(f.work) {
		return
	}
	q.working = true
	from := len(q.data)
	if r != nil {
		q.data = r.append(q.data)
	}
	q.waiting++
	q.records = append(q.records, queued{k, from, len(q.data)})
	f.o.Queue.octets.Add(int64(len(q.data) - from))
	if from < enoughToBeginBy && len(q.data) >= enoughToBeginBy {
		q.signal()
	}
}

func (q *queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

func (q *queue) pause(until time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.paused = until
}

// empty drops what waits, and returns how many octets that was.
func (q *queue) empty() (octets int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	octets = int64(len(q.data))
	q.waiting -= len(q.records)
	q.records, q.data = nil, nil
	return octets
}

// close reports whether the goroutine still works: it ends the folder then.
func (q *queue) close() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closing = true
	q.signal()
	return q.working
}

// work writes what is queued until nothing is left.
func (f *Folder) work(ctx context.Context) {
	q := &f.queue
	timer := time.NewTimer(window)
	defer timer.Stop()
	var spare []byte // memory for the next ones
	var spareRecords []queued
	for {
		select {
		case <-timer.C:
		case <-q.wake:
		case <-ctx.Done():
		}
		q.mu.Lock()
		records, data := q.records, q.data
		q.records, q.data = spareRecords[:0], spare[:0]
		q.mu.Unlock()
		if len(records) > 0 {
			f.write(ctx, records, data)
		}
		f.o.Queue.octets.Add(-int64(len(data)))
		spare, spareRecords = data, records

		q.mu.Lock()
		q.waiting -= len(records)
		if len(q.records) == 0 && (len(records) == 0 || q.closing || ctx.Err() != nil) {
			q.working = false
			q.data = nil
			closing := q.closing
			q.mu.Unlock()
			if closing {
				f.end()
			}
			return
		}
		q.mu.Unlock()
		timer.Reset(window)
	}
}
