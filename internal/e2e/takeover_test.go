package e2e

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"maildir-imapd/internal/dovecot"
)

var takeoverSeed = flag.Uint64("takeover.seed", 0, "seed of TestTakeOver; 0: another each time")

// Dovecot and our server serve one tree by turns. What the one leaves, in UIDs, flags, keywords,
// folders and subscriptions, the other shows to the octet.
func TestTakeOver(t *testing.T) {
	t.Parallel()
	seed := *takeoverSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("to repeat: -run TestTakeOver -takeover.seed=%d", seed)
	const turns, commands = 8, 40
	g := newGateway(t, []string{"bob"}, "")
	g.stop()
	w := &worker{random: rand.New(rand.NewPCG(seed, 0)), maildir: g.Maildir("bob")}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("commands of the last turns:\n%s", strings.Join(w.done, "\n"))
		}
	})
	var left account
	for turn := range turns {
		name := "Dovecot"
		var addr string
		var stop func()
		if turn%2 == 0 {
			d, err := dovecot.Run("")
			if err != nil {
				t.Fatal(err)
			}
			stop = sync.OnceFunc(func() {
				if t.Failed() {
					t.Logf("log of Dovecot:\n%s", d.Log())
				}
				if err := d.Stop(); err != nil {
					t.Error(err)
				}
			})
			t.Cleanup(stop) // where the test ends within this turn
			if _, err := d.AddUser("bob", password, "mail=maildir:"+g.Maildir("bob")); err != nil {
				t.Fatal(err)
			}
			addr = d.Addr
		} else {
			name, stop = "our server", g.stop
			g.start()
			addr = g.Addr
		}
		w.c = login(t, addr, "bob")
		w.done = append(w.done[max(0, len(w.done)-2*commands):], name+":")
		if turn > 0 {
			diffAccounts(t, fmt.Sprintf("turn %d: %s takes over", turn+1, name), left, readAccount(t, w.c))
		}
		if !t.Failed() {
			w.work(t, commands)
			left = readAccount(t, w.c)
			// What it says to a client that comes anew is what counts.
			anew := login(t, addr, "bob")
			diffAccounts(t, fmt.Sprintf("turn %d: %s, another session", turn+1, name), left, readAccount(t, anew))
			anew.ok(t, "LOGOUT")
		}
		w.c.ok(t, "LOGOUT") // Dovecot ends at once where nobody is logged in
		stop()
		if t.Failed() {
			return
		}
	}
	messages := 0
	for _, m := range left {
		messages += len(m.messages)
	}
	t.Logf("%d mailboxes and %d messages in the end", len(left), messages)
}

// account is all that a client can see, by name of the mailbox.
type account map[string]mailbox

type mailbox struct {
	attributes  string // of LIST, and "subscribed"
	uidValidity string
	uidNext     string
	messages    map[string]string // by UID: flags, date, size, subject
}

var (
	listLine   = regexp.MustCompile(`^(LIST|LSUB) \(([^)]*)\) "\." (.*)$`)
	statusLine = regexp.MustCompile(`UIDNEXT (\d+) UIDVALIDITY (\d+)`)
	uidLine    = regexp.MustCompile(`^\d+ FETCH \(UID (\d+) FLAGS \(([^)]*)\) (.*)`)
)

// readAccount asks a server for all of it.
func readAccount(t *testing.T, c *client) account {
	t.Helper()
	a := make(account)
	for _, command := range []string{"LIST", "LSUB"} {
		for _, line := range c.ok(t, `%s "" *`, command).Untagged {
			m := listLine.FindStringSubmatch(line)
			if m == nil {
				continue // news of a mailbox that is selected
			}
			name := strings.Trim(m[3], `"`)
			box := a[name]
			if m[1] == "LSUB" {
				box.attributes += " subscribed"
			} else {
				// \Marked and \UnMarked are what a server happens to know; not all tell \NonExistent
				// beside \Noselect, which it implies; special uses are a matter of configuration.
				flags := slices.DeleteFunc(strings.Fields(m[2]), func(f string) bool {
					return slices.Contains([]string{`\Marked`, `\UnMarked`, `\NonExistent`, `\Sent`, `\Trash`}, f)
				})
				slices.Sort(flags)
				box.attributes = strings.Join(flags, " ")
			}
			a[name] = box
		}
	}
	for name, box := range a {
		if !strings.Contains(box.attributes, `\Has`) || strings.Contains(box.attributes, `\Noselect`) {
			continue
		}
		// This also takes over what is in new/. Where Dovecot has deleted a parent, its LIST forgets
		// to say so for some time.
		if r, err := c.do(`SELECT "%s"`, name); err != nil {
			t.Fatal(err)
		} else if r.Status == "NO" {
			box.attributes = strings.Replace(box.attributes, "Children", `Children \Noselect`, 1)
			a[name] = box
			continue
		}
		box.messages = make(map[string]string)
		for _, line := range c.ok(t, "UID FETCH 1:* (FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[HEADER.FIELDS (SUBJECT)])").Untagged {
			m := uidLine.FindStringSubmatch(line)
			if m == nil {
				t.Fatalf("got %q", line)
			}
			flags := slices.DeleteFunc(strings.Fields(m[2]), func(f string) bool { return f == `\Recent` })
			slices.Sort(flags)
			box.messages[m[1]] = fmt.Sprintf("%v %s", flags, strings.ReplaceAll(line[strings.Index(line, "INTERNALDATE"):], "\r\n", " "))
		}
		c.ok(t, "UNSELECT")
		m := statusLine.FindStringSubmatch(strings.Join(c.ok(t, `STATUS "%s" (UIDNEXT UIDVALIDITY)`, name).Untagged, "\n"))
		if m == nil {
			t.Fatalf("STATUS of %s", name)
		}
		box.uidNext, box.uidValidity = m[1], m[2]
		a[name] = box
	}
	return a
}

