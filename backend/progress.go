package backend

import "sync/atomic"

// progress counts the messages that a long operation of a view is done with. Another goroutine may read it meanwhile.
type progress struct {
	v atomic.Uint64 // done<<32 | all of them; 0: nothing is counted
}

// start begins to count anew.
func (p *progress) start(all int) { p.v.Store(uint64(uint32(all))) }

// step counts n messages more.
func (p *progress) step(n int) { p.v.Add(uint64(n) << 32) }

// ResetProgress comes before an operation whose progress may be asked for.
func (v *View) ResetProgress() { v.progress.start(0) }

// Progress tells how many messages the operation that runs is done with, and of how many; all is 0 where that
// is not known. It may be called while another goroutine runs Search, Sort, Thread, Store, Copy, Move or Expunge.
func (v *View) Progress() (done, all uint32) {
	n := v.progress.v.Load()
	return min(uint32(n>>32), uint32(n)), uint32(n)
}
