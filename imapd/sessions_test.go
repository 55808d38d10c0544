package imapd

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// mirror is what a client knows of a mailbox that it has heard of by untagged responses only.
type mirror struct {
	*client
	uids []string // by sequence number; "": not heard yet
}

var (
	untaggedNumber = regexp.MustCompile(`^\* (\d+) (EXISTS|EXPUNGE|FETCH)`)
	fetchedUID     = regexp.MustCompile(`\bUID (\d+)`)
)

// run sends a command and takes in what is answered up to the tagged response.
func (m *mirror) run(tag, command string) error {
	m.send(tag + " " + command + "\r\n")
	for {
		line := m.line()
		if strings.HasPrefix(line, tag+" ") {
			for _, fine := range []string{" OK ", " BAD A sequence number", " NO [EXPUNGEISSUED]"} {
				if strings.HasPrefix(line, tag+fine) {
					return nil
				}
			}
			return fmt.Errorf("%s: %s", command, line)
		}
		found := untaggedNumber.FindStringSubmatch(line)
		if found == nil {
			continue
		}
		n, _ := strconv.Atoi(found[1])
		switch found[2] {
		case "EXISTS":
			if n < len(m.uids) {
				return fmt.Errorf("%s: EXISTS shrinks from %d to %d", command, len(m.uids), n)
			}
			m.uids = append(m.uids, make([]string, n-len(m.uids))...)
		case "EXPUNGE":
			switch {
			case n < 1 || n > len(m.uids):
				return fmt.Errorf("%s: %s of %d", command, line, len(m.uids))
			case !strings.HasPrefix(command, "UID") && (strings.HasPrefix(command, "FETCH") || strings.HasPrefix(command, "STORE")):
				return fmt.Errorf("%s: %s", command, line) // RFC 9051 §7.5.1
			}
			m.uids = append(m.uids[:n-1], m.uids[n:]...)
		case "FETCH":
			if n < 1 || n > len(m.uids) {
				return fmt.Errorf("%s: %s of %d", command, line, len(m.uids))
			}
			if uid := fetchedUID.FindStringSubmatch(line); uid != nil {
				if m.uids[n-1] != "" && m.uids[n-1] != uid[1] {
					return fmt.Errorf("%s: %s, but this was UID %s", command, line, m.uids[n-1])
				}
				m.uids[n-1] = uid[1]
			}
		}
	}
}

// TestSessions has several clients that change one mailbox, while mail arrives. What each one
// knows at last is the same.
func TestSessions(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	s := start(t, nil)
	for i := range 20 {
		s.deliver(t, fmt.Sprintf("17000000%02d.M1P1.host", i), "Subject: x\n\nx\n")
	}
	commands := []string{
		"NOOP",
		"FETCH 1:3 (UID FLAGS)",
		"UID FETCH 1:* (FLAGS)",
		`STORE 1 +FLAGS (\Deleted)`,
		`STORE 2,5 -FLAGS.SILENT (\Seen $a)`,
		`UID STORE 1:* FLAGS (\Seen)`,
		"EXPUNGE",
		"COPY 1 INBOX",
		"UID MOVE * INBOX",
		"SEARCH UNDELETED",
		"APPEND INBOX (\\Seen) {14+}\r\nSubject: x\r\n\r\n",
		"IDLE\r\nDONE",
	}
	mirrors := make([]*mirror, 4)
	for i := range mirrors {
		mirrors[i] = &mirror{client: s.login(t)}
		if err := mirrors[i].run("s", "SELECT INBOX"); err != nil {
			t.Fatal(err)
		}
	}
	var wg sync.WaitGroup
	for i, m := range mirrors {
		r := rand.New(rand.NewPCG(seed, uint64(i)))
		wg.Go(func() {
			for n := range 150 {
				if err := m.run(fmt.Sprint("t", n), commands[r.IntN(len(commands))]); err != nil {
					t.Errorf("client %d: %v", i, err)
					return
				}
				if i == 0 && n%10 == 0 {
					s.deliver(t, fmt.Sprintf("18%08d.M1P1.host", n), "Subject: x\n\nx\n")
				}
			}
		})
	}
	wg.Wait()
	if t.Failed() {
		return
	}
	for i, m := range mirrors {
		for _, command := range []string{"NOOP", "UID FETCH 1:* (FLAGS)"} {
			if err := m.run("u", command); err != nil {
				t.Fatalf("client %d: %v", i, err)
			}
		}
		if got, want := fmt.Sprint(m.uids), fmt.Sprint(mirrors[0].uids); got != want {
			t.Errorf("client %d knows UIDs %s, the first one %s", i, got, want)
		}
	}
}
