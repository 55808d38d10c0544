package imapd

import (
	"context"
	"strings"

	"maildir-imapd/auth"
	"maildir-imapd/backend"
	"maildir-imapd/imapd/wire"

	"github.com/emersion/go-imap/v2"
	"github.com/xdg-go/stringprep"
)

// Access control lists (RFC 4314). They are announced to those who have shared mailboxes: of his own a user has all rights, and
// can give none to others.

// sharesMail reports whether the user sees shared mailboxes.
func (c *conn) sharesMail() bool { return c.account != nil && c.account.Shares() }

// parseGetACL is GETACL (RFC 4314 §3.3).
func parseGetACL(c *conn, d *wire.Decoder) runFunc {
	d.SP()
	name := d.Mailbox()
	return func(_ context.Context, c *conn) error {
		list, err := c.account.ACL(name)
		if err != nil {
			return err
		}
		b := c.appendMailbox(append(c.out.begin(), "* ACL "...), name)
		for _, e := range list {
			b = wire.AppendAString(append(b, ' '), e.Identifier)
			b = appendRights(append(b, ' '), e.Rights)
		}
		c.out.endLine(b)
		return nil
	}
}

// parseSetACL is SETACL (RFC 4314 §3.1).
func parseSetACL(c *conn, d *wire.Decoder) runFunc {
	d.SP()
	name := d.Mailbox()
	d.SP()
	identifier := parseIdentifier(d)
	d.SP()
	letters := d.AString()
	how := imap.RightModificationReplace
	if strings.HasPrefix(letters, "+") || strings.HasPrefix(letters, "-") {
		how, letters = imap.RightModification(letters[0]), letters[1:]
	}
	rights, ok := backend.ParseRights(letters)
	if !ok {
		d.Fail("rights that are known, in small letters")
	}
	return func(ctx context.Context, c *conn) error { return c.account.SetACL(ctx, name, identifier, how, rights) }
}

// parseDeleteACL is DELETEACL (RFC 4314 §3.2).
func parseDeleteACL(c *conn, d *wire.Decoder) runFunc {
	d.SP()
	name := d.Mailbox()
	d.SP()
	identifier := parseIdentifier(d)
	return func(ctx context.Context, c *conn) error { return c.account.DeleteACL(ctx, name, identifier) }
}

// parseListRights is LISTRIGHTS (RFC 4314 §3.4). No rights are tied.
func parseListRights(c *conn, d *wire.Decoder) runFunc {
	d.SP()
	name := d.Mailbox()
	d.SP()
	given := d.AString()
	identifier := prepareIdentifier(d, given)
	return func(_ context.Context, c *conn) error {
		always, can, err := c.account.Grantable(name, identifier)
		if err != nil {
			return err
		}
		b := c.appendMailbox(append(c.out.begin(), "* LISTRIGHTS "...), name)
		b = wire.AppendAString(append(b, ' '), given) // in the form in which the client wrote it
		b = appendRights(append(b, ' '), always)
		for _, letter := range letters(can) {
			b = append(b, ' ', byte(letter))
		}
		c.out.endLine(b)
		return nil
	}
}

// parseMyRights is MYRIGHTS (RFC 4314 §3.5).
func parseMyRights(c *conn, d *wire.Decoder) runFunc {
	d.SP()
	name := d.Mailbox()
	return func(_ context.Context, c *conn) error { return c.myRights(name) }
}

// myRights writes the MYRIGHTS response of one mailbox.
func (c *conn) myRights(name string) error {
	r, err := c.account.Rights(name)
	if err != nil {
		return err
	}
	b := c.appendMailbox(append(c.out.begin(), "* MYRIGHTS "...), name)
	c.out.endLine(appendRights(append(b, ' '), r))
	return nil
}

// parseIdentifier takes an identifier.
func parseIdentifier(d *wire.Decoder) string { return prepareIdentifier(d, d.AString()) }

// prepareIdentifier is SASLprep, without which there is no command (RFC 4314 §3), and then that of users' names. What it lets through has no
// control characters.
func prepareIdentifier(d *wire.Decoder, s string) string {
	id, err := stringprep.SASLprep.Prepare(s)
	if name := strings.TrimPrefix(id, "-"); !strings.HasPrefix(name, "$") && !strings.HasPrefix(name, "!$") { // no group's
		id = auth.Normalize(id)
	}
	if err != nil || !backend.ValidIdentifier(id) {
		d.Fail("an identifier that names somebody")
	}
	return id
}

// letters are those of rights, with the virtual ones that older clients know (RFC 4314 §2.1.1).
func letters(r backend.Rights) string {
	s := r.String()
	if r&(backend.RightCreate|backend.RightDelete) != 0 {
		s += "c"
	}
	if r&(backend.RightDeleted|backend.RightExpunge) != 0 {
		s += "d"
	}
	return s
}

func appendRights(b []byte, r backend.Rights) []byte { return wire.AppendAString(b, letters(r)) }

// permanentFlags are those of the selected mailbox's flags, "\*" among them, that the user may change (RFC 4314 §5.1.1).
func permanentFlags(flags []imap.Flag, r backend.Rights) []imap.Flag {
	var out []imap.Flag
	for _, f := range flags {
		need := backend.RightWrite
		switch f {
		case imap.FlagSeen:
			need = backend.RightSeen
		case imap.FlagDeleted:
			need = backend.RightDeleted
		}
		if r.Has(need) {
			out = append(out, f)
		}
	}
	return out
}
