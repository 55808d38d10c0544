package auth

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func writeUsers(t testing.TB, lines ...string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "users")
	check(t, os.WriteFile(path, []byte(strings.Join(lines, "\n")), 0o600))
	return path
}

func openUsers(t testing.TB, path string, o Options) *PasswdFile {
	t.Helper()
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	p, err := OpenPasswdFile(path, o)
	check(t, err)
	return p
}

func wantInvalid(t *testing.T, p Database, ctx context.Context, name, password, reason string) {
	t.Helper()
	u, err := p.Verify(ctx, name, password)
	if u != nil || !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), reason) {
		t.Errorf("%q with %q: got %v, %v; want ErrInvalid (%s)", name, password, u, err, reason)
	}
}

func TestVerify(t *testing.T) {
	p := openUsers(t, writeUsers(t,
		"# name:password",
		"",
		"   ",
		"alice:{SSHA256}w62ENMrreh7w7nQt6gzVHTCjWOR7r7cAKwBDtJhE34ooPAlv:5000:5001:Alice A.:/srv/mail/alice::userdb_mail=maildir:/srv/mail/alice:LAYOUT=fs userdb_quota_rule=*:bytes=1G note",
		"Bob@Example.org:{PLAIN}hunter2\r",
		"root:{PLAIN}x:root:0",
		"nopass:",
		"bare",
		"locked:!$6$x",
		"nologin:{PLAIN}x::::::nologin=y",
		"nets:{PLAIN}x::::::allow_nets=192.0.2.0/24,2001:db8::1",
		"moved:{PLAIN}x:1:2::/home::userdb_home=/h userdb_uid=7 userdb_gid=8",
	), Options{})
	if len(p.Problems()) != 0 {
		t.Errorf("problems: %v", p.Problems())
	}
	ctx := t.Context()

	u, err := p.Verify(ctx, "alice", "secret")
	check(t, err)
	if u.Name != "alice" || u.UID != 5000 || u.GID != 5001 || u.Home != "/srv/mail/alice" {
		t.Errorf("alice is %+v", u)
	}
	want := map[string]string{"mail": "maildir:/srv/mail/alice:LAYOUT=fs", "quota_rule": "*:bytes=1G", "note": ""}
	if !maps.Equal(u.Extra, want) {
		t.Errorf("extra is %v, want %v", u.Extra, want)
	}
	u.Extra["mail"] = "overwritten"
	if u, _ := p.Lookup("alice"); u.Extra["mail"] != want["mail"] {
		t.Error("callers share the extra fields")
	}

	u, err = p.Verify(ctx, "BOB@example.ORG", "hunter2")
	check(t, err)
	if u.Name != "bob@example.org" || u.UID != -1 || u.GID != -1 || u.Home != "" {
		t.Errorf("bob is %+v", u)
	}
	if u, err = p.Verify(ctx, "root", "x"); err != nil || u.UID != 0 || u.GID != 0 {
		t.Errorf("root is %+v, %v", u, err)
	}
	if u, err = p.Verify(ctx, "moved", "x"); err != nil || u.UID != 7 || u.GID != 8 || u.Home != "/h" {
		t.Errorf("moved is %+v, %v", u, err)
	}

	wantInvalid(t, p, ctx, "alice", "Secret", "wrong password")
	wantInvalid(t, p, ctx, "alice", "", "malformed")
	wantInvalid(t, p, ctx, "", "secret", "malformed")
	wantInvalid(t, p, ctx, "alice", strings.Repeat("x", 1025), "malformed")
	wantInvalid(t, p, ctx, "alice\nforged log line", "x", "malformed")
	wantInvalid(t, p, ctx, "nobody", "secret", "no such user")
	wantInvalid(t, p, ctx, "# name", "password", "no such user")
	wantInvalid(t, p, ctx, "nopass", "x", "no password is set")
	wantInvalid(t, p, ctx, "bare", "x", "no password is set")
	wantInvalid(t, p, ctx, "locked", "x", "locked")
	wantInvalid(t, p, ctx, "nologin", "x", "nologin")

	wantInvalid(t, p, ctx, "nets", "x", "allow_nets")
	wantInvalid(t, p, WithRemote(ctx, netip.MustParseAddr("192.0.3.1")), "nets", "x", "allow_nets")
	for _, from := range []string{"192.0.2.7", "::ffff:192.0.2.7", "2001:db8::1"} {
		if _, err := p.Verify(WithRemote(ctx, netip.MustParseAddr(from)), "nets", "x"); err != nil {
			t.Errorf("nets from %s: %v", from, err)
		}
	}
	if _, err := p.Lookup("nobody"); !errors.Is(err, ErrInvalid) {
		t.Errorf("Lookup of nobody: %v", err)
	}
}

