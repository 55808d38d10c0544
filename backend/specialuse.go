package backend

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"

	"maildir-imapd/mutf7"

	"github.com/emersion/go-imap/v2"
)

// specialUseFile has the attributes that were given by CREATE (USE ...), beside the
// subscriptions: a line for each attribute, the name in modified UTF-7 with the account's
// separator and prefix.
//
//	\Sent INBOX.Gesendete Elemente
const specialUseFile = "maildir-imapd-special-use"

const maxSpecialUseFile = 64 << 10 // octets

// usualNames are the mailboxes that have a special use without being told, the
// best name first, in lower case. They are looked for at the top and beneath INBOX.
var usualNames = []struct {
	use   imap.MailboxAttr
	names []string
}{
	{imap.MailboxAttrArchive, []string{"archive", "archives"}},
	{imap.MailboxAttrDrafts, []string{"drafts"}},
	{imap.MailboxAttrJunk, []string{"junk", "spam", "junk e-mail"}},
	{imap.MailboxAttrSent, []string{"sent", "sent messages", "sent items"}},
	{imap.MailboxAttrTrash, []string{"trash", "deleted messages", "deleted items"}},
}

// checkUses refuses attributes that no mailbox here can have: \All and \Flagged
// would have to show the mail of others (RFC 6154 §3).
func checkUses(use []imap.MailboxAttr) error {
	for _, u := range use {
		if _, ok := canonicalUse(u); !ok {
			return &imap.Error{Type: imap.StatusResponseTypeNo, Code: "USEATTR", Text: "This special use is not supported"}
		}
	}
	return nil
}

// canonicalUse finds an attribute that can be given, in any case.
func canonicalUse(u imap.MailboxAttr) (imap.MailboxAttr, bool) {
	if strings.EqualFold(string(u), string(imap.MailboxAttrImportant)) { // RFC 8457
		return imap.MailboxAttrImportant, true
	}
	for _, x := range usualNames {
		if strings.EqualFold(string(u), string(x.use)) {
			return x.use, true
		}
	}
	return "", false
}

// specialUses says which mailboxes of the user's tree have which uses. Each use belongs to one
// mailbox: the one that a client chose, else the one in the configuration, else the one with
// the best of the usual names.
func (u *User) specialUses(t *tree) (map[string][]imap.MailboxAttr, error) {
	assigned, err := u.assignedUses()
	if err != nil {
		return nil, err
	}
	// No client chooses a shared one. The line is about a mailbox of his own that the shared one hides.
	assigned = slices.DeleteFunc(assigned, func(x assignedUse) bool { return u.share(x.name) != nil })
	return u.usesWith(t, assigned), nil
}

func (a *Account) usesWith(t *tree, assigned []assignedUse) map[string][]imap.MailboxAttr {
	uses := make(map[string][]imap.MailboxAttr)
	taken := make(map[imap.MailboxAttr]bool)
	give := func(name string, use imap.MailboxAttr) {
		if n := t.byName[name]; n != nil && n.Selectable && !taken[use] {
			taken[use] = true
			uses[name] = append(uses[name], use)
		}
	}
	for _, x := range assigned {
		give(x.name, x.use)
	}
	for _, name := range slices.Sorted(maps.Keys(a.loc.SpecialUse)) {
		give(a.loc.canonical(name), a.loc.SpecialUse[name])
	}
	usual := make(map[string]string) // by name in lower case
	for _, n := range t.nodes {
		rest := strings.TrimPrefix(n.Name, a.loc.canonical(a.loc.Prefix))
		rest = strings.TrimPrefix(rest, inboxName+string(a.loc.separator()))
		if rest = strings.ToLower(rest); usual[rest] == "" {
			usual[rest] = n.Name
		}
	}
	for _, x := range usualNames {
		for _, name := range x.names {
			give(usual[name], x.use)
		}
	}
	return uses
}

// assignedUse is a line of the file.
type assignedUse struct {
	name string
	use  imap.MailboxAttr
}

// assignedUses reads the file. A missing one is empty.
func (a *Account) assignedUses() ([]assignedUse, error) {
	data, err := readSmall(a.control, specialUseFile, maxSpecialUseFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var out []assignedUse
	for line := range bytes.Lines(data) {
		attr, encoded, _ := strings.Cut(strings.TrimRight(string(line), "\r\n"), " ")
		use, ok := canonicalUse(imap.MailboxAttr(attr))
		name, err := mutf7.Decode(encoded)
		if ok && err == nil {
			out = append(out, assignedUse{a.loc.canonical(name), use})
		}
	}
	return out, nil
}

// assignUses gives the uses to a mailbox and takes them from others. undo sets the
// file back. folders.change is held.
func (a *Account) assignUses(name string, use []imap.MailboxAttr) (undo func() error, err error) {
	old, err := a.assignedUses()
	if err != nil {
		return nil, err
	}
	return func() error { return a.writeUses(old) }, a.writeUses(giveUses(old, name, use))
}

func giveUses(list []assignedUse, name string, use []imap.MailboxAttr) []assignedUse {
	list = slices.Clone(list)
	for _, u := range use {
		u, _ = canonicalUse(u)
		list = slices.DeleteFunc(list, func(x assignedUse) bool { return x.use == u })
		list = append(list, assignedUse{name, u})
	}
	return list
}

// renameUses lets the uses follow a mailbox and those beneath it. folders.change is held.
func (a *Account) renameUses(from, to string) error {
	return a.changeUses(func(x *assignedUse) bool {
		if rest, ok := strings.CutPrefix(x.name, from); ok && (rest == "" || rest[0] == a.loc.separator()) {
			x.name = to + rest
		}
		return true
	})
}

// dropUses takes all uses from a mailbox. folders.change is held.
func (a *Account) dropUses(name string) error {
	return a.changeUses(func(x *assignedUse) bool { return x.name != name })
}

// changeUses applies keep to each line, which may change it, and writes the file if that made a difference.
func (a *Account) changeUses(keep func(*assignedUse) bool) error {
	old, err := a.assignedUses()
	if err != nil {
		return err
	}
	var now []assignedUse
	for _, x := range old {
		if keep(&x) {
			now = append(now, x)
		}
	}
	if slices.Equal(old, now) {
		return nil
	}
	return a.writeUses(now)
}

// writeUses replaces the file, and is on disk when it returns.
func (a *Account) writeUses(list []assignedUse) error {
	var text []byte
	for _, x := range list {
		text = fmt.Appendf(text, "%s %s\n", x.use, mutf7.Encode(x.name))
	}
	return a.replaceFile(specialUseFile, text)
}

// replaceFile puts a small control file in the place of an old one in one step.
func (a *Account) replaceFile(name string, data []byte) (err error) {
	tmp := name + ".tmp"
	f, err := a.control.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, a.filePerm)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = a.control.Rename(tmp, name)
	}
	if err != nil {
		return errors.Join(err, a.control.Remove(tmp))
	}
	return syncDir(place{a.control, path.Dir(name)})
}

// readSmall reads a regular file of at most limit octets.
func readSmall(root *os.Root, name string, limit int64) ([]byte, error) {
	fi, err := root.Stat(name) // before it is opened: a FIFO would block
	if err != nil {
		return nil, err
	}
	if !fi.Mode().IsRegular() || fi.Size() > limit {
		return nil, fmt.Errorf("%s: not a regular file of at most %d octets", name, limit)
	}
	return root.ReadFile(name)
}
