package imapd

import (
	"context"
	"strings"

	"maildir-imapd/imapd/wire"
)

func parseEnable(c *conn, d *wire.Decoder) runFunc {
	var names []string
	for ok := true; ok; ok = d.More() {
		d.SP()
		names = append(names, d.Keyword("a capability"))
	}
	return func(ctx context.Context, c *conn) error { return c.enable(names) }
}

// enable is ENABLE (RFC 9051 §6.3.1). What is unknown, or can't be enabled, is passed over; what was
// enabled before is not told again.
func (c *conn) enable(names []string) error {
	b := append(c.out.begin(), "* ENABLED"...)
	for _, e := range capabilities {
		upper := strings.ToUpper(e.name)
		if !e.enable || c.enabled[upper] || !c.has(e.name) {
			continue
		}
		for _, name := range names {
			if name == upper && !c.enabled[upper] {
				if c.enabled == nil {
					c.enabled = make(map[string]bool)
				}
				c.enabled[upper] = true
				b = append(append(b, ' '), e.name...)
			}
		}
	}
	c.out.endLine(b)
	c.rev2 = c.enabled["IMAP4REV2"]
	c.utf8 = c.rev2 || c.enabled["UTF8=ACCEPT"]
	c.dec.SetUTF8(c.utf8)
	c.qresync = c.qresync || c.enabled["QRESYNC"]
	if c.enabled["CONDSTORE"] || c.qresync { // RFC 7162 §3.2.3: QRESYNC is both
		c.beCondstore()
	}
	if c.enabled["UIDONLY"] {
		c.beUIDOnly()
	}
	return nil
}
