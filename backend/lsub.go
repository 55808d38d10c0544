package backend

import (
	"context"
	"maps"
	"slices"

	"github.com/emersion/go-imap/v2"
	"golang.org/x/text/unicode/norm"
)

// Lsub answers LSUB (RFC 3501 §6.3.9): the subscribed names that match, existing or
// not. With a '%' the parents that match of those that don't are \Noselect. Special-use attributes are
// told too: Thunderbird looks for them here where there is no LIST-EXTENDED.
func (u *User) Lsub(ctx context.Context, ref, pattern string) ([]imap.ListData, error) {
	t, err := u.wholeTree()
	if err != nil {
		return nil, err
	}
	uses, err := u.specialUses(t)
	if err != nil {
		return nil, err
	}
	subscribed, err := u.subscribed()
	if err != nil {
		return nil, err
	}
	p := compilePattern(norm.NFC.String(ref+pattern), u.loc.separator())
	attrs := make(map[string][]imap.MailboxAttr)
	for name := range subscribed {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if p.match(name) {
			attrs[name] = slices.Clip(uses[name])
			if n := t.byName[name]; n != nil && n.children {
				attrs[name] = append(attrs[name], imap.MailboxAttrHasChildren)
			}
			continue
		}
		for name = u.loc.parent(name); p.inferiors && name != ""; name = u.loc.parent(name) {
			if subscribed[name] == nil && p.match(name) {
				attrs[name] = []imap.MailboxAttr{imap.MailboxAttrNoSelect, imap.MailboxAttrHasChildren}
			}
		}
	}
	names := slices.SortedFunc(maps.Keys(attrs), u.loc.compareNames)
	out := make([]imap.ListData, len(names))
	for i, name := range names {
		out[i] = imap.ListData{Attrs: attrs[name], Delim: u.Delimiter(), Mailbox: name}
	}
	return out, nil
}
