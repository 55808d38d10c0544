package walk

import (
	"bufio"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"
)

// client is a mail client: what it remembers, and its connection.
type client struct {
	name    string
	qresync bool
	notify  string // it uses NOTIFY SET with this; "": it does not

	conn net.Conn // nil: not connected
	r    *bufio.Reader
	tag  int
	log  []string

	// What it remembers, also while it is not connected.
	validity, highest uint64
	uids              []uint32 // by sequence number; 0: not known yet
	flags             map[uint32]string

	// Of the command that runs.
	code, most uint64 // HIGHESTMODSEQ response code, greatest MODSEQ

	// Of SELECT: what can be understood when all that vanished earlier is known.
	selecting bool
	exists    int
	held      []held

	result  []uint32 // that is kept up to date (RFC 5267)
	checked bool     // the server has said what it is
}

// What clients say to NOTIFY SET.
const (
	notifySelected = "(SELECTED (MessageNew (UID FLAGS) MessageExpunge FlagChange))"
	notifyDelayed  = "(SELECTED-DELAYED (MessageNew (UID FLAGS) MessageExpunge FlagChange))"
	notifyNoFlags  = "(SELECTED (MessageNew (UID FLAGS) MessageExpunge))"
)

// held is a FETCH response.
type held struct {
	n    int
	data string
}

// complaint is what a client says when it was told something that can't be.
type complaint string

func (c *client) fail(format string, args ...any) {
	panic(complaint(c.name + ": " + fmt.Sprintf(format, args...) + "\n" + strings.Join(c.log[max(0, len(c.log)-40):], "\n")))
}

// connect logs in and selects the mailbox, with what the client remembers if it can.
func (c *client) connect(addr string) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		c.fail("%v", err)
	}
	c.conn, c.r = conn, bufio.NewReader(conn)
	c.line()
	c.do("LOGIN u p")
	if c.qresync {
		c.do("ENABLE QRESYNC")
	}
	remembered := c.validity
	if i := slices.Index(c.uids, 0); i >= 0 { // from there on it has not looked: these are new messages
		for _, uid := range c.uids[i:] {
			delete(c.flags, uid)
		}
		c.uids = c.uids[:i]
	}
	c.selecting, c.held = true, nil
	if c.qresync && c.validity != 0 {
		params := fmt.Sprintf("%d %d", c.validity, c.highest)
		if n := len(c.uids); n > 0 && c.tag%2 == 0 {
			params += fmt.Sprintf(" 1:%d (%d,%d %d,%d)", c.uids[n-1], (n+1)/2, n, c.uids[(n+1)/2-1], c.uids[n-1])
			if (n+1)/2 == n {
				params = fmt.Sprintf("%d %d 1:%d", c.validity, c.highest, c.uids[n-1])
			}
		}
		c.do("SELECT INBOX (QRESYNC (" + params + "))")
	} else {
		c.uids, c.flags = nil, make(map[uint32]string)
		c.do("SELECT INBOX")
	}
	c.selecting = false
	if c.exists < len(c.uids) {
		c.fail("remembers %v, and there are %d", c.uids, c.exists)
	}
	c.uids = append(c.uids, make([]uint32, c.exists-len(c.uids))...)
	for _, h := range c.held {
		c.fetched(h.n, h.data)
	}
	if remembered != 0 && remembered != c.validity {
		c.fail("UIDVALIDITY was %d and is %d", remembered, c.validity)
	}
	if c.notify != "" {
		c.do("NOTIFY SET " + c.notify)
	}
	c.do("UID SORT RETURN (UPDATE ALL) (SUBJECT) UTF-8 FLAGGED")
}

// drop loses the connection.
func (c *client) drop() {
	if c.conn != nil {
		c.conn.Close()
		c.conn = nil
	}
}

// sync asks for everything that has changed.
func (c *client) sync() {
	if c.notify == notifyNoFlags {
		c.do("NOTIFY SET " + c.notify) // tells the flags, too (RFC 5465 §3.1)
	} else {
		c.do("NOOP")
	}
	for c.fetchNew(); slices.Contains(c.uids, 0); {
		c.fail("does not hear the UIDs of all messages: %v", c.uids)
	}
}

