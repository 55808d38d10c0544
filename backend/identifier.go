package backend

import (
	"strings"

	"maildir-imapd/uidmap"
)

// Identifiers of IMAP (RFC 4314 §2), as Dovecot writes them: anyone, authenticated, owner, $group, !$group for a group that overrides
// all others, or a user; with '-' in front for negative rights.

// entryOf is the entry of an identifier, without rights.
func entryOf(identifier string) (e uidmap.ACLEntry) {
	identifier, e.Negative = strings.CutPrefix(identifier, "-")
	switch group, is := strings.CutPrefix(identifier, "$"); {
	case is:
		e.Kind, e.Name = uidmap.ACLGroup, group
		return e
	case identifier == "anyone":
		e.Kind = uidmap.ACLAnyone
		return e
	case identifier == "authenticated":
		e.Kind = uidmap.ACLAuthenticated
		return e
	case identifier == "owner":
		e.Kind = uidmap.ACLOwner
		return e
	}
	if group, is := strings.CutPrefix(identifier, "!$"); is {
		e.Kind, e.Name = uidmap.ACLGroupOverride, group
	} else {
		e.Kind, e.Name = uidmap.ACLUser, identifier
	}
	return e
}

// identifierOf is the identifier of an entry, "" where it has none: a user who is called as anyone, as a group or as another one's
// negative rights would be taken for them.
func identifierOf(e uidmap.ACLEntry) string {
	var id string
	switch e.Kind {
	case uidmap.ACLAnyone:
		id = "anyone"
	case uidmap.ACLAuthenticated:
		id = "authenticated"
	case uidmap.ACLOwner:
		id = "owner"
	case uidmap.ACLGroup:
		id = "$" + e.Name
	case uidmap.ACLGroupOverride:
		id = "!$" + e.Name
	case uidmap.ACLUser:
		id = e.Name
	default:
		return ""
	}
	if e.Negative {
		id = "-" + id
	}
	if x := entryOf(id); x.Kind != e.Kind || x.Name != e.Name || x.Negative != e.Negative {
		return ""
	}
	return id
}

// ValidIdentifier reports whether an identifier names somebody: not only signs, and no more than a user's name can have.
func ValidIdentifier(identifier string) bool {
	e := entryOf(identifier)
	return len(identifier) <= 255 && !(e.Name == "" && e.Kind >= uidmap.ACLGroup && e.Kind != uidmap.ACLOwner)
}
