package uidmap

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// deadPID is the pid of a process that is gone.
func deadPID(t *testing.T) int {
	t.Helper()
	c := exec.Command(os.Args[0], "-test.run=^$")
	if err := c.Run(); err != nil {
		t.Fatal(err)
	}
	return c.Process.Pid
}

// leave puts a lock file in the way that was last touched some time ago.
func (a *account) leave(content string, ago time.Duration) {
	a.t.Helper()
	a.write("x.lock", content)
	a.age(ago)
}

func (a *account) age(ago time.Duration) {
	then := time.Now().Add(-ago)
	if err := os.Chtimes(filepath.Join(a.path, "x.lock"), then, then); err != nil {
		a.t.Fatal(err)
	}
}

func (a *account) locker() *locker {
	l := newLocker(a.root, ".", "x", a.o)
	return &l
}

func TestStaleLocks(t *testing.T) {
	host, dead := hostname(t), deadPID(t)
	tests := []struct {
		name     string
		content  string
		ago      time.Duration
		from, to time.Duration // when it is overridden
		err      error
	}{
		{"dead and old", fmt.Sprintf("%d:%s", dead, host), 11 * time.Second, 0, time.Second, nil},
		{"dead and fresh", fmt.Sprintf("%d:%s", dead, host), 0, 3 * time.Second, 4 * time.Second, nil},
		{"alive", fmt.Sprintf("%d:%s", os.Getppid(), host), time.Minute, lockWait, lockWait + time.Second, ErrLocked},
		{"alive, another's pid by now", fmt.Sprintf("%d:%s", os.Getppid(), host), time.Hour, 2 * time.Minute, 122 * time.Second, nil},
		{"our pid, not ours", fmt.Sprintf("%d:%s", os.Getpid(), host), 0, 0, time.Second, nil},
		{"another host", fmt.Sprintf("%d:%s", dead, "other."+host), time.Hour, 2 * time.Minute, 122 * time.Second, nil},
		{"no owner", "", time.Hour, 3 * time.Second, 4 * time.Second, nil},
		{"no owner, fresh", "", 0, 3 * time.Second, 4 * time.Second, nil},
		{"no pid", "V\t2\n\nINBOX\n", time.Hour, 2 * time.Minute, 122 * time.Second, nil},
		{"all processes", "-1:" + host, time.Hour, 2 * time.Minute, 122 * time.Second, nil},
		{"our process group", "0:" + host, time.Hour, 2 * time.Minute, 122 * time.Second, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			a := newAccount(t)
			synctest.Test(t, func(t *testing.T) {
				a.leave(test.content, test.ago)
				start := time.Now()
				k, err := a.locker().lock(t.Context())
				if took := time.Since(start); took < test.from || took > test.to {
					t.Errorf("took %v, want %v to %v", took, test.from, test.to)
				}
				if !errors.Is(err, test.err) {
					t.Fatalf("lock: %v, want %v", err, test.err)
				}
				if err != nil {
					if a.read("x.lock") != test.content {
						t.Error("the lock of a living process is gone")
					}
					return
				}
				if err := k.release(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestForeignLockThatIsTouched(t *testing.T) {
	a := newAccount(t)
	synctest.Test(t, func(t *testing.T) {
		a.leave("1:elsewhere", 0)
		touch := time.NewTicker(10 * time.Second)
		done := make(chan struct{})
		go func() {
			defer close(done)
			for range 20 {
				<-touch.C
				a.age(0)
			}
		}()
		if _, err := a.locker().lock(t.Context()); !errors.Is(err, ErrLocked) {
			t.Errorf("lock: %v", err)
		}
		<-done
	})
}

func TestImpatientWaiters(t *testing.T) {
	a := newAccount(t)
	synctest.Test(t, func(t *testing.T) {
		a.leave("1:elsewhere", 0)
		l := a.locker()
		for i := range 10 {
			ctx, cancel := context.WithTimeout(t.Context(), 25*time.Second)
			k, err := l.lock(ctx)
			cancel()
			if err == nil {
				if i < 4 {
					t.Errorf("overridden by waiter %d", i)
				}
				if err := k.release(); err != nil {
					t.Error(err)
				}
				return
			}
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Fatal(err)
			}
		}
		t.Error("nobody found the lock stale")
	})
}

func TestLockIsTouched(t *testing.T) {
	a := newAccount(t)
	synctest.Test(t, func(t *testing.T) {
		k, err := a.locker().lock(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		a.age(0) // it was made in real time, and grows old in the test's
		for range 60 {
			time.Sleep(time.Second)
			synctest.Wait()
			info, err := os.Stat(filepath.Join(a.path, "x.lock"))
			if err != nil {
				t.Fatal(err)
			}
			if old := time.Since(info.ModTime()); old > 10*time.Second {
				t.Fatalf("not touched for %v", old)
			}
		}
		if err := k.release(); err != nil {
			t.Error(err)
		}
		if err := k.f.Close(); !errors.Is(err, os.ErrClosed) {
			t.Errorf("the lock file was left open (%v)", err)
		}
	})
}

func TestHolderOfOurOwn(t *testing.T) {
	a := newAccount(t)
	synctest.Test(t, func(t *testing.T) {
		k, err := a.locker().lock(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		got := make(chan error)
		go func() {
			k, err := a.locker().lock(t.Context())
			if err == nil {
				err = k.release()
			}
			got <- err
		}()
		time.Sleep(time.Minute)
		select {
		case err := <-got:
			t.Fatalf("two hold the lock (%v)", err)
		default:
		}
		if err := k.release(); err != nil {
			t.Error(err)
		}
		if err := <-got; err != nil {
			t.Error(err)
		}
	})
}

// Where the disk was full, a lock has no owner; it is not taken for one whose maker was killed.
func TestHolderWithoutOwner(t *testing.T) {
	a := newAccount(t)
	synctest.Test(t, func(t *testing.T) {
		k, err := a.locker().lock(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		a.write("x.lock", "")
		if _, err := a.locker().lock(t.Context()); !errors.Is(err, ErrLocked) {
			t.Errorf("lock: %v", err)
		}
		if err := k.release(); err != nil {
			t.Error(err)
		}
	})
}

func TestLostLock(t *testing.T) {
	a := newAccount(t)
	l := a.list()
	add(t, l, "a")
	before := a.read(listFile)
	for name, write := range map[string]func(*Tx) error{
		"append":  func(tx *Tx) error { return tx.Add([]Record{{Base: "b"}}) },
		"rewrite": func(tx *Tx) error { return tx.Forget([]uint32{1}) },
	} {
		tx := lock(t, l)
		if err := os.Remove(filepath.Join(a.path, listFile+".lock")); err != nil {
			t.Fatal(err)
		}
		a.write(listFile+".lock", "1:elsewhere")
		if err := write(tx); !errors.Is(err, ErrLockLost) {
			t.Errorf("%s: %v", name, err)
		}
		if err := tx.Unlock(); !errors.Is(err, ErrLockLost) {
			t.Errorf("Unlock: %v", err)
		}
		if a.read(listFile+".lock") != "1:elsewhere" {
			t.Error("the lock of another was removed")
		}
		if a.read(listFile) != before {
			t.Errorf("%s: the file was written", name)
		}
		if err := os.Remove(filepath.Join(a.path, listFile+".lock")); err != nil {
			t.Fatal(err)
		}
	}
	if got := add(t, l, "b"); got[0] != 2 {
		t.Errorf("UID %d", got)
	}
}

// Many find the same stale lock at once; never do two hold it.
func TestOverrideRace(t *testing.T) {
	host, dead := hostname(t), deadPID(t)
	a := newAccount(t)
	var holders atomic.Int32
	for range 20 {
		a.leave(fmt.Sprintf("%d:%s", dead, host), time.Minute)
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				k, err := a.locker().lock(t.Context())
				if err != nil {
					t.Error(err)
					return
				}
				if n := holders.Add(1); n != 1 {
					t.Errorf("%d hold the lock", n)
				}
				holders.Add(-1)
				if err := k.release(); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	}
}

// What the race comes down to: a waiter that is late finds another's lock in the
// place of the one that it judged.
func TestOverrideIsLate(t *testing.T) {
	host, dead := hostname(t), deadPID(t)
	a := newAccount(t)
	a.leave(fmt.Sprintf("%d:%s", dead, host), time.Minute)
	early, late := a.locker(), a.locker()
	for _, l := range []*locker{early, late} {
		if err := l.seen.look(l.folder, "x.lock"); err != nil || l.seen.stale(host, time.Now()) == "" {
			t.Fatalf("not stale (%v)", err)
		}
	}
	failpoint = func(string) { // while the one removes the file, the other must not
		failpoint = nil
		if gone, err := late.override(); gone || err != nil {
			t.Errorf("both override it: %v, %v", gone, err)
		}
	}
	defer func() { failpoint = nil }()
	if gone, err := early.override(); !gone || err != nil {
		t.Fatalf("override = %v, %v", gone, err)
	}
	k, err := early.try(host)
	if err != nil {
		t.Fatal(err)
	}
	if gone, err := late.override(); gone || err != nil {
		t.Errorf("the lock of a living process was overridden: %v, %v", gone, err)
	}
	if err := k.release(); err != nil {
		t.Error(err)
	}
	if gone, err := late.override(); !gone || err != nil {
		t.Errorf("no lock: %v, %v", gone, err)
	}
}
