package e2e

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// stormClient sends commands at random, and records what it is told.
type stormClient struct {
	rec      *record
	random   *rand.Rand
	deadline time.Time      // when to stop; zero: when the connection is lost
	done     map[string]int // commands that were answered OK

	// Of the current connection:
	c       *client
	mailbox string   // selected
	uids    []uint32 // known in it
}

// work logs in and sends commands until the deadline, or the connection is lost.
func (s *stormClient) work(addr string) error {
	c, err := dial(addr)
	if err != nil {
		return err
	}
	defer c.nc.Close()
	s.c, s.mailbox, s.uids = c, "", nil
	if err := s.run("LOGIN bob " + password); err != nil {
		return err
	}
	if err := s.selectAny(); err != nil {
		return err
	}
	for s.deadline.IsZero() || time.Now().Before(s.deadline) {
		command := s.choose()
		if err := command(); err != nil {
			return err
		}
	}
	return s.run("LOGOUT")
}

// choose takes a command, the frequent ones more often.
func (s *stormClient) choose() func() error {
	for _, c := range []struct {
		percent int
		command func() error
	}{
		{20, s.append}, {20, s.store}, {12, s.copy}, {12, s.move}, {8, s.delete}, {15, s.fetch}, {4, s.idle}, {4, s.selectAny}, {1, s.clean},
	} {
		if s.random.IntN(100) < c.percent {
			return c.command
		}
	}
	return func() error {
		return s.run([]string{"NOOP", "CHECK", "STATUS A (MESSAGES UIDNEXT)", `LIST "" *`}[s.random.IntN(4)])
	}
}

// run runs a command that must not be refused.
func (s *stormClient) run(command string) error {
	r, err := s.c.do("%s", command)
	if err != nil {
		return err
	}
	return s.answered(command, r)
}

// answered records what a command was answered. NO is right where the message has gone
// meanwhile.
func (s *stormClient) answered(command string, r reply) error {
	name, rest, _ := strings.Cut(command, " ")
	if name == "UID" {
		name, _, _ = strings.Cut(rest, " ")
	}
	if r.Status == "BAD" || r.Status == "NO" && name != "STORE" && name != "COPY" && name != "MOVE" && name != "FETCH" {
		return fmt.Errorf("%.100s: %s %s", command, r.Status, r.Text)
	}
	if r.Status == "OK" {
		s.done[name]++
	}
	for _, line := range r.Untagged {
		if uid, id, ok := fetchedID(line); ok {
			s.rec.shown(s.mailbox, uid, id)
			s.know(uid)
		}
	}
	return nil
}

func (s *stormClient) know(uid uint32) {
	if at, found := slices.BinarySearch(s.uids, uid); !found {
		s.uids = slices.Insert(s.uids, at, uid)
	}
}

// some are at most so many of the known messages, nil where there are none.
func (s *stormClient) some(most int) []uint32 {
	if len(s.uids) == 0 {
		return nil
	}
	at := s.random.IntN(len(s.uids))
	return slices.Clone(s.uids[at:min(at+1+s.random.IntN(most), len(s.uids))])
}

const fetchIDs = "(UID FLAGS BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])"

func (s *stormClient) selectAny() error {
	mailbox := s.rec.anyMailbox(s.random)
	r, err := s.c.do("SELECT %s", mailbox)
	if err != nil {
		return err
	}
	if err := s.answered("SELECT", r); err != nil {
		return err
	}
	if err := s.rec.selected(mailbox, r); err != nil {
		return err
	}
	s.mailbox, s.uids = mailbox, nil
	return s.run("UID FETCH 1:* " + fetchIDs)
}

// fetch looks for new mail, or reads a message.
func (s *stormClient) fetch() error {
	if uids := s.some(3); uids != nil && s.random.IntN(2) == 0 {
		return s.run("UID FETCH " + set(uids) + " (RFC822.SIZE BODY[])")
	}
	from := uint32(1)
	if n := len(s.uids); n > 0 {
		from = s.uids[n-1] + 1
	}
	return s.run(fmt.Sprintf("UID FETCH %d:* %s", from, fetchIDs))
}

