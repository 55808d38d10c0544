package main

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
	"github.com/rogpeppe/go-internal/testscript"

	"maildir-imapd/config"
	"maildir-imapd/internal/selfsigned"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"maildir-imapd": main})
}

// deadline is for what is broken: nothing waits for it where all is well.
const deadline = 30 * time.Second

// TestScripts runs testdata/script/*.txtar. Beside the commands of testscript they have
//
//	sample DIR             makes a copy of the sample Maildir
//	certificate CERT KEY   makes a self-signed certificate
//	envsubst FILE          expands $NAME in a file
//	readenv NAME RE FILE   sets a variable to what the first group of RE matches
//	mode PERM FILE         compares a file's mode
//	append FILE MORE       appends a file to a file
//	chown USER FILE        gives a file, or all below a directory, to a user
//	owner USER             fails unless all threads of the server belong to this user
//	start ARGS             runs maildir-imapd ARGS and waits until it serves; $STARTTLS and $TLS
//	                       are then the addresses it logged, and the file hint is what it printed
//	start nohup ARGS       the same as nohup does it
//	log REGEXP             waits until a line of its log matches
//	signal NAME            sends HUP, INT or TERM
//	[!] stopped            waits for its end, with exit status 0
//	[!] login URL          logs in at imap://user:password@host:port (STARTTLS) or imaps://...
//	                       and prints its capabilities, mailboxes, and messages of INBOX
//	systemd, notified TEXT listens as systemd would, for all starts after it; waits for this message
//	fingerprint ADDR       prints that of the certificate
//	documented URL         fails unless README.md has every capability, before and after log-in
//	hold URL, bye          logs in and stays; bye waits until the server says BYE to all of these
//
// the condition [root], and the variable $RUN_AS, which is nobody for root and empty for others.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:      "testdata/script",
		Deadline: time.Now().Add(2 * deadline), // for a server that was expected to refuse
		Setup: func(e *testscript.Env) error {
			if os.Geteuid() == 0 {
				e.Setenv("RUN_AS", "nobody")
			}
			s := &server{}
			e.Values[serverKey{}] = s
			e.Values[systemdKey{}] = new(*net.UnixConn)
			e.Defer(s.kill)
			// For run_as: another user must be able to reach the Maildir.
			return errors.Join(os.Chmod(e.WorkDir, 0o755), os.Chmod(filepath.Dir(e.WorkDir), 0o755))
		},
		Condition: func(cond string) (bool, error) {
			if cond == "root" {
				return os.Geteuid() == 0, nil
			}
			return false, fmt.Errorf("unknown condition %q", cond)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"sample":      cmdSample,
			"certificate": cmdCertificate,
			"envsubst":    cmdEnvsubst,
			"readenv":     cmdReadenv,
			"mode":        cmdMode,
			"append":      cmdAppend,
			"chown":       cmdChown,
			"owner":       cmdOwner,
			"start":       cmdStart,
			"log":         cmdLog,
			"signal":      cmdSignal,
			"stopped":     cmdStopped,
			"login":       cmdLogin,
			"fingerprint": cmdFingerprint,
			"documented":  cmdDocumented,
			"hold":        cmdHold,
			"systemd":     cmdSystemd,
			"notified":    cmdNotified,
			"bye":         cmdBye,
		},
	})
}

type serverKey struct{}

// server is the maildir-imapd that a script started.
type server struct {
	cmd    *exec.Cmd
	ended  chan struct{} // closed when the process has ended and all of its log was read
	err    error         // of the process, once it ended
	held   []*imapclient.Client
	mu     sync.Mutex // guards what follows
	lines  []string
	seen   int           // of lines, by the log command
	change chan struct{} // closed and replaced with each line
}

func running(ts *testscript.TestScript) *server {
	s := ts.Value(serverKey{}).(*server)
	if s.cmd == nil {
		ts.Fatalf("nothing was started")
	}
	return s
}

