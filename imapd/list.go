package imapd

import (
	"context"
	"math"
	"slices"

	"maildir-imapd/imapd/wire"

	"github.com/emersion/go-imap/v2"
)

// maxPatterns is the greatest number of patterns of one LIST: each is matched against
// each mailbox.
const maxPatterns = 64

// listArgs are the arguments of LIST.
type listArgs struct {
	ref      string
	patterns []string
	options  imap.ListOptions
	status   []statusItem     // of RETURN (STATUS (...))
	metadata *getMetadataArgs // of RETURN (METADATA (...))
	rights   bool             // of RETURN (MYRIGHTS)
	extended bool             // anything of RFC 5258 was used
}

// parseList takes the basic and the extended form (RFC 9051 §6.3.9, RFC 5258).
func parseList(c *conn, d *wire.Decoder) runFunc {
	var a listArgs
	d.SP()
	if d.Peek() == '(' {
		a.extended = true
		a.parseSelection(c, d)
		d.SP()
	}
	a.ref = d.ListMailbox()
	d.SP()
	if d.Peek() == '(' {
		a.extended = true
		d.List(func() {
			a.patterns = append(a.patterns, d.ListMailbox())
			if len(a.patterns) > maxPatterns {
				d.Fail("64 patterns at most")
			}
		})
	} else {
		a.patterns = []string{d.ListMailbox()}
	}
	if d.Try(' ') {
		a.extended = true
		a.parseReturn(c, d)
	} else {
		// Nobody asked, and everybody likes to know (RFC 3348, RFC 6154 §2).
		a.options.ReturnChildren = c.has("CHILDREN")
		a.options.ReturnSpecialUse = c.has("SPECIAL-USE")
	}
	if a.extended && !c.has("LIST-EXTENDED") {
		d.Fail("the basic form of LIST")
	}
	return func(ctx context.Context, c *conn) error { return c.list(ctx, &a) }
}

func (a *listArgs) parseSelection(c *conn, d *wire.Decoder) {
	o := &a.options
	d.ListOrEmpty(func() {
		switch option := d.Keyword("a selection option"); {
		case option == "SUBSCRIBED":
			o.SelectSubscribed = true
			o.ReturnSubscribed = true // RFC 9051 §6.3.9.1: implied
		case option == "REMOTE":
			o.SelectRemote = true
		case option == "RECURSIVEMATCH":
			o.SelectRecursiveMatch = true
		case option == "SPECIAL-USE" && c.has("SPECIAL-USE"):
			o.SelectSpecialUse = true
			o.ReturnSpecialUse = true
		default:
			d.Fail("a known selection option of LIST")
		}
	})
	if o.SelectRecursiveMatch && !o.SelectSubscribed && !o.SelectSpecialUse {
		d.Fail("another selection option beside RECURSIVEMATCH")
	}
}

func (a *listArgs) parseReturn(c *conn, d *wire.Decoder) {
	if !d.TryKeyword("RETURN") {
		d.Fail("RETURN")
	}
	d.SP()
	o := &a.options
	d.ListOrEmpty(func() {
		switch option := d.Keyword("a return option"); {
		case option == "SUBSCRIBED":
			o.ReturnSubscribed = true
		case option == "CHILDREN":
			o.ReturnChildren = true
		case option == "SPECIAL-USE" && c.has("SPECIAL-USE"):
			o.ReturnSpecialUse = true
		case option == "STATUS" && c.has("LIST-STATUS"): // RFC 5819
			d.SP()
			a.status = parseStatusItems(c, d)
		case option == "METADATA" && c.has("LIST-METADATA"): // RFC 9590
			d.SP()
			a.metadata = &getMetadataArgs{maxSize: math.MaxInt64}
			a.metadata.parseEntries(d)
		case option == "MYRIGHTS" && c.has("LIST-MYRIGHTS"): // RFC 8440
			a.rights = true
		default:
			d.Fail("a known return option of LIST")
		}
	})
}

