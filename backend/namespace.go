package backend

import "github.com/emersion/go-imap/v2"

// Namespaces answers NAMESPACE (RFC 2342): all mail is the user's own.
func (a *Account) Namespaces() imap.NamespaceData {
	return imap.NamespaceData{Personal: []imap.NamespaceDescriptor{{Prefix: a.loc.Prefix, Delim: a.Delimiter()}}}
}

// Delimiter is the hierarchy separator.
func (a *Account) Delimiter() rune { return rune(a.loc.separator()) }
