package backend

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
)

func (w *world) limit(a *User, limits Usage) {
	w.t.Helper()
	a.quota.configure(limits)
}

// usage is what the account says is used.
func (w *world) usage(a *User) Usage {
	w.t.Helper()
	q, err := a.Quota(w.t.Context())
	w.must(err)
	if q == nil {
		w.t.Fatal("no quota")
	}
	return q.Used
}

// onDisk is what is there.
func (w *world) onDisk() (u Usage) {
	w.t.Helper()
	for _, part := range []string{"cur", "new"} {
		for _, glob := range []string{part, ".*/" + part} {
			names, err := filepath.Glob(filepath.Join(w.root, glob, "*"))
			w.must(err)
			for _, name := range names {
				fi, err := os.Stat(name)
				w.must(err)
				u = u.plus(Usage{fi.Size(), 1})
			}
		}
	}
	return u
}

// inFile is what maildirsize adds up to.
func (w *world) inFile() Usage {
	w.t.Helper()
	data, err := os.ReadFile(filepath.Join(w.root, maildirsizeFile))
	w.must(err)
	_, used, err := parseMaildirsize(data)
	w.must(err)
	return used
}

func isOverQuota(err error) bool {
	e, ok := errors.AsType[*imap.Error](err)
	return ok && e.Code == imap.ResponseCodeOverQuota
}

func (w *world) append(a *User, folder, text string) error {
	p, err := a.Append(w.t.Context(), folder)
	if err != nil {
		return err
	}
	defer p.Abort()
	if err := p.Add(w.t.Context(), nil, time.Time{}, strings.NewReader(text), int64(len(text)), false); err != nil {
		return err
	}
	_, _, err = p.Commit(w.t.Context())
	return err
}

