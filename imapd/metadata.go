package imapd

import (
	"context"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strings"

	"maildir-imapd/backend"
	"maildir-imapd/imapd/wire"

	"github.com/emersion/go-imap/v2"
)

// Limits of one command.
const (
	maxEntryName = 512  // octets
	maxEntries   = 1000 // names or values
)

// getMetadataArgs are the arguments of GETMETADATA (RFC 5464 §4.2), and of RETURN (METADATA ...) in LIST.
type getMetadataArgs struct {
	entries []string
	maxSize int64 // of values, in octets
	depth   int   // levels below the entries

	uses map[string]string // special uses by mailbox; nil: not looked at yet
}

// adminEntry is the address of the administrator, which the configuration sets.
const adminEntry = "/shared/admin"

// parseGetMetadata takes the options before the mailbox, as the grammar has them, and behind it, as the
// examples do.
func parseGetMetadata(c *conn, d *wire.Decoder) runFunc {
	a := getMetadataArgs{maxSize: math.MaxInt64}
	d.SP()
	options := d.Peek() == '('
	if options {
		a.parseOptions(d)
		d.SP()
	}
	name := d.Mailbox()
	d.SP()
	if !options && (d.Ahead("(M") || d.Ahead("(m") || d.Ahead("(D") || d.Ahead("(d")) { // entries begin with '/'
		a.parseOptions(d)
		d.SP()
	}
	a.parseEntries(d)
	for d.Try(' ') { // more without parentheses, as in §4.4.1
		a.parseEntry(d)
	}
	return func(_ context.Context, c *conn) error { return c.getMetadata(name, &a) }
}

func (a *getMetadataArgs) parseOptions(d *wire.Decoder) {
	d.List(func() {
		switch d.Keyword("an option of GETMETADATA") {
		case "MAXSIZE":
			d.SP()
			a.maxSize = d.Number64()
		case "DEPTH":
			d.SP()
			switch d.Keyword("0, 1 or infinity") {
			case "0":
				a.depth = 0
			case "1":
				a.depth = 1
			case "INFINITY":
				a.depth = math.MaxInt
			default:
				d.Fail("0, 1 or infinity")
			}
		default:
			d.Fail("a known option of GETMETADATA")
		}
	})
}

func (a *getMetadataArgs) parseEntries(d *wire.Decoder) {
	if d.Peek() == '(' {
		d.List(func() { a.parseEntry(d) })
	} else {
		a.parseEntry(d)
	}
}

func (a *getMetadataArgs) parseEntry(d *wire.Decoder) {
	a.entries = append(a.entries, parseEntryName(d))
	if len(a.entries) > maxEntries {
		d.Fail("fewer entries")
	}
}

// parseEntryName takes an entry's name (RFC 5464 §3.2).
func parseEntryName(d *wire.Decoder) string {
	name := d.AString()
	root, _, _ := strings.Cut(strings.TrimPrefix(name, "/"), "/")
	switch {
	case !strings.HasPrefix(name, "/") || !strings.EqualFold(root, "private") && !strings.EqualFold(root, "shared"):
		d.Fail("an entry's name that begins with /private or /shared")
	case strings.HasSuffix(name, "/") || strings.Contains(name, "//"):
		d.Fail("an entry's name without empty components")
	case strings.ContainsFunc(name, func(r rune) bool { return r < 0x20 || r >= 0x7f || r == '*' || r == '%' }):
		d.Fail("an entry's name in printable ASCII without * and %")
	case len(name) > maxEntryName:
		d.Fail("a shorter entry's name")
	}
	return name
}

// getMetadata is GETMETADATA. What has no value is NIL where it was asked for by its name.
func (c *conn) getMetadata(name string, a *getMetadataArgs) error {
	longest, err := c.metadata(name, a)
	if err == nil && longest > 0 {
		c.completed(fmt.Sprintf("METADATA LONGENTRIES %d", longest), completedText(c.name))
	}
	return err
}

