package backend

import "github.com/emersion/go-imap/v2"

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

// Delimiter is the hierarchy separator.
func (a *Account) Delimiter() rune { return rune(a.loc.separator()) }
