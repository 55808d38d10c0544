package script

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Account is what a script runs on: a user of a running server.
type Account struct {
	Server   string // "ours" or "dovecot", or "" where both serve the tree
	Addr     string // host:port of IMAP without TLS
	User     string
	Password string
	Other    string // a second user, with the same password, who shares mail with the first; "" for none
	Root     string // path of the Maildir; it need not be there yet
	// Chown gives a file, and what is below it, to whom the server reads it as;
	// nil where that is us.
	Chown func(path string) error
	// Addrs are those of the servers by name, for scripts with server steps.
	Addrs map[string]string
	// Open lets everybody read and write the tree, for servers of two users.
	Open bool
}

// runner is one run of a script.
type runner struct {
	*Script
	Account
	vals  values
	conns [10]*conn
	log   transcript
	tags  int // of do steps, until now
}

// Run runs the script. The transcript is complete also where the script fails;
// the error then names the line.
func (s *Script) Run(a Account) (transcript string, err error) {
	r := &runner{Script: s, Account: a, vals: values{s.sections, map[string]string{
		"user": a.User, "password": a.Password, "other": a.Other,
	}, "\r\n"}}
	defer func() {
		for _, c := range r.conns {
			if c != nil {
				c.nc.Close()
			}
		}
	}()
	if err := r.makeTree(); err != nil {
		return "", fmt.Errorf("%s: making the Maildir: %w", s.Name, err)
	}
	steps := make([]step, 0, len(s.steps))
	for _, st := range s.steps {
		if st.server == "" || st.server == a.Server {
			steps = append(steps, st)
		}
	}
	for len(steps) > 0 {
		n := 1
		for steps[0].verb == "S" && n < len(steps) && steps[n].verb == "S" && steps[n].conn == steps[0].conn {
			n++
		}
		r.log.line = steps[0].line
		if err := r.run(steps[:n]); err != nil {
			return r.log.b.String(), fmt.Errorf("%s.txt:%d: %w\n\t%s", s.Name, r.log.line, err, blockLine(steps[:n], r.log.line))
		}
		steps = steps[n:]
	}
	return r.log.b.String(), nil
}

// blockLine is the line of the script with this number.
func blockLine(steps []step, line int) string {
	for _, st := range steps {
		if st.line == line {
			return st.raw
		}
	}
	return ""
}

// run runs a step, or a block of S lines.
func (r *runner) run(steps []step) error {
	st := steps[0]
	if st.verb != "C" {
		for _, c := range r.conns {
			if c == nil || len(c.out) == 0 {
				continue
			}
			if err := c.flush(); err != nil {
				return fmt.Errorf("connection %d: %w", c.n, err)
			}
		}
	}
	switch st.verb {
	case "connect":
		_, err := r.connect(st.conn)
		return err
	case "login":
		if st.arg != "" {
			return r.loginAs(st.conn, r.Other)
		}
		return r.login(st.conn)
	case "settle":
		return r.settle(st.arg)
	case "server":
		r.Addr = r.Addrs[st.arg]
		return nil
	case "select", "examine":
		if r.conns[st.conn] == nil {
			if err := r.login(st.conn); err != nil {
				return err
			}
		}
		return r.do(st.conn, strings.ToUpper(st.verb)+" "+st.arg)
	}
	words, err := splitWords(st.arg)
	if st.verb != "C" && st.verb != "S" && st.verb != "do" && err == nil {
		if ran, err := r.diskStep(st.verb, words); ran {
			return err
		}
	}
	if st.verb == "greater" {
		return r.greater(words[0], words[1])
	}
	c := r.conns[st.conn]
	if c == nil {
		return fmt.Errorf("connection %d was not opened: connect, login or select first", st.conn)
	}
	switch st.verb {
	case "C":
		pieces, err := r.vals.expand(st.arg)
		if err != nil {
			return err
		}
		c.queue(st.arg, pieces)
		return nil
	case "S":
		return r.expect(c, steps)
	case "do":
		return r.do(st.conn, st.arg)
	case "send":
		octets, err := strconv.Unquote(words[0])
		if err != nil {
			return err
		}
		return c.send(octets)
	case "starttls":
		return c.startTLS()
	case "deflate":
		return c.deflate()
	case "hangup":
		r.conns[st.conn] = nil
		return c.nc.Close()
	}
	return fmt.Errorf("unknown step %q", st.verb)
}

// greater wants the number that was captured as a to be greater than b.
func (r *runner) greater(a, b string) error {
	x, errX := strconv.ParseUint(r.vals.captured[a], 10, 64)
	y, errY := strconv.ParseUint(r.vals.captured[b], 10, 64)
	if err := errors.Join(errX, errY); err != nil {
		return err
	}
	if x <= y {
		return fmt.Errorf("%s is %d, and %s is %d", a, x, b, y)
	}
	return nil
}

// connect opens a connection and reads the greeting.
func (r *runner) connect(n int) (*conn, error) {
	if r.conns[n] != nil {
		return nil, fmt.Errorf("connection %d is open already", n)
	}
	c, err := dial(n, r.Addr, &r.log)
	if err != nil {
		return nil, err
	}
	r.conns[n] = c
	if err := c.await(); err != nil {
		return nil, err
	}
	greeting, err := c.next()
	if err != nil {
		return nil, fmt.Errorf("greeting: %w", err)
	}
	if !strings.HasPrefix(greeting, "* OK ") {
		return nil, fmt.Errorf("greeting %q", greeting)
	}
	return c, nil
}