// diffAccounts fails where two servers say different things.
func diffAccounts(t *testing.T, what string, before, after account) {
	t.Helper()
	for _, name := range slices.Sorted(maps.Keys(union(before, after))) {
		b, a := before[name], after[name]
		if b.attributes != a.attributes || b.uidNext != a.uidNext || b.uidValidity != a.uidValidity {
			t.Errorf("%s: %s was %s, UIDNEXT %s, UIDVALIDITY %s; and is %s, UIDNEXT %s, UIDVALIDITY %s", what, name,
				b.attributes, b.uidNext, b.uidValidity, a.attributes, a.uidNext, a.uidValidity)
		}
		for _, uid := range slices.Sorted(maps.Keys(union(b.messages, a.messages))) {
			if b.messages[uid] != a.messages[uid] {
				t.Errorf("%s: UID %s of %s was\n%s\nand is\n%s", what, uid, name, b.messages[uid], a.messages[uid])
			}
		}
	}
}

func union[V any](a, b map[string]V) map[string]V {
	all := maps.Clone(a)
	if all == nil {
		all = make(map[string]V)
	}
	maps.Copy(all, b)
	return all
}

// worker is somebody who does all sorts of things, at random.
type worker struct {
	random  *rand.Rand
	maildir string
	c       *client
	count   int      // of messages made
	done    []string // commands and their answers
}

var workNames = []string{"INBOX", "Work", "Work.Sub", "Work.Sub.Deep", "Entw&APw-rfe", "with space", "Sent", "Trash"}

func (w *worker) anyOf(all ...string) string { return all[w.random.IntN(len(all))] }

// run sends a command. It may be refused: that a mailbox is missing, or there already, is part of the work.
func (w *worker) run(t *testing.T, format string, args ...any) reply {
	t.Helper()
	r, err := w.c.do(format, args...)
	if err != nil || r.Status == "BAD" {
		t.Fatalf(format+": %v %+v", append(args, err, r)...)
	}
	w.done = append(w.done, fmt.Sprintf("%.80q: %s %s", fmt.Sprintf(format, args...), r.Status, r.Text))
	return r
}

func (w *worker) work(t *testing.T, commands int) {
	t.Helper()
	w.run(t, "SELECT INBOX")
	for range commands {
		name, other := w.anyOf(workNames...), w.anyOf(workNames...)
		uids := fmt.Sprintf("%d:%d", 1+w.random.IntN(20), 1+w.random.IntN(20))
		switch w.random.IntN(18) {
		case 0, 1, 2:
			w.count++
			text := crlf(mail(fmt.Sprintf("message %d", w.count), "Hello."))
			w.run(t, `APPEND "%s" (%s) " 5-Jan-2026 10:00:%02d +0100" {%d+}%s`, name,
				w.anyOf("", `\Seen`, `\Flagged $Label1`, `\Answered \Draft NonJunk $Forwarded`), w.random.IntN(60), len(text), "\r\n"+text)
		case 3, 4:
			w.count++
			folder := w.maildir
			if w.random.IntN(2) == 0 {
				folder = filepath.Join(w.maildir, ".Work")
			}
			if _, err := deliver(folder, mail(fmt.Sprintf("delivered %d", w.count), "Hello.")); err != nil {
				w.run(t, "CREATE Work") // it is not there
			}
		case 5, 6, 7, 8:
			w.run(t, `UID STORE %s %sFLAGS%s (%s)`, uids, w.anyOf("+", "-", ""), w.anyOf("", ".SILENT"),
				w.anyOf(`\Seen`, `\Flagged`, `\Answered \Draft`, `$Label1`, `NonJunk Junk`, `work later`, `\Seen $Label2`))
		case 9:
			w.run(t, `UID COPY %s "%s"`, uids, name)
		case 10:
			w.run(t, `UID MOVE %s "%s"`, uids, name)
		case 11:
			w.run(t, `UID STORE %d:%[1]d +FLAGS.SILENT (\Deleted)`, 1+w.random.IntN(20))
			w.run(t, "EXPUNGE")
		case 12:
			w.run(t, `CREATE "%s"`, name)
		case 13:
			if w.random.IntN(3) == 0 && name != "INBOX" {
				w.run(t, "SELECT INBOX")
				w.run(t, `DELETE "%s"`, name)
			}
		case 14:
			if w.random.IntN(2) == 0 && name != "INBOX" && other != "INBOX" {
				w.run(t, "SELECT INBOX")
				w.run(t, `RENAME "%s" "%s"`, name, other)
			}
		case 15:
			w.run(t, `SUBSCRIBE "%s"`, name)
		case 16:
			w.run(t, `UNSUBSCRIBE "%s"`, name)
		case 17:
			if r := w.run(t, `SELECT "%s"`, name); r.Status == "NO" {
				w.run(t, "SELECT INBOX")
			}
		}
	}
	w.run(t, "CLOSE")
}