// append stores one message or several.
func (s *stormClient) append() error {
	mailbox := s.rec.anyMailbox(s.random)
	command := "APPEND " + mailbox
	var ids []string
	for range 1 + s.random.IntN(4)/3*2 {
		id := s.rec.newMessage(mailbox)
		ids = append(ids, id)
		text := crlf(stormMail(id, s.random))
		command += fmt.Sprintf(" %s{%d+}\r\n%s", []string{"", `(\Seen) `, `(\Flagged $Kept) "01-Jan-2026 00:00:00 +0000" `}[s.random.IntN(3)], len(text), text)
	}
	r, err := s.c.do("%s", command)
	if err != nil {
		return err
	}
	if err := s.answered("APPEND", r); err != nil {
		return err
	}
	m := regexp.MustCompile(`^\[APPENDUID (\d+) (\S+)\]`).FindStringSubmatch(r.Text)
	if m == nil {
		return fmt.Errorf("APPEND without APPENDUID: %s", r.Text)
	}
	for i, uid := range numbers(m[2]) {
		s.rec.stored(ids[i])
		s.rec.shown(mailbox, uid, ids[i])
	}
	return nil
}

// store sets flags that nobody takes away, or plays with \Seen.
func (s *stormClient) store() error {
	uids := s.some(3)
	if uids == nil {
		return nil
	}
	flag := []string{`\Flagged`, "$Kept", `\Seen`}[s.random.IntN(3)]
	sign := "+"
	if flag == `\Seen` && s.random.IntN(2) == 0 {
		sign = "-"
	}
	r, err := s.c.do("UID STORE %s %sFLAGS (%s)", set(uids), sign, flag)
	if err != nil {
		return err
	}
	if flag != `\Seen` && r.Status == "OK" {
		// Told are those that are still there.
		for _, line := range r.Untagged {
			if uid, flags, ok := fetchedFlags(line); ok && slices.Contains(uids, uid) && slices.Contains(flags, flag) {
				s.rec.flagged(s.mailbox, uid, flag)
			}
		}
	}
	return s.answered("UID STORE", r)
}

func (s *stormClient) copy() error { return s.transfer("COPY") }
func (s *stormClient) move() error { return s.transfer("MOVE") }

var copyUID = regexp.MustCompile(`\[COPYUID (\d+) (\S+) (\S+)\]`)

func (s *stormClient) transfer(command string) error {
	uids := s.some([]int{3, 40}[s.random.IntN(2)]) // many at a time are in the middle of it for longer
	to := s.rec.anyMailbox(s.random)
	if uids == nil || to == s.mailbox {
		return nil
	}
	s.rec.transfer(s.mailbox, uids, to, command == "MOVE")
	r, err := s.c.do("UID %s %s %s", command, set(uids), to)
	for _, line := range append(r.Untagged, r.Text) { // also of a connection that was lost then
		if m := copyUID.FindStringSubmatch(line); m != nil {
			s.rec.copied(s.mailbox, numbers(m[2]), to, numbers(m[3]))
			if command == "MOVE" && r.Status == "OK" {
				s.rec.removed(s.mailbox, numbers(m[2]))
			}
		}
	}
	if err != nil {
		return err
	}
	if command == "MOVE" && r.Status == "OK" {
		s.uids = slices.DeleteFunc(s.uids, func(uid uint32) bool { return slices.Contains(uids, uid) })
	}
	return s.answered("UID "+command, r)
}

// delete deletes a few messages for good.
func (s *stormClient) delete() error {
	uids := s.some(3)
	if uids == nil {
		return nil
	}
	s.rec.deletionAsked(s.mailbox, uids)
	r, err := s.c.do(`UID STORE %s +FLAGS.SILENT (\Deleted)`, set(uids))
	if err != nil || r.Status != "OK" {
		return err
	}
	command := []string{"UID EXPUNGE " + set(uids), "EXPUNGE"}[s.random.IntN(2)]
	if err := s.run(command); err != nil {
		return err
	}
	s.rec.removed(s.mailbox, uids)
	s.uids = slices.DeleteFunc(s.uids, func(uid uint32) bool { return slices.Contains(uids, uid) })
	return nil
}

