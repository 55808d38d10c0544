package imapd

import (
	"errors"
	"maps"
	"slices"
	"time"

	"maildir-imapd/backend"
	"maildir-imapd/imapd/wire"

	"github.com/emersion/go-imap/v2"
)

// listen waits for the next command, and tells meanwhile what NOTIFY has asked for.
func (c *conn) listen() error {
	for c.notify != nil {
		// Also before the first wait: what the last command was not allowed to tell, or what woke
		// waitFor just when that command came.
		c.name = ""
		c.push(!c.notify.delayed)
		if err := c.waitFor(time.Time{}); !errors.Is(err, errWoken) {
			return err
		}
	}
	return c.dec.Wait()
}

// waitFor waits for input, for which it returns nil, or until there is something to tell or
// the time at has come (zero: never): errWoken.
//
// The connection's own goroutine waits for input, as always; a second one that
// lives for one wait only, on the smallest stack there is, waits for changes
// and breaks off the read. The other way round, the second one would
// need the deep stack that reading TLS takes.
func (c *conn) waitFor(at time.Time) error {
	var changed, noticed <-chan struct{} // nil where nothing is to be told
	if c.view != nil && (c.notify == nil || c.notify.messages) {
		changed = c.view.Changed()
	}
	if c.notify != nil && c.notify.monitor != nil {
		noticed = c.notify.monitor.Changed()
	}
	var timer <-chan time.Time
	if !at.IsZero() {
		timer = time.After(time.Until(at))
	}
	if changed == nil && noticed == nil && timer == nil {
		return c.dec.Wait()
	}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		select {
		case <-changed:
		case <-noticed:
		case <-timer:
		case <-stop:
			return
		}
		c.wake()
	}()
	err := c.dec.Wait()
	close(stop)
	<-stopped
	c.woken.Store(false)
	return err
}

// push tells what has happened in the selected mailbox and elsewhere.
func (c *conn) push(expunge bool) {
	if c.view != nil {
		c.update(expunge)
		c.tellResults()
	}
	c.tellNotices()
}

// tellNotices tells what has happened in other mailboxes than the selected one.
func (c *conn) tellNotices() {
	if c.notify == nil || c.notify.monitor == nil {
		return
	}
	n := c.notify.monitor.Take(c.condstore)
	if n.Overflow { // RFC 5465 §5.8
		c.untagged("OK [NOTIFICATIONOVERFLOW] Too much has changed.")
		c.setNotify(&notify{})
		return
	}
	c.nameChanges(n.Names)
	for _, mailbox := range slices.Sorted(maps.Keys(n.Metadata)) { // RFC 5465 §5.6, §5.7
		b := c.appendMailbox(append(c.out.begin(), "* METADATA "...), mailbox)
		for _, entry := range n.Metadata[mailbox] {
			b = wire.AppendAString(append(b, ' '), entry)
		}
		c.out.endLine(b)
	}
	for _, s := range n.Status {
		if !c.isSelected(s.Name) {
			c.statusChange(s, c.condstore)
		}
	}
}

// nameChanges writes LIST for each name as it is now (RFC 5465 §5.4, §5.5).
func (c *conn) nameChanges(changes []backend.NameChange) {
	if len(changes) == 0 {
		return
	}
	names := make([]string, len(changes))
	for i, change := range changes {
		names[i] = change.Name
	}
	list, err := c.account.DescribeAll(names)
	if err != nil {
		c.log.Error("LIST for NOTIFY failed", "error", err)
		return
	}
	for i, m := range list {
		m.OldName = changes[i].OldName
		c.listLine("LIST", m, false)
	}
}

// statusChange writes STATUS with what belongs to the events that are asked for (RFC 5465 §5.1 to §5.3).
func (c *conn) statusChange(s backend.StatusChange, modSeq bool) {
	b := c.appendMailbox(append(c.out.begin(), "* STATUS "...), s.Name)
	b = append(b, " ("...)
	if s.Events&backend.MessageChange != 0 {
		b = wire.AppendUint(append(b, "MESSAGES "...), s.NumMessages)
		b = append(wire.AppendUint(append(b, " UIDNEXT "...), s.UIDNext), ' ')
	}
	b = wire.AppendUint(append(b, "UIDVALIDITY "...), s.UIDValidity)
	b = wire.AppendUint(append(b, " UNSEEN "...), s.NumUnseen)
	if modSeq {
		b = wire.AppendUint(append(b, " HIGHESTMODSEQ "...), s.HighestModSeq)
	}
	c.out.endLine(append(b, ')'))
}

// fetchNew tells of new messages what NOTIFY and UPDATE have asked to be told of them, by number, in one FETCH for each message (RFC 5465
// §5.2). Those that this connection has made itself it knows.
func (c *conn) fetchNew(asked map[uint32][]*fetch) {
	maps.DeleteFunc(asked, func(seq uint32, _ []*fetch) bool { return c.own.Contains(c.view.UID(seq)) })
	done := c.done // is the running command's, if there is one
	for seqs := slices.Sorted(maps.Keys(asked)); len(seqs) > 0; {
		n := 1
		for n < len(seqs) && slices.Equal(asked[seqs[n]], asked[seqs[0]]) {
			n++
		}
		f := joinFetches(c, asked[seqs[0]])
		f.set = imap.SeqSetNum(seqs[:n]...)
		f.items = append(f.unasked(), f.items...)
		if err := f.run(c.ctx, c); err != nil && !isTold(err) && c.ctx.Err() == nil {
			c.log.Error("FETCH of new messages failed", "error", err)
		}
		seqs = seqs[n:]
	}
	c.done = done
}

// joinFetches makes one of several, in which nothing comes twice.
func joinFetches(c *conn, list []*fetch) *fetch {
	f := &fetch{c: c, known: make(map[string]bool)}
	for _, a := range list {
		f.setsSeen = f.setsSeen || a.setsSeen
		for _, item := range a.items {
			f.add(item)
		}
	}
	return f
}
