package script

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"maildir-imapd/auth"
	"maildir-imapd/backend"
	"maildir-imapd/imapd"
	"maildir-imapd/watcher"

	"github.com/emersion/go-imap/v2"
)

// newOurs starts a server of its own for the script, with one user.
func newOurs(t *testing.T, s *Script) Account {
	t.Helper()
	return startOurs(t, s, filepath.Join(t.TempDir(), "Maildir"))
}

// startOurs starts a server for the user's Maildir root.
func startOurs(t *testing.T, s *Script, root string) Account {
	t.Helper()
	checkOptions(t, s, "password", "passdb", "idle", "separator", "appendlimit", "savelimit", "quota", "shared", "layout", "kind", "groups", "line", "literal", "timeout", "tls", "progress")
	a := Account{Server: "ours", User: s.Name, Password: "secret", Root: root}
	log := slog.New(slog.NewTextHandler(&testLog{t: t}, &slog.HandlerOptions{Level: slog.LevelWarn}))
	location := backend.Location{
		Root: a.Root, Layout: backend.MaildirPP, Separator: '.',
		SpecialUse: map[string]imap.MailboxAttr{
			"Archive": imap.MailboxAttrArchive, "Drafts": imap.MailboxAttrDrafts,
			"Junk": imap.MailboxAttrJunk, "Sent": imap.MailboxAttrSent, "Trash": imap.MailboxAttrTrash,
		},
	}
	bo := backend.Options{Log: log}
	var sc imapd.Config
	passdb := ""
	for name, value := range s.Options {
		var err error
		switch name {
		case "password":
			a.Password = value
		case "passdb":
			passdb = strings.ReplaceAll(value, ",", " ")
		case "idle":
			sc.IdleInterval, err = time.ParseDuration(value)
		case "progress":
			sc.ProgressInterval, err = time.ParseDuration(value)
		case "tls":
			pair, err := tls.X509KeyPair(certificate())
			if err != nil {
				t.Fatal(err)
			}
			sc.TLS = func() *tls.Config { return &tls.Config{Certificates: []tls.Certificate{pair}} }
		case "separator":
			location.Separator = value[0]
		case "appendlimit":
			bo.AppendLimit, err = strconv.ParseInt(value, 10, 64)
		case "savelimit":
			sc.Limits.Save, err = strconv.Atoi(value)
		case "quota":
			location.Quota, err = backend.ParseQuotaRule(value, location.Quota)
		case "line":
			sc.Limits.Line, err = strconv.Atoi(value)
		case "literal":
			sc.Limits.Literal, err = strconv.ParseInt(value, 10, 64)
		case "timeout":
			sc.Limits.Idle, err = time.ParseDuration(value)
		}
		if err != nil {
			t.Fatalf("option %s: %v", name, err)
		}
	}

	w := watcher.New(watcher.Options{Log: log})
	bo.Watcher = w
	b := backend.New(bo)
	sc.Log = log
	sc.ServerID = map[string]string{"name": "maildir-imapd"}
	db := auth.Single(auth.User{Name: a.User, UID: -1, GID: -1}, a.Password)
	sc.Authenticate = db.Verify
	if passdb != "" {
		sc.Authenticate = passwdFile(t, a.User+":{PLAIN}"+a.Password+"::::::"+passdb).Verify
	}
	sc.Open = func(ctx context.Context, u *auth.User) (*backend.User, error) {
		return b.Open(ctx, u.Name, location, false)
	}
	if prefix := s.Options["shared"]; prefix != "" {
		a.Other = a.User + "_2"
		sc.Authenticate = passwdFile(t, a.User+":{PLAIN}"+a.Password+"::::::\n"+a.Other+":{PLAIN}"+a.Password+"::::::").Verify
		location.Separator = prefix[len(prefix)-1]
		sc.Open = openShared(b, &a, s, location)
	}
	srv := imapd.New(sc)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	a.Addr = ln.Addr().String()
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ln) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := srv.Shutdown(ctx); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		if err := <-served; !errors.Is(err, imapd.ErrServerClosed) {
			t.Errorf("Serve: %v", err)
		}
		if err := errors.Join(b.Close(), w.Close()); err != nil {
			t.Error(err)
		}
	})
	return a
}

// openShared opens the mail of both users of a script, with what they share.
func openShared(b *backend.Backend, a *Account, s *Script, location backend.Location) func(context.Context, *auth.User) (*backend.User, error) {
	share := backend.Share{
		Location: backend.Location{Root: filepath.Join(a.Root, sharedTree), Prefix: s.Options["shared"]},
		Others:   s.Options["kind"] == "users",
	}
	if s.Options["layout"] == "fs" {
		share.Layout = backend.FS
	}
	return func(ctx context.Context, u *auth.User) (*backend.User, error) {
		own, groups := location, strings.Split(s.Options["groups"], ",")
		if u.Name == a.Other {
			own.Root, groups = own.Root+"_2", nil
		}
		user, err := b.Open(ctx, u.Name, own, u.Name == a.Other)
		if err != nil {
			return nil, err
		}
		return user, user.Share(ctx, groups, []backend.Share{share})
	}
}

// passwdFile is a database with the lines of text.
func passwdFile(t *testing.T, line string) *auth.PasswdFile {
	t.Helper()
	path := filepath.Join(t.TempDir(), "users")
	if err := os.WriteFile(path, []byte(line+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := auth.OpenPasswdFile(path, auth.Options{})
	if err == nil {
		err = errors.Join(db.Problems()...)
	}
	if err != nil {
		t.Fatal(err)
	}
	return db
}

// testLog shows the server's log with the test.
type testLog struct {
	t  *testing.T
	mu sync.Mutex
}

func (l *testLog) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.t.Log(strings.TrimSuffix(string(line), "\n"))
	return len(line), nil
}
