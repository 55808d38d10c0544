package e2e

import (
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// mbsync brings our server and a local Maildir to the same state, whichever side changed,
// and then finds nothing to do.
func TestMbsync(t *testing.T) {
	t.Parallel()
	mbsync := program(t, "mbsync", "isync")
	g := newGateway(t, []string{"bob"}, "")
	c := login(t, g.Addr, "bob")
	home := workDir(t)
	local := filepath.Join(home, "mail")
	for _, folder := range []string{"INBOX", "Drafts"} {
		makeMaildir(t, filepath.Join(local, folder))
	}
	host, port, err := net.SplitHostPort(g.Addr)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(home, ".mbsyncrc"), fmt.Sprintf(`IMAPAccount server
Host %s
Port %s
User bob
Pass %s
SSLType None
AuthMechs LOGIN

IMAPStore server
Account server

MaildirStore local
Path %s/
Inbox %[4]s/INBOX
SubFolders Verbatim

Channel all
Far :server:
Near :local:
Patterns *
Create Both
Expunge Both
Sync All
CopyArrivalDate yes
SyncState *
`, host, port, password, local))

	var want mailState
	// sync runs mbsync, compares both sides with what is wanted, and wants a second run to change no file.
	sync := func(what string) {
		t.Helper()
		// -Dn shows the commands.
		if out := output(t, home, mbsync, "-a", "-Dn"); !changesMail.MatchString(out) {
			t.Errorf("%s: nothing was done:\n%s", what, out)
		}
		atServer, here := serverState(t, c), localState(t, local)
		if !maps.Equal(atServer, want) {
			t.Errorf("%s: the server has\n%v, want\n%v", what, atServer, want)
		}
		if !maps.Equal(here, want) {
			t.Errorf("%s: the local folders have\n%v, want\n%v", what, here, want)
		}
		before, beforeServer := tree(t, home), tree(t, g.Root)
		out := output(t, home, mbsync, "-a", "-Dn")
		if !strings.Contains(out, " LOGOUT") || changesMail.MatchString(out) {
			t.Errorf("%s: a second run found something to do:\n%s", what, out)
		}
		sameTree(t, what+": a second run, local", before, tree(t, home))
		sameTree(t, what+": a second run, server", beforeServer, tree(t, g.Root))
	}

	// Mail on both sides, in folders that only one side has.
	var big strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&big, "%d bottles of beer on the wall\n", i)
	}
	inbox := g.Maildir("bob")
	for _, m := range []string{mail("one", "1"), mail("two", "2"), mail("three", "3"), mail("big", big.String())} {
		if _, err := deliver(inbox, m); err != nil {
			t.Fatal(err)
		}
	}
	c.ok(t, "CREATE Work")
	if r, err := c.append("Work", `(\Seen \Flagged \Answered) "05-Jan-2026 10:00:00 +0100" `, crlf(mail("job", "do it"))); err != nil || r.Status != "OK" {
		t.Fatalf("APPEND: %v %v", r, err)
	}
	writeFile(t, filepath.Join(local, "INBOX/new/1.local"), mail("four", "4"))
	writeFile(t, filepath.Join(local, "Drafts/cur/2.local:2,DS"), mail("draft", "..."))
	want = mailState{"INBOX/one": "", "INBOX/two": "", "INBOX/three": "", "INBOX/four": "", "INBOX/big": "",
		"Work/job": "FRS", "Drafts/draft": "DS"}
	sync("first")

	// Flags, new mail and deletions on both sides.
	c.ok(t, "SELECT INBOX")
	c.ok(t, `UID STORE %s +FLAGS (\Seen)`, c.uidOf(t, "one"))
	c.ok(t, `UID STORE %s +FLAGS (\Deleted)`, c.uidOf(t, "two"))
	c.ok(t, `UID MOVE %s Work`, c.uidOf(t, "four"))
	if r, err := c.append("Drafts", `(\Draft) `, crlf(mail("later", "..."))); err != nil || r.Status != "OK" {
		t.Fatalf("APPEND: %v %v", r, err)
	}
	if _, err := deliver(inbox, mail("five", "5")); err != nil {
		t.Fatal(err)
	}
	rename := localFile(t, local, "INBOX/three")
	if err := os.Rename(rename, filepath.Join(local, "INBOX/cur", strings.TrimSuffix(filepath.Base(rename), ":2,")+":2,FR")); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(localFile(t, local, "Drafts/draft")); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(local, "Work/new/3.local"), mail("six", "6"))
	want = mailState{"INBOX/one": "S", "INBOX/three": "FR", "INBOX/five": "", "INBOX/big": "",
		"Work/job": "FRS", "Work/four": "", "Work/six": "", "Drafts/later": "D"}
	sync("changes")

	// The mail is the same on both sides, its date included.
	job := localFile(t, local, "Work/job")
	if fi, err := os.Stat(job); err != nil || fi.ModTime().Unix() != 1767603600 {
		t.Errorf("job has the date %v (%v)", fi.ModTime(), err)
	}
	text, err := os.ReadFile(localFile(t, local, "INBOX/big"))
	if err != nil || !strings.HasSuffix(string(text), big.String()+"\n") {
		t.Errorf("big has %d octets (%v)", len(text), err)
	}
}