// clean empties most of a mailbox that has become large.
func (s *stormClient) clean() error {
	if len(s.uids) < 100 {
		return nil
	}
	uids := slices.Clone(s.uids[:80])
	s.rec.deletionAsked(s.mailbox, uids)
	if err := s.run(fmt.Sprintf(`UID STORE %s +FLAGS.SILENT (\Deleted)`, set(uids))); err != nil {
		return err
	}
	// CLOSE expunges without a word.
	if err := s.run("CLOSE"); err != nil {
		return err
	}
	s.rec.removed(s.mailbox, uids)
	return s.selectAny()
}

// idle waits for one push, or ends at once.
func (s *stormClient) idle() error {
	tag, err := s.c.send("IDLE")
	if err != nil {
		return err
	}
	if _, err := s.c.response(); err != nil { // "+ idling"
		return err
	}
	// After the deadline there is nobody left whose doing could be pushed.
	if s.random.IntN(2) == 0 && s.c.comes(s.deadline) {
		if _, err := s.c.response(); err != nil {
			return err
		}
	}
	if _, err := fmt.Fprint(s.c.nc, "DONE\r\n"); err != nil {
		return err
	}
	r, err := s.c.finish(tag)
	if err != nil {
		return err
	}
	return s.answered("IDLE", r)
}

// stormMail is a message of a known shape, mostly small.
func stormMail(id string, r *rand.Rand) string {
	lines := 1 + r.IntN(5)
	if r.IntN(10) == 0 {
		lines = 2000
	}
	return "Message-ID: <" + id + ">\nSubject: storm\n\n" + strings.Repeat(id+" is what this message says.\n", lines) + endOf(id)
}

// endOf is how the message ends.
func endOf(id string) string { return "End of " + id + ".\n" }

var (
	fetchLine = regexp.MustCompile(`^\d+ FETCH \(.*?UID (\d+)`)
	flagsItem = regexp.MustCompile(`FLAGS \(([^)]*)\)`)
	idLine    = regexp.MustCompile(`(?i)\r\nMessage-ID: <(\S+)>\r\n`)
)

// fetchedID reads UID and Message-ID of a FETCH response.
func fetchedID(line string) (uid uint32, id string, ok bool) {
	uid, _, ok = fetchedFlags(line)
	m := idLine.FindStringSubmatch(line)
	if !ok || m == nil {
		return 0, "", false
	}
	return uid, m[1], true
}

// fetchedFlags reads UID and flags of a FETCH response.
func fetchedFlags(line string) (uid uint32, flags []string, ok bool) {
	m := fetchLine.FindStringSubmatch(line)
	if m == nil {
		return 0, nil, false
	}
	n, err := strconv.ParseUint(m[1], 10, 32)
	if f := flagsItem.FindStringSubmatch(line); f != nil {
		flags = strings.Fields(f[1])
	}
	return uint32(n), flags, err == nil
}

// set writes UIDs as a sequence-set.
func set(uids []uint32) string {
	return strings.Trim(strings.ReplaceAll(fmt.Sprint(uids), " ", ","), "[]")
}

// numbers reads a uid-set in its order.
func numbers(set string) []uint32 {
	var all []uint32
	for part := range strings.SplitSeq(set, ",") {
		first, last, isRange := strings.Cut(part, ":")
		from, err := strconv.ParseUint(first, 10, 32)
		to := from
		if isRange && err == nil {
			to, err = strconv.ParseUint(last, 10, 32)
		}
		if err != nil {
			panic("uid-set " + set)
		}
		for n := from; n <= to; n++ {
			all = append(all, uint32(n))
		}
	}
	return all
}
