package uidmap

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// alone runs a test in a process of its own, as limits are a process's. It returns false there.
func alone(t *testing.T) bool {
	t.Helper()
	if os.Getenv("UIDMAP_TEST_ALONE") != "" {
		return false
	}
	c := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	c.Env = append(os.Environ(), "UIDMAP_TEST_ALONE=1")
	if out, err := c.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Errorf("%v\n%s", err, out)
	}
	return true
}

// limitFiles lets no file grow beyond size until the returned function is called: a write
// that goes over it is cut short, as on a full disk.
func limitFiles(t *testing.T, size int64) (restore func()) {
	t.Helper()
	signal.Ignore(syscall.SIGXFSZ)
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
		t.Fatal(err)
	}
	limit := old
	limit.Cur = uint64(size)
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
			t.Fatal(err)
		}
	}
}

// A write is cut short at each possible length; a reader without lock may have seen the whole
// lines in it.
func TestWriteCutShort(t *testing.T) {
	if alone(t) {
		return
	}
	for extra := range int64(40) {
		a := newAccount(t)
		l := a.list()
		add(t, l, "before")
		var p promisedUIDs
		p.look(t, l)
		info, err := os.Stat(filepath.Join(a.path, listFile))
		if err != nil {
			t.Fatal(err)
		}
		tx := lock(t, l)
		restore := limitFiles(t, info.Size()+extra)
		recs := []Record{{Base: "one"}, {Base: "two"}, {Base: "three"}}
		err = tx.Add(recs)
		restore()
		if err == nil {
			unlock(t, tx)
			if extra < 20 {
				t.Errorf("wrote all in %d bytes", extra)
			}
			continue
		}
		if !errors.Is(err, syscall.EFBIG) || recs[0].UID != 0 {
			t.Errorf("Add: %v, %v", recs, err)
		}
		wantDump(t, l, "1=before")
		p.look(t, accountAt(t, a.path).list())

		// The same transaction can go on.
		again := []Record{{Base: fmt.Sprint("again", extra)}, {Base: "two"}}
		if err := tx.Add(again); err != nil {
			t.Fatal(err)
		}
		unlock(t, tx)
		p.look(t, l)
		p.look(t, a.list())
	}
}

// A lock that can't be written is no lock.
func TestLockUnwritable(t *testing.T) {
	if alone(t) {
		return
	}
	a := newAccount(t)
	l := a.list()
	add(t, l, "a", "b", "c", "d", "e")
	restore := limitFiles(t, 0)
	_, err := l.Lock(t.Context())
	restore()
	if !errors.Is(err, syscall.EFBIG) || a.glob("*.lock") != nil {
		t.Errorf("Lock: %v, left %q", err, a.glob("*.lock"))
	}
	unlock(t, lock(t, l))
}
