package e2e

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// renamer is a client that renames a mailbox again and again, with a child and mail in both. Its
// mailboxes are R1, R1.Sub, R2, R2.Sub and so on; nobody else uses them.
type renamer struct {
	rec    *record
	random *rand.Rand
	c      *client
	last   int // the greatest number that was used
}

// work renames until the connection is lost.
func (r *renamer) work(addr string) error {
	c, err := dial(addr)
	if err != nil {
		return err
	}
	defer c.nc.Close()
	r.c = c
	if _, err := r.run("LOGIN bob " + password); err != nil {
		return err
	}
	for {
		all, err := r.list()
		if err != nil {
			return err
		}
		if len(all) == 0 {
			if err := r.make(); err != nil {
				return err
			}
		}
		for _, name := range all {
			if strings.Contains(name, ".") && slices.Contains(all, strings.TrimSuffix(name, ".Sub")) {
				continue // goes with its parent
			}
			r.last++
			to := fmt.Sprintf("R%d", r.last)
			if strings.Contains(name, ".") { // its parent went without it
				to += ".Sub"
			}
			if _, err := r.run("RENAME " + name + " " + to); err != nil {
				return err
			}
		}
	}
}

func (r *renamer) run(command string) (reply, error) {
	answer, err := r.c.do("%s", command)
	if err == nil && answer.Status != "OK" {
		err = fmt.Errorf("%.100s: %s %s", command, answer.Status, answer.Text)
	}
	return answer, err
}

// list are the mailboxes that can be selected.
func (r *renamer) list() (all []string, err error) {
	answer, err := r.run(`LIST "" R*`)
	for _, line := range answer.Untagged {
		if !strings.Contains(line, `\Noselect`) {
			all = append(all, line[strings.LastIndexByte(line, ' ')+1:])
		}
	}
	return all, err
}

// make makes the mailboxes, with mail.
func (r *renamer) make() error {
	r.last++
	for _, name := range []string{"R%d", "R%d.Sub"} {
		name = fmt.Sprintf(name, r.last)
		if _, err := r.run("CREATE " + name); err != nil {
			return err
		}
		for range 3 {
			id := r.rec.newMessage(name)
			text := crlf(stormMail(id, r.random))
			if _, err := r.run(fmt.Sprintf("APPEND %s {%d+}\r\n%s", name, len(text), text)); err != nil {
				return err
			}
			r.rec.stored(id)
		}
	}
	return nil
}

// renamed are the directories of the renamer's mailboxes.
func renamed(t *testing.T, maildir string) []string {
	t.Helper()
	dirs, err := filepath.Glob(filepath.Join(maildir, ".R*"))
	if err != nil {
		t.Fatal(err)
	}
	return dirs
}

// checkRenamed wants each message of the renamer's mailboxes to be in one of them, and all of them
// to be whole mailboxes.
func (r *record) checkRenamed(t *testing.T, c *client, all []string) {
	t.Helper()
	where := make(map[string]string)
	for _, mailbox := range all {
		c.ok(t, "SELECT %s", mailbox)
		for _, line := range c.ok(t, "UID FETCH 1:* %s", fetchIDs).Untagged {
			_, id, ok := fetchedID(line)
			if other, twice := where[id]; !ok || twice {
				t.Errorf("%s: %q, which is in %s as well", mailbox, line, other)
			}
			where[id] = mailbox
		}
	}
}
