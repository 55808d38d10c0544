package dovecot

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Server is a running Dovecot. Its methods are safe for concurrent use.
type Server struct {
	// Addr is the loopback address (host:port) that speaks IMAP without TLS.
	Addr string
	// UID and GID own all mail. Dovecot refuses to serve root, so a test that
	// runs as root has to hand over the files it makes; see Chown.
	UID, GID int

	dir    string
	cmd    *exec.Cmd
	exited chan struct{} // closed when the master process has ended; then err is set
	err    error
}

// nobody is the user that mail belongs to when the test runs as root.
const nobody = 65534

// startTries is how often Start looks for another port: between finding a free
// one and Dovecot's bind somebody else may take it.
const startTries = 5

// Start runs a Dovecot until the test ends. settings are lines added to
// its configuration, e.g. "imap_idle_notify_interval = 1s".
func Start(tb testing.TB, settings string) *Server {
	tb.Helper()
	s, err := Run(settings)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if tb.Failed() {
			tb.Logf("Dovecot's log:\n%s", s.Log())
		}
		if err := s.Stop(); err != nil {
			tb.Error(err)
		}
	})
	return s
}

// Run is Start outside of tests; the caller must call Stop.
func Run(settings string) (*Server, error) {
	path, err := lookPath()
	if err != nil {
		return nil, err
	}
	for try := 1; ; try++ {
		s, err := start(path, settings)
		if err == nil || try == startTries || !errors.Is(err, errPortTaken) {
			return s, err
		}
	}
}

// lookPath finds the server, also where sbin is not in the PATH of users.
func lookPath() (string, error) {
	imap := "/usr/lib/dovecot/imap"
	if _, err := os.Stat(imap); err != nil {
		return "", fmt.Errorf("this test compares with a real Dovecot: install the package dovecot-imapd (%w)", err)
	}
	for _, name := range []string{"dovecot", "/usr/sbin/dovecot", "/usr/local/sbin/dovecot"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errors.New("this test compares with a real Dovecot: install the package dovecot-imapd (no dovecot in PATH or /usr/sbin)")
}

var errPortTaken = errors.New("the port was taken by somebody else")

func start(path, settings string) (_ *Server, err error) {
	s := &Server{UID: os.Getuid(), GID: os.Getgid(), exited: make(chan struct{})}
	if s.UID == 0 {
		s.UID, s.GID = nobody, nobody
	}
	// Not tb.TempDir: the path of a socket may have 107 octets only.
	if s.dir, err = os.MkdirTemp("", "dovecot-"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			os.RemoveAll(s.dir)
		}
	}()
	if err := os.Chmod(s.dir, 0o755); err != nil {
		return nil, err
	}
	for _, sub := range []string{"run", "users", "mail"} {
		if err := os.Mkdir(filepath.Join(s.dir, sub), 0o755); err != nil {
			return nil, err
		}
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	s.Addr = fmt.Sprintf("127.0.0.1:%d", port)
	conf := filepath.Join(s.dir, "dovecot.conf")
	if err := os.WriteFile(conf, []byte(s.config(port)+settings+"\n"), 0o644); err != nil {
		return nil, err
	}
	var output bytes.Buffer
	s.cmd = exec.Command(path, "-F", "-c", conf)
	s.cmd.Stdout, s.cmd.Stderr = &output, &output
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		s.err = s.cmd.Wait()
		close(s.exited)
	}()
	if err := s.waitReady(); err != nil {
		_ = s.terminate()
		if strings.Contains(s.Log()+output.String(), "Address already in use") {
			return nil, errPortTaken
		}
		return nil, fmt.Errorf("starting Dovecot: %w\n%s%s", err, output.String(), s.Log())
	}
	return s, nil
}

// freePort asks the kernel for a port that nobody listens on.
func freePort() (int, error) {
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer ln.Close()
	return ln.Addr().(*net.TCPAddr).Port, nil
}

// waitReady returns when the server greets.
func (s *Server) waitReady() error {
	const patience = 20 * time.Second
	var err error
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		var conn net.Conn
		if conn, err = net.Dial("tcp4", s.Addr); err == nil {
			_ = conn.SetReadDeadline(deadline)
			var greeting string
			greeting, err = bufio.NewReader(conn).ReadString('\n')
			conn.Close()
			switch {
			case err == nil && strings.Contains(greeting, s.greeting()):
				return nil
			case err == nil:
				err = errPortTaken
			}
		}
		select {
		case <-s.exited:
			return fmt.Errorf("it ended at once: %v", s.err)
		case <-time.After(20 * time.Millisecond):
		}
	}
	return err
}

// AddUser makes a user who can log in and returns the path of the INBOX's
// Maildir, which is for the caller to make (with Chown) or for Dovecot at the first
// SELECT. name is of letters, digits, '-', '_'. userdb are settings for this
// user alone, e.g. "mail=maildir:~/Maildir:LAYOUT=fs" or
// "imap_idle_notify_interval=1s"; no spaces. Those that begin with "passdb_" are for its passdb.
func (s *Server) AddUser(name, password string, userdb ...string) (maildir string, err error) {
	home := s.Home(name)
	if err := os.Mkdir(home, 0o700); err != nil {
		return "", err
	}
	if err := s.Chown(home); err != nil {
		return "", err
	}
	// One file for each user: Dovecot looks for changes of a passwd-file once
	// a second, and a new file it sees at once.
	line := fmt.Sprintf("%s:{PLAIN}%s:%d:%d::%s::", name, password, s.UID, s.GID, home)
	for i, u := range userdb {
		if i > 0 {
			line += " "
		}
		if field, ok := strings.CutPrefix(u, "passdb_"); ok {
			line += field
		} else {
			line += "userdb_" + u
		}
	}
	if err := os.WriteFile(filepath.Join(s.dir, "users", name), []byte(line+"\n"), 0o644); err != nil {
		return "", err
	}
	return filepath.Join(home, "Maildir"), nil
}

// Home is the home directory of a user, also before AddUser makes it.
func (s *Server) Home(name string) string { return filepath.Join(s.dir, "mail", name) }

// Chown gives path and all below to the user that Dovecot reads mail as. It
// does nothing where that is us.
func (s *Server) Chown(path string) error {
	if os.Getuid() == s.UID {
		return nil
	}
	return filepath.WalkDir(path, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, s.UID, s.GID)
	})
}

// Log is what Dovecot has logged until now.
func (s *Server) Log() string {
	b, err := os.ReadFile(filepath.Join(s.dir, "log"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err.Error()
	}
	return string(b)
}

// PID of the master process.
func (s *Server) PID() int { return s.cmd.Process.Pid }

// Stop ends all processes and removes all files.
func (s *Server) Stop() error {
	return errors.Join(s.terminate(), os.RemoveAll(s.dir))
}

// terminate asks the master to end, which ends its children, and waits for it.
func (s *Server) terminate() error {
	const patience = 15 * time.Second
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-s.exited:
		return nil
	case <-time.After(patience):
		_ = s.cmd.Process.Kill()
		<-s.exited
		return fmt.Errorf("the server did not end within %v of SIGTERM", patience)
	}
}
