package wire

import (
	"strings"

	"github.com/emersion/go-imap/v2"
)

var systemFlags = []imap.Flag{imap.FlagSeen, imap.FlagAnswered, imap.FlagFlagged, imap.FlagDeleted, imap.FlagDraft}

// Flag takes a flag. A system flag is returned in its canonical case, a
// keyword as it stands. There are no other system flags than RFC 3501's, and \Recent is none that a
// client can set (RFC 3501 §9, flag).
func (d *Decoder) Flag() imap.Flag {
	if !d.Try('\\') {
		return imap.Flag(d.take(classAtom, "a flag"))
	}
	name := d.take(classAtom, `a system flag after \`)
	for _, f := range systemFlags {
		if strings.EqualFold(string(f[1:]), name) {
			return f
		}
	}
	d.Fail(`a system flag after \`)
	return ""
}

// FlagList takes a flag list in parentheses, which may be empty.
func (d *Decoder) FlagList() []imap.Flag {
	flags := []imap.Flag{}
	d.ListOrEmpty(func() { flags = append(flags, d.Flag()) })
	return flags
}

// Flags takes a flag list, or one or more flags without parentheses, as in STORE.
func (d *Decoder) Flags() []imap.Flag {
	if d.Peek() == '(' {
		return d.FlagList()
	}
	flags := []imap.Flag{d.Flag()}
	for d.Try(' ') {
		flags = append(flags, d.Flag())
	}
	return flags
}

// MailboxAttr takes a mailbox attribute such as \Sent, in the client's spelling.
func (d *Decoder) MailboxAttr() imap.MailboxAttr {
	d.Expect('\\')
	return imap.MailboxAttr(`\` + d.take(classAtom, "a mailbox attribute"))
}
