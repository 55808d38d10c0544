package uidmap

import (
	"errors"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// When a lock counts as left behind. Dovecot's times, but for
// locks without owner, and pids that are used again.
const (
	// The holder's process is gone: at once for a lock that was not touched
	// for staleOld, else after staleDead in which nothing changed.
	staleOld  = 10 * time.Second
	staleDead = 3 * time.Second

	// There is no owner in it: the holder was killed before it could write that, or its disk is
	// full. The latter holds the flock on the file, which override wants.
	staleEmpty = 3 * time.Second

	// The holder can't be asked (other host, no pid): nothing changed
	// while we watched for staleUnknown. Holders touch their locks every 10 s.
	staleUnknown = 120 * time.Second

	// The pid is alive, but the lock was not touched for staleReused and while
	// we watched for staleUnknown: the pid is another's, as after a reboot.
	staleReused = 10 * time.Minute
)

// watch is what a waiter knows of the lock file that stands in its way.
type watch struct {
	info  os.FileInfo // nil: no lock file
	owner string      // its content
	since time.Time   // when it was first seen in this state
}

// look looks again.
func (w *watch) look(d folder, name string) error {
	info, err := d.root.Lstat(d.path(name))
	if errors.Is(err, fs.ErrNotExist) {
		*w = watch{}
		return nil
	}
	if err != nil {
		return err
	}
	if w.info != nil && same(w.info, info) {
		return nil
	}
	// What can't be read is no reason to fail: then the holder is unknown.
	owner, _, _ := d.read(name, 1024)
	*w = watch{info, string(owner), time.Now()}
	return nil
}

// stale gives the reason to override the lock, or "".
func (w *watch) stale(host string, now time.Time) string {
	if w.info == nil {
		return ""
	}
	watched, untouched := now.Sub(w.since), now.Sub(w.info.ModTime())
	digits, rest, _ := strings.Cut(w.owner, ":")
	pid, err := strconv.ParseInt(digits, 10, 32)
	switch {
	case w.owner == "":
		if watched >= staleEmpty {
			return "its process was gone before it said which"
		}
	case err != nil || pid <= 0 || rest != host:
		if watched >= staleUnknown {
			return "unchanged for minutes"
		}
	case int(pid) == os.Getpid():
		if _, ours := heldLocks.Load(inodeOf(w.info)); !ours {
			return "left by a former process with our pid"
		}
	case alive(int(pid)):
		if watched >= staleUnknown && untouched >= staleReused {
			return "unchanged for minutes, though its pid exists"
		}
	case untouched >= staleOld || watched >= staleDead:
		return "its process is gone"
	}
	return ""
}

func alive(pid int) bool {
	err := syscall.Kill(pid, 0)
	return err == nil || errors.Is(err, syscall.EPERM)
}

// override removes the lock file that was judged stale, and no other: of several
// waiters that judge the same file, the one that has the flock on it removes it, and
// those who come later find another file (or none) under its name. Only a program that
// overrides without the flock (Dovecot) can come between check and
// removal; it has the same window of microseconds itself.
func (l *locker) override() (gone bool, err error) {
	name := l.path(l.name + ".lock")
	f, _, err := open(l.root, name, os.O_RDWR)
	switch {
	case err == nil:
		defer f.Close()
		if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil {
			return false, nil // another waiter is at it, or a holder without owner lives
		}
	case errors.Is(err, fs.ErrNotExist):
		return true, nil
	case errors.Is(err, fs.ErrPermission):
		// Another user's lock in our directory: we may remove it all the same.
	default:
		return false, err
	}
	info, err := l.root.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	if err != nil || !same(info, l.seen.info) {
		return false, err
	}
	reached("lock: before override")
	if err := l.root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	return true, nil
}
