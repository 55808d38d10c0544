package e2e

import (
	"bytes"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"maildir-imapd/internal/dovecot"
)

// interimap keeps our server and a Dovecot in the same state. What it knows of changes it knows by QRESYNC, in the end by NOTIFY alone; all is
// compressed.
func TestInterimap(t *testing.T) {
	t.Parallel()
	interimap := program(t, "interimap", "interimap")
	g := newGateway(t, []string{"bob"}, "")
	d := dovecot.Start(t, "protocol imap {\n  mail_plugins = imap_zlib\n}\n")
	root, err := d.AddUser("bob", password)
	if err != nil {
		t.Fatal(err)
	}
	makeMaildir(t, root)
	if err := d.Chown(root); err != nil {
		t.Fatal(err)
	}
	ours, theirs := login(t, g.Addr, "bob"), login(t, d.Addr, "bob")
	home := workDir(t)
	conf := filepath.Join(home, "config")
	text := fmt.Sprintf("database = %s/state\nlist-mailbox = *\n", home)
	for _, side := range []struct{ name, addr string }{{"local", g.Addr}, {"remote", d.Addr}} {
		host, port, err := net.SplitHostPort(side.addr)
		if err != nil {
			t.Fatal(err)
		}
		text += fmt.Sprintf("\n[%s]\ntype = imap\nhost = %s\nport = %s\nusername = bob\npassword = %s\nauth = PLAIN\nSTARTTLS = NO\ncompress = YES\n",
			side.name, host, port, password)
	}
	writeFile(t, conf, text)
	same := func(what string, want mailState) {
		t.Helper()
		if got := serverState(t, ours); !maps.Equal(got, want) {
			t.Errorf("%s: we have\n%v, want\n%v", what, got, want)
		}
		if got := serverState(t, theirs); !maps.Equal(got, want) {
			t.Errorf("%s: Dovecot has\n%v, want\n%v", what, got, want)
		}
	}
	sync := func(what string, want mailState) {
		t.Helper()
		if out := output(t, home, interimap, "--config="+conf); !strings.Contains(out, "compr.") {
			t.Errorf("%s:\n%s", what, out)
		}
		same(what, want)
	}

	for _, subject := range []string{"one", "two", "three", "four"} {
		if _, err := deliver(g.Maildir("bob"), mail(subject, subject)); err != nil {
			t.Fatal(err)
		}
	}
	store := func(c *client, mailbox, flags, subject string) {
		t.Helper()
		if r, err := c.append(mailbox, flags+" ", crlf(mail(subject, subject))); err != nil || r.Status != "OK" {
			t.Fatalf("APPEND: %v %v", r, err)
		}
	}
	theirs.ok(t, "CREATE Work")
	store(theirs, "Work", `(\Seen $Forwarded)`, "job")
	sync("first", mailState{"INBOX/one": "", "INBOX/two": "", "INBOX/three": "", "INBOX/four": "", "Work/job": "S"})

	// That mail has gone is told by VANISHED only.
	ours.ok(t, "SELECT INBOX")
	ours.ok(t, `UID STORE %s +FLAGS.SILENT (\Flagged)`, ours.uidOf(t, "one"))
	ours.ok(t, `UID STORE %s +FLAGS.SILENT (\Deleted)`, ours.uidOf(t, "two"))
	ours.ok(t, "EXPUNGE")
	ours.ok(t, "UID MOVE %s Work", ours.uidOf(t, "three"))
	theirs.ok(t, "SELECT Work")
	theirs.ok(t, `STORE 1 +FLAGS.SILENT (\Answered $Label1)`)
	theirs.ok(t, "SELECT INBOX")
	theirs.ok(t, `UID STORE %s +FLAGS.SILENT (\Deleted)`, theirs.uidOf(t, "four"))
	theirs.ok(t, "EXPUNGE")
	store(theirs, "INBOX", `(\Seen)`, "five")
	want := mailState{"INBOX/one": "F", "INBOX/five": "S", "Work/job": "RS", "Work/three": ""}
	sync("changes", want)

	var log bytes.Buffer
	cmd := exec.Command(interimap, "--config="+conf, "--watch", "--notify")
	cmd.Env, cmd.Stdout, cmd.Stderr = append(os.Environ(), "HOME="+home), &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("interimap:\n%s", &log)
		}
	}()
	// What happens to us is seen by clients of Dovecot that idle.
	inWork := login(t, d.Addr, "bob")
	theirs.ok(t, "SELECT INBOX")
	inWork.ok(t, "SELECT Work")
	done, doneWork := theirs.idle(t), inWork.idle(t)
	if _, err := deliver(g.Maildir("bob"), mail("pushed", "pushed")); err != nil {
		t.Fatal(err)
	}
	theirs.until(t, "* 3 EXISTS")
	store(ours, "Work", `(\Draft)`, "back")
	inWork.until(t, "* 3 EXISTS")
	ours.ok(t, "SELECT INBOX")
	ours.ok(t, "UID MOVE %s Work", ours.uidOf(t, "five"))
	theirs.until(t, "* 2 EXPUNGE")
	inWork.until(t, "* 4 EXISTS")
	done()
	doneWork()
	delete(want, "INBOX/five")
	want["INBOX/pushed"], want["Work/back"], want["Work/five"] = "", "D", "S"
	same("in the end", want)
}
