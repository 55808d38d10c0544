package e2e

import (
	"errors"
	"fmt"
	"net"
	"net/smtp"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// What Postfix delivers is pushed to the client that waits, and can be read.
func TestPostfix(t *testing.T) {
	t.Parallel()
	g := newGateway(t, []string{"bob@example.org"}, "")
	p := startPostfix(t, g.Root)

	bob := login(t, g.Addr, "bob@example.org")
	bob.ok(t, "SELECT INBOX")
	done := bob.idle(t)
	p.send(t, "bob@example.org", "Work", "Bob,\r\n\r\nlunch?\r\n")
	if got, want := bob.until(t, "* 1 RECENT"), []string{"* 1 EXISTS", "* 1 RECENT"}; !slices.Equal(got, want) {
		t.Errorf("pushed %q, want %q", got, want)
	}
	done()
	r := bob.ok(t, "UID FETCH 1:* (FLAGS BODY.PEEK[HEADER.FIELDS (Subject To)] BODY.PEEK[TEXT])")
	want := "1 FETCH (UID 1 FLAGS (\\Recent) BODY[HEADER.FIELDS (SUBJECT TO)] {40}\r\n" +
		"To: <bob@example.org>\r\nSubject: Work\r\n\r\n BODY[TEXT] {16}\r\nBob,\r\n\r\nlunch?\r\n)"
	if len(r.Untagged) != 1 || r.Untagged[0] != want {
		t.Errorf("got  %q\nwant %q", r.Untagged, want)
	}

	// A burst, from several senders at a time, in two sessions that wait.
	const senders, each = 4, 5
	other := login(t, g.Addr, "bob@example.org")
	other.ok(t, "EXAMINE INBOX")
	done, otherDone := bob.idle(t), other.idle(t)
	errs := make(chan error, senders)
	for s := range senders {
		go func() {
			var err error
			for n := range each {
				err = errors.Join(err, p.trySend("bob@example.org", fmt.Sprintf("burst %d.%d", s, n), "x\r\n"))
			}
			errs <- err
		}()
	}
	for range senders {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	last := fmt.Sprintf("* %d EXISTS", 1+senders*each)
	bob.until(t, last)
	other.until(t, last)
	done()
	otherDone()
	var subjects []string
	for i, line := range bob.ok(t, "UID FETCH 2:* (BODY.PEEK[HEADER.FIELDS (Subject)])").Untagged {
		if prefix := fmt.Sprintf("%d FETCH (UID %d BODY", i+2, i+2); !strings.HasPrefix(line, prefix) {
			t.Errorf("got %q, want %s", line, prefix)
		}
		_, subject, _ := strings.Cut(line, "Subject: ")
		subject, _, _ = strings.Cut(subject, "\r\n")
		subjects = append(subjects, subject)
	}
	slices.Sort(subjects)
	if n := len(slices.Compact(subjects)); n != senders*each {
		t.Errorf("%d different messages, want %d", n, senders*each)
	}

	// Somebody whose first mail comes before the first log-in: Postfix makes the Maildir.
	p.send(t, "eve@example.org", "Hello", "first\r\n")
	p.delivered(t, filepath.Join(g.Maildir("eve@example.org"), "new"))
	g.addUser("eve@example.org")
	eve := login(t, g.Addr, "eve@example.org")
	if r := eve.ok(t, "SELECT INBOX"); !slices.Contains(r.Untagged, "1 EXISTS") || !slices.Contains(r.Untagged, "1 RECENT") {
		t.Errorf("SELECT: %q", r.Untagged)
	}
}

// postfix is a running Postfix of our own: SMTP on a loopback port, and delivery
// to virtual mailboxes, nothing else.
type postfix struct {
	Addr string // speaks SMTP
	dir  string
}

// startPostfix starts a Postfix that delivers mail for USER@example.org to the Maildir
// base/USER@example.org. It ends with the test.
func startPostfix(t *testing.T, base string) *postfix {
	t.Helper()
	const master = "/usr/lib/postfix/sbin/master"
	if _, err := os.Stat(master); err != nil {
		t.Fatalf("%v: install the Debian package postfix", err)
	}
	if os.Getuid() != 0 {
		t.Fatal("Postfix must be started by root: run this test as root, e.g. in a container")
	}
	p := &postfix{dir: workDir(t)}
	p.makeDirs(t)
	// Between finding a free port and Postfix's bind somebody else may take it.
	var err error
	for range 5 {
		if err = p.start(t, master, base); err == nil {
			return p
		}
	}
	t.Fatal(err)
	return nil
}

// makeDirs makes the queue, with the owners that Postfix insists on.
func (p *postfix) makeDirs(t *testing.T) {
	t.Helper()
	uid, gid := 0, 0
	if u, err := user.Lookup("postfix"); err != nil {
		t.Fatal(err)
	} else if uid, err = strconv.Atoi(u.Uid); err != nil {
		t.Fatal(err)
	}
	if g, err := user.LookupGroup("postdrop"); err != nil {
		t.Fatal(err)
	} else if gid, err = strconv.Atoi(g.Gid); err != nil {
		t.Fatal(err)
	}
	dirs := []struct {
		names    string
		uid, gid int
		mode     os.FileMode
	}{
		{"etc spool spool/pid", 0, 0, 0o755},
		{"data spool/incoming spool/active spool/deferred spool/bounce spool/defer spool/corrupt spool/flush " +
			"spool/hold spool/saved spool/trace spool/private", uid, 0, 0o700},
		{"spool/maildrop", uid, gid, 0o730},
		{"spool/public", uid, gid, 0o710},
	}
	for _, d := range dirs {
		for name := range strings.FieldsSeq(d.names) {
			path := filepath.Join(p.dir, name)
			err := errors.Join(os.Mkdir(path, 0o700), os.Chown(path, d.uid, d.gid), os.Chmod(path, d.mode))
			if err != nil {
				t.Fatal(err)
			}
		}
	}
}

func (p *postfix) start(t *testing.T, master, base string) error {
	t.Helper()
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return err
	}
	p.Addr = ln.Addr().String()
	ln.Close()
	for name, text := range map[string]string{
		"main.cf":   p.mainCF(t, base),
		"master.cf": p.masterCF(),
		"vmailbox":  "bob@example.org bob@example.org/\neve@example.org eve@example.org/\n",
	} {
		if err := os.WriteFile(filepath.Join(p.dir, "etc", name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	var out strings.Builder
	cmd := exec.Command(master, "-c", filepath.Join(p.dir, "etc"), "-s") // in the foreground, in a session of its own
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		return err
	}
	exited := make(chan struct{})
	go func() {
		cmd.Wait()
		close(exited)
	}()
	for deadline := time.Now().Add(patience); ; {
		c, err := smtp.Dial(p.Addr)
		if err == nil {
			c.Close()
			break
		}
		select {
		case <-exited:
			return fmt.Errorf("Postfix ended: %s\n%s", out.String(), p.log())
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			t.Errorf("Postfix does not answer: %v\n%s", err, p.log())
			break
		}
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("log of Postfix:\n%s", p.log())
		}
		cmd.Process.Signal(syscall.SIGTERM) // ends its children as well
		<-exited
	})
	return nil
}

// virtualCF is the README's part of main.cf.
var virtualCF = regexp.MustCompile(`(?m)(?:^ +virtual_\w+ = .*\n)+`)

// mainCF is as the README says, but for the places.
func (p *postfix) mainCF(t *testing.T, base string) string {
	t.Helper()
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	virtual := virtualCF.FindString(string(readme))
	if virtual == "" {
		t.Fatal("README.md says nothing of Postfix")
	}
	virtual = regexp.MustCompile(`(?m)^ +`).ReplaceAllString(virtual, "") // main.cf takes indented lines for more of the one before
	virtual = strings.NewReplacer("/srv/mail", base, "/etc/postfix", filepath.Join(p.dir, "etc"), "5000", strconv.Itoa(nobody)).Replace(virtual)
	return fmt.Sprintf(`compatibility_level = 3.6
queue_directory = %[1]s/spool
data_directory = %[1]s/data
maillog_file = %[1]s/log
maillog_file_prefixes = %[1]s
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = e2e.example.org
mydestination =
mynetworks = 127.0.0.0/8
alias_maps =
%[2]s
`, p.dir, virtual)
}

func (p *postfix) masterCF() string {
	return p.Addr + ` inet n - n - - smtpd
cleanup   unix n - n - 0 cleanup
qmgr      unix n - n 300 1 qmgr
rewrite   unix - - n - - trivial-rewrite
bounce    unix - - n - 0 bounce
defer     unix - - n - 0 bounce
trace     unix - - n - 0 bounce
anvil     unix - - n - 1 anvil
proxymap  unix - - n - - proxymap
error     unix - - n - - error
retry     unix - - n - - error
virtual   unix - n n - - virtual
postlog   unix-dgram n - n - 1 postlogd
`
}

func (p *postfix) log() string {
	text, err := os.ReadFile(filepath.Join(p.dir, "log"))
	if err != nil {
		return err.Error()
	}
	return string(text)
}

func (p *postfix) trySend(to, subject, body string) error {
	message := fmt.Sprintf("From: <alice@example.net>\r\nTo: <%s>\r\nSubject: %s\r\n\r\n%s", to, subject, body)
	return smtp.SendMail(p.Addr, nil, "alice@example.net", []string{to}, []byte(message))
}

// send hands a message over by SMTP.
func (p *postfix) send(t *testing.T, to, subject, body string) {
	t.Helper()
	if err := p.trySend(to, subject, body); err != nil {
		t.Fatal(err)
	}
}

// delivered waits until there is a file in a directory.
func (p *postfix) delivered(t *testing.T, dir string) {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
			return
		}
	}
	t.Fatalf("nothing was delivered to %s", dir)
}