func TestProblems(t *testing.T) {
	path := writeUsers(t,
		"alice:{PLAIN}secret",
		"des:{DES-CRYPT}GGZzd9DpuMxNk",
		"long:{PLAIN}"+strings.Repeat("x", maxUserLine),
		":{PLAIN}x",
		"uid:{PLAIN}x:-1",
		"gid:{PLAIN}x:1:no-such-group-here",
		"ALICE:{PLAIN}other",
		"nets:{PLAIN}x::::::allow_nets=everywhere",
		"utf8:{PLAIN}\xff",
		"nul:{PLAIN}\x00",
		"last:{PLAIN}secret",
	)
	var log bytes.Buffer
	p := openUsers(t, path, Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
	want := []string{
		":2: user des can't log in: DES-CRYPT",
		":3: line of more than",
		":4: expected a user's name",
		":5: user uid: uid: expected a number or a name",
		":6: user gid: gid: ",
		":7: user alice is in the file already",
		":8: user nets can't log in: allow_nets: expected an address",
		":9: the line is not UTF-8",
		":10: the line has control characters",
	}
	got := p.Problems()
	if len(got) != len(want) {
		t.Errorf("%d problems, want %d: %v", len(got), len(want), got)
	}
	for i, w := range want[:min(len(got), len(want))] {
		if !strings.HasPrefix(got[i].Error(), path+w) {
			t.Errorf("problem %q, want %q", got[i], path+w)
		}
	}
	for _, user := range []string{"alice", "last"} {
		if _, err := p.Verify(t.Context(), user, "secret"); err != nil {
			t.Errorf("%s: %v", user, err)
		}
	}
	wantInvalid(t, p, t.Context(), "des", "secret", "not usable")
	wantInvalid(t, p, t.Context(), "alice", "other", "wrong password")
	if n := strings.Count(log.String(), "level=WARN"); n != len(want) {
		t.Errorf("%d warnings, want %d", n, len(want))
	}
	if strings.Contains(log.String(), "GGZzd9DpuMxNk") {
		t.Error("a stored password is in the log")
	}
}

// The dummy costs as much as most users' passwords do.
func TestDummyIsMostCommonCost(t *testing.T) {
	tab, err := parseUserFile("f", strings.NewReader(strings.Join([]string{
		"a:{PLAIN}x", "b:{PLAIN}x",
		"c:" + vectors[8], "d:" + vectors[8], "e:" + vectors[7],
	}, "\n")))
	check(t, err)
	s, err := parseStored(tab.dummy)
	check(t, err)
	if s.cost != "bcrypt 5" {
		t.Errorf("dummy costs %q", s.cost)
	}
}

// An unknown user's password is hashed as a known one's is: a counter instead of
// times, which vary.
func TestUnknownUserIsHashed(t *testing.T) {
	p := openUsers(t, writeUsers(t, "alice:"+vectors[8]), Options{})
	for range cap(p.slots) {
		p.slots <- struct{}{} // all CPUs are hashing
	}
	for _, user := range []string{"alice", "nobody"} {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := p.Verify(ctx, user, "wrong"); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: error %v: did not wait to hash", user, err)
		}
	}
}

func TestReread(t *testing.T) {
	path := writeUsers(t, "alice:{PLAIN}old")
	var log bytes.Buffer
	p := openUsers(t, path, Options{Log: slog.New(slog.NewTextHandler(&log, nil)), CacheTTL: time.Hour})
	p.checkEvery = 0
	ctx := t.Context()
	_, err := p.Verify(ctx, "alice", "old")
	check(t, err)

	// By rename, as careful editors do.
	check(t, os.WriteFile(path+".new", []byte("alice:{PLAIN}new1\n"), 0o600))
	check(t, os.Rename(path+".new", path))
	wantInvalid(t, p, ctx, "alice", "old", "wrong")
	_, err = p.Verify(ctx, "alice", "new1")
	check(t, err)

	// In place, twice with the same size: the second may bear the first one's time.
	for _, password := range []string{"new2", "new3"} {
		check(t, os.WriteFile(path, []byte("alice:{PLAIN}"+password+"\n"), 0o600))
		_, err = p.Verify(ctx, "alice", password)
		check(t, err)
	}

	// A file that has been left alone is not read again.
	old := time.Now().Add(-time.Hour)
	check(t, os.Chtimes(path, old, old))
	_, err = p.Verify(ctx, "alice", "new3")
	check(t, err)
	before := p.users.Load()
	_, err = p.Verify(ctx, "alice", "new3")
	check(t, err)
	if p.users.Load() != before {
		t.Error("an unchanged file is read again")
	}

	// Gone: the users stay, and the log says so once.
	check(t, os.Remove(path))
	for range 3 {
		_, err = p.Verify(ctx, "alice", "new3")
		check(t, err)
	}
	if n := strings.Count(log.String(), "can't be read again"); n != 1 {
		t.Errorf("the log says %d times that the file is gone, want once", n)
	}
	if err := p.Reload(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Reload of a file that is not there: %v", err)
	}

	check(t, p.Reload(writeUsers(t, "carol:{PLAIN}x")))
	wantInvalid(t, p, ctx, "alice", "new3", "no such user")
	_, err = p.Verify(ctx, "carol", "x")
	check(t, err)
	if p.Len() != 1 {
		t.Errorf("%d users, want 1", p.Len())
	}
}

