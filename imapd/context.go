package imapd

import (
	"context"
	"slices"

	"maildir-imapd/backend"
	"maildir-imapd/imapd/wire"

	"github.com/emersion/go-imap/v2"
)

// maxContexts is how many searches of a connection may ask for updates at a time.
const maxContexts = 16

// updated is a search that asked for updates of its results (RFC 5267 §4.3). It lives until CANCELUPDATE, or as long as its
// mailbox is selected.
type updated struct {
	tag string
	uid bool
	*backend.Context

	fetch *fetch   // what is told of new messages among them (RFC 5465 §7); nil: nothing
	last  imap.UID // the greatest that was known when updates were told last
}

// parseUpdate takes the attributes that may follow UPDATE.
func (s *search) parseUpdate(d *wire.Decoder) {
	if s.c.has("NOTIFY") && d.Ahead(" (") {
		d.SP()
		s.fetch = s.c.parseNewAtts(d)
	}
}

var errTagInUse = bad("The tag is that of a search with UPDATE")

// checkUpdate refuses UPDATE under a tag that another such search has.
func (s *search) checkUpdate() error {
	if s.options&searchUpdate == 0 {
		return nil
	}
	for _, x := range s.c.contexts {
		if x.tag == s.c.tag {
			return errTagInUse
		}
	}
	return nil
}

// follow begins with updates, or returns false where there are too many.
func (s *search) follow(seqs []uint32) bool {
	c := s.c
	if len(c.contexts) >= maxContexts {
		return false
	}
	c.contexts = append(c.contexts, &updated{c.tag, s.uid, c.view.Follow(&s.key, s.order, seqs), s.fetch, c.lastUID()})
	return true
}

// refuseUpdate tells that there won't be updates (RFC 5267 §4.3.1).
func (s *search) refuseUpdate() {
	b := wire.AppendQuoted(append(s.c.out.begin(), "* NO [NOUPDATE "...), s.c.tag)
	s.c.out.endLine(append(b, "] Too many contexts"...))
	s.c.completed("", completedText(s.c.name)+", will not notify.")
}

// tellExpunged tells which results are about to be expunged. It comes before the EXPUNGE responses,
// since the numbers are those of before (RFC 5267 §4.3.4).
func (c *conn) tellExpunged(list []backend.Expunged) {
	for _, x := range c.contexts {
		c.change(x, "REMOVEFROM", x.Expunge(list, x.uid))
	}
}

// tellResults tells what else has changed in results, and before that what is asked to be told of new messages. It comes after
// EXISTS and FETCH (RFC 5465 §7).
func (c *conn) tellResults() {
	if len(c.fresh)+len(c.contexts) == 0 {
		return
	}
	defer c.view.Release()
	asked := make(map[uint32][]*fetch) // by message number
	if c.notify != nil && c.notify.fetch != nil {
		list := []*fetch{c.notify.fetch}                   // has no room for more: append copies it
		seqs, _ := c.view.Seqs(imap.UIDSetNum(c.fresh...)) // UIDs give no error
		for _, seq := range seqs {
			asked[seq] = list
		}
	}
	c.fresh = nil
	removed, added := make([][]backend.ContextChange, len(c.contexts)), make([][]backend.ContextChange, len(c.contexts))
	for i, x := range c.contexts {
		var err error
		if removed[i], added[i], err = x.Update(c.ctx, x.uid); err != nil {
			if c.ctx.Err() == nil {
				c.log.Error("updating the results of a search failed", "tag", x.tag, "error", err)
			}
			continue
		}
		for _, seq := range c.newIn(x, added[i]) {
			asked[seq] = append(asked[seq], x.fetch)
		}
	}
	c.fetchNew(asked)
	for i, x := range c.contexts {
		c.change(x, "REMOVEFROM", removed[i])
		c.change(x, "ADDTO", added[i])
	}
}

// lastUID is that of the last message that the client knows, or 0.
func (c *conn) lastUID() imap.UID {
	if c.view.Len() == 0 {
		return 0
	}
	return c.view.UID(c.view.Len())
}

// newIn lists the new messages that have come into the result and of which x wants to be told something, but not those that are in it
// for their flags (RFC 5465 §7).
func (c *conn) newIn(x *updated, added []backend.ContextChange) (seqs []uint32) {
	last := x.last
	if x.last = max(last, c.lastUID()); x.fetch == nil || x.last == last {
		return nil
	}
	for _, change := range added {
		for _, n := range change.Numbers {
			if x.uid {
				found, _ := c.view.Seqs(imap.UIDSetNum(imap.UID(n))) // UIDs give no error
				seqs = append(seqs, found...)
			} else {
				seqs = append(seqs, n)
			}
		}
	}
	return slices.DeleteFunc(seqs, func(seq uint32) bool { return c.view.UID(seq) <= last })
}

// change writes an ESEARCH response with ADDTO or REMOVEFROM.
func (c *conn) change(x *updated, item string, changes []backend.ContextChange) {
	if len(changes) == 0 {
		return
	}
	b := wire.AppendQuoted(append(c.out.begin(), "* ESEARCH (TAG "...), x.tag)
	b = append(b, ')')
	if x.uid {
		b = append(b, " UID"...)
	}
	b = append(append(append(b, ' '), item...), " ("...)
	for i, change := range changes {
		if i > 0 {
			b = append(b, ' ')
		}
		b = wire.AppendUint(b, change.Position)
		b = wire.AppendNumbers(append(b, ' '), change.Numbers)
	}
	c.out.endLine(append(b, ')'))
}

// parseCancelUpdate takes the tags of CANCELUPDATE (RFC 5267 §4.3.5).
func parseCancelUpdate(_ *conn, d *wire.Decoder) runFunc {
	tags := make(map[string]bool)
	for {
		d.SP()
		tags[d.Quoted()] = true
		if d.Peek() != ' ' {
			break
		}
	}
	return func(_ context.Context, c *conn) error { return c.cancelUpdate(tags) }
}

// cancelUpdate cancels all or none.
func (c *conn) cancelUpdate(tags map[string]bool) error {
	var kept []*updated
	for _, x := range c.contexts {
		if !tags[x.tag] {
			kept = append(kept, x)
		}
	}
	if len(c.contexts)-len(kept) < len(tags) {
		return no("", "Unknown tag")
	}
	c.contexts = kept
	return nil
}
