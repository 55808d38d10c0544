package e2e

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// place is a message of a mailbox.
type place struct {
	mailbox string
	uid     uint32
}

// record is what the server's clients were told and have asked for, over all its lives.
type record struct {
	mailboxes []string // all that there are, INBOX first

	mu sync.Mutex // guards what follows
	// messages are all ids that may be found, and whether the message must be kept: it
	// was delivered, or APPEND answered OK, and nobody asked for its deletion.
	messages    map[string]bool
	deleted     map[string]bool    // ids whose deletion was asked, of whichever copy
	copies      map[copyOf]int     // how many copies there may be at most
	uidValidity map[string]uint32  // of each mailbox
	names       map[place]string   // the id that was shown there
	leaving     map[place]bool     // moves were asked
	gone        map[place]bool     // its removal was answered OK
	flags       map[place][]string // that STORE answered OK
	problems    []string
	synced      map[string]resync // as checkServer saw it the last time
}

// resync is what a client keeps of a mailbox, to be told later what has changed (RFC 7162).
type resync struct {
	modSeq string
	flags  map[uint32]string
}

type copyOf struct{ mailbox, id string }

func newRecord() *record {
	return &record{
		mailboxes: []string{"INBOX", "A", "A.B", "C"},
		messages:  make(map[string]bool), deleted: make(map[string]bool), copies: make(map[copyOf]int),
		uidValidity: make(map[string]uint32), names: make(map[place]string),
		leaving: make(map[place]bool), gone: make(map[place]bool), flags: make(map[place][]string),
		synced: make(map[string]resync),
	}
}

func (r *record) anyMailbox(random *rand.Rand) string {
	return r.mailboxes[random.IntN(len(r.mailboxes))]
}

// folder is the directory of a mailbox.
func (r *record) folder(maildir, mailbox string) string {
	if mailbox == "INBOX" {
		return maildir
	}
	return filepath.Join(maildir, "."+mailbox)
}

// newMessage makes an id for a message that is about to be stored.
func (r *record) newMessage(mailbox string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	id := fmt.Sprintf("m%d@storm", len(r.messages)+1)
	r.messages[id] = false
	r.copies[copyOf{mailbox, id}]++
	return id
}

// stored says that a message must be kept.
func (r *record) stored(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.messages[id] = true
}

// shown says which message a UID names.
func (r *record) shown(mailbox string, uid uint32, id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.shownLocked(place{mailbox, uid}, id)
}

func (r *record) shownLocked(p place, id string) {
	if was, known := r.names[p]; known && was != id {
		r.problems = append(r.problems, fmt.Sprintf("UID %d of %s names %s, and named %s", p.uid, p.mailbox, id, was))
	}
	r.names[p] = id
}

var uidValidityCode = regexp.MustCompile(`^OK \[UIDVALIDITY (\d+)\]`)

// selected records the UIDVALIDITY that SELECT or EXAMINE told.
func (r *record) selected(mailbox string, answer reply) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, line := range answer.Untagged {
		if m := uidValidityCode.FindStringSubmatch(line); m != nil {
			v, err := strconv.ParseUint(m[1], 10, 32)
			if was, known := r.uidValidity[mailbox]; known && was != uint32(v) {
				return fmt.Errorf("UIDVALIDITY of %s was %d and is %d", mailbox, was, v)
			}
			r.uidValidity[mailbox] = uint32(v)
			return err
		}
	}
	return fmt.Errorf("no UIDVALIDITY: %q", answer)
}

// flagged says that a flag was stored.
func (r *record) flagged(mailbox string, uid uint32, flag string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := place{mailbox, uid}
	if !slices.Contains(r.flags[p], flag) {
		r.flags[p] = append(r.flags[p], flag)
	}
}

// transfer says that messages are about to be copied or moved.
func (r *record) transfer(from string, uids []uint32, to string, move bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, uid := range uids {
		p := place{from, uid}
		r.copies[copyOf{to, r.names[p]}]++
		if move {
			r.leaving[p] = true
		}
	}
}

// copied says what COPYUID told.
func (r *record) copied(from string, uids []uint32, to string, copies []uint32) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(uids) != len(copies) {
		r.problems = append(r.problems, fmt.Sprintf("COPYUID %v %v", uids, copies))
		return
	}
	for i, uid := range uids {
		r.shownLocked(place{to, copies[i]}, r.names[place{from, uid}])
	}
}

// deletionAsked says that messages are about to be deleted. Their copies may have the flag
// as well: they are not looked for any more.
func (r *record) deletionAsked(mailbox string, uids []uint32) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, uid := range uids {
		r.deleted[r.names[place{mailbox, uid}]] = true
	}
}

// removed says that the removal of messages was answered OK.
func (r *record) removed(mailbox string, uids []uint32) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, uid := range uids {
		r.gone[place{mailbox, uid}] = true
	}
}

// checkFiles compares the files, of a server that does not run, with the record.
func (r *record) checkFiles(t *testing.T, maildir string) {
	t.Helper()
	found := make(map[string]bool)
	folders := renamed(t, maildir)
	for _, mailbox := range r.mailboxes {
		folders = append(folders, r.folder(maildir, mailbox))
	}
	for _, folder := range folders {
		for _, name := range messageFiles(t, folder) {
			data, err := os.ReadFile(filepath.Join(folder, name))
			if err != nil {
				t.Fatal(err)
			}
			text := strings.ReplaceAll(string(data), "\r\n", "\n")
			_, id, _ := strings.Cut(text, "Message-ID: <")
			id, _, _ = strings.Cut(id, ">")
			if _, known := r.messages[id]; !known || !strings.HasSuffix(text, endOf(id)) {
				t.Errorf("%s/%s is not a whole message:\n%s", folder, name, shortened(text))
			}
			found[id] = true
		}
	}
	for id, must := range r.messages {
		if must && !found[id] && !r.deleted[id] {
			t.Errorf("%s is lost", id)
		}
	}
}

