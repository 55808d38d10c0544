package backend

import (
	"strings"

	"github.com/emersion/go-imap/v2"
)

// Namespaces answers NAMESPACE (RFC 2342).
func (u *User) Namespaces() imap.NamespaceData {
	data := imap.NamespaceData{Personal: []imap.NamespaceDescriptor{{Prefix: u.loc.Prefix, Delim: u.Delimiter()}}}
	for _, s := range u.shares {
		n := imap.NamespaceDescriptor{Prefix: s.loc.Prefix, Delim: s.Delimiter()}
		if s.others {
			data.Other = append(data.Other, n)
		} else {
			data.Shared = append(data.Shared, n)
		}
	}
	return data
}

// Root is the prefix of the namespace that a reference of LIST lies in (RFC 3501 §6.3.8).
func (u *User) Root(ref string) string {
	if s := u.share(ref); s != nil {
		return s.loc.Prefix
	}
	if u.loc.Prefix != "" && strings.HasPrefix(u.loc.canonical(ref), u.loc.canonical(u.loc.Prefix)) {
		return u.loc.Prefix
	}
	return ""
}

// Delimiter is the hierarchy separator.
func (a *Account) Delimiter() rune { return rune(a.loc.separator()) }
