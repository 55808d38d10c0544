package imapd

import (
	"context"
	"slices"

	"maildir-imapd/backend"
	"maildir-imapd/imapd/wire"

	"github.com/emersion/go-imap/v2"
)

// notify is what a client has asked for by NOTIFY (RFC 5465). The zero value is NOTIFY NONE; a connection that has
// never used NOTIFY has none, and hears within commands of its selected mailbox.
type notify struct {
	// Of the selected mailbox:
	messages bool   // EXISTS and EXPUNGE
	flags    bool   // FETCH with changed flags
	delayed  bool   // EXPUNGE within commands only
	fetch    *fetch // what is told of new messages; nil: nothing

	monitor *backend.Monitor // of others; nil: nothing is asked for
}

func (n *notify) close() {
	if n != nil && n.monitor != nil {
		n.monitor.Close()
	}
}

// notifyArgs are the arguments of NOTIFY SET.
type notifyArgs struct {
	status      bool // tell STATUS of the other mailboxes at once
	selected    notify
	hasSelected bool
	scopes      []backend.Scope
	unsupported bool // an event that we have not
}

// eventGroup is the events of one group.
type eventGroup struct {
	new, expunge, flags bool
	fetch               *fetch // of MessageNew
	others              backend.Events
}

// errBadEvent lists the events that we have (RFC 5465 §3.1).
var errBadEvent = no("BADEVENT (MessageNew MessageExpunge FlagChange MailboxName SubscriptionChange MailboxMetadataChange ServerMetadataChange)", "Unsupported event")

func parseNotify(c *conn, d *wire.Decoder) runFunc {
	d.SP()
	if d.TryKeyword("NONE") {
		return func(context.Context, *conn) error {
			c.setNotify(&notify{})
			return nil
		}
	}
	if !d.TryKeyword("SET") {
		d.Fail("SET or NONE")
	}
	d.SP()
	var a notifyArgs
	if d.TryKeyword("STATUS") {
		a.status = true
		d.SP()
	}
	a.parseGroup(c, d)
	for d.Try(' ') {
		a.parseGroup(c, d)
	}
	return func(ctx context.Context, c *conn) error { return c.notifySet(ctx, &a) }
}

// parseGroup takes an event-group (RFC 5465 §8).
func (a *notifyArgs) parseGroup(c *conn, d *wire.Decoder) {
	d.Expect('(')
	filter := d.Keyword("a set of mailboxes")
	s := backend.Scope{Kind: backend.Personal}
	selected := false
	switch filter {
	case "SELECTED", "SELECTED-DELAYED":
		if selected = true; a.hasSelected {
			d.Fail("SELECTED or SELECTED-DELAYED once")
		}
		a.hasSelected = true
	case "INBOXES", "PERSONAL": // any mailbox may be delivered to
	case "SUBSCRIBED":
		s.Kind = backend.Subscribed
	case "SUBTREE":
		s.Kind, s.Names = backend.Subtree, parseMailboxes(d)
	case "MAILBOXES":
		s.Kind, s.Names = backend.Named, parseMailboxes(d)
	default:
		d.Fail("a set of mailboxes")
	}
	d.SP()
	g := a.parseEvents(c, d, selected)
	d.Expect(')')
	if selected {
		a.selected = notify{messages: g.new, flags: g.flags, fetch: g.fetch, delayed: filter == "SELECTED-DELAYED"}
		return
	}
	s.Events = g.others
	if g.new {
		s.Events |= backend.MessageChange
	}
	if g.flags {
		s.Events |= backend.FlagChange
	}
	a.scopes = append(a.scopes, s)
}

// parseMailboxes takes a name, or a list of names. Wildcards in them stand for themselves.
func parseMailboxes(d *wire.Decoder) (names []string) {
	d.SP()
	if d.Peek() != '(' {
		return []string{d.Mailbox()}
	}
	d.List(func() { names = append(names, d.Mailbox()) })
	return names
}