// changesMail finds commands that change mail, or fetch it, in what mbsync shows.
var changesMail = regexp.MustCompile(`>>> \d+ (APPEND|CREATE|DELETE|UID (STORE|COPY|MOVE|EXPUNGE)|EXPUNGE|UID FETCH .*BODY\.PEEK\[\])`)

// mailState is all mail of a user: MAILBOX/SUBJECT, and its flags as Maildir letters.
type mailState map[string]string

var fetchedState = regexp.MustCompile(`(?s)^\d+ FETCH \(UID \d+ FLAGS \(([^)]*)\) .*\r\nSubject: (\S+)\r\n`)

// serverState is what the server shows.
func serverState(t *testing.T, c *client) mailState {
	t.Helper()
	letters := map[string]string{`\Answered`: "R", `\Deleted`: "T", `\Draft`: "D", `\Flagged`: "F", `\Seen`: "S"}
	state := make(mailState)
	for _, line := range c.ok(t, `LIST "" *`).Untagged {
		if !strings.HasPrefix(line, "LIST ") || strings.Contains(line, `\Noselect`) {
			continue // also told: changes of the mailbox that is still selected
		}
		mailbox := line[strings.LastIndexByte(line, ' ')+1:]
		c.ok(t, "EXAMINE %s", mailbox)
		for _, fetch := range c.ok(t, "UID FETCH 1:* (FLAGS BODY.PEEK[HEADER.FIELDS (Subject)])").Untagged {
			m := fetchedState.FindStringSubmatch(fetch)
			if m == nil {
				t.Fatalf("got %q", fetch)
			}
			var flags []string
			for f := range strings.FieldsSeq(m[1]) {
				flags = append(flags, letters[f])
			}
			slices.Sort(flags)
			state.add(t, mailbox+"/"+m[2], strings.Join(flags, ""))
		}
	}
	return state
}

// localState is what the local Maildirs hold.
func localState(t *testing.T, local string) mailState {
	t.Helper()
	state := make(mailState)
	for name, text := range tree(t, local) {
		mailbox, file := filepath.Split(name)
		mailbox, sub := filepath.Split(filepath.Clean(mailbox))
		if sub != "cur" && sub != "new" {
			continue
		}
		_, subject, _ := strings.Cut(text, "\nSubject: ")
		subject, _, _ = strings.Cut(subject, "\n")
		_, flags, _ := strings.Cut(file, ":2,")
		state.add(t, mailbox+subject, flags)
	}
	return state
}

func (s mailState) add(t *testing.T, message, flags string) {
	t.Helper()
	if _, twice := s[message]; twice {
		t.Errorf("%s is there twice", message)
	}
	s[message] = flags
}

// localFile is the path of a message MAILBOX/SUBJECT.
func localFile(t *testing.T, local, message string) string {
	t.Helper()
	mailbox, subject := filepath.Split(message)
	for name, text := range tree(t, filepath.Join(local, mailbox)) {
		if strings.Contains(text, "\nSubject: "+subject+"\n") {
			return filepath.Join(local, mailbox, name)
		}
	}
	t.Fatalf("no %s", message)
	return ""
}
