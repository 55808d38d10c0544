package uidmap

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv("UIDMAP_TEST_APPENDER"); dir != "" {
		appender(dir)
		return
	}
	goleak.VerifyTestMain(m)
}

// buffer is a log that may be written by several goroutines.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// account is a directory with an INBOX in it.
type account struct {
	t    testing.TB
	path string
	root *os.Root
	o    Options
	log  *buffer
}

func newAccount(t testing.TB) *account { return accountAt(t, t.TempDir()) }

func accountAt(t testing.TB, path string) *account {
	t.Helper()
	root, err := os.OpenRoot(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	log := new(buffer)
	return &account{t, path, root, Options{Log: slog.New(slog.NewTextHandler(log, nil)), FilePerm: 0o600}, log}
}

func (a *account) write(name, content string) {
	a.t.Helper()
	if err := os.MkdirAll(filepath.Dir(filepath.Join(a.path, name)), 0o700); err != nil {
		a.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(a.path, name), []byte(content), 0o600); err != nil {
		a.t.Fatal(err)
	}
}

// appendTo adds to a file in place, as another program does.
func (a *account) appendTo(name, content string) {
	a.t.Helper()
	f, err := os.OpenFile(filepath.Join(a.path, name), os.O_WRONLY|os.O_APPEND, 0)
	if err == nil {
		_, err = f.WriteString(content)
		f.Close()
	}
	if err != nil {
		a.t.Fatal(err)
	}
}

func (a *account) read(name string) string {
	a.t.Helper()
	data, err := os.ReadFile(filepath.Join(a.path, name))
	if err != nil {
		a.t.Fatal(err)
	}
	return string(data)
}

func (a *account) glob(pattern string) []string {
	found, err := filepath.Glob(filepath.Join(a.path, pattern))
	if err != nil {
		a.t.Fatal(err)
	}
	for i := range found {
		found[i] = filepath.Base(found[i])
	}
	return found
}

func (a *account) next(ctx context.Context) (uint32, error) {
	return NewValidity(a.root, ".", a.o).Next(ctx)
}

func (a *account) list() *List {
	a.t.Helper()
	l, err := OpenList(a.t.Context(), a.root, ".", a.next, a.o)
	if err != nil {
		a.t.Fatalf("OpenList: %v", err)
	}
	return l
}

func (a *account) keywords() *Keywords {
	a.t.Helper()
	k, err := OpenKeywords(a.root, ".", a.o)
	if err != nil {
		a.t.Fatalf("OpenKeywords: %v", err)
	}
	return k
}

func lock(t testing.TB, l *List) *Tx {
	t.Helper()
	tx, err := l.Lock(t.Context())
	if err != nil {
		t.Fatalf("Lock: %v", err)
	}
	return tx
}

func unlock(t testing.TB, tx *Tx) {
	t.Helper()
	if err := tx.Unlock(); err != nil {
		t.Fatalf("Unlock: %v", err)
	}
}

// add adds the bases in a transaction of its own and returns their UIDs.
func add(t testing.TB, l *List, bases ...string) []uint32 {
	t.Helper()
	recs := make([]Record, len(bases))
	for i, b := range bases {
		recs[i].Base = b
	}
	tx := lock(t, l)
	defer unlock(t, tx)
	if err := tx.Add(recs); err != nil {
		t.Fatalf("Add: %v", err)
	}
	uids := make([]uint32, len(recs))
	for i, r := range recs {
		uids[i] = r.UID
	}
	return uids
}

func forget(t testing.TB, l *List, uids ...uint32) {
	t.Helper()
	tx := lock(t, l)
	defer unlock(t, tx)
	if err := tx.Forget(uids); err != nil {
		t.Fatalf("Forget: %v", err)
	}
}

// dump is the list as "UID=base" in order.
func dump(l *List) []string {
	all := []string{}
	for r := range l.All() {
		all = append(all, fmt.Sprintf("%d=%s", r.UID, r.Base))
	}
	return all
}

func wantDump(t testing.TB, l *List, want ...string) {
	t.Helper()
	if got := dump(l); !slices.Equal(got, want) {
		t.Errorf("list has %q, want %q", got, want)
	}
}
