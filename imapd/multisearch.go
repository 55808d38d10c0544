package imapd

import (
	"context"
	"errors"
	"slices"

	"maildir-imapd/backend"
	"maildir-imapd/imapd/wire"

	"github.com/emersion/go-imap/v2"
)

// multiSearch is ESEARCH: a UID SEARCH in several mailboxes (RFC 7377).
type multiSearch struct {
	*search
	selected bool            // in the selected mailbox
	scopes   []backend.Scope // and in these
}

// maxSearchMailboxes is the greatest number of mailboxes that one command searches.
const maxSearchMailboxes = 2000

// parseMultiSearch takes the arguments (RFC 7377 §4). Without IN the selected mailbox is searched.
func parseMultiSearch(c *conn, d *wire.Decoder) runFunc {
	m := &multiSearch{search: &search{c: c, name: "SEARCH", uid: true, many: true}}
	d.SP()
	if d.TryKeyword("IN") {
		d.SP()
		d.Expect('(')
		m.parseSource(d)
		for d.Try(' ') {
			if d.Peek() == '(' {
				d.Fail("no scope options") // there are none yet
			}
			m.parseSource(d)
		}
		d.Expect(')')
		d.SP()
	} else {
		m.selected = true
	}
	m.parseArguments(d)
	if !m.extended { // RFC 7377 §2.1
		m.extended, m.options = true, searchAll
	}
	return m.run
}

// parseSource takes a filter-mailboxes (RFC 5465 §6, RFC 7377 §2.2). Mail can be delivered to any mailbox, so
// INBOXES is PERSONAL.
func (m *multiSearch) parseSource(d *wire.Decoder) {
	var s backend.Scope
	switch d.Keyword("a set of mailboxes") {
	case "SELECTED":
		m.selected = true
		return
	case "INBOXES", "PERSONAL":
		s.Kind = backend.Personal
	case "SUBSCRIBED":
		s.Kind = backend.Subscribed
	case "SUBTREE":
		s.Kind, s.Names = backend.Subtree, parseMailboxes(d)
	case "SUBTREE-ONE":
		s.Kind, s.Names = backend.SubtreeOne, parseMailboxes(d)
	case "MAILBOXES":
		s.Kind, s.Names = backend.Named, parseMailboxes(d)
	default:
		d.Fail("a set of mailboxes")
	}
	m.scopes = append(m.scopes, s)
}

var (
	errSaveElsewhere   = bad("SAVE, UPDATE and $ are for the selected mailbox only")
	errTooManyToSearch = no(imap.ResponseCodeLimit, "Too many mailboxes to search")
)

// run answers the command: for each mailbox in which something was found there is a response, and none for the others.
func (m *multiSearch) run(ctx context.Context, c *conn) error {
	switch {
	case m.selected && c.view == nil:
		return bad("No mailbox selected")
	case len(m.scopes) == 0:
		return m.runSelected(ctx)
	case m.options&(searchSave|searchUpdate) != 0 || m.usedSaved:
		return errSaveElsewhere // RFC 7377 §2.2
	case m.err != nil:
		return m.err
	}
	names, err := c.account.Mailboxes(m.scopes)
	if err != nil {
		return err
	}
	if m.selected && !slices.Contains(names, c.view.Name()) {
		names = append([]string{c.view.Name()}, names...)
	}
	if len(names) > maxSearchMailboxes {
		return errTooManyToSearch
	}
	for _, name := range names {
		if err := m.searchIn(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

// runSelected searches the selected mailbox only.
func (m *multiSearch) runSelected(ctx context.Context) error {
	m.mailbox = m.c.view
	m.key = clampSeqs(m.key, m.c.view.Len())
	return m.search.run(ctx, m.c)
}

// searchIn searches one mailbox. One that was deleted meanwhile, or can't be opened, is passed over.
func (m *multiSearch) searchIn(ctx context.Context, name string) error {
	c := m.c
	view := c.view
	if !c.isSelected(name) {
		err := c.withProgress(nil, func() (err error) {
			view, err = c.account.Select(ctx, name, true)
			return err
		})
		if isTold(err) {
			return nil
		} else if err != nil {
			return err
		}
		defer view.Close()
	}
	key := clampSeqs(m.key, view.Len())
	var nums []uint32
	if err := c.withProgress(nil, func() (err error) { // of many mailboxes
		nums, err = view.Search(ctx, &key)
		return err
	}); err != nil {
		return err
	}
	if m.modSeq { // RFC 7162 §3.1.10
		c.beCondstore()
		m.highest = m.highestOf(view, nums)
	}
	for i, seq := range nums {
		nums[i] = uint32(view.UID(seq))
	}
	m.mailbox = view
	m.respondExtended(nums)
	return nil
}

// clampSeqs returns the key with those sequence numbers only that a mailbox has. Which these are is
// another question in each; that some are greater is no error (RFC 7377 §2).
func clampSeqs(key backend.Key, last uint32) backend.Key {
	if key.Op == backend.KeySeq {
		key.Seq = validSeqs(key.Seq, last)
	}
	key.Keys = slices.Clone(key.Keys)
	for i := range key.Keys {
		key.Keys[i] = clampSeqs(key.Keys[i], last)
	}
	return key
}

// isTold reports whether a client may be told of err as it is.
func isTold(err error) bool {
	_, ok := errors.AsType[*imap.Error](err)
	return ok
}