func (r *runner) login(n int) error { return r.loginAs(n, r.User) }

func (r *runner) loginAs(n int, user string) error {
	if _, err := r.connect(n); err != nil {
		return err
	}
	return r.do(n, fmt.Sprintf("LOGIN %q %q", user, r.Password))
}

// settle selects mailboxes in a session of its own, so that what is there gets
// its UIDs and is no longer \Recent.
func (r *runner) settle(mailboxes string) error {
	const spare = 0 // the number of a connection that scripts can't name
	if err := r.login(spare); err != nil {
		return err
	}
	names := strings.Fields(mailboxes)
	if len(names) == 0 {
		names = []string{"INBOX"}
	}
	for _, name := range names {
		if err := r.do(spare, "SELECT "+name); err != nil {
			return err
		}
	}
	err := r.do(spare, "LOGOUT")
	r.conns[spare].nc.Close()
	r.conns[spare] = nil
	return err
}

// do sends a command and wants it to succeed; what is untagged does not matter.
func (r *runner) do(n int, command string) error {
	c := r.conns[n]
	r.tags++
	tag := fmt.Sprintf("do%d", r.tags)
	pieces, err := r.vals.expand(tag + " " + command)
	if err != nil {
		return err
	}
	c.queue(tag, pieces)
	if err := errors.Join(c.flush(), c.await()); err != nil {
		return err
	}
	for {
		resp, err := c.next()
		if err != nil {
			return err
		}
		if status, ok := strings.CutPrefix(resp, tag+" "); ok {
			if !strings.HasPrefix(status, "OK") {
				return fmt.Errorf("refused: %s", status)
			}
			return nil
		}
		if !strings.HasPrefix(resp, "* ") {
			return fmt.Errorf("unexpected response %q", resp)
		}
	}
}

// expectation is an S line.
type expectation struct {
	step
	re   *regexp.Regexp
	seen bool
}

// expect reads the responses of a block of S lines, part by part: each ends
// with a tagged response, a continuation request, EOF, or the end of the block.
func (r *runner) expect(c *conn, steps []step) error {
	for len(steps) > 0 {
		n := 0
		for n < len(steps) && strings.HasPrefix(steps[n].arg, "* ") {
			n++
		}
		var end *step
		untagged := steps[:n]
		if n < len(steps) {
			end = &steps[n]
			n++
		}
		if err := r.expectPart(c, untagged, end); err != nil {
			return err
		}
		steps = steps[n:]
	}
	return nil
}

func (r *runner) expectPart(c *conn, untagged []step, end *step) error {
	want := make([]expectation, len(untagged))
	for i, st := range untagged {
		re, err := r.vals.pattern(st.arg)
		if err != nil {
			r.log.line = st.line
			return err
		}
		want[i] = expectation{step: st, re: re}
	}
	if err := c.await(); err != nil {
		return err
	}
	for end != nil || firstMissing(want) != nil {
		if m := firstMissing(want); m != nil {
			r.log.line = m.line
		} else if end != nil {
			r.log.line = end.line
		}
		resp, err := c.next()
		if end != nil && end.arg == "EOF" && errors.Is(err, io.EOF) {
			r.log.add(fmt.Sprintf("S%d", c.n), "(end of the connection)\r\n")
			break
		}
		if err != nil {
			return err
		}
		if strings.HasPrefix(resp, "* ") {
			if !r.take(want, resp) {
				return fmt.Errorf("unexpected response\n\t%s", shorten(resp))
			}
			continue
		}
		if end == nil || end.arg == "EOF" {
			return fmt.Errorf("unexpected response\n\t%s", shorten(resp))
		}
		re, err := r.vals.pattern(end.arg)
		if err != nil {
			r.log.line = end.line
			return err
		}
		if !r.match(re, resp) {
			r.log.line = end.line
			return fmt.Errorf("unexpected response\n\t%s\n\twhere this was wanted", shorten(resp))
		}
		break
	}
	if m := firstMissing(want); m != nil {
		r.log.line = m.line
		return errors.New("this response did not come")
	}
	return nil
}

func shorten(resp string) string {
	if len(resp) > maxShown {
		resp = resp[:maxShown] + "..."
	}
	return strings.ReplaceAll(resp, "\r\n", "\n\t")
}

// firstMissing is the first S line that must still be answered.
func firstMissing(want []expectation) *expectation {
	for i := range want {
		if !want[i].seen && (want[i].mode == "" || want[i].mode == "!") {
			return &want[i]
		}
	}
	return nil
}

// take finds the S line that an untagged response answers: one that is wanted
// before one that may come any number of times.
func (r *runner) take(want []expectation, resp string) bool {
	ordered := true // all S! lines before were answered
	for i := range want {
		w := &want[i]
		can := !w.seen && w.mode != "*" && (w.mode != "!" || ordered)
		if w.mode == "!" && !w.seen {
			ordered = false
		}
		if can && r.match(w.re, resp) {
			w.seen = true
			return true
		}
	}
	return slices.ContainsFunc(want, func(w expectation) bool {
		return w.mode == "*" && r.match(w.re, resp)
	})
}

// match also remembers what the expression captures.
func (r *runner) match(re *regexp.Regexp, resp string) bool {
	m := re.FindStringSubmatch(octetsAsRunes(resp))
	if m == nil {
		return false
	}
	for i, name := range re.SubexpNames() {
		if name != "" {
			r.vals.captured[name] = runesAsOctets(m[i])
		}
	}
	return true
}