// read collects the log until the process closes it.
func (s *server) read(r io.Reader) {
	for sc := bufio.NewScanner(r); sc.Scan(); {
		s.mu.Lock()
		s.lines = append(s.lines, sc.Text())
		close(s.change)
		s.change = make(chan struct{})
		s.mu.Unlock()
	}
	s.err = s.cmd.Wait()
	close(s.ended)
}

// wait returns the next line that matches.
func (s *server) wait(re *regexp.Regexp) (string, error) {
	limit := time.After(deadline)
	for {
		s.mu.Lock()
		for s.seen < len(s.lines) {
			line := s.lines[s.seen]
			s.seen++
			if re.MatchString(line) {
				s.mu.Unlock()
				return line, nil
			}
		}
		change := s.change
		s.mu.Unlock()
		select {
		case <-change:
		case <-s.ended:
			return "", fmt.Errorf("it ended (%v) without a line that matches %s:\n%s", s.err, re, s.log())
		case <-limit:
			return "", fmt.Errorf("no line matches %s:\n%s", re, s.log())
		}
	}
}

func (s *server) log() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.lines, "\n")
}

func (s *server) kill() {
	for _, c := range s.held {
		c.Close()
	}
	if s.cmd != nil {
		s.cmd.Process.Kill()
		<-s.ended
	}
}

func cmdSample(ts *testscript.TestScript, _ bool, args []string) {
	dir := ts.MkAbs(args[0])
	ts.Check(os.CopyFS(dir, os.DirFS("../../testdata/sample/Maildir")))
	folders, err := filepath.Glob(filepath.Join(dir, ".*"))
	ts.Check(err)
	for _, folder := range append(folders, dir) {
		for _, sub := range []string{"new", "tmp"} {
			ts.Check(os.MkdirAll(filepath.Join(folder, sub), 0o700))
		}
	}
}

func cmdCertificate(ts *testscript.TestScript, _ bool, args []string) {
	cert, key, err := selfsigned.Make(time.Now().Add(-time.Hour), time.Now().Add(48*time.Hour))
	ts.Check(err)
	ts.Check(writeFile(ts.MkAbs(args[0]), cert, 0o644))
	ts.Check(writeFile(ts.MkAbs(args[1]), key, 0o600))
}

func cmdEnvsubst(ts *testscript.TestScript, _ bool, args []string) {
	text := os.Expand(ts.ReadFile(args[0]), ts.Getenv)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o644))
}

func cmdReadenv(ts *testscript.TestScript, _ bool, args []string) {
	m := regexp.MustCompile(args[1]).FindStringSubmatch(ts.ReadFile(args[2]))
	if m == nil {
		ts.Fatalf("%s has nothing that matches %s:\n%s", args[2], args[1], ts.ReadFile(args[2]))
	}
	ts.Setenv(args[0], m[1])
}

func cmdMode(ts *testscript.TestScript, _ bool, args []string) {
	fi, err := os.Stat(ts.MkAbs(args[1]))
	ts.Check(err)
	if got := fmt.Sprintf("%04o", fi.Mode().Perm()); got != args[0] {
		ts.Fatalf("%s has mode %s, expected %s", args[1], got, args[0])
	}
}

func cmdAppend(ts *testscript.TestScript, _ bool, args []string) {
	text := ts.ReadFile(args[0]) + ts.ReadFile(args[1])
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o644))
}

func cmdChown(ts *testscript.TestScript, _ bool, args []string) {
	id, err := config.LookupIdentity(args[0])
	ts.Check(err)
	ts.Check(filepath.WalkDir(ts.MkAbs(args[1]), func(path string, _ os.DirEntry, err error) error {
		return errors.Join(err, os.Lchown(path, id.UID, id.GID))
	}))
}