// metadata writes the METADATA response of a mailbox, and returns the size of the largest value that was too large.
func (c *conn) metadata(name string, a *getMetadataArgs) (longest int, err error) {
	all, err := c.account.Metadata(name)
	if err != nil {
		return 0, err
	}
	if name == "" {
		all = append(all, c.serverMetadata()...)
	} else if c.has("SPECIAL-USE") && a.has(backend.SpecialUseEntry) {
		if a.uses == nil { // once for all mailboxes of a LIST
			if a.uses, err = c.account.SpecialUses(); err != nil {
				return 0, err
			}
		}
		if use, ok := a.uses[c.account.Canonical(name)]; ok {
			all = append(all, backend.Metadata{Name: backend.SpecialUseEntry, Value: &use})
		}
	}
	byName := make(map[string]*string, len(all))
	for _, m := range all {
		byName[strings.ToLower(m.Name)] = m.Value
	}
	b := c.appendMailbox(append(c.out.begin(), "* METADATA "...), name)
	sep := " ("
	told := make(map[string]bool)
	add := func(name string, value *string) {
		key := strings.ToLower(name)
		if told[key] {
			return
		}
		told[key] = true
		if value != nil && int64(len(*value)) > a.maxSize {
			longest = max(longest, len(*value))
			return
		}
		b = wire.AppendAString(append(b, sep...), name)
		b = appendMetadataValue(append(b, ' '), value)
		sep = " "
	}
	for _, entry := range a.entries {
		if value := byName[strings.ToLower(entry)]; value != nil || a.depth == 0 {
			add(entry, value)
		}
		if a.depth == 0 {
			continue
		}
		for _, m := range all {
			if levels, ok := levelsBelow(m.Name, entry); ok && levels <= a.depth {
				add(m.Name, m.Value)
			}
		}
	}
	if sep != " (" { // else there is nothing to say
		c.out.endLine(append(b, ')'))
	}
	return longest, nil
}

// has reports whether an entry is among those that are asked for.
func (a *getMetadataArgs) has(name string) bool {
	return slices.ContainsFunc(a.entries, func(entry string) bool {
		levels, below := levelsBelow(name, entry)
		return strings.EqualFold(name, entry) || below && levels <= a.depth
	})
}

// levelsBelow counts the components by which name lies below entry.
func levelsBelow(name, entry string) (int, bool) {
	if len(name) <= len(entry) || !strings.EqualFold(name[:len(entry)], entry) || name[len(entry)] != '/' {
		return 0, false
	}
	return strings.Count(name[len(entry):], "/"), true
}

func appendMetadataValue(b []byte, value *string) []byte {
	switch {
	case value == nil:
		return append(b, "NIL"...)
	case strings.IndexByte(*value, 0) >= 0:
		return append(wire.AppendLiteral8(b, int64(len(*value))), *value...)
	}
	return wire.AppendString(b, *value)
}

// serverMetadata are the entries of the server that the configuration sets (RFC 5464 §3.2.1.1).
func (c *conn) serverMetadata() []backend.Metadata {
	admin := c.cfg.ServerID["support-url"]
	if u, err := url.Parse(admin); err != nil || u.Scheme == "" {
		return nil
	}
	return []backend.Metadata{{Name: adminEntry, Value: &admin}}
}

// parseSetMetadata is SETMETADATA (RFC 5464 §4.3).
func parseSetMetadata(c *conn, d *wire.Decoder) runFunc {
	var changes []backend.Metadata
	d.SP()
	name := d.Mailbox()
	d.SP()
	d.List(func() {
		m := backend.Metadata{Name: parseEntryName(d)}
		switch parts := strings.Split(strings.ToLower(m.Name), "/"); {
		case len(parts) < 3:
			d.Fail("an entry's name of two components at least")
		case parts[2] == "vendor" && len(parts) < 5:
			d.Fail("/vendor/, the vendor and an entry's name")
		}
		d.SP()
		if n, ok := d.LiteralAhead(); ok && n > backend.MaxMetadataValue {
			d.Refuse(errMetadataTooBig)
		}
		if value, ok := d.NValue(); ok {
			if len(value) > backend.MaxMetadataValue {
				d.Refuse(errMetadataTooBig)
			}
			m.Value = &value
		}
		changes = append(changes, m)
		if len(changes) > maxEntries {
			d.Fail("fewer entries")
		}
	})
	return func(ctx context.Context, c *conn) error { return c.setMetadata(ctx, name, changes) }
}

var errMetadataTooBig = no(imap.ResponseCode(fmt.Sprintf("METADATA MAXSIZE %d", backend.MaxMetadataValue)), "Value too big")

func (c *conn) setMetadata(ctx context.Context, name string, changes []backend.Metadata) error {
	if name == "" {
		for _, m := range changes {
			// What is shared would be shown to all users of the server: that is the administrator's to say.
			if strings.HasPrefix(strings.ToLower(m.Name), "/shared/") {
				return no(imap.ResponseCodeNoPerm, "Shared annotations of the server are set by the administrator")
			}
			if err := c.checkFilter(m); err != nil {
				return err
			}
		}
	}
	var by *backend.Monitor
	if c.notify != nil {
		by = c.notify.monitor
	}
	return c.account.SetMetadata(ctx, name, changes, by)
}
