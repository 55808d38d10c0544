package imapd

import (
	"errors"
	"strconv"
	"strings"

	"maildir-imapd/backend"
	"maildir-imapd/imapd/wire"

	"github.com/emersion/go-imap/v2"
)

// errMailboxGone ends a connection whose selected mailbox was deleted or renamed by somebody
// else: there is no other way to tell the client.
var errMailboxGone = errors.New("selected mailbox is gone")

// removesMail are the commands whose own doing must be told, even to those who want to hear nothing.
var removesMail = map[string]bool{"EXPUNGE": true, "UID EXPUNGE": true, "MOVE": true, "UID MOVE": true, "REPLACE": true, "UID REPLACE": true}

// update tells the client what has changed in the selected mailbox, as far as NOTIFY allows. Without expunge
// messages that are gone keep their numbers.
func (c *conn) update(expunge bool) (u backend.Updates) {
	defer c.view.Release() // where Sync, which does so too, is left out
	n := c.notify
	if n == nil {
		u = c.view.Sync(expunge)
		c.tell(u)
		return u
	}
	if !n.messages && !removesMail[c.name] {
		// The view stays as it was told: numbers mean what they meant (RFC 5465 §5).
		if c.view.Lost() {
			c.tell(backend.Updates{Lost: true})
		}
		return u
	}
	before, highest := c.view.Len(), c.highest()
	u = c.view.Sync(expunge)
	if !n.flags {
		if len(u.Flags)+len(u.ModSeqs) > 0 {
			c.untold = highest
		}
		u.Flags, u.ModSeqs = nil, nil
	}
	c.tell(u)
	if n.fetch != nil && !u.Lost {
		for seq := before - uint32(len(u.Expunged)) + 1; seq <= c.view.Len(); seq++ {
			c.fresh = append(c.fresh, c.view.UID(seq))
		}
	}
	return u
}

// tell writes the responses for changes, in the order in which they count.
func (c *conn) tell(u backend.Updates) {
	if u.Lost {
		c.gone = c.view.MailboxGone()
		c.dec.Kill(errMailboxGone)
		return
	}
	if u.Keywords {
		c.flags()
	}
	c.tellExpunged(u.Expunged)
	if c.vanishes() {
		c.vanished("", expunged(u.Expunged))
		u.Expunged = nil
	}
	for _, e := range u.Expunged {
		b := wire.AppendUint(append(c.out.begin(), "* "...), e.Seq)
		c.out.endLine(append(b, " EXPUNGE"...))
	}
	if u.Exists {
		c.count(c.view.Len(), " EXISTS")
	}
	if u.Recent && !c.rev2 {
		c.count(c.view.NumRecent(), " RECENT")
	}
	uid := c.uidUnasked()
	for _, seq := range u.Flags {
		c.fetchFlags(seq, uid)
	}
	if c.condstore {
		for _, seq := range u.ModSeqs {
			c.fetchFlags(seq, uid)
		}
	}
}

// uidUnasked reports whether FETCH responses that nobody asked for have UIDs: within a UID command (RFC 3501 §6.4.8: "any
// FETCH response"), with IMAP4rev2 always (RFC 9051 §7.5.2), with NOTIFY too (RFC 5465 §5.1).
func (c *conn) uidUnasked() bool {
	return c.rev2 || c.notify != nil || strings.HasPrefix(c.name, "UID ")
}

func (c *conn) count(n uint32, what string) {
	b := wire.AppendUint(append(c.out.begin(), "* "...), n)
	c.out.endLine(append(b, what...))
}

// fetchFlags writes "* seq FETCH (FLAGS (...))", with the UID if uid is set, as in
// answers to UID commands (RFC 9051 §6.4.9), and with UID and MODSEQ for CONDSTORE-aware clients (RFC 7162 §3.2.4).
func (c *conn) fetchFlags(seq uint32, uid bool) {
	b := c.appendFetch(c.out.begin(), seq, uid || c.condstore)
	if c.condstore {
		b = append(c.appendModSeq(append(b, "MODSEQ "...), seq), ' ')
	}
	b = c.view.AppendFlags(append(b, "FLAGS ("...), seq, !c.rev2)
	c.out.endLine(append(b, "))"...))
}

// fetchModSeq is fetchFlags without the flags, for a client that knows them.
func (c *conn) fetchModSeq(seq uint32) {
	b := c.appendFetch(c.out.begin(), seq, true)
	b = c.appendModSeq(append(b, "MODSEQ "...), seq)
	c.out.endLine(append(b, ')'))
}

// flags writes FLAGS and PERMANENTFLAGS (RFC 9051 §7.3.5, §7.1): at SELECT, and
// again before a new keyword is used.
func (c *conn) flags() {
	flags := append([]imap.Flag{imap.FlagAnswered, imap.FlagFlagged, imap.FlagDeleted, imap.FlagSeen, imap.FlagDraft}, c.view.Keywords()...)
	c.out.endLine(wire.AppendFlags(append(c.out.begin(), "* FLAGS "...), flags))
	b := append(c.out.begin(), "* OK [PERMANENTFLAGS "...)
	if c.view.ReadOnly() {
		c.out.endLine(append(b, "()] Read-only mailbox."...))
		return
	}
	if !c.view.KeywordsFull() { // RFC 9051 §7.1
		flags = append(flags, imap.FlagWildcard)
	}
	b = wire.AppendFlags(b, permanentFlags(flags, c.view.Rights()))
	c.out.endLine(append(b, "] Flags permitted."...))
}

// code writes an untagged OK with a response code that has a number.
func (c *conn) code(code string, n uint64, text string) {
	c.untagged("OK [" + code + " " + strconv.FormatUint(n, 10) + "] " + text)
}