func cmdOwner(ts *testscript.TestScript, _ bool, args []string) {
	id, err := config.LookupIdentity(args[0])
	ts.Check(err)
	statuses, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", running(ts).cmd.Process.Pid))
	ts.Check(err)
	if len(statuses) == 0 {
		ts.Fatalf("no threads are found")
	}
	want := regexp.MustCompile(fmt.Sprintf(`(?m)^Uid:\s%[1]d\s%[1]d\s%[1]d\s%[1]d\nGid:\s%[2]d\s%[2]d\s%[2]d\s%[2]d$`, id.UID, id.GID))
	for _, status := range statuses {
		if text := ts.ReadFile(status); !want.MatchString(text) {
			ts.Fatalf("a thread belongs to somebody else:\n%s", text)
		}
	}
}

var listening = regexp.MustCompile(`msg=listening address=(\S+) tls=(\S+)`)

func cmdStart(ts *testscript.TestScript, _ bool, args []string) {
	bin, _, _ := strings.Cut(ts.Getenv("PATH"), string(filepath.ListSeparator))
	s := ts.Value(serverKey{}).(*server)
	*s = server{ended: make(chan struct{}), change: make(chan struct{})}
	if bin = filepath.Join(bin, "maildir-imapd"); args[0] == "nohup" {
		s.cmd = exec.Command("nohup", append([]string{bin}, args[1:]...)...)
	} else {
		s.cmd = exec.Command(bin, args...)
	}
	s.cmd.Dir = ts.MkAbs(".")
	s.cmd.Env = []string{"HOME=" + ts.Getenv("HOME"), "MAILDIR=" + ts.Getenv("MAILDIR"), "PATH=" + ts.Getenv("PATH"), "NOTIFY_SOCKET=" + ts.Getenv("NOTIFY_SOCKET")}
	stdout, err := os.Create(ts.MkAbs("hint"))
	ts.Check(err)
	defer stdout.Close()
	s.cmd.Stdout = stdout
	r, err := s.cmd.StderrPipe()
	ts.Check(err)
	if err := s.cmd.Start(); err != nil {
		s.cmd = nil
		ts.Fatalf("start: %v", err)
	}
	go s.read(r)
	_, err = s.wait(regexp.MustCompile(`msg=serving `))
	ts.Check(err)
	s.seen = 0
	for _, m := range listening.FindAllStringSubmatch(s.log(), -1) {
		ts.Setenv(map[string]string{"starttls": "STARTTLS", "implicit": "TLS", "none": "PLAIN"}[m[2]], m[1])
	}
}

func cmdLog(ts *testscript.TestScript, _ bool, args []string) {
	_, err := running(ts).wait(regexp.MustCompile(args[0]))
	ts.Check(err)
}

func cmdSignal(ts *testscript.TestScript, _ bool, args []string) {
	signals := map[string]os.Signal{"HUP": syscall.SIGHUP, "INT": syscall.SIGINT, "TERM": syscall.SIGTERM}
	ts.Check(running(ts).cmd.Process.Signal(signals[args[0]]))
}

func cmdStopped(ts *testscript.TestScript, neg bool, _ []string) {
	s := running(ts)
	select {
	case <-s.ended:
	case <-time.After(deadline):
		ts.Fatalf("it goes on:\n%s", s.log())
	}
	if (s.err != nil) != neg {
		ts.Fatalf("it ended with %v:\n%s", s.err, s.log())
	}
	s.cmd = nil
}

var mailURL = regexp.MustCompile(`^(imaps?)://(.+):([^:@]+)@([^@/]+)$`)