// parseEvents takes NONE or a list of events.
func (a *notifyArgs) parseEvents(c *conn, d *wire.Decoder, selected bool) (g eventGroup) {
	if d.TryKeyword("NONE") {
		return g
	}
	others := func(e backend.Events) {
		if g.others |= e; selected {
			d.Fail("events of messages")
		}
	}
	annotations := false
	d.Expect('(')
	for more := true; more; {
		event := d.Keyword("an event")
		more = d.Try(' ')
		switch event {
		case "MESSAGENEW":
			g.new = true
			if more && d.Peek() == '(' {
				if !selected {
					d.Fail("MessageNew without attributes, but for SELECTED")
				}
				g.fetch = c.parseNewAtts(d)
				more = d.Try(' ')
			}
		case "MESSAGEEXPUNGE":
			g.expunge = true
		case "FLAGCHANGE":
			g.flags = true
		case "ANNOTATIONCHANGE":
			annotations, a.unsupported = true, true
		case "MAILBOXNAME":
			others(backend.MailboxName)
		case "SUBSCRIPTIONCHANGE":
			others(backend.SubscriptionChange)
		case "MAILBOXMETADATACHANGE":
			others(backend.MailboxMetadataChange)
		case "SERVERMETADATACHANGE":
			others(backend.ServerMetadataChange)
		default:
			a.unsupported = true
		}
	}
	d.Expect(')')
	if g.new != g.expunge || (g.flags || annotations) && !g.new {
		d.Fail("MessageNew and MessageExpunge together, and with FlagChange or AnnotationChange both") // RFC 5465 §5
	}
	return g
}

// parseNewAtts takes a list of what is to be told of new messages. With the UID, as all that is told unasked (RFC 9051 §7.5.2).
func (c *conn) parseNewAtts(d *wire.Decoder) *fetch {
	f := &fetch{c: c, known: make(map[string]bool)}
	f.addUID()
	f.parseItems(d)
	return f
}

// setNotify puts n in the place of what was asked for before.
func (c *conn) setNotify(n *notify) {
	c.notify.close()
	c.notify = n
}

// notifySet is NOTIFY SET (RFC 5465 §3.1). What has changed in the selected mailbox is told first, whatever is
// asked for from then on, and whatever was before.
func (c *conn) notifySet(ctx context.Context, a *notifyArgs) error {
	if a.unsupported {
		return errBadEvent
	}
	// What can fail comes first: then all stays as it was.
	n := a.selected
	scopes := slices.DeleteFunc(a.scopes, func(s backend.Scope) bool { return s.Events == 0 })
	closed, err := c.account.NoAccess(scopes)
	if err == nil && c.view != nil {
		err = c.view.Poll(ctx)
	}
	if err == nil && len(scopes) > 0 {
		n.monitor, err = c.account.Monitor(scopes)
	}
	if err != nil {
		return err
	}
	c.setNotify(nil)
	if c.view != nil {
		c.tellUntold()
		c.update(true)
	}
	c.setNotify(&n)
	c.tellNoAccess(closed)
	if a.status && n.monitor != nil {
		return c.notifyStatus(ctx)
	}
	return nil
}

// tellUntold tells the flags of what has changed since NOTIFY began to keep changes of flags back.
func (c *conn) tellUntold() {
	if c.untold == 0 {
		return
	}
	all, _ := c.view.Seqs(imap.UIDSet{{Start: 1, Stop: ^imap.UID(0)}}) // UIDs give no error
	for _, seq := range c.view.ChangedSince(all, c.untold) {
		c.fetchFlags(seq, true)
	}
	c.untold = 0
}

// tellNoAccess tells which of the mailboxes that are asked for the user may not read (RFC 5465 §3.1).
func (c *conn) tellNoAccess(names []string) {
	changes := make([]backend.NameChange, len(names))
	for i, name := range names {
		changes[i].Name = name
	}
	c.nameChanges(changes)
}

// notifyStatus tells the state of all mailboxes but the selected one, from which changes count.
func (c *conn) notifyStatus(ctx context.Context) error {
	for _, name := range c.notify.monitor.Mailboxes() {
		if c.isSelected(name) {
			continue
		}
		s, ok, err := c.notify.monitor.Status(ctx, name)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			c.log.Error("STATUS for NOTIFY failed", "mailbox", name, "error", err)
		} else if ok {
			c.statusChange(s, c.has("CONDSTORE"))
		}
	}
	return nil
}

func (c *conn) isSelected(name string) bool { return c.view != nil && c.view.Name() == name }

// ownChange runs a change of the tree or of the subscriptions by this connection, of which NOTIFY says nothing (RFC
// 5465 §5).
func (c *conn) ownChange(change func() error, names ...string) error {
	if c.notify == nil || c.notify.monitor == nil {
		return change()
	}
	return c.notify.monitor.Own(change, names...)
}

// created notes messages that this command has made: NOTIFY sends no FETCH of those in the selected mailbox, and
// no STATUS for their sake (RFC 5465 §5, §5.2).
func (c *conn) created(name string, validity uint32, uids imap.UIDSet) {
	if c.notify != nil && c.notify.monitor != nil {
		c.notify.monitor.Created(name, validity, uids)
	}
	if c.view != nil && c.view.UIDValidity() == validity && c.view.Name() == c.account.Canonical(name) {
		c.own = append(c.own, uids...)
	}
}