func (c *conn) list(ctx context.Context, a *listArgs) error {
	if !a.extended && a.patterns[0] == "" {
		// RFC 9051 §6.3.9: an empty pattern asks for the separator and the root of ref.
		c.rootLine("LIST", a.ref)
		return nil
	}
	mailboxes, err := c.account.List(ctx, a.ref, a.patterns, &a.options)
	if err != nil {
		return err
	}
	for _, m := range mailboxes {
		if i := slices.Index(m.Attrs, imap.MailboxAttrNonExistent); i >= 0 && !a.extended && !c.rev2 {
			m.Attrs[i] = imap.MailboxAttrNoSelect // which RFC 3501 knows
		}
		if slices.ContainsFunc(m.Attrs, isNoselect) || !a.selects(m) {
			c.listLine("LIST", m, a.options.SelectRecursiveMatch)
			continue
		}
		var status []byte
		if a.status != nil {
			// Before LIST, which tells when the mailbox can't be selected (RFC 5819 §2): it is gone, or the user may not.
			if status, err = c.statusResponse(ctx, m.Mailbox, a.status); isTold(err) {
				m.Attrs = append(m.Attrs, imap.MailboxAttrNoSelect)
			}
			c.dropped("STATUS", m.Mailbox, err)
		}
		c.listLine("LIST", m, a.options.SelectRecursiveMatch)
		if status != nil {
			c.out.endLine(append(c.out.begin(), status...))
		}
		if a.metadata != nil {
			_, err := c.metadata(m.Mailbox, a.metadata)
			c.dropped("METADATA", m.Mailbox, err)
		}
		if a.rights {
			c.dropped("MYRIGHTS", m.Mailbox, c.myRights(m.Mailbox))
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return nil
}

// isNoselect reports whether a mailbox with this attribute can't be selected.
func isNoselect(attr imap.MailboxAttr) bool {
	return attr == imap.MailboxAttrNoSelect || attr == imap.MailboxAttrNonExistent
}

// selects reports whether a mailbox is listed for its own sake, and not for that of its children (RFC 5819 §3, RFC 8440 §4, RFC 9590 §3).
func (a *listArgs) selects(m imap.ListData) bool {
	o := &a.options
	return (!o.SelectSubscribed || slices.Contains(m.Attrs, imap.MailboxAttrSubscribed)) &&
		(!o.SelectSpecialUse || slices.ContainsFunc(m.Attrs, isSpecialUse))
}

func isSpecialUse(attr imap.MailboxAttr) bool {
	switch attr {
	case imap.MailboxAttrAll, imap.MailboxAttrArchive, imap.MailboxAttrDrafts, imap.MailboxAttrFlagged, imap.MailboxAttrImportant,
		imap.MailboxAttrJunk, imap.MailboxAttrSent, imap.MailboxAttrTrash:
		return true
	}
	return false
}

// dropped logs why LIST lacks a reply, which is no reason for it to fail (RFC 9051 §6.3.9.2, RFC 9590 §3, RFC 8440 §3).
func (c *conn) dropped(what, mailbox string, err error) {
	if err != nil && !isTold(err) {
		c.log.Error(what+" in LIST failed", "mailbox", mailbox, "error", err)
	}
}

// rootLine writes the response to an empty pattern: the separator, and the root of the reference.
func (c *conn) rootLine(what, ref string) {
	c.listLine(what, imap.ListData{
		Attrs: []imap.MailboxAttr{imap.MailboxAttrNoSelect}, Delim: c.account.Delimiter(), Mailbox: c.account.Root(ref),
	}, false)
}

// listLine writes a LIST or LSUB response.
func (c *conn) listLine(what string, m imap.ListData, childInfo bool) {
	b := append(append(c.out.begin(), "* "...), what...)
	b = wire.AppendFlags(append(b, ' '), m.Attrs)
	b = wire.AppendDelim(append(b, ' '), m.Delim)
	b = c.appendMailbox(append(b, ' '), m.Mailbox)
	if childInfo && m.ChildInfo != nil && m.ChildInfo.Subscribed {
		b = append(b, ` ("CHILDINFO" ("SUBSCRIBED"))`...) // RFC 5258 §4
	} else if m.OldName != "" {
		b = append(c.appendMailbox(append(b, ` ("OLDNAME" (`...), m.OldName), "))"...) // RFC 9051 §6.3.9.7
	}
	c.out.endLine(b)
}

// parseLsub is LSUB (RFC 3501 §6.3.9).
func parseLsub(c *conn, d *wire.Decoder) runFunc {
	d.SP()
	ref := d.ListMailbox()
	d.SP()
	pattern := d.ListMailbox()
	return func(ctx context.Context, c *conn) error {
		if pattern == "" {
			c.rootLine("LSUB", ref)
			return nil
		}
		mailboxes, err := c.account.Lsub(ctx, ref, pattern)
		if err != nil {
			return err
		}
		for _, m := range mailboxes {
			c.listLine("LSUB", m, false)
		}
		return nil
	}
}
