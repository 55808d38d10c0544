package wire

import (
	"strings"
	"unicode/utf8"

	"maildir-imapd/mutf7"
)

// Mailbox takes a mailbox name and returns it in UTF-8; INBOX in any case is
// "INBOX". On the wire it is in modified UTF-7, or (RFC 6855 §3, and the habit of some
// clients) in UTF-8.
func (d *Decoder) Mailbox() string {
	name := d.MailboxAsGiven()
	if strings.EqualFold(name, "INBOX") {
		return "INBOX"
	}
	return name
}

// MailboxAsGiven is Mailbox, but INBOX is spelled as the client did.
func (d *Decoder) MailboxAsGiven() string { return d.mailboxName(d.AString()) }

// ListMailbox takes a mailbox name or pattern of LIST and LSUB, in which
// '%' and '*' need no quotes.
func (d *Decoder) ListMailbox() string {
	if classes[d.Peek()]&classList != 0 && !d.literal8Next() {
		return d.mailboxName(d.take(classList, "a mailbox pattern"))
	}
	return d.mailboxName(d.stringAs("a mailbox pattern"))
}

func (d *Decoder) mailboxName(s string) string {
	if d.err != nil {
		return ""
	}
	for i := range len(s) {
		if s[i] < 0x80 {
			continue
		}
		if !utf8.ValidString(s) {
			d.Fail("a mailbox name in modified UTF-7 or UTF-8")
			return ""
		}
		return s
	}
	if d.utf8 {
		return s
	}
	name, err := mutf7.Decode(s)
	if err != nil {
		d.Fail("a mailbox name in modified UTF-7")
		return ""
	}
	return name
}
