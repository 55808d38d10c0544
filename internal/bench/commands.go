package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// step is a command that is timed, on a connection that has done the steps before it. Without a title it is only run.
type step struct{ title, command string }

var steps = []step{
	{"open, no UIDs yet", "SELECT INBOX"},
	{"all flags", "UID FETCH 1:* (FLAGS)"},
	{"size and date, first", "FETCH 1:* (RFC822.SIZE INTERNALDATE)"},
	{"size and date, again", "FETCH 1:* (RFC822.SIZE INTERNALDATE)"},
	{"envelopes, first", "FETCH 1:* (ENVELOPE)"},
	{"envelopes, again", "FETCH 1:* (ENVELOPE)"},
	{"body structures", "FETCH 1:* (BODYSTRUCTURE)"},
	{"header fields", "FETCH 1:* BODY.PEEK[HEADER.FIELDS (Subject From Date)]"},
	{"1,000 whole messages", "FETCH 1:1000 BODY.PEEK[]"},
	{"search subject", "SEARCH SUBJECT \"matter of 99\""},
	{"search body", "SEARCH BODY word99999word"},
	{"search unseen", "SEARCH UNSEEN"},
	{"sort by date, first", "SORT (DATE) UTF-8 ALL"},
	{"sort by date, again", "SORT (DATE) UTF-8 ALL"},
	{"sort by subject, first", "SORT (SUBJECT) UTF-8 ALL"},
	{"sort by subject, again", "SORT (SUBJECT) UTF-8 ALL"},
	{"sort by sender, first", "SORT (FROM) UTF-8 ALL"},
	{"sort by sender, again", "SORT (FROM) UTF-8 ALL"},
	{"threads, first", "THREAD REFERENCES UTF-8 ALL"},
	{"threads, again", "THREAD REFERENCES UTF-8 ALL"},
	{"newest threads, first", "THREAD REFS UTF-8 ALL"},
	{"newest threads, again", "THREAD REFS UTF-8 ALL"},
	{"noop", "NOOP"},
	{"flag 1,000 messages", "STORE 1:1000 +FLAGS.SILENT (\\Flagged)"},
	{"unflag 1,000 messages", "STORE 1:1000 -FLAGS.SILENT (\\Flagged)"},
	{"status", "STATUS INBOX (MESSAGES UNSEEN)"},
}

// afterRestart is what a fresh server is asked that may have kept on disk what it has found out.
var afterRestart = []step{
	{"", "SELECT INBOX"},
	{"restarted: size and date", "FETCH 1:* (RFC822.SIZE INTERNALDATE)"},
	{"restarted: envelopes", "FETCH 1:* (ENVELOPE)"},
	{"restarted: body structures", "FETCH 1:* (BODYSTRUCTURE)"},
	{"restarted: header fields", "FETCH 1:* BODY.PEEK[HEADER.FIELDS (Subject From Date)]"},
	{"restarted: search subject", "SEARCH SUBJECT \"matter of 99\""},
}

// reopened is what a fresh server is asked that has only UIDs on disk.
var reopened = []step{
	{"open, UIDs known", "SELECT INBOX"},
	{"", "UNSELECT"},
	{"open, warm", "SELECT INBOX"},
}

// commands times commands on a folder with many messages, in a server that was just started.
func (b *bench) commands() error {
	root := filepath.Join(b.dir, "large", "Maildir")
	fmt.Fprintf(os.Stderr, "making %d messages\n", b.messages)
	if err := makeMaildir(root, b.messages); err != nil {
		return err
	}
	times := map[server]map[string][]time.Duration{b.ours: {}, b.other: {}}
	for round := range b.rounds {
		for _, s := range []server{b.ours, b.other} {
			fmt.Fprintf(os.Stderr, "round %d: %s\n", round+1, s.name())
			if err := forget(root); err != nil {
				return err
			}
			if err := b.session(s, root, times[s]); err != nil {
				return fmt.Errorf("%s: %w", s.name(), err)
			}
		}
	}
	for _, st := range slices.Concat(steps, afterRestart, reopened) {
		if st.title == "" {
			continue
		}
		b.row(st.title, at(times[b.ours][st.title], 50), at(times[b.other][st.title], 50))
	}
	return nil
}

// session runs all steps against a fresh server.
func (b *bench) session(s server, root string, times map[string][]time.Duration) error {
	run := func(c *client, steps []step) error {
		for _, st := range steps {
			d, err := c.do(st.command)
			if err != nil {
				return err
			}
			if st.title != "" {
				times[st.title] = append(times[st.title], d)
			}
		}
		return nil
	}
	if err := with(s, root, func(c *client) error { return run(c, steps) }); err != nil {
		return err
	}
	if err := with(s, root, func(c *client) error { return run(c, afterRestart) }); err != nil {
		return err
	}
	if err := forgetIndex(root); err != nil {
		return err
	}
	return with(s, root, func(c *client) error { return run(c, reopened) })
}

// with starts a server, and stops it after f.
func with(s server, root string, f func(*client) error) error {
	if err := s.start(root); err != nil {
		return err
	}
	c, err := connect(s)
	if err == nil {
		err = f(c)
		c.Close()
	}
	if err2 := s.stop(); err == nil {
		err = err2
	}
	return err
}