func dial(url string) (*imapclient.Client, error) {
	m := mailURL.FindStringSubmatch(url)
	if m == nil {
		return nil, fmt.Errorf("expected imap://user:password@host:port, found %q", url)
	}
	o := &imapclient.Options{TLSConfig: &tls.Config{InsecureSkipVerify: true}} // the certificate is not what is tested
	connect := imapclient.DialTLS
	if m[1] == "imap" {
		connect = imapclient.DialStartTLS
	}
	c, err := connect(m[4], o)
	if err != nil {
		return nil, err
	}
	if err := c.Login(m[2], m[3]).Wait(); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

func cmdLogin(ts *testscript.TestScript, neg bool, args []string) {
	err := look(args[0], ts.Stdout())
	if neg {
		if err == nil {
			ts.Fatalf("login succeeded")
		}
		fmt.Fprintln(ts.Stderr(), err)
		return
	}
	if err != nil {
		ts.Fatalf("%v\n%s", err, running(ts).log())
	}
}

// look logs in and prints what is there.
func look(url string, out io.Writer) error {
	c, err := dial(url)
	if err != nil {
		return err
	}
	defer c.Close()
	caps, err := c.Capability().Wait()
	if err != nil {
		return err
	}
	for name := range caps {
		fmt.Fprintln(out, "capability", name)
	}
	list, err := c.List("", "*", nil).Collect()
	if err != nil {
		return err
	}
	for _, l := range list {
		fmt.Fprintf(out, "mailbox %s separator %c %v\n", l.Mailbox, l.Delim, l.Attrs)
	}
	data, err := c.Select("INBOX", &imap.SelectOptions{ReadOnly: true}).Wait()
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "messages", data.NumMessages)
	if data.NumMessages == 0 {
		return c.Logout().Wait()
	}
	messages, err := c.Fetch(imap.SeqSet{{Start: 1}}, &imap.FetchOptions{Envelope: true, Flags: true}).Collect()
	if err != nil {
		return err
	}
	for _, m := range messages {
		fmt.Fprintf(out, "message %v %s\n", m.Flags, m.Envelope.Subject)
	}
	return c.Logout().Wait()
}

func cmdFingerprint(ts *testscript.TestScript, _ bool, args []string) {
	c, err := tls.Dial("tcp", args[0], &tls.Config{InsecureSkipVerify: true})
	ts.Check(err)
	defer c.Close()
	fmt.Fprintln(ts.Stdout(), fingerprint(c.ConnectionState().PeerCertificates[0].Raw))
}

func cmdDocumented(ts *testscript.TestScript, _ bool, args []string) {
	m := mailURL.FindStringSubmatch(args[0])
	readme, err := os.ReadFile("../../README.md")
	ts.Check(err)
	c, err := imapclient.DialInsecure(m[4], nil)
	ts.Check(err)
	defer c.Close()
	for _, login := range []bool{false, true} {
		if login {
			ts.Check(c.Login(m[2], m[3]).Wait())
		}
		caps, err := c.Capability().Wait()
		ts.Check(err)
		for name := range caps {
			name := string(name)
			if strings.HasPrefix(name, "APPENDLIMIT=") { // a number follows
				name = "APPENDLIMIT"
			}
			if !strings.Contains(string(readme), "`"+name+"`") {
				ts.Fatalf("README.md does not have %s", name)
			}
		}
	}
}

func cmdHold(ts *testscript.TestScript, _ bool, args []string) {
	s := running(ts)
	c, err := dial(args[0])
	ts.Check(err)
	s.held = append(s.held, c)
}

func cmdBye(ts *testscript.TestScript, _ bool, _ []string) {
	s := running(ts)
	for _, c := range s.held {
		select {
		case <-c.Closed():
		case <-time.After(deadline):
			ts.Fatalf("no BYE:\n%s", s.log())
		}
		c.Close()
	}
	s.held = nil
}

type systemdKey struct{}

func cmdSystemd(ts *testscript.TestScript, _ bool, _ []string) {
	path := ts.MkAbs("notify")
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	ts.Check(err)
	ts.Defer(func() { c.Close() })
	ts.Setenv("NOTIFY_SOCKET", path)
	*ts.Value(systemdKey{}).(**net.UnixConn) = c
}

func cmdNotified(ts *testscript.TestScript, _ bool, args []string) {
	c := *ts.Value(systemdKey{}).(**net.UnixConn)
	ts.Check(c.SetReadDeadline(time.Now().Add(deadline)))
	message := make([]byte, 4096)
	n, err := c.Read(message)
	ts.Check(err)
	if got := string(message[:n]); got != args[0] {
		ts.Fatalf("systemd was told %q, expected %q", got, args[0])
	}
}
