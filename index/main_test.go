package index

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	testName = "index"
	testGUID = "0123456789abcdef0123456789abcdef"
)

// world is a directory with the index of a folder that has the UIDs 1 to 100,000, unless they are gone.
type world struct {
	t    testing.TB
	dir  string
	root *os.Root
	log  *logLines
	opt  Options

	jobs   sync.WaitGroup
	ctx    context.Context
	cancel context.CancelFunc

	mu   sync.Mutex
	gone map[uint32]bool
}

// logLines are the lines that were logged.
type logLines struct {
	mu    sync.Mutex
	lines []string
}

func (l *logLines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, string(b))
	return len(b), nil
}

// take returns the lines and forgets them.
func (l *logLines) take() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	lines := l.lines
	l.lines = nil
	return lines
}

func newWorld(t testing.TB) *world {
	w := &world{t: t, dir: t.TempDir(), log: new(logLines), gone: make(map[uint32]bool)}
	var err error
	if w.root, err = os.OpenRoot(w.dir); err != nil {
		t.Fatal(err)
	}
	w.ctx, w.cancel = context.WithCancel(context.Background())
	w.opt = Options{
		Root: w.root, Name: testName, GUID: testGUID, UIDValidity: 7,
		Live: func(uid uint32) bool {
			w.mu.Lock()
			defer w.mu.Unlock()
			return uid > 0 && uid <= 100_000 && !w.gone[uid]
		},
		Queue: &Queue{Background: func(f func(context.Context)) bool {
			w.jobs.Go(func() { f(w.ctx) })
			return true
		}},
		Log: slog.New(slog.NewTextHandler(w.log, nil)),
	}
	t.Cleanup(func() {
		w.cancel()
		w.jobs.Wait()
		w.root.Close()
	})
	return w
}

func (w *world) path() string { return filepath.Join(w.dir, testName) }

// written closes a folder and waits until everything is written.
func (w *world) written(f *Folder) {
	f.Close()
	w.jobs.Wait()
}

// flush waits until what was put is in the file.
func (w *world) flush(f *Folder) {
	w.t.Helper()
	f.queue.signal()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		f.queue.mu.Lock()
		left := f.queue.waiting
		f.queue.mu.Unlock()
		if left == 0 {
			return
		}
		if time.Now().After(deadline) {
			w.t.Fatal("nothing is written")
		}
	}
}

func (w *world) bytes() []byte {
	w.t.Helper()
	b, err := os.ReadFile(w.path())
	if err != nil {
		w.t.Fatal(err)
	}
	return b
}

func (w *world) setBytes(b []byte) {
	w.t.Helper()
	if err := os.WriteFile(w.path(), b, 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// wantLog wants one line with this text, or none where it is "".
func (w *world) wantLog(text string) {
	w.t.Helper()
	lines := w.log.take()
	if text == "" && len(lines) > 0 || text != "" && (len(lines) != 1 || !strings.Contains(lines[0], text)) {
		w.t.Errorf("logged %q, want one line with %q", lines, text)
	}
}

// example is the record of a kind of a message, each of them another one.
func example(k Kind, uid uint32) Record {
	r := Record{
		Base: BaseHash(fmt.Sprint(uid)), Size: int64(uid) * 3, Wire: int64(uid)*4 - 5, MTime: int64(uid) * 1e12,
		First: []byte{}, Second: []byte{},
	}
	if k != Facts {
		r.First = fmt.Appendf(nil, "first %d %d", k, uid)
		r.Second = bytes.Repeat(fmt.Appendf(nil, "second %d %d\r\n", k, uid), int(uid%7))
	}
	return r
}

func equal(a, b Record) bool {
	return a.Base == b.Base && a.Size == b.Size && a.Wire == b.Wire && a.MTime == b.MTime &&
		bytes.Equal(a.First, b.First) && bytes.Equal(a.Second, b.Second)
}

func put(f *Folder, k Kind, uids ...uint32) {
	for _, uid := range uids {
		r := example(k, uid)
		f.Put(k, uid, &r)
	}
}

// get reads one record.
func get(f *Folder, uid uint32, kinds ...Kind) (Record, Kind, bool) {
	var b Batch
	defer b.Release()
	b.Read(f, []uint32{uid}, kinds...)
	r, k, _, ok := b.Get(uid)
	r.First, r.Second = slices.Clone(r.First), slices.Clone(r.Second)
	return r, k, ok
}

// known lists which UIDs up to n have a record, and fails where one is not as it was put.
func (w *world) known(f *Folder, k Kind, n uint32) (uids []uint32) {
	w.t.Helper()
	var b Batch
	defer b.Release()
	for uid := uint32(1); uid <= n; uid++ {
		r, kind, read, ok := b.Get(uid)
		if !read {
			var ahead []uint32
			for x := uid; x <= n && len(ahead) < MaxBatch; x++ {
				ahead = append(ahead, x)
			}
			b.Read(f, ahead, k)
			r, kind, _, ok = b.Get(uid)
		}
		if !ok {
			continue
		}
		if want := example(k, uid); kind != k || !equal(r, want) {
			w.t.Fatalf("UID %d: got %+v, want %+v", uid, r, want)
		}
		uids = append(uids, uid)
	}
	return uids
}

func span(from, to uint32) (uids []uint32) {
	for uid := from; uid <= to; uid++ {
		uids = append(uids, uid)
	}
	return uids
}
