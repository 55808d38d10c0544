package imapd

import (
	"context"

	"maildir-imapd/imapd/wire"

	"github.com/emersion/go-imap/v2"
)

// namespace is NAMESPACE (RFC 9051 §6.3.10).
func (c *conn) namespace(context.Context) error {
	data := c.account.Namespaces()
	b := append(c.out.begin(), "* NAMESPACE"...)
	for _, list := range [][]imap.NamespaceDescriptor{data.Personal, data.Other, data.Shared} {
		if len(list) == 0 {
			b = append(b, " NIL"...)
			continue
		}
		b = append(b, " ("...)
		for _, n := range list {
			// Not AppendMailbox: a prefix is always a string (RFC 9051 §9, namespace-descr).
			b = append(b, '(')
			if c.utf8 {
				b = wire.AppendStringUTF8(b, n.Prefix)
			} else {
				b = wire.AppendString(b, wire.EncodeMailbox(n.Prefix))
			}
			b = wire.AppendDelim(append(b, ' '), n.Delim)
			b = append(b, ')')
		}
		b = append(b, ')')
	}
	c.out.endLine(b)
	return nil
}
