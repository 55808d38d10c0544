package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A restart, and what other programs do meanwhile, costs clients nothing: UIDs stay, and who
// comes back with a mod-sequence is told what has changed and no more (RFC 7162).
func TestRestart(t *testing.T) {
	t.Parallel()
	g := newGateway(t, []string{"bob"}, "")
	c := login(t, g.Addr, "bob")
	inbox := g.Maildir("bob")
	const many = 200
	for i := range many {
		if _, err := deliver(inbox, mail(fmt.Sprintf("message %d", i+1), "Hello.")); err != nil {
			t.Fatal(err)
		}
	}
	c.ok(t, "ENABLE QRESYNC")
	selected := c.ok(t, "SELECT INBOX")
	c.ok(t, `UID STORE 5:9 +FLAGS ($Todo)`)
	c.ok(t, `UID STORE 20 +FLAGS (\Deleted)`)
	c.ok(t, "EXPUNGE")
	modSeq := modSeqOf(c.ok(t, "SELECT INBOX"))
	c.ok(t, "LOGOUT")

	g.stop()
	// The file of a message by its number, for UIDs are given in the order of delivery.
	file := func(n int) string {
		t.Helper()
		for _, name := range messageFiles(t, inbox) {
			text, err := os.ReadFile(filepath.Join(inbox, name))
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(text), fmt.Sprintf("Subject: message %d\n", n)) {
				return filepath.Join(inbox, name)
			}
		}
		t.Fatalf("no message %d", n)
		return ""
	}
	if err := os.Remove(file(100)); err != nil {
		t.Fatal(err)
	}
	seven := file(7)
	base, flags, _ := strings.Cut(seven, ":2,")
	if err := os.Rename(seven, base+":2,S"+flags); err != nil {
		t.Fatal(err)
	}
	if _, err := deliver(inbox, mail("late", "Hello.")); err != nil {
		t.Fatal(err)
	}
	g.start()

	c = login(t, g.Addr, "bob")
	c.ok(t, "ENABLE QRESYNC")
	validity := uidValidityCode.FindStringSubmatch(selected.Untagged[slices.IndexFunc(selected.Untagged, uidValidityCode.MatchString)])[1]
	again := c.ok(t, "SELECT INBOX (QRESYNC (%s %s))", validity, modSeq)
	var told []string
	for _, line := range again.Untagged {
		if uid, flags, ok := fetchedFlags(line); ok {
			slices.Sort(flags)
			told = append(told, fmt.Sprintf("%d: %s", uid, flags))
		} else if strings.HasPrefix(line, "VANISHED") || strings.HasSuffix(line, " EXISTS") || strings.HasPrefix(line, "OK [UIDVALIDITY") || strings.HasPrefix(line, "OK [UIDNEXT") {
			told = append(told, line)
		}
	}
	slices.Sort(told)
	want := []string{"199 EXISTS", `201: [\Recent]`, `7: [$Todo \Seen]`,
		"OK [UIDNEXT 202] Predicted next UID", "OK [UIDVALIDITY " + validity + "] UIDs valid", "VANISHED (EARLIER) 100"}
	if !slices.Equal(told, want) {
		t.Errorf("told %q\nwant %q", told, want)
	}
}
