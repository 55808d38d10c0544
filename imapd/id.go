package imapd

import (
	"context"
	"maps"
	"slices"

	"maildir-imapd/imapd/wire"
)

// maxIDFields is the greatest number of fields of an ID (RFC 2971 §3.3).
const maxIDFields = 30

func parseID(c *conn, d *wire.Decoder) runFunc {
	var client []string // field=value
	d.SP()
	if !d.TryKeyword("NIL") {
		d.ListOrEmpty(func() {
			field := d.String()
			d.SP()
			value, _ := d.NString()
			if client = append(client, field+"="+value); len(client) > maxIDFields {
				d.Fail("30 fields at most")
			}
		})
	}
	return func(ctx context.Context, c *conn) error { return c.identify(client) }
}

// identify answers ID (RFC 2971).
func (c *conn) identify(client []string) error {
	c.log.Debug("client", "id", client)
	b := append(c.out.begin(), "* ID "...)
	if len(c.cfg.ServerID) == 0 {
		c.out.endLine(append(b, "NIL"...))
		return nil
	}
	sep := byte('(')
	for _, field := range slices.Sorted(maps.Keys(c.cfg.ServerID)) {
		b = wire.AppendString(append(b, sep), field)
		b = wire.AppendString(append(b, ' '), c.cfg.ServerID[field])
		sep = ' '
	}
	c.out.endLine(append(b, ')'))
	return nil
}
