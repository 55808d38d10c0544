package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// The local mode, as the README shows it: one command, and another to look into the Maildir.
func TestLocalMode(t *testing.T) {
	t.Parallel()
	curl := program(t, "curl", "curl")
	home := workDir(t)
	maildir := filepath.Join(home, "Maildir")
	if err := os.CopyFS(maildir, os.DirFS("../../testdata/sample/Maildir")); err != nil {
		t.Fatal(err)
	}
	for _, folder := range []string{"", ".Sent", ".Archive", ".Entw&APw-rfe"} {
		makeMaildir(t, filepath.Join(maildir, folder))
	}
	before := tree(t, maildir)

	g := &gateway{t: t}
	var starttls string
	start := func() (command []string) {
		t.Helper()
		g.launch("serve", "--maildir", maildir, "--state", filepath.Join(home, "state"), "--listen", "127.0.0.1:0", "--tls-listen", "127.0.0.1:0")
		starttls = g.log.wait(t, `^  STARTTLS +(\S+)$`)
		// The command that it prints is the one to use.
		line := g.log.wait(t, `^  curl (.*)$`)
		g.log.wait(t, `^(Ctrl-C ends it\.)`)
		return strings.Fields(strings.ReplaceAll(line, "'", ""))
	}
	end := func(s syscall.Signal) {
		t.Helper()
		if err := g.cmd.Process.Signal(s); err != nil {
			t.Error(err)
		}
		if err := g.wait(); err != nil {
			t.Errorf("after %v: %v\n%s", s, err, g.log)
		}
	}
	defer func() {
		if g.cmd != nil {
			end(syscall.SIGTERM)
		}
	}()

	command := append([]string{"-sS"}, start()...)
	if out := output(t, home, curl, command...); out != "* SEARCH 1 2 3 4 5\r\n" {
		t.Errorf("curl %q: %q", command, out)
	}
	url := strings.TrimSuffix(command[len(command)-1], "/INBOX?ALL")
	command[len(command)-1] = url + "/"
	if out := output(t, home, curl, command...); !strings.Contains(out, "* LIST (\\HasNoChildren \\Sent) \".\" Sent\r\n") {
		t.Errorf("curl %q: %q", command, out)
	}
	command[len(command)-1] = url + "/INBOX;UID=1"
	want := before["cur/1767254400.M1P1.sample:2,S"]
	if out := output(t, home, curl, command...); out != crlf(want) {
		t.Errorf("got  %q\nwant %q", out, crlf(want))
	}
	command[len(command)-1] = "imap://" + starttls + "/Sent?ALL"
	if out := output(t, home, curl, append([]string{"--ssl-reqd"}, command...)...); out != "* SEARCH 1\r\n" {
		t.Errorf("curl --ssl-reqd %q: %q", command, out)
	}
	end(syscall.SIGINT)

	// Password and certificate are kept.
	again := append([]string{"-sS"}, start()...)
	for i, word := range again[:len(again)-1] {
		if word != command[i] {
			t.Errorf("the command was %q and is %q", command, again)
		}
	}
	if out := output(t, home, curl, again...); out != "* SEARCH 1 2 3 4 5\r\n" {
		t.Errorf("curl %q: %q", again, out)
	}
	end(syscall.SIGHUP) // the terminal is gone

	// Nobody changed the mail by looking at it.
	after := tree(t, maildir)
	for name, text := range before {
		if strings.HasPrefix(filepath.Base(name), "17") && after[name] != text {
			t.Errorf("%s changed", name)
		}
	}
}
