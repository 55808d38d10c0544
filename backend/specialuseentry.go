package backend

import (
	"maps"
	"slices"
	"strings"

	"github.com/emersion/go-imap/v2"
)

// SpecialUseEntry is the annotation that says, and changes, which special uses a mailbox has (RFC 6154 §4). Its value is not kept
// with the other annotations.
const SpecialUseEntry = "/private/specialuse"

func isSpecialUse(m Metadata) bool { return strings.EqualFold(m.Name, SpecialUseEntry) }

// SpecialUses returns the value of SpecialUseEntry of each mailbox that has one.
func (u *User) SpecialUses() (map[string]string, error) {
	t, err := u.wholeTree()
	if err != nil {
		return nil, err
	}
	uses, err := u.specialUses(t)
	values := make(map[string]string, len(uses))
	for name, list := range uses {
		values[name] = useValue(list)
	}
	return values, err
}

func useValue(uses []imap.MailboxAttr) string {
	var words []string
	for _, u := range uses {
		words = append(words, string(u))
	}
	return strings.Join(words, " ")
}

// setSpecialUse gives a mailbox the uses that value names, nil: none, and takes them from others, which it returns. undo takes that
// back. folders.change is held.
//
// A use that a mailbox has by its name or by the configuration can be given to another one, but not taken away.
func (a *Account) setSpecialUse(name string, value *string) (others []string, undo func() error, err error) {
	var want []imap.MailboxAttr
	if value != nil {
		for _, word := range strings.Fields(*value) {
			want = append(want, imap.MailboxAttr(word))
		}
	}
	if err := checkUses(want); err != nil {
		return nil, nil, err
	}
	t, err := a.readTree()
	if err != nil {
		return nil, nil, err
	}
	if n := t.byName[name]; n == nil || !n.Selectable {
		return nil, nil, errNonExistent
	}
	old, err := a.assignedUses()
	if err != nil {
		return nil, nil, err
	}
	now := slices.DeleteFunc(slices.Clone(old), func(x assignedUse) bool { return x.name == name })
	now = giveUses(now, name, want)
	before, after := a.usesWith(t, old), a.usesWith(t, now)
	for _, u := range after[name] {
		if !slices.ContainsFunc(want, func(w imap.MailboxAttr) bool { return strings.EqualFold(string(w), string(u)) }) {
			return nil, nil, errUseStays
		}
	}
	for other := range maps.Keys(before) {
		if other != name && !slices.Equal(before[other], after[other]) {
			others = append(others, other)
		}
	}
	for other := range maps.Keys(after) { // who has one again by its name
		if other != name && before[other] == nil {
			others = append(others, other)
		}
	}
	return others, func() error { return a.writeUses(old) }, a.writeUses(now)
}

var errUseStays = &imap.Error{Type: imap.StatusResponseTypeNo, Code: "USEATTR", Text: "The mailbox has a special use by its name; give that to another one"}
