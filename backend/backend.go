package backend

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"runtime/debug"
	"sync"

	"maildir-imapd/index"
	"maildir-imapd/watcher"
)

// Options of a Backend.
type Options struct {
	Log     *slog.Logger
	Watcher *watcher.Watcher
	// AppendLimit is the largest message in octets that APPEND takes; 0: none.
	AppendLimit int64
}

// Backend holds the accounts that are open. Safe for concurrent use.
type Backend struct {
	o       Options
	jobs    jobs
	idle    idleMailboxes
	indexes index.Queue

	mu       sync.Mutex
	accounts map[string]*Account // by location
}

// New returns a Backend without accounts.
func New(o Options) *Backend {
	b := &Backend{o: o, accounts: make(map[string]*Account)}
	b.jobs.ctx, b.jobs.cancel = context.WithCancel(context.Background())
	b.idle.b = b
	b.indexes.Background = b.background
	return b
}

// Close ends all background work and waits for it. Accounts must be closed before.
func (b *Backend) Close() error {
	b.jobs.close()
	b.idle.evictAll()
	return nil
}

// background runs f on a goroutine that Close waits for. It returns false after Close.
func (b *Backend) background(f func(context.Context)) bool { return b.jobs.start(f) }

// jobs are the goroutines of background work.
type jobs struct {
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup
	mu     sync.Mutex // guards closed; innermost of all locks
	closed bool
}

func (j *jobs) start(f func(context.Context)) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed {
		return false
	}
	j.wg.Go(func() { f(j.ctx) })
	return true
}

// safely turns a panic of f into an error. What hostile mail might do to a
// goroutine of ours must not end the process for everybody.
func safely(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return f()
}

func (j *jobs) close() {
	j.mu.Lock()
	j.closed = true
	j.mu.Unlock()
	j.cancel()
	j.wg.Wait()
}

// Open opens user's account. It fails where the root is missing or is no Maildir,
// unless create is set, which makes it. Every session calls Open, and Close on
// what it gets; sessions of one Location share its mailboxes. What others share with the user is added by User.Share.
func (b *Backend) Open(ctx context.Context, user string, loc Location, create bool) (*User, error) {
	a, err := b.share(ctx, user, loc, create)
	if err != nil {
		return nil, err
	}
	a.quota.configure(loc.Quota)
	return &User{Account: a, id: identity{name: user}}, nil
}

// share finds the account where it is open, else opens it.
func (b *Backend) share(ctx context.Context, user string, loc Location, create bool) (*Account, error) {
	key := fmt.Sprintf("%q", []any{loc.Root, loc.Layout, loc.Separator, loc.Control, loc.Index, loc.DirName,
		loc.Prefix, loc.SpecialUse, loc.FollowSymlinks, loc.Inbox, loc.UTF8, loc.Shared})
	if a := b.open(key, loc.Root); a != nil {
		return a, nil
	}
	a, err := openAccount(ctx, b, user, loc, create)
	if err != nil {
		return nil, err
	}
	a.key = key
	b.mu.Lock()
	defer b.mu.Unlock()
	if other := b.accounts[key]; other != nil && os.SameFile(other.rootInfo, a.rootInfo) {
		a.closeFiles() // another session was quicker
		a = other
	}
	b.accounts[key] = a
	a.refs++
	return a, nil
}

// open returns the account that is open already, if its root is still the
// directory of that name.
func (b *Backend) open(key, root string) *Account {
	b.mu.Lock()
	a := b.accounts[key]
	if a != nil {
		a.refs++
	}
	b.mu.Unlock()
	// A file server that hangs must not keep others from logging in.
	if a != nil && !a.sameRoot(root) {
		b.done(a, 1)
		return nil
	}
	return a
}

// done gives an account back. It is closed with its last mailbox.
func (b *Backend) done(a *Account, refs int) {
	b.mu.Lock()
	a.refs -= refs
	last := a.refs == 0 && a.noMailboxes()
	if last && b.accounts[a.key] == a {
		delete(b.accounts, a.key)
	}
	b.mu.Unlock()
	if last {
		a.closeFiles()
	}
}

// inBackground runs f, for which the account stays open. It returns false after Backend.Close.
func (a *Account) inBackground(f func(context.Context)) bool {
	a.b.mu.Lock()
	a.refs++
	a.b.mu.Unlock()
	started := a.b.background(func(ctx context.Context) {
		defer a.b.done(a, 1)
		f(ctx)
	})
	if !started {
		a.b.done(a, 1)
	}
	return started
}

// sameRoot reports whether path is the directory that the account has open.
func (a *Account) sameRoot(path string) bool {
	fi, err := os.Stat(path)
	return err == nil && os.SameFile(fi, a.rootInfo)
}