func TestRereadIsRare(t *testing.T) {
	path := writeUsers(t, "alice:{PLAIN}old")
	p := openUsers(t, path, Options{})
	p.checkEvery = time.Hour
	check(t, os.WriteFile(path, []byte("alice:{PLAIN}new"), 0o600))
	if _, err := p.Verify(t.Context(), "alice", "old"); err != nil {
		t.Error("the file is looked at more often than it should be")
	}
}

func TestOpenFails(t *testing.T) {
	for _, path := range []string{filepath.Join(t.TempDir(), "none"), t.TempDir()} {
		if _, err := OpenPasswdFile(path, Options{}); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: error %v", path, err)
		}
	}
}

func TestCache(t *testing.T) {
	p := openUsers(t, writeUsers(t, "alice:"+vectors[8]), Options{CacheTTL: time.Hour})
	_, err := p.Verify(t.Context(), "alice", "secret")
	check(t, err)
	for range cap(p.slots) {
		p.slots <- struct{}{} // from now on hashing waits for ever
	}
	_, err = p.Verify(t.Context(), "Alice", "secret")
	check(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.Verify(ctx, "alice", "wrong"); !errors.Is(err, context.Canceled) {
		t.Errorf("a wrong password: %v", err)
	}
}

func TestCacheExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCache(time.Minute)
		k := c.key("alice", "hash", "secret")
		c.add(k)
		if !c.has(k) || c.has(c.key("alice", "hash", "wrong")) || c.has(c.key("alice", "hash2", "secret")) || c.has(c.key("alic", "ehash", "secret")) {
			t.Error("the cache mixes up passwords")
		}
		time.Sleep(time.Minute + 1)
		if c.has(k) {
			t.Error("a password outlives its time")
		}
		for i := range maxCached + 10 {
			c.add(c.key("u", "h", fmt.Sprint(i)))
		}
		if len(c.until) > maxCached {
			t.Errorf("the cache has grown to %d", len(c.until))
		}
	})
}

func TestSingle(t *testing.T) {
	s := Single(User{Name: "Alice", UID: 7, GID: 8, Home: "/h"}, "secret")
	u, err := s.Verify(t.Context(), "ALICE", "secret")
	check(t, err)
	if u.Name != "alice" || u.UID != 7 || u.GID != 8 || u.Home != "/h" {
		t.Errorf("got %+v", u)
	}
	wantInvalid(t, s, t.Context(), "alice", "Secret", "")
	wantInvalid(t, s, t.Context(), "bob", "secret", "")
	wantInvalid(t, Single(User{Name: "alice"}, ""), t.Context(), "alice", "", "")
}

func TestConcurrentVerify(t *testing.T) {
	path := writeUsers(t, "alice:{SSHA}u8gqlWlwFdUNi7dminihK7lFR6PGJy7A")
	p := openUsers(t, path, Options{CacheTTL: time.Minute})
	p.checkEvery = 0
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 100 {
				if _, err := p.Verify(t.Context(), "alice", "secret"); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 20 {
		check(t, p.Reload(path))
	}
	wg.Wait()
}

func FuzzParseUserFile(f *testing.F) {
	f.Add("alice:{PLAIN}secret:5000:5000::/home::userdb_mail=maildir:~/Maildir allow_nets=10.0.0.0/8\n#\n\nbob")
	f.Add("a:b:c:d:e:f:g:h:i")
	f.Fuzz(func(t *testing.T, s string) {
		tab, err := parseUserFile("f", strings.NewReader(s))
		if err != nil {
			t.Fatal(err)
		}
		for name, e := range tab.users {
			if name != e.user.Name || name != Normalize(name) || name == "" {
				t.Errorf("user %q is under %q", e.user.Name, name)
			}
			if e.refusal == "" {
				if _, err := parseStored(e.password); err != nil {
					t.Errorf("user %q can log in with a bad hash: %v", name, err)
				}
			}
		}
	})
}

func BenchmarkParseUserFile(b *testing.B) {
	var file bytes.Buffer
	for i := range 10_000 {
		fmt.Fprintf(&file, "user%d:%s:5000:5000::/srv/mail/user%d::\n", i, vectors[10], i)
	}
	b.SetBytes(int64(file.Len()))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := parseUserFile("f", bytes.NewReader(file.Bytes())); err != nil {
			b.Fatal(err)
		}
	}
}