// TestQuotaTogether: sessions that store at the same time do not exceed the limit together, and use it up.
func TestQuotaTogether(t *testing.T) {
	w := newWorld(t, ".Work")
	a := w.start()
	w.limit(a, Usage{Messages: 10})
	var wg sync.WaitGroup
	var stored atomic.Int32
	for i := range 4 {
		wg.Go(func() {
			for range 5 {
				switch err := w.append(a, []string{"INBOX", "Work"}[i%2], "x\n"); {
				case err == nil:
					stored.Add(1)
				case !isOverQuota(err):
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if stored.Load() != 10 || w.onDisk().Messages != 10 {
		t.Errorf("stored %d, on disk %v; want 10", stored.Load(), w.onDisk())
	}
}

// TestQuotaEndless: what is put together without end stops soon after the quota is used up, and leaves nothing. What was stored before
// by the same command counts.
func TestQuotaEndless(t *testing.T) {
	w := newWorld(t)
	a := w.start()
	w.limit(a, Usage{Storage: 3 << 20})
	p, err := a.Append(t.Context(), "INBOX")
	w.must(err)
	defer p.Abort()
	w.must(p.Add(t.Context(), nil, time.Time{}, strings.NewReader(strings.Repeat("x", 2<<20)), 2<<20, false))
	var written int
	err = p.Compose(t.Context(), nil, time.Time{}, func(out io.Writer) error {
		for block := make([]byte, 1000); written < 10<<20; written += len(block) {
			if _, err := out.Write(block); err != nil {
				return err
			}
		}
		return nil
	})
	if !isOverQuota(err) || written > 2*checkEvery {
		t.Errorf("after %d octets: %v", written, err)
	}
	if err := p.Announce(t.Context(), 2<<20); err != nil {
		t.Errorf("what may have room is refused: %v", err)
	}
	if err := p.Announce(t.Context(), 2<<20+2); !isOverQuota(err) {
		t.Errorf("what has no room: %v", err)
	}
	names, err := os.ReadDir(filepath.Join(w.root, "tmp"))
	if err != nil || len(names) != 1 {
		t.Errorf("in tmp: %v, %v; want the first message", names, err)
	}
}

// TestQuotaFollows: whatever is done, by us and by others, what is told is what is there.
func TestQuotaFollows(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	w := newWorld(t, ".Work")
	a := w.start()
	w.limit(a, Usage{Storage: 1 << 30})
	v := w.sel(a, "INBOX", false)
	for step := range 150 {
		v.Sync(true)
		var some []uint32
		for seq := range v.Len() {
			if r.IntN(4) == 0 {
				some = append(some, seq+1)
			}
		}
		var err error
		switch op := r.IntN(8); op {
		case 0, 1:
			err = w.append(a, "INBOX", fmt.Sprintf("Subject: %d\r\n\r\n%s\r\n", step, strings.Repeat("x", r.IntN(500))))
		case 2:
			w.deliver([]string{".", ".Work"}[r.IntN(2)], "", strings.Repeat("y", r.IntN(500)))
		case 3:
			_, err = v.Copy(t.Context(), some, "Work")
		case 4:
			_, err = v.Move(t.Context(), some, "Work")
		case 5:
			if _, err = v.Store(t.Context(), some, StoreRequest{Op: imap.StoreFlagsAdd, Flags: []imap.Flag{imap.FlagDeleted}}); err == nil {
				err = v.Expunge(t.Context(), nil)
			}
		case 6:
			if r.IntN(10) == 0 {
				if err = a.Delete(t.Context(), "Work"); err == nil {
					err = a.Create(t.Context(), "Work", nil)
				}
			}
		case 7:
			if used, there := w.usage(a), w.onDisk(); used != there {
				t.Fatalf("step %d: told %v, there is %v", step, used, there)
			}
		}
		if err != nil && !errors.Is(err, ErrGone) {
			t.Fatalf("step %d: %v", step, err)
		}
		w.must(v.Poll(t.Context()))
	}
	if used, there := w.usage(a), w.onDisk(); used != there || w.inFile() != there {
		t.Errorf("told %v, maildirsize says %v, there is %v", used, w.inFile(), there)
	}
}

// TestQuotaIncompleteFolder: a folder that lacks a directory counts with what it has.
func TestQuotaIncompleteFolder(t *testing.T) {
	w := newWorld(t, ".Work")
	w.deliver(".Work", "cur/1.M1P1.test:2,", "12345\n")
	w.must(os.Remove(filepath.Join(w.root, ".Work/new")))
	w.must(os.Remove(filepath.Join(w.root, ".Work/tmp")))
	a := w.start()
	w.limit(a, Usage{Messages: 1})
	if got := w.usage(a); got != (Usage{6, 1}) {
		t.Errorf("used %v", got)
	}
}

// TestMaildirsizeLines: changes of ours add lines, with no count in between, and a file that has become long is made
// anew.
func TestMaildirsizeLines(t *testing.T) {
	w := newWorld(t)
	a := w.start()
	w.limit(a, Usage{Storage: 1 << 30})
	w.must(w.append(a, "INBOX", "x\n"))
	for range 3 {
		before := w.inFile()
		w.must(w.append(a, "INBOX", "four\n"))
		if got := w.inFile(); got != before.plus(Usage{5, 1}) {
			t.Fatalf("maildirsize says %v after %v", got, before)
		}
	}
	v := w.sel(a, "INBOX", false)
	before := w.inFile()
	_, err := v.Store(t.Context(), []uint32{1, 2}, StoreRequest{Op: imap.StoreFlagsAdd, Flags: []imap.Flag{imap.FlagDeleted}})
	w.must(err)
	w.must(v.Expunge(t.Context(), nil))
	if got := w.inFile(); got != before.plus(Usage{-7, -2}) {
		t.Errorf("after EXPUNGE maildirsize says %v, before %v", got, before)
	}
	w.must(os.Mkdir(filepath.Join(w.root, ".Gone"), 0o700))
	for _, part := range []string{"cur", "tmp"} {
		w.must(os.Mkdir(filepath.Join(w.root, ".Gone", part), 0o700))
	}
	w.deliver(".Gone", "cur/1.M1P1.test:2,", "12345\n")
	before = w.usage(a)
	w.must(a.Delete(t.Context(), "Gone"))
	w.eventually("the count after DELETE", func() bool { return w.inFile() == before.plus(Usage{-6, -1}) })

	long := "1073741824S\n20 1\n" + strings.Repeat("0 0\n", maildirsizeFull/4)
	w.must(os.WriteFile(filepath.Join(w.root, maildirsizeFile), []byte(long), 0o600))
	w.must(w.append(a, "INBOX", "x\n"))
	w.eventually("a short file", func() bool {
		fi, err := os.Stat(filepath.Join(w.root, maildirsizeFile))
		return err == nil && fi.Size() < 100
	})
	if used := w.inFile(); used != w.onDisk() {
		t.Errorf("maildirsize says %v, there is %v", used, w.onDisk())
	}
}

// eventually waits for what is done in the background.
func (w *world) eventually(what string, ok func() bool) {
	w.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			w.t.Fatalf("%s did not come", what)
		}
	}
}

// TestMaildirsizeDamaged: a file that says nonsense, or is none, is made anew; nothing hangs on it.
func TestMaildirsizeDamaged(t *testing.T) {
	for name, spoil := range map[string]func(path string) error{
		"garbage":   func(p string) error { return os.WriteFile(p, []byte("\x00\xff\n\n"), 0o600) },
		"negative":  func(p string) error { return os.WriteFile(p, []byte("5C\n-1 -1\n"), 0o600) },
		"huge":      func(p string) error { return os.WriteFile(p, make([]byte, maxMaildirsize+1), 0o600) },
		"other":     func(p string) error { return os.WriteFile(p, []byte("7C\n1 0\n"), 0o600) },
		"directory": func(p string) error { return os.Mkdir(p, 0o700) },
		"link":      func(p string) error { return os.Symlink("/etc/passwd", p) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.must(spoil(filepath.Join(w.root, maildirsizeFile)))
			a := w.start()
			w.limit(a, Usage{Messages: 2})
			w.must(w.append(a, "INBOX", "x\n"))
			w.must(w.append(a, "INBOX", "x\n"))
			if err := w.append(a, "INBOX", "x\n"); !isOverQuota(err) {
				t.Errorf("the third: %v", err)
			}
			if got := w.usage(a); got != (Usage{4, 2}) {
				t.Errorf("used %v", got)
			}
		})
	}
}

// TestMaildirsizeKeepsLimits: limits that others have set go on to count where the lines below can't be right, as after mail was
// deleted that its deliverer had not counted.
func TestMaildirsizeKeepsLimits(t *testing.T) {
	for _, lines := range []string{"-1 -1\n", "1 x\n"} {
		w := newWorld(t)
		w.deliver(".", "", "x\n")
		w.must(os.WriteFile(filepath.Join(w.root, maildirsizeFile), []byte("2C\n"+lines), 0o600))
		a := w.start()
		w.must(w.append(a, "INBOX", "x\n"))
		if err := w.append(a, "INBOX", "x\n"); !isOverQuota(err) {
			t.Errorf("%q: the third: %v", lines, err)
		}
		if got := w.usage(a); got != (Usage{4, 2}) {
			t.Errorf("%q: used %v", lines, got)
		}
	}
}
