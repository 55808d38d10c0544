package imapd

import (
	"context"
	"slices"
	"strconv"

	"maildir-imapd/imapd/wire"

	"github.com/emersion/go-imap/v2"
)

// statusItem is a data item of STATUS.
type statusItem struct {
	name   string
	cap    string // the capability it belongs to
	ask    func(o *imap.StatusOptions)
	append func(b []byte, c *conn, data *imap.StatusData) []byte
}

// statusItems are the items of RFC 9051 §6.3.11, RFC 3501 §6.3.10 and of extensions.
var statusItems = []statusItem{
	{"MESSAGES", "", func(o *imap.StatusOptions) { o.NumMessages = true },
		func(b []byte, _ *conn, data *imap.StatusData) []byte { return appendCount(b, data.NumMessages) }},
	{"RECENT", "", func(o *imap.StatusOptions) { o.NumRecent = true },
		func(b []byte, _ *conn, data *imap.StatusData) []byte { return appendCount(b, data.NumRecent) }},
	{"UIDNEXT", "", func(o *imap.StatusOptions) { o.UIDNext = true },
		func(b []byte, _ *conn, data *imap.StatusData) []byte { return wire.AppendUint(b, data.UIDNext) }},
	{"UIDVALIDITY", "", func(o *imap.StatusOptions) { o.UIDValidity = true },
		func(b []byte, _ *conn, data *imap.StatusData) []byte { return wire.AppendUint(b, data.UIDValidity) }},
	{"UNSEEN", "", func(o *imap.StatusOptions) { o.NumUnseen = true },
		func(b []byte, _ *conn, data *imap.StatusData) []byte { return appendCount(b, data.NumUnseen) }},
	// Both RFC 9051 and RFC 9208 have it: it is always there.
	{"DELETED", "", func(o *imap.StatusOptions) { o.NumDeleted = true },
		func(b []byte, _ *conn, data *imap.StatusData) []byte { return appendCount(b, data.NumDeleted) }},
	{"DELETED-STORAGE", "QUOTA=RES-STORAGE", func(o *imap.StatusOptions) { o.DeletedStorage = true }, // RFC 9208 §4.1.4
		func(b []byte, _ *conn, data *imap.StatusData) []byte {
			return strconv.AppendInt(b, deref(data.DeletedStorage), 10)
		}},
	{"SIZE", "STATUS=SIZE", func(o *imap.StatusOptions) { o.Size = true }, // RFC 8438
		func(b []byte, _ *conn, data *imap.StatusData) []byte {
			return strconv.AppendInt(b, deref(data.Size), 10)
		}},
	{"HIGHESTMODSEQ", "CONDSTORE", func(o *imap.StatusOptions) { o.HighestModSeq = true },
		func(b []byte, _ *conn, data *imap.StatusData) []byte { return wire.AppendUint(b, data.HighestModSeq) }},
	{"MAILBOXID", "OBJECTID", func(*imap.StatusOptions) {}, nil}, // see statusResponse
	{"APPENDLIMIT", "APPENDLIMIT", func(*imap.StatusOptions) {}, // RFC 7889 §3: the account's
		func(b []byte, c *conn, _ *imap.StatusData) []byte {
			if n := c.announcedLimit(); n > 0 {
				return strconv.AppendInt(b, n, 10)
			}
			return append(b, "NIL"...)
		}},
}

func appendCount(b []byte, n *uint32) []byte { return wire.AppendUint(b, deref(n)) }

// deref is *p, or 0.
func deref[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

func parseStatus(c *conn, d *wire.Decoder) runFunc {
	d.SP()
	name := d.Mailbox()
	d.SP()
	items := parseStatusItems(c, d)
	return func(ctx context.Context, c *conn) error {
		b, err := c.statusResponse(ctx, name, items)
		if err == nil {
			c.out.endLine(append(c.out.begin(), b...))
		}
		return err
	}
}

// parseStatusItems takes a list of items and returns each of them once, in the order of the table.
func parseStatusItems(c *conn, d *wire.Decoder) (items []statusItem) {
	asked := make(map[string]bool)
	d.List(func() {
		name := d.Keyword("a STATUS item")
		asked[name] = true
		known := slices.ContainsFunc(statusItems, func(i statusItem) bool { return i.name == name && (i.cap == "" || c.has(i.cap)) })
		if !known || name == "RECENT" && c.rev2 {
			d.Fail("a known STATUS item")
		}
	})
	for _, item := range statusItems {
		if asked[item.name] {
			items = append(items, item)
		}
	}
	return items
}

// statusResponse is the STATUS response of one mailbox (RFC 9051 §7.3.4).
func (c *conn) statusResponse(ctx context.Context, name string, items []statusItem) ([]byte, error) {
	var o imap.StatusOptions
	for _, item := range items {
		item.ask(&o)
	}
	if o.HighestModSeq {
		c.beCondstore()
	}
	data, id, err := c.account.Status(ctx, name, &o)
	if err != nil {
		return nil, err
	}
	b := c.appendMailbox([]byte("* STATUS "), name)
	sep := " ("
	for _, item := range items {
		b = append(append(b, sep...), item.name...)
		if b = append(b, ' '); item.append != nil {
			b = item.append(b, c, data)
		} else {
			b = append(append(append(b, '('), id...), ')')
		}
		sep = " "
	}
	return append(b, ')'), nil
}