// fetchNew fetches the messages that the client knows only the number of.
func (c *client) fetchNew() {
	i := slices.Index(c.uids, 0)
	if i < 0 {
		return
	}
	last := uint32(0)
	if i > 0 {
		last = c.uids[i-1]
	}
	c.do(fmt.Sprintf("UID FETCH %d:* (FLAGS)", last+1))
}

// send sends a command and does not wait.
func (c *client) send(text string) string {
	c.tag++
	tag := fmt.Sprintf("%s%d", c.name, c.tag)
	c.log = append(c.log, "C: "+tag+" "+text)
	c.conn.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := fmt.Fprintf(c.conn, "%s %s\r\n", tag, text); err != nil {
		c.fail("%v", err)
	}
	return tag
}

// do runs a command to its end, which may be NO, and takes note of HIGHESTMODSEQ as RFC 7162 §6 says.
func (c *client) do(text string) {
	tag := c.send(text)
	c.code, c.most = 0, 0
	for {
		line := c.line()
		rest, ours := strings.CutPrefix(line, tag+" ")
		c.take(line)
		if !ours {
			continue
		}
		if strings.HasPrefix(rest, "BAD") {
			c.fail("BAD")
		}
		if c.code > 0 {
			c.highest = c.code
		} else {
			c.highest = max(c.highest, c.most)
		}
		return
	}
}

func (c *client) line() string {
	line, err := c.r.ReadString('\n')
	if err != nil {
		c.fail("%v", err)
	}
	line = strings.TrimRight(line, "\r\n")
	c.log = append(c.log, "S: "+line)
	return line
}

// take learns from a response.
func (c *client) take(line string) {
	if _, rest, ok := strings.Cut(line, "[HIGHESTMODSEQ "); ok {
		c.code = number(rest)
	}
	if _, rest, ok := strings.Cut(line, "[UIDVALIDITY "); ok {
		c.validity = number(rest)
	}
	text, ok := strings.CutPrefix(line, "* ")
	if !ok {
		return
	}
	if rest, ok := strings.CutPrefix(text, "ESEARCH "); ok {
		c.changeResult(strings.Fields(rest)[3:])
		return
	}
	if rest, ok := strings.CutPrefix(text, "SORT"); ok {
		// At once: what changes while the command runs is told behind this, and belongs to the next.
		if truth := numbers(strings.ReplaceAll(strings.TrimSpace(rest), " ", ",")); !slices.Equal(c.result, truth) {
			c.fail("result %v, and in truth %v", c.result, truth)
		}
		c.checked = true
		return
	}
	if rest, ok := strings.CutPrefix(text, "VANISHED "); ok {
		set, early := strings.CutPrefix(rest, "(EARLIER) ")
		for _, r := range strings.Split(set, ",") {
			first, last, ok := strings.Cut(r, ":")
			if !ok {
				last = first
			}
			c.vanish(uint32(number(first)), uint32(number(last)), early)
		}
		return
	}
	first, rest, _ := strings.Cut(text, " ")
	n, err := strconv.Atoi(first)
	if err != nil {
		return
	}
	switch what, data, _ := strings.Cut(rest, " "); what {
	case "EXISTS":
		if c.selecting {
			c.exists = n
			return
		}
		if n < len(c.uids) {
			c.fail("EXISTS shrinks from %d", len(c.uids))
		}
		c.uids = append(c.uids, make([]uint32, n-len(c.uids))...)
	case "EXPUNGE":
		if c.qresync || n < 1 || n > len(c.uids) {
			c.fail("EXPUNGE of %d of %d", n, len(c.uids))
		}
		delete(c.flags, c.uids[n-1])
		c.uids = slices.Delete(c.uids, n-1, n)
	case "FETCH":
		if c.selecting {
			c.held = append(c.held, held{n, data})
			return
		}
		c.fetched(n, data)
	}
}

