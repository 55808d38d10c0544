package e2e

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"maildir-imapd/internal/dovecot"
)

var togetherSeed = flag.Uint64("together.seed", 0, "seed of TestTogether; 0: another each time")

// both starts our server, and a Dovecot that serves the same tree of bob's.
func both(t *testing.T) (*gateway, *dovecot.Server) {
	t.Helper()
	g := newGateway(t, []string{"bob"}, "")
	d := dovecot.Start(t, "")
	if _, err := d.AddUser("bob", password, "mail=maildir:"+g.Maildir("bob")); err != nil {
		t.Fatal(err)
	}
	return g, d
}

// Dovecot and our server serve one tree at the same time. Each pushes what the other
// changes, and a storm of commands to both does no harm.
func TestTogether(t *testing.T) {
	t.Parallel()
	g, d := both(t)
	pushes(t, g.Addr, d.Addr)
	pushes(t, d.Addr, g.Addr)

	seed := *togetherSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("to repeat: -run TestTogether -together.seed=%d (the order of what happens at the same time differs)", seed)
	rec := newRecord()
	c := login(t, g.Addr, "bob")
	c.ok(t, "SELECT INBOX")
	c.ok(t, `STORE 1:* +FLAGS.SILENT (\Deleted)`)
	c.ok(t, "CLOSE")
	for _, mailbox := range rec.mailboxes[1:] {
		c.ok(t, "CREATE %s", mailbox)
	}
	c.ok(t, "LOGOUT")
	s := newStorm(rec, g.Maildir("bob"), seed)
	deadline := time.Now().Add(4 * time.Second)
	var wg sync.WaitGroup
	for i, client := range s.clients {
		client.deadline = deadline
		wg.Go(func() {
			if err := client.work([]string{g.Addr, d.Addr}[i%2]); err != nil {
				t.Errorf("client of %s: %v", []string{"our server", "Dovecot"}[i%2], err)
			}
		})
	}
	for i, program := range []func(r *rand.Rand) error{s.deliver, s.rename} {
		wg.Go(func() {
			for time.Now().Before(deadline) {
				if err := program(s.randoms[i]); err != nil {
					t.Error(err)
					return
				}
				time.Sleep(time.Duration(s.randoms[i].IntN(20)) * time.Millisecond)
			}
		})
	}
	wg.Wait()
	rec.checkFiles(t, g.Maildir("bob"))
	for _, addr := range []string{g.Addr, d.Addr} {
		rec.checkServer(t, addr)
	}
	for _, c := range s.clients {
		t.Log(c.done)
	}
}

// pushes wants a client that idles at one server to hear what is done through the other.
func pushes(t *testing.T, at, through string) {
	t.Helper()
	idler, actor := login(t, at, "bob"), login(t, through, "bob")
	actor.ok(t, "SELECT INBOX")
	if r, err := actor.append("INBOX", "", crlf(mail("before", "1"))); err != nil || r.Status != "OK" {
		t.Fatalf("APPEND: %v %+v", err, r)
	}
	r := idler.ok(t, "SELECT INBOX")
	n := 0
	for _, line := range r.Untagged {
		if exists, ok := strings.CutSuffix(line, " EXISTS"); ok {
			n, _ = strconv.Atoi(exists)
		}
	}
	done := idler.idle(t)
	if r, err := actor.append("INBOX", `(\Seen) `, crlf(mail("pushed", "2"))); err != nil || r.Status != "OK" {
		t.Fatalf("APPEND: %v %+v", err, r)
	}
	idler.until(t, fmt.Sprintf("* %d EXISTS", n+1))
	actor.ok(t, `STORE %d +FLAGS (\Flagged $Label)`, n+1)
	flagged := idler.until(t, fmt.Sprintf("* %d FETCH", n+1))
	if line := flagged[len(flagged)-1]; !strings.Contains(line, `\Flagged`) || !strings.Contains(line, "$Label") {
		t.Errorf("pushed %q", flagged)
	}
	actor.ok(t, `STORE %d +FLAGS.SILENT (\Deleted)`, n)
	actor.ok(t, "EXPUNGE")
	idler.until(t, fmt.Sprintf("* %d EXPUNGE", n))
	done()
	actor.ok(t, "LOGOUT")
	idler.ok(t, "LOGOUT")
}

// What leaves a folder through Dovecot has left it here, too, where Dovecot has dropped it from its uidlist before we look.
func TestDovecotDropsRecords(t *testing.T) {
	t.Parallel()
	g, d := both(t)
	ours, theirs := login(t, g.Addr, "bob"), login(t, d.Addr, "bob")
	theirs.ok(t, "CREATE Kept")
	theirs.ok(t, "SELECT INBOX")
	for range 30 {
		if r, err := theirs.append("INBOX", "", crlf(mail("before", "1"))); err != nil || r.Status != "OK" {
			t.Fatalf("APPEND: %v %+v", err, r)
		}
	}
	theirs.ok(t, "NOOP")
	ours.ok(t, "SELECT INBOX")
	ours.ok(t, "UNSELECT")
	for range 14 {
		theirs.ok(t, "MOVE 1 Kept") // unlinks, and no rename has us look at the whole folder
	}
	list, err := os.ReadFile(filepath.Join(g.Maildir("bob"), "dovecot-uidlist"))
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(list), "\n") - 1; n >= 30 {
		t.Errorf("Dovecot's list has %d records still", n)
	}
	if r := ours.ok(t, "SELECT INBOX"); !slices.Contains(r.Untagged, "16 EXISTS") {
		t.Errorf("SELECT says %q", r.Untagged)
	}
}
