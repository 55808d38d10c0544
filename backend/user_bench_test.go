package backend

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"maildir-imapd/watcher"
)

func BenchmarkListShared(b *testing.B) {
	root := b.TempDir()
	for _, dir := range []string{"own/cur", "own/new", "own/tmp"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o700); err != nil {
			b.Fatal(err)
		}
	}
	for i := range 1000 {
		dir := filepath.Join(root, "shared", fmt.Sprintf(".F%04d", i))
		old := time.Now().Add(-time.Hour)
		if err := errors.Join(os.MkdirAll(dir+"/cur", 0o700), os.WriteFile(dir+"/dovecot-acl", []byte("anyone lr\n"), 0o600),
			os.Chtimes(dir+"/dovecot-acl", old, old)); err != nil {
			b.Fatal(err)
		}
	}
	watch := watcher.New(watcher.Options{})
	back := New(Options{Log: slog.New(slog.DiscardHandler), Watcher: watch})
	u, err := back.Open(b.Context(), "alice", Location{Root: root + "/own"}, false)
	if err == nil {
		err = u.Share(b.Context(), nil, []Share{{Location: Location{Prefix: "Public.", Root: root + "/shared"}}})
	}
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		list, err := u.List(b.Context(), "", []string{"*"}, listAll)
		if err != nil || len(list) != 1002 {
			b.Fatal(len(list), err)
		}
	}
	if err := errors.Join(u.Close(), back.Close(), watch.Close()); err != nil {
		b.Fatal(err)
	}
}

// What 1,000 shared folders cost each time that the tree is looked at for 100 users who listen.
func BenchmarkNotifyShared(b *testing.B) {
	root := b.TempDir()
	old := time.Now().Add(-time.Hour)
	for i := range 1000 {
		dir := filepath.Join(root, "shared", fmt.Sprintf(".F%04d", i))
		for _, sub := range []string{"cur", "new", "tmp"} {
			if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
				b.Fatal(err)
			}
		}
		if err := errors.Join(os.WriteFile(dir+"/dovecot-acl", []byte("anyone lr\n"), 0o600), os.Chtimes(dir+"/dovecot-acl", old, old)); err != nil {
			b.Fatal(err)
		}
	}
	if err := os.Chtimes(root+"/shared", old, old); err != nil {
		b.Fatal(err)
	}
	watch := watcher.New(watcher.Options{})
	back := New(Options{Log: slog.New(slog.DiscardHandler), Watcher: watch})
	var end []func() error
	var l *lookout
	for i := range 100 {
		name := fmt.Sprint("user", i)
		u, err := back.Open(b.Context(), name, Location{Root: filepath.Join(root, name)}, true)
		if err == nil {
			err = u.Share(b.Context(), nil, []Share{{Location: Location{Prefix: "Public.", Root: root + "/shared"}}})
		}
		if err != nil {
			b.Fatal(err)
		}
		m, err := u.Monitor([]Scope{{Kind: Subtree, Names: []string{"Public"}, Events: MailboxName}})
		if err != nil {
			b.Fatal(err)
		}
		l = m.parts[1].l
		end = append(end, func() error { m.Close(); return u.Close() })
	}
	for b.Loop() {
		l.looking.Lock()
		err := l.lookAtTree()
		l.looking.Unlock()
		if err != nil {
			b.Fatal(err)
		}
	}
	for _, f := range end {
		if err := f(); err != nil {
			b.Error(err)
		}
	}
	if err := errors.Join(back.Close(), watch.Close()); err != nil {
		b.Fatal(err)
	}
}
