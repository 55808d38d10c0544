package backend

import (
	"path"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"maildir-imapd/mutf7"

	"github.com/emersion/go-imap/v2"
	"golang.org/x/text/unicode/norm"
)

// inboxName is the one name that means the same in any case (RFC 3501 §5.1).
const inboxName = "INBOX"

// Limits of new names.
const (
	maxComponent = 255  // octets of one name on disk, NAME_MAX everywhere
	maxDir       = 2048 // octets of a folder's path below the root, well under PATH_MAX
	maxLevels    = 32   // levels of a name, and of directories that are looked into
)

// replacement stands for what a name on disk has and an IMAP name can't have.
const replacement = "\uFFFD"

// scratchPrefix begins the names of directories that are being made or
// removed. No folder's name begins so: Maildir++ has no empty level, and names
// with ".." in front are refused.
const scratchPrefix = "..maildir-imapd-"

// dovecotTrash is the same to Dovecot.
const dovecotTrash = "..DOVECOT-TRASHED"

func isScratch(entry string) bool {
	return strings.HasPrefix(entry, scratchPrefix) || entry == dovecotTrash
}

// cannot refuses a mailbox name (RFC 5530 §3 CANNOT).
func cannot(text string) *imap.Error {
	return &imap.Error{Type: imap.StatusResponseTypeNo, Code: imap.ResponseCodeCannot, Text: text}
}

var (
	errNonExistent = &imap.Error{Type: imap.StatusResponseTypeNo, Code: imap.ResponseCodeNonExistent, Text: "Mailbox doesn't exist"}
	errExists      = &imap.Error{Type: imap.StatusResponseTypeNo, Code: imap.ResponseCodeAlreadyExists, Text: "Mailbox already exists"}
	errNoselect    = &imap.Error{Type: imap.StatusResponseTypeNo, Code: imap.ResponseCodeCannot, Text: "The name has children only, it can't hold mail"}
)

// Canonical is a name as it is told: in Unicode's normal form C (RFC 9051 §5.1), and INBOX in capitals.
func (a *Account) Canonical(name string) string { return a.loc.canonical(name) }

// canonical writes a name in normal form C, and INBOX, alone and as a parent, in capitals.
func (l *Location) canonical(name string) string {
	name = norm.NFC.String(name)
	n := len(inboxName)
	if len(name) >= n && strings.EqualFold(name[:n], inboxName) && (len(name) == n || name[n] == l.separator()) {
		return inboxName + name[n:]
	}
	return name
}

// underInbox reports whether a canonical name is INBOX or one beneath it.
func (l *Location) underInbox(name string) bool {
	rest, ok := strings.CutPrefix(name, inboxName)
	return ok && (rest == "" || rest[0] == l.separator())
}

// diskSeparator is what stands between the levels of a name on disk.
func (l *Location) diskSeparator() byte {
	if l.Layout == FS {
		return '/'
	}
	return '.'
}

// parent cuts the last level off a name, "" where there is but one.
func (l *Location) parent(name string) string {
	return name[:max(strings.LastIndexByte(name, l.separator()), 0)]
}

// levels checks a canonical name and cuts it below the namespace's prefix; none are INBOX.
func (l *Location) levels(name string) ([]string, error) {
	if name == inboxName {
		return nil, nil
	}
	sep := string(l.separator())
	rest, ok := strings.CutPrefix(name, l.canonical(l.Prefix))
	switch {
	case !ok:
		return nil, cannot("The name lies outside the namespace " + strconv.QuoteToASCII(l.Prefix))
	case len(name) > maxDir:
		return nil, cannot("The name is too long")
	case !utf8.ValidString(name):
		return nil, cannot("The name is not in UTF-8")
	case strings.ContainsAny(name, "\u2028\u2029"): // RFC 6855 §3; what other programs have made so is shown all the same
		return nil, cannot("A name can't have line separators")
	case strings.HasPrefix(rest, "~"):
		return nil, cannot("A name can't begin with ~")
	}
	levels := strings.Split(rest, sep)
	if len(levels) > maxLevels {
		return nil, cannot("The name has too many levels")
	}
	for i, level := range levels {
		if err := l.checkLevel(level); err != nil {
			return nil, err
		}
		if l.Layout == FS && isControlFile(level, i == 0) {
			return nil, cannot("The name is reserved")
		}
	}
	return levels, nil
}

