package e2e

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// gateway is a maildir-imapd process and its files.
type gateway struct {
	t testing.TB
	// Addr speaks IMAP without TLS. Each start chooses another.
	Addr string
	// Root holds a Maildir for each user, named after the user.
	Root string
	conf string // directory of config.yaml and users

	cmd  *exec.Cmd
	log  *log
	read chan struct{} // closed when all of the log was read
}

// password is every user's.
const password = "secret"

// newGateway makes a configuration with these users and starts the server. It ends with the test.
// more are lines added to the configuration.
func newGateway(t testing.TB, users []string, more string) *gateway {
	t.Helper()
	dir := workDir(t)
	g := &gateway{t: t, Root: filepath.Join(dir, "mail"), conf: filepath.Join(dir, "etc")}
	for _, d := range []string{g.Root, g.conf} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	giveMail(t, g.Root)
	g.setUsers(users...)
	config := fmt.Sprintf(`listen:
  - address: 127.0.0.1:0
    tls: none
auth:
  passwd_file: %s/users
  failure_delay: 10ms
mail:
  location: maildir:%s/%%u
  create: true
run_as: %q
`, g.conf, g.Root, mailUser())
	if err := os.WriteFile(g.configFile(), []byte(config+more), 0o644); err != nil {
		t.Fatal(err)
	}
	g.start()
	t.Cleanup(func() {
		if g.cmd != nil {
			g.stop()
		}
		if t.Failed() {
			t.Logf("log of the server:\n%s", g.log)
		}
	})
	return g
}

func (g *gateway) configFile() string { return filepath.Join(g.conf, "config.yaml") }

// Maildir is where a user's INBOX is.
func (g *gateway) Maildir(user string) string { return filepath.Join(g.Root, user) }

// setUsers writes the user file.
func (g *gateway) setUsers(users ...string) {
	g.t.Helper()
	var b strings.Builder
	for _, u := range users {
		fmt.Fprintf(&b, "%s:{PLAIN}%s::::::\n", u, password)
	}
	if err := os.WriteFile(filepath.Join(g.conf, "users"), []byte(b.String()), 0o644); err != nil {
		g.t.Fatal(err)
	}
}

// addUser adds a user as the README says, while the server runs.
func (g *gateway) addUser(name string) {
	g.t.Helper()
	cmd := exec.Command(binary, "passwd", name)
	cmd.Stdin = strings.NewReader(password + "\n")
	line, err := cmd.Output()
	if err != nil {
		g.t.Fatal(err)
	}
	f, err := os.OpenFile(filepath.Join(g.conf, "users"), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		g.t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Write(line); err != nil {
		g.t.Fatal(err)
	}
	if out, err := exec.Command(binary, "check", "--config", g.configFile()).CombinedOutput(); err != nil {
		g.t.Fatalf("check: %v\n%s", err, out)
	}
}

// start starts the process and waits until it listens.
func (g *gateway) start() {
	g.t.Helper()
	g.launch("serve", "--config", g.configFile())
	g.Addr = g.log.wait(g.t, `msg=listening address=(\S+)`)
	g.log.wait(g.t, `msg=(serving)`)
}

// launch starts the process and collects what it prints.
func (g *gateway) launch(args ...string) {
	g.t.Helper()
	g.cmd = exec.Command(binary, args...)
	g.cmd.Env = append(os.Environ(), "GORACE=halt_on_error=1 atexit_sleep_ms=10", "TZ=UTC")
	r, w, err := os.Pipe()
	if err != nil {
		g.t.Fatal(err)
	}
	g.cmd.Stdout, g.cmd.Stderr = w, w
	err = g.cmd.Start()
	w.Close()
	if err != nil {
		r.Close()
		g.t.Fatal(err)
	}
	l, done := newLog(), make(chan struct{})
	g.log, g.read = l, done
	go func() {
		defer close(done)
		defer r.Close()
		l.collect(r)
	}()
}

// stop ends the process as an administrator does, and wants it to end well.
func (g *gateway) stop() {
	g.t.Helper()
	if err := g.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		g.t.Error(err)
	}
	if err := g.wait(); err != nil {
		g.t.Errorf("the server ended with %v:\n%s", err, g.log)
	}
}

// kill ends the process in the middle of what it does.
func (g *gateway) kill() {
	g.t.Helper()
	if err := g.cmd.Process.Kill(); err != nil {
		g.t.Errorf("the server had ended before it was killed: %v\n%s", err, g.log)
	}
	err, ok := errors.AsType[*exec.ExitError](g.wait())
	if !ok || err.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		g.t.Errorf("the server ended by itself, before it was killed: %v\n%s", err, g.log)
	}
}

// wait returns how the process ended.
func (g *gateway) wait() error {
	defer func() { g.cmd = nil }()
	late := time.AfterFunc(patience, func() {
		_ = g.cmd.Process.Signal(syscall.SIGQUIT) // shows in the log what it was doing
	})
	defer late.Stop()
	err := g.cmd.Wait()
	<-g.read
	return err
}

// log collects the lines that a process prints. It is safe for concurrent use.
type log struct {
	mu     sync.Mutex
	lines  []string
	more   chan struct{} // closed and made anew with each line; nil once ended
	waited int           // lines that wait has looked at
}

func newLog() *log { return &log{more: make(chan struct{})} }

func (l *log) collect(r io.Reader) {
	for sc := bufio.NewScanner(r); sc.Scan(); {
		l.mu.Lock()
		l.lines = append(l.lines, sc.Text())
		close(l.more)
		l.more = make(chan struct{})
		l.mu.Unlock()
	}
	l.mu.Lock()
	close(l.more)
	l.more = nil
	l.mu.Unlock()
}

// wait returns the first group of the next line that matches, which may be there already.
func (l *log) wait(t testing.TB, pattern string) string {
	t.Helper()
	re := regexp.MustCompile(pattern)
	limit := time.After(patience)
	for {
		l.mu.Lock()
		for l.waited < len(l.lines) {
			m := re.FindStringSubmatch(l.lines[l.waited])
			l.waited++
			if m != nil {
				l.mu.Unlock()
				return m[1]
			}
		}
		more := l.more
		l.mu.Unlock()
		if more == nil {
			t.Fatalf("the process ended without printing %s:\n%s", pattern, l)
		}
		select {
		case <-more:
		case <-limit:
			t.Fatalf("the process did not print %s:\n%s", pattern, l)
		}
	}
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.lines, "\n")
}
