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

// NoMailbox stands for a pattern that matches no name: it has what no name can have.
const NoMailbox = "\x00"

// ListMailbox takes a mailbox name or pattern of LIST and LSUB, in which
// '%' and '*' need no quotes. One that is no modified UTF-7 is no error, but NoMailbox (RFC 5258 §3, RFC 9051 §6.3.9).
func (d *Decoder) ListMailbox() string {
	var s string
	if classes[d.Peek()]&classList != 0 && !d.literal8Next() {
		s = d.take(classList, "a mailbox pattern")
	} else {
		s = d.stringAs("a mailbox pattern")
	}
	name, ok := d.decodeMailbox(s)
	if !ok {
		return NoMailbox
	}
	return name
}

func (d *Decoder) mailboxName(s string) string {
	name, ok := d.decodeMailbox(s)
	if !ok {
		d.Fail("a mailbox name in modified UTF-7")
	}
	return name
}

// decodeMailbox is the name in UTF-8; ok is false where it should be in modified UTF-7 and isn't.
func (d *Decoder) decodeMailbox(s string) (name string, ok bool) {
	if d.err != nil {
		return "", true
	}
	for i := range len(s) {
		if s[i] < 0x80 {
			continue
		}
		if !utf8.ValidString(s) {
			d.Fail("a mailbox name in modified UTF-7 or UTF-8")
		}
		return s, true
	}
	if d.utf8 {
		return s, true
	}
	name, err := mutf7.Decode(s)
	return name, err == nil
}