// checkServer compares what a server shows with the record. Nobody else works.
func (r *record) checkServer(t *testing.T, addr string) {
	t.Helper()
	c, err := dial(addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.nc.Close()
	c.ok(t, "LOGIN bob %s", password)
	c.ok(t, "ENABLE QRESYNC")
	var listed, renamed []string
	for _, line := range c.ok(t, `LIST "" *`).Untagged {
		switch name := line[strings.LastIndexByte(line, ' ')+1:]; {
		case name[0] != 'R':
			listed = append(listed, name)
		case !strings.Contains(line, `\Noselect`):
			renamed = append(renamed, name)
		}
	}
	r.checkRenamed(t, c, renamed)
	if slices.Sort(listed); !slices.Equal(listed, slices.Sorted(slices.Values(r.mailboxes))) {
		t.Errorf("mailboxes are %q", listed)
	}
	found, copies := make(map[place][]string), make(map[copyOf]int)
	for _, mailbox := range r.mailboxes {
		before, again := r.synced[mailbox]
		options := ""
		if again {
			options = fmt.Sprintf(" (QRESYNC (%d %s))", r.uidValidity[mailbox], before.modSeq)
		}
		answer := c.ok(t, "SELECT %s%s", mailbox, options)
		if err := r.selected(mailbox, answer); err != nil {
			t.Error(err)
		}
		fetched := c.ok(t, "UID FETCH 1:* %s", fetchIDs).Untagged
		if exists := fmt.Sprintf("%d EXISTS", len(fetched)); !slices.Contains(answer.Untagged, exists) {
			t.Errorf("%s has %d messages, and SELECT said %q", mailbox, len(fetched), answer.Untagged)
		}
		now := resync{modSeq: modSeqOf(answer), flags: make(map[uint32]string)}
		last := uint32(0)
		for i, line := range fetched {
			uid, id, ok := fetchedID(line)
			if !ok || !strings.HasPrefix(line, fmt.Sprintf("%d FETCH ", i+1)) || uid <= last {
				t.Errorf("message %d of %s: %q", i+1, mailbox, line)
			}
			last = uid
			r.shown(mailbox, uid, id)
			_, flags, _ := fetchedFlags(line)
			found[place{mailbox, uid}] = flags
			now.flags[uid] = lasting(flags)
			copies[copyOf{mailbox, id}]++
		}
		if again {
			if before.update(answer); !maps.Equal(before.flags, now.flags) {
				t.Errorf("%s: a client that knew the state of mod-sequence %s has, after it was told\n%q\n%v, and there is\n%v",
					mailbox, before.modSeq, answer.Untagged, before.flags, now.flags)
			}
		}
		r.synced[mailbox] = now
		next := slices.IndexFunc(answer.Untagged, func(line string) bool { return strings.HasPrefix(line, "OK [UIDNEXT ") })
		for p := range r.names {
			if p.mailbox == mailbox {
				last = max(last, p.uid)
			}
		}
		if n, err := strconv.Atoi(strings.TrimFunc(answer.Untagged[next], func(c rune) bool { return c < '0' || c > '9' })); err != nil || n <= int(last) {
			t.Errorf("%s: %s, and UID %d was shown", mailbox, answer.Untagged[next], last)
		}
	}

	for p, id := range r.names {
		flags, there := found[p]
		switch {
		case there && r.gone[p]:
			t.Errorf("UID %d of %s (%s) is there again", p.uid, p.mailbox, id)
		case !there && !r.deleted[id] && !r.leaving[p]:
			t.Errorf("UID %d of %s (%s) has gone, and nobody asked for it", p.uid, p.mailbox, id)
		}
		for _, flag := range r.flags[p] {
			if there && !slices.Contains(flags, flag) {
				t.Errorf("UID %d of %s (%s) has lost %s", p.uid, p.mailbox, id, flag)
			}
		}
		if !there {
			// It was looked for once: from now on it has gone.
			r.gone[p] = true
			r.leaving[p] = true
		}
	}
	for c, n := range copies {
		if most := r.copies[c]; n > most {
			t.Errorf("%s is %d times in %s, and at most %d were asked for", c.id, n, c.mailbox, most)
		}
	}
	for _, problem := range r.problems {
		t.Error(problem)
	}
}

var (
	modSeqCode   = regexp.MustCompile(`^OK \[HIGHESTMODSEQ (\d+)\]`)
	vanishedLine = regexp.MustCompile(`^VANISHED \(EARLIER\) (\S+)$`)
)

// modSeqOf is the HIGHESTMODSEQ that SELECT told.
func modSeqOf(answer reply) string {
	for _, line := range answer.Untagged {
		if m := modSeqCode.FindStringSubmatch(line); m != nil {
			return m[1]
		}
	}
	return "0"
}

// update changes what the client knows as SELECT with QRESYNC told.
func (k resync) update(answer reply) {
	for _, line := range answer.Untagged {
		if m := vanishedLine.FindStringSubmatch(line); m != nil {
			for _, uid := range numbers(m[1]) {
				delete(k.flags, uid)
			}
		} else if uid, flags, ok := fetchedFlags(line); ok {
			k.flags[uid] = lasting(flags)
		}
	}
}

// lasting are the flags without \Recent, in order.
func lasting(flags []string) string {
	flags = slices.DeleteFunc(slices.Clone(flags), func(f string) bool { return f == `\Recent` })
	slices.Sort(flags)
	return strings.Join(flags, " ")
}
