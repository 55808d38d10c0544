package main

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"maildir-imapd/internal/dovecot"
)

// owner is the user that mail belongs to, and servers run as, where we are root.
const owner = 65534

// server is what is measured.
type server interface {
	name() string
	// start serves one user, "bench" with password "bench", from the Maildir root.
	start(root string) error
	address() string
	// rss is the resident memory of all its processes in bytes.
	rss() (int64, error)
	stop() error
}

// gateway is a build of maildir-imapd.
type gateway struct {
	title, binary, dir string
	addr               string
	cmd                *exec.Cmd
}

func (g *gateway) name() string    { return g.title }
func (g *gateway) address() string { return g.addr }

func (g *gateway) start(root string) error {
	if err := os.MkdirAll(g.dir, 0o755); err != nil {
		return err
	}
	users := filepath.Join(g.dir, "users")
	if err := os.WriteFile(users, []byte("bench:{PLAIN}bench::::::userdb_mail=maildir:"+root+"\n"), 0o644); err != nil {
		return err
	}
	conf := filepath.Join(g.dir, "config.yaml")
	text := fmt.Sprintf("listen: [{address: \"127.0.0.1:0\", tls: none}]\nauth: {passwd_file: %q}\n"+
		"limits: {connections_per_ip: 0, connections_per_user: 0}\n", users)
	if err := os.WriteFile(conf, []byte(text), 0o644); err != nil {
		return err
	}
	g.cmd = exec.Command(g.binary, "serve", "--config", conf)
	if os.Getuid() == 0 {
		g.cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: owner, Gid: owner}}
		if err := chown(root); err != nil {
			return err
		}
	}
	log, err := g.cmd.StderrPipe()
	if err != nil {
		return err
	}
	if err := g.cmd.Start(); err != nil {
		return err
	}
	var seen strings.Builder
	lines := bufio.NewScanner(log)
	for lines.Scan() {
		fmt.Fprintln(&seen, lines.Text())
		if m := listening.FindStringSubmatch(lines.Text()); m != nil {
			g.addr = m[1]
			go func() {
				for lines.Scan() { // so that the pipe does not fill
				}
			}()
			return nil
		}
	}
	return fmt.Errorf("the gateway did not start: %w\n%s", g.cmd.Wait(), seen.String())
}

var listening = regexp.MustCompile(`msg=listening address=(\S+)`)

func (g *gateway) rss() (int64, error) { return rssOf(g.cmd.Process.Pid) }

func (g *gateway) stop() error {
	return errors.Join(g.cmd.Process.Signal(syscall.SIGTERM), g.cmd.Wait())
}

// dovecotServer is Debian's Dovecot.
type dovecotServer struct{ s *dovecot.Server }

func (d *dovecotServer) name() string    { return "Dovecot" }
func (d *dovecotServer) address() string { return d.s.Addr }

func (d *dovecotServer) start(root string) (err error) {
	if d.s, err = dovecot.Run("mail_max_userip_connections = 0\ndefault_client_limit = 5000\nservice imap {\nprocess_limit = 5000\n}\n"); err != nil {
		return err
	}
	if err := d.s.Chown(root); err != nil {
		return err
	}
	_, err = d.s.AddUser("bench", "bench", "mail=maildir:"+root)
	return err
}

func (d *dovecotServer) rss() (int64, error) { return rssOf(d.s.PID()) }
func (d *dovecotServer) stop() error         { return d.s.Stop() }

// rssOf adds up the proportional memory of a process and its children: pages that
// several share count once.
func rssOf(pid int) (sum int64, err error) {
	procs, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return 0, err
	}
	children := make(map[int][]int)
	for _, p := range procs {
		b, err := os.ReadFile(p)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
			continue
		} else if err != nil {
			return 0, err
		}
		id, err1 := strconv.Atoi(filepath.Base(filepath.Dir(p)))
		_, rest, _ := strings.Cut(string(b), ") ")
		f := strings.Fields(rest)
		if err1 != nil || len(f) < 2 {
			continue
		}
		if parent, err := strconv.Atoi(f[1]); err == nil {
			children[parent] = append(children[parent], id)
		}
	}
	for todo := []int{pid}; len(todo) > 0; todo = todo[1:] {
		todo = append(todo, children[todo[0]]...)
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", todo[0]))
		if err != nil {
			continue // ended meanwhile
		}
		for line := range strings.Lines(string(b)) {
			if f := strings.Fields(line); len(f) > 1 && f[0] == "Pss:" {
				kb, err := strconv.ParseInt(f[1], 10, 64)
				if err != nil {
					return 0, err
				}
				sum += kb << 10
			}
		}
	}
	return sum, nil
}

// chown gives a tree to the user that servers run as.
func chown(root string) error {
	return filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, owner, owner)
	})
}

// client is one connection, logged in.
type client struct {
	net.Conn
	r *bufio.Reader
}

// patience is how long a client waits for a line.
const patience = 2 * time.Minute

func connect(s server) (*client, error) {
	conn, err := net.Dial("tcp", s.address())
	if err != nil {
		return nil, err
	}
	c := &client{conn, bufio.NewReaderSize(conn, 64<<10)}
	if _, err := c.line(); err != nil {
		return nil, err
	}
	_, err = c.do("LOGIN bench bench")
	return c, err
}

func (c *client) line() ([]byte, error) {
	if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return nil, err
	}
	for {
		b, err := c.r.ReadSlice('\n')
		if err != bufio.ErrBufferFull { // the rest of a long line says nothing new
			return b, err
		}
	}
}

// do sends a command, reads until its end, and returns how long that took.
func (c *client) do(command string) (time.Duration, error) {
	start := time.Now()
	if _, err := fmt.Fprintf(c, "x %s\r\n", command); err != nil {
		return 0, err
	}
	for {
		b, err := c.line()
		if err != nil {
			return 0, fmt.Errorf("%s: %w", command, err)
		}
		if rest, ok := strings.CutPrefix(string(b[:min(len(b), 200)]), "x "); ok {
			if !strings.HasPrefix(rest, "OK") {
				return 0, fmt.Errorf("%s: %s", command, rest)
			}
			return time.Since(start), nil
		}
	}
}