// isControlFile reports whether a file that belongs to a mailbox, or with top to the account, may be called so. With LAYOUT=fs these lie where the
// mailbox's children do: a child in the place of its parent's uidlist, lock or access control list would make the parent unusable for all.
func isControlFile(level string, top bool) bool {
	if first, _, _ := strings.Cut(level, "."); top && (first == "subscriptions" || first == maildirsizeFile) {
		return true
	}
	return slices.ContainsFunc([]string{"dovecot-uidlist", "dovecot-uidvalidity", "dovecot-keywords", "dovecot-acl", "dovecot.index",
		"dovecot.list.index", "maildir-imapd-"}, func(name string) bool { return strings.HasPrefix(level, name) })
}

// checkLevel says what keeps a level of a name from being one of a new mailbox.
func (l *Location) checkLevel(level string) error {
	switch {
	case level == "":
		return cannot("A name can't have separators at its ends or side by side")
	case strings.ContainsFunc(level, unicode.IsControl):
		return cannot("A name can't have control characters")
	case strings.Contains(level, "/"):
		return cannot("A name can't have the character '/'")
	case l.Layout == MaildirPP && strings.Contains(level, "."):
		return cannot("A name can't have the character '.'")
	case l.Layout == FS && (level == "." || strings.HasPrefix(level, "..")),
		l.Layout == FS && (isMaildirPart(level) || level == l.DirName):
		return cannot("The name is reserved")
	}
	return nil
}

// encode writes a level as it is called on disk.
func (l *Location) encode(level string) string {
	if l.UTF8 {
		return level
	}
	return mutf7.Encode(level)
}

// decode reads a level from disk: modified UTF-7, else UTF-8 as Courier writes it, else
// what can be shown of it. It is a level that checkLevel takes, or nearly so: names that
// are only reserved stay.
func (l *Location) decode(level string) string {
	if name, err := mutf7.Decode(level); err == nil && !l.UTF8 && l.checkLevel(name) == nil {
		return name
	}
	name := strings.Map(func(c rune) rune {
		if unicode.IsControl(c) || c == '/' || c == rune(l.separator()) {
			return utf8.RuneError
		}
		return c
	}, strings.ToValidUTF8(level, replacement))
	if name == "" {
		return replacement
	}
	return name
}

// nameOf is the canonical name of levels as they are called on disk. exact is
// false where a new mailbox of that name would be called otherwise.
func (l *Location) nameOf(levels []string) (name string, exact bool) {
	exact = true
	decoded := make([]string, len(levels))
	for i, level := range levels {
		decoded[i] = l.decode(level)
		exact = exact && l.encode(decoded[i]) == level
	}
	plain := l.canonical(l.Prefix) + strings.Join(decoded, string(l.separator()))
	name = l.canonical(plain)
	return name, exact && name == plain
}

// dirBelow is the directory of a new folder: levels below parent's, which has its
// own spelling on disk. parent is "" for none.
func (l *Location) dirBelow(parent string, levels []string) (string, error) {
	encoded := make([]string, 0, len(levels)+1)
	for _, level := range levels {
		encoded = append(encoded, l.encode(level))
	}
	var dir string
	if l.Layout == FS {
		dir = path.Join(append([]string{parent}, encoded...)...)
	} else {
		dir = parent + "." + strings.Join(encoded, ".")
	}
	tooLong := func(component string) bool { return len(component) > maxComponent }
	if len(dir) > maxDir || slices.ContainsFunc(strings.Split(dir, "/"), tooLong) {
		return "", cannot("The name is too long")
	}
	return dir, nil
}
