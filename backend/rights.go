package backend

import (
	"strings"

	"maildir-imapd/uidmap"

	"github.com/emersion/go-imap/v2"
)

// Rights is a set of the rights of RFC 4314 §2.1.
type Rights uint16

// The rights, in the order of uidmap.ACLRights.
const (
	RightLookup     Rights = 1 << iota // l
	RightRead                          // r
	RightWrite                         // w: flags but \Seen and \Deleted
	RightSeen                          // s: \Seen
	RightDeleted                       // t: \Deleted
	RightInsert                        // i
	RightPost                          // p
	RightExpunge                       // e
	RightCreate                        // k
	RightDelete                        // x
	RightAdminister                    // a

	AllRights Rights = 1<<iota - 1
	noRights  Rights = 0

	// changeRights are those of which one makes a mailbox READ-WRITE (RFC 4314 §5.2): all flags are shared.
	changeRights = RightInsert | RightExpunge | flagRights
	flagRights   = RightWrite | RightSeen | RightDeleted
)

// ParseRights reads letters. c and d of RFC 2086 stand for k and x, and for e and t (RFC 4314 §2.1.1). ok is false where
// there is another one.
func ParseRights(letters string) (r Rights, ok bool) {
	for _, c := range letters {
		switch i := strings.IndexRune(uidmap.ACLRights, c); {
		case i >= 0:
			r |= 1 << i
		case c == 'c':
			r |= RightCreate | RightDelete
		case c == 'd':
			r |= RightExpunge | RightDeleted
		default:
			return 0, false
		}
	}
	return r, true
}

// String is the letters, without c and d.
func (r Rights) String() string {
	var b []byte
	for i := range len(uidmap.ACLRights) {
		if r&(1<<i) != 0 {
			b = append(b, uidmap.ACLRights[i])
		}
	}
	return string(b)
}

// Has reports whether all of need are there.
func (r Rights) Has(need Rights) bool { return r&need == need }

// may returns nil where r has what is needed. Who may not even see a mailbox is told that there is none (RFC 4314 §6).
func (r Rights) may(need Rights) error {
	switch {
	case r.Has(need):
		return nil
	case r.Has(RightLookup):
		return errNoPerm
	}
	return errNonExistent
}

var errNoPerm = &imap.Error{Type: imap.StatusResponseTypeNo, Code: imap.ResponseCodeNoPerm, Text: "You have no right to do that with this mailbox"}

// flagRight is the right to change a flag (RFC 4314 §4).
func flagRight(f imap.Flag) Rights {
	switch systemBit(f) {
	case flagSeen:
		return RightSeen
	case flagDeleted:
		return RightDeleted
	}
	return RightWrite
}

// flags are those of a list that may be given to a message. An APPEND or COPY with others does not fail (RFC 4314 §4).
func (r Rights) flags(list []imap.Flag) []imap.Flag {
	if r.Has(flagRights) {
		return list
	}
	var out []imap.Flag
	for _, f := range list {
		if r.Has(flagRight(f)) {
			out = append(out, f)
		}
	}
	return out
}

// apply changes the flags of a message as far as r allows.
func (r Rights) apply(old flags, op imap.StoreFlagsOp, set flags) flags {
	f := old.apply(op, set)
	keep := uint8(0)
	if !r.Has(RightSeen) {
		keep |= flagSeen
	}
	if !r.Has(RightDeleted) {
		keep |= flagDeleted
	}
	if !r.Has(RightWrite) {
		keep |= ^(flagSeen | flagDeleted)
		f.letters, f.more = old.letters, old.more
	}
	f.sys = f.sys&^keep | old.sys&keep
	return f
}

// identity is who somebody is to access control lists.
type identity struct {
	name   string
	groups map[string]bool
}

// of combines the entries that are about him, as Dovecot does: those of one kind add up, and take the place of those of
// the kinds before. What a negative entry takes away, no other one gives back. known is false where none is about him.
func (id *identity) of(list []uidmap.ACLEntry) (r Rights, known bool) {
	var given [uidmap.ACLUnknown]Rights
	var says [uidmap.ACLUnknown]bool
	var taken Rights
	for _, e := range list {
		if e.Kind >= uidmap.ACLUnknown {
			if e.Kind == uidmap.ACLUnknown && e.Negative { // it may be about him, and about any right
				taken, known = AllRights, true
			}
			continue
		}
		switch e.Kind {
		case uidmap.ACLOwner:
			continue // what is shared has no owner
		case uidmap.ACLUser:
			if e.Name != id.name {
				continue
			}
		case uidmap.ACLGroup, uidmap.ACLGroupOverride:
			if !id.groups[e.Name] {
				continue
			}
		}
		known = true
		rights, _ := ParseRights(e.Rights)
		if e.Negative {
			taken |= rights
		} else {
			given[e.Kind] |= rights
			says[e.Kind] = true
		}
	}
	for kind := range given {
		if says[kind] {
			r = given[kind]
		}
	}
	return r &^ taken, known
}

// by are his rights by the list of a mailbox, and where that says nothing about him by that of the root.
func (id *identity) by(list, root []uidmap.ACLEntry) Rights {
	r, known := id.of(list)
	if !known {
		r, _ = id.of(root)
	}
	return r
}