// changeResult does to the result what an ESEARCH response says.
func (c *client) changeResult(data []string) {
	if len(data) == 0 { // nothing was found
		c.result = nil
		return
	}
	if data[0] == "ALL" {
		c.result = numbers(data[1])
		return
	}
	for pairs := data[1:]; len(pairs) > 1; pairs = pairs[2:] {
		at, uids := int(number(strings.TrimPrefix(pairs[0], "(")))-1, numbers(pairs[1])
		switch end := at + len(uids); {
		case at < 0 || at > len(c.result):
			c.fail("no position %d in %v", at+1, c.result)
		case data[0] == "ADDTO":
			c.result = slices.Insert(c.result, at, uids...)
		case end > len(c.result) || !slices.Equal(c.result[at:end], uids):
			c.fail("%v are not at position %d of %v", uids, at+1, c.result)
		default:
			c.result = slices.Delete(c.result, at, end)
		}
	}
}

// checkResult asks for the result again.
func (c *client) checkResult() {
	c.checked = false
	c.do("UID SORT (SUBJECT) UTF-8 FLAGGED")
	if !c.checked {
		c.fail("no SORT response")
	}
}

// fetched learns from a FETCH response.
func (c *client) fetched(n int, data string) {
	if n < 1 || n > len(c.uids) {
		c.fail("FETCH of %d of %d", n, len(c.uids))
	}
	data = strings.TrimSuffix(strings.TrimPrefix(data, "("), ")")
	flags, hasFlags := "", false
	for data != "" {
		name, rest, _ := strings.Cut(data, " ")
		value := ""
		if strings.HasPrefix(rest, "(") {
			value, data, _ = strings.Cut(rest[1:], ")")
		} else {
			value, data, _ = strings.Cut(rest, " ")
		}
		data = strings.TrimPrefix(data, " ")
		switch name {
		case "UID":
			uid := uint32(number(value))
			if old := c.uids[n-1]; old != 0 && old != uid {
				c.fail("message %d is UID %d, and was %d", n, uid, old)
			}
			c.uids[n-1] = uid
		case "FLAGS":
			list := strings.Fields(value)
			list = slices.DeleteFunc(list, func(f string) bool { return f == `\Recent` })
			slices.Sort(list)
			flags, hasFlags = strings.Join(list, " "), true
		case "MODSEQ":
			c.most = max(c.most, number(value))
		}
	}
	if uid := c.uids[n-1]; hasFlags && uid != 0 {
		c.flags[uid] = flags
	}
	if c.qresync && hasFlags && c.uids[n-1] == 0 {
		c.fail("FLAGS without UID")
	}
}

// vanish forgets messages. Now all must be there; those that vanished earlier need not.
func (c *client) vanish(first, last uint32, earlier bool) {
	if earlier {
		c.uids = slices.DeleteFunc(c.uids, func(uid uint32) bool {
			gone := first <= uid && uid <= last
			if gone {
				delete(c.flags, uid)
			}
			return gone
		})
		return
	}
	for uid := first; uid <= last; uid++ {
		i := slices.Index(c.uids, uid)
		if i < 0 { // one of those that we know only the number of, behind those with lesser UIDs
			for i = len(c.uids); i > 0 && (c.uids[i-1] == 0 || c.uids[i-1] > uid); i-- {
			}
			if i == len(c.uids) || c.uids[i] != 0 {
				c.fail("VANISHED %d, which was not there", uid)
			}
		}
		delete(c.flags, uid)
		c.uids = slices.Delete(c.uids, i, i+1)
	}
}

// picture is what the client believes to be in the mailbox.
func (c *client) picture() []string {
	out := make([]string, len(c.uids))
	for i, uid := range c.uids {
		f, ok := c.flags[uid]
		if !ok {
			f = "flags unknown"
		}
		out[i] = fmt.Sprintf("%d (%s)", uid, f)
	}
	return out
}

// numbers reads a set.
func numbers(set string) (list []uint32) {
	for _, r := range strings.Split(strings.TrimSuffix(set, ")"), ",") {
		first, last, ok := strings.Cut(r, ":")
		if !ok {
			last = first
		}
		for n := number(first); n > 0 && n <= number(last); n++ {
			list = append(list, uint32(n))
		}
	}
	return list
}

func number(s string) (n uint64) {
	for i := 0; i < len(s) && '0' <= s[i] && s[i] <= '9'; i++ {
		n = n*10 + uint64(s[i]-'0')
	}
	return n
}
