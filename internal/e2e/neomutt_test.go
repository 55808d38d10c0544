package e2e

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Somebody reads, flags, copies, deletes and writes mail with neomutt.
func TestNeomutt(t *testing.T) {
	t.Parallel()
	g := newGateway(t, []string{"bob"}, "")
	c := login(t, g.Addr, "bob")
	for _, subject := range []string{"one", "two", "three", "four", "five"} {
		if _, err := deliver(g.Maildir("bob"), mail(subject, "This is "+subject+".")); err != nil {
			t.Fatal(err)
		}
	}
	c.ok(t, "CREATE Sent")
	m := newMutt(t, g.Addr)

	m.press("<search>~s one<enter><display-message><exit>" +
		"<search>~s two<enter><flag-message><copy-message>=Work.Sub<enter>" +
		"<search>~s three<enter><delete-message>" +
		"<search>~s four<enter><save-message>=Work.Sub<enter>" +
		"<mail>ada@example.org<enter>letter<enter><send-message>" +
		"<sync-mailbox><quit>")
	want := mailState{"INBOX/one": "S", "INBOX/two": "F", "INBOX/five": "",
		"Work.Sub/two": "F", "Work.Sub/four": "", "Sent/letter": "S"}
	if got := serverState(t, c); !maps.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	c.ok(t, "EXAMINE Sent")
	if r := c.ok(t, "UID FETCH 1 BODY.PEEK[TEXT]"); len(r.Untagged) != 1 || !strings.Contains(r.Untagged[0], "Dear Ada,\r\n") {
		t.Errorf("sent: %q", r.Untagged)
	}

	// Another day, with a header cache: nothing changed, then a folder, search and threads.
	m.press("<limit>~b This<enter><tag-pattern>.<enter><tag-prefix><set-flag>r" +
		"<change-folder>=Work.Sub<enter><search>~s four<enter><delete-message><sync-mailbox><quit>")
	want = mailState{"INBOX/one": "RS", "INBOX/two": "FRS", "INBOX/five": "RS",
		"Work.Sub/two": "F", "Sent/letter": "S"}
	if got := serverState(t, c); !maps.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

// mutt is a neomutt with a configuration of its own.
type mutt struct {
	t                      *testing.T
	path, script, home, rc string
}

func newMutt(t *testing.T, addr string) *mutt {
	t.Helper()
	m := &mutt{t: t, path: program(t, "neomutt", "neomutt"), script: program(t, "script", "bsdutils"), home: workDir(t)}
	// The editor writes the letter.
	editor := filepath.Join(m.home, "editor")
	writeFile(t, editor, "#!/bin/sh\nprintf 'Dear Ada,\\n' >> \"$1\"\n")
	if err := os.Chmod(editor, 0o700); err != nil {
		t.Fatal(err)
	}
	m.rc = fmt.Sprintf(`set imap_user=bob
set imap_pass=%s
set imap_authenticators=login
set ssl_starttls=no ssl_force_tls=no
set folder=imap://%s/
set spoolfile=+INBOX
set record=+Sent
set sendmail=/bin/true
set editor=%s
set header_cache=~/cache/
set message_cachedir=~/cache/
set from=bob@example.org realname=Bob
set autoedit=yes fast_reply=yes edit_headers=no
set confirmappend=no confirmcreate=no delete=yes quit=yes copy=yes
set wait_key=no mark_old=no move=no sleep_time=0 beep=no sort=date resolve=no
`, password, addr, editor)
	if err := os.Mkdir(filepath.Join(m.home, "cache"), 0o700); err != nil {
		t.Fatal(err)
	}
	return m
}

// press starts neomutt at a terminal and presses keys, the last of which must end it.
func (m *mutt) press(keys string) {
	m.t.Helper()
	rc := filepath.Join(m.home, "rc")
	writeFile(m.t, rc, m.rc+"push '"+keys+"'\n")
	ctx, cancel := context.WithTimeout(m.t.Context(), patience)
	defer cancel()
	// script(1) makes the terminal. Its input stays open: an end would be a key as well.
	in, keep, err := os.Pipe()
	if err != nil {
		m.t.Fatal(err)
	}
	defer in.Close()
	defer keep.Close()
	cmd := exec.CommandContext(ctx, m.script, "-qec", m.path+" -n -F "+rc, "/dev/null")
	cmd.Stdin = in
	cmd.Dir = m.home
	cmd.Env = []string{"HOME=" + m.home, "PATH=" + os.Getenv("PATH"), "LC_ALL=C.UTF-8", "TZ=UTC", "TERM=xterm"}
	if out, err := cmd.CombinedOutput(); err != nil {
		m.t.Fatalf("neomutt: %v\n%q", err, out)
	}
}
