package uidmap

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"syscall"
	"time"
)

const (
	// lockTouch is how often a lock file is touched while it is held. Dovecot
	// asks for 10 s at most.
	lockTouch = 8 * time.Second

	// lockWait is how long we wait for a lock: somewhat longer than it takes to
	// find out that its holder is gone.
	lockWait = staleUnknown + 10*time.Second

	// Between two looks at a lock that is in the way.
	lockPollMin, lockPollMax = time.Millisecond, 100 * time.Millisecond
)

// locker takes the lock file of one data file, as Dovecot does: who creates
// NAME.lock with O_EXCL, has the lock; its content is "pid:hostname". It is not
// safe for concurrent use.
type locker struct {
	folder
	name string // of the data file

	// What stands in our way. It outlives a wait that was cancelled, so that
	// impatient waiters, too, find a stale lock out in the end.
	seen watch
}

func newLocker(root *os.Root, dir, name string, o Options) locker {
	return locker{folder: folder{root, dir, o}, name: name}
}

// lock waits for the lock at most lockWait (then ErrLocked) or until ctx ends. It
// overrides the lock of a holder that is gone.
func (l *locker) lock(ctx context.Context) (*dotlock, error) {
	host, err := os.Hostname()
	if err != nil {
		return nil, err
	}
	start := time.Now()
	for delay := lockPollMin; ; delay = min(2*delay, lockPollMax) {
		k, err := l.try(host)
		if err == nil {
			l.seen = watch{}
			return k, nil
		}
		if !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
		if err := l.seen.look(l.folder, l.name+".lock"); err != nil {
			return nil, err
		}
		if reason := l.seen.stale(host, time.Now()); reason != "" {
			gone, err := l.override()
			if err != nil {
				return nil, err
			}
			if gone {
				l.log().Warn("overriding a stale lock", "file", l.name+".lock", "holder", l.seen.owner, "reason", reason)
				continue
			}
		}
		if time.Since(start) >= lockWait {
			return nil, fmt.Errorf("%w: %s by %q", ErrLocked, l.path(l.name+".lock"), l.seen.owner)
		}
		timer := time.NewTimer(delay)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil, context.Cause(ctx)
		case <-timer.C:
		}
	}
}

// try creates the lock file; fs.ErrExist where there is one.
func (l *locker) try(host string) (*dotlock, error) {
	k := &dotlock{folder: l.folder, file: l.path(l.name + ".lock")}
	f, err := k.root.OpenFile(k.file, os.O_RDWR|os.O_CREATE|os.O_EXCL, k.o.FilePerm)
	if err != nil {
		return nil, err
	}
	k.f = f
	if k.info, err = f.Stat(); err == nil {
		// Before it can be read: a lock with our pid that is not held by
		// us is a former process's.
		heldLocks.Store(inodeOf(k.info), k)
		// Whoever finds it without an owner learns from this whether we are alive.
		flocked := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil
		_, err = fmt.Fprintf(f, "%d:%s", os.Getpid(), host)
		if IsFull(err) && flocked {
			err = nil // a lock without owner: who expunges must not be kept out
		}
	}
	if err != nil {
		k.root.Remove(k.file)
		k.forget()
		return nil, err
	}
	reached("lock: taken")
	k.mu.Lock()
	defer k.mu.Unlock()
	k.timer = time.AfterFunc(lockTouch, k.touch)
	return k, nil
}

// dotlock is a lock file that we hold.
type dotlock struct {
	folder
	file string
	f    *os.File    // kept open, so that its inode number is not used again
	info os.FileInfo // of f: tells whether the file is still ours

	mu       sync.Mutex // guards the following
	timer    *time.Timer
	released bool
}

// touch keeps others from taking our lock for a dead one. It runs by itself.
func (k *dotlock) touch() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.released {
		return
	}
	if k.still() == nil {
		// Where it fails, others may override the lock: still says so in time.
		now := time.Now()
		k.root.Chtimes(k.file, now, now)
	}
	k.timer.Reset(lockTouch)
}

// still returns ErrLockLost where the lock was overridden.
func (k *dotlock) still() error {
	info, err := k.root.Lstat(k.file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return ErrLockLost
	case err != nil:
		return err
	case !os.SameFile(info, k.info):
		return ErrLockLost
	}
	return nil
}

// release removes the lock file, unless it is another's by now.
func (k *dotlock) release() error {
	k.mu.Lock()
	k.released = true
	k.timer.Stop()
	k.mu.Unlock()
	defer k.forget()
	if err := k.still(); err != nil {
		return err
	}
	reached("lock: before release")
	return k.root.Remove(k.file)
}

func (k *dotlock) forget() {
	heldLocks.Delete(inodeOf(k.info)) // before its number is free
	k.f.Close()
}

// inode names a file as long as it exists.
type inode struct{ dev, ino uint64 }

// heldLocks has the *dotlock of each lock file that this process holds, by inode. The pid in
// a lock file can't tell that: in a container each new process is number 1.
var heldLocks sync.Map

func inodeOf(info os.FileInfo) inode {
	if info == nil {
		return inode{}
	}
	st := info.Sys().(*syscall.Stat_t)
	return inode{uint64(st.Dev), uint64(st.Ino)}
}
