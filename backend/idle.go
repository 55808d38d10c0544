package backend

import (
	"container/list"
	"context"
	"sync"
	"time"
)

// Mailboxes that nobody uses stay in memory for a while: webmail logs in anew
// for every click, and Thunderbird asks the STATUS of all folders again and again.
const (
	idleFor      = 5 * time.Minute
	idleMessages = 200_000 // of all idle mailboxes together
	maxIdle      = 500     // each has three directories and perhaps an index open
)

// idleMailboxes are those that nobody uses, the one idle for longest first.
type idleMailboxes struct {
	b *Backend

	mu       sync.Mutex // taken with Account.mu held, not the other way round
	order    list.List  // of idleMailbox
	at       map[*Mailbox]*list.Element
	messages int
	timer    *time.Timer
}

type idleMailbox struct {
	mb       *Mailbox
	messages int
	since    time.Time
}

// add keeps mb. The caller must call trim once it holds no lock.
func (x *idleMailboxes) add(mb *Mailbox) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.at == nil {
		x.at = make(map[*Mailbox]*list.Element)
	}
	e := idleMailbox{mb, int(mb.snap.Load().n), time.Now()}
	x.at[mb] = x.order.PushBack(e)
	x.messages += e.messages
	if x.timer == nil {
		x.timer = time.AfterFunc(idleFor, func() { x.b.background(func(context.Context) { x.trim() }) })
	} else if x.order.Len() == 1 {
		x.timer.Reset(idleFor)
	}
}

// remove is called when somebody uses mb again.
func (x *idleMailboxes) remove(mb *Mailbox) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.take(x.at[mb])
}

func (x *idleMailboxes) take(el *list.Element) {
	if el != nil {
		e := x.order.Remove(el).(idleMailbox)
		delete(x.at, e.mb)
		x.messages -= e.messages
	}
}

// trim drops what has been idle for too long, or is too much.
func (x *idleMailboxes) trim() { x.evict(idleMessages, maxIdle, idleFor) }

// evictAll drops all, for good.
func (x *idleMailboxes) evictAll() {
	x.evict(0, 0, 0)
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.timer != nil {
		x.timer.Stop()
	}
}

// evict drops the one idle for longest until the rest keeps within all three.
func (x *idleMailboxes) evict(messages, mailboxes int, age time.Duration) {
	for {
		x.mu.Lock()
		el := x.order.Front()
		if el == nil {
			x.mu.Unlock()
			return
		}
		e := el.Value.(idleMailbox)
		if left := age - time.Since(e.since); x.messages <= messages && x.order.Len() <= mailboxes && left > 0 {
			x.timer.Reset(left)
			x.mu.Unlock()
			return
		}
		x.take(el)
		x.mu.Unlock()
		e.mb.a.evict(e.mb)
	}
}
