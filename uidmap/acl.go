package uidmap

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync"
	"time"
)

const (
	aclFile = "dovecot-acl"
	maxACL  = 64 << 10 // bytes

	// aclRacy is how long after its last change another change may have left a file's time as it was.
	aclRacy = 2 * time.Second
)

// ACLRights are the letters of all rights that Dovecot knows (RFC 4314 §2.1).
const ACLRights = "lrwstipekxa"

// aclNames are Dovecot's names of the rights, in the order of ACLRights. They may stand behind a ':' in the file.
var aclNames = [len(ACLRights)]string{"lookup", "read", "write", "write-seen", "write-deleted", "insert", "post",
	"expunge", "create", "delete", "admin"}

// ACLKind says whom an entry is about. Those that come later count more.
type ACLKind uint8

const (
	ACLAnyone        ACLKind = iota // anyone, or anonymous
	ACLAuthenticated                // whoever has logged in
	ACLGroup                        // the members of a group
	ACLOwner                        // the owner of the mail
	ACLUser                         // one user
	ACLGroupOverride                // the members of a group, whatever else is said of them
	ACLUnknown                      // not understood; kept
	aclComment                      // an empty line or one that begins with '#'; kept
)

// aclKinds are the words of the file.
var aclKinds = map[string]ACLKind{
	"anyone": ACLAnyone, "anonymous": ACLAnyone, "authenticated": ACLAuthenticated, "owner": ACLOwner,
	"group=": ACLGroup, "user=": ACLUser, "group-override=": ACLGroupOverride,
}

// ACLEntry is a line of the file.
type ACLEntry struct {
	Kind     ACLKind
	Name     string // of the user or the group
	Negative bool   // it takes rights away
	Rights   string // letters of ACLRights, in that order, each once

	more string // names of rights that are not ours, as they are written behind the others
	line string // as in the file; "" for what has changed
}

// ACL is the access control list of a folder, as Dovecot's vfile backend keeps it in dovecot-acl:
//
//	user=bob lrwst
//	-user=bob t
//	"group=the staff" lr :names of rights
//
// A folder without the file has none. Safe for concurrent use.
type ACL struct {
	folder

	mu      sync.Mutex // guards the fields below; held while the file is read
	read    time.Time  // when; zero: never
	info    os.FileInfo
	entries []ACLEntry
	told    string // logged already
}

// NewACL reads nothing yet.
func NewACL(root *os.Root, dir string, o Options) *ACL { return &ACL{folder: folder{root, dir, o}} }

// Entries returns the entries that are there now, at the cost of one stat where the file has not changed; they are not to be changed.
// A file that can't be read is an entry of its own, which takes all rights away: who can't know what he must refuse, allows nothing.
func (a *ACL) Entries() []ACLEntry {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := time.Now()
	info, err := a.stat(aclFile)
	if err == nil && !a.read.IsZero() && same(info, a.info) && (info == nil || a.read.Sub(info.ModTime()) > aclRacy) {
		return a.entries
	}
	var list []ACLEntry
	if err == nil {
		list, err = a.load()
	}
	a.read, a.info, a.entries = now, info, nil
	if err != nil {
		a.entries = []ACLEntry{{Kind: ACLUnknown, Negative: true}}
		a.trouble("can't read an access control list: nobody has rights", err.Error())
		return a.entries
	}
	unknown := ""
	for i, e := range list {
		if e.Kind == ACLUnknown && unknown == "" {
			unknown = fmt.Sprintf("line %d: %q", i+1, e.line)
		}
		if e.Kind != aclComment {
			a.entries = append(a.entries, e)
		}
	}
	a.trouble("not understood in an access control list", unknown)
	return a.entries
}

// trouble logs what an administrator must look at, once for as long as it stays the same. mu is held.
func (a *ACL) trouble(what, reason string) {
	if reason != "" && reason != a.told {
		a.log().Error(what, "file", aclFile, "reason", reason)
	}
	a.told = reason
}

// load reads all lines of the file. A missing one has none.
func (a *ACL) load() (list []ACLEntry, err error) {
	data, _, err := a.folder.read(aclFile, maxACL)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(data)) {
		list = append(list, parseACL(strings.TrimRight(line, "\r\n")))
	}
	return list, nil
}

// parseACL reads a line. What it can't understand is ACLUnknown: it gives nobody anything, and where it is negative, or seems so,
// it concerns everybody.
func parseACL(line string) ACLEntry {
	e := ACLEntry{line: line}
	if line == "" || line[0] == '#' {
		e.Kind = aclComment
		return e
	}
	id, rights, ok := cutACLName(line)
	id, e.Negative = strings.CutPrefix(id, "-")
	word, name, named := strings.Cut(id, "=")
	if named {
		word += "="
	}
	kind, known := aclKinds[word]
	if !ok || !known || named && name == "" || !e.parseRights(rights) {
		return ACLEntry{Kind: ACLUnknown, Negative: strings.HasPrefix(strings.TrimLeft(line, " \t\ufeff\""), "-"), line: line}
	}
	e.Kind, e.Name = kind, name
	return e
}

// cutACLName cuts a line behind the name, which is in quotes where it has a space.
func cutACLName(line string) (id, rest string, ok bool) {
	quoted, isQuoted := strings.CutPrefix(line, `"`)
	if !isQuoted {
		id, rest, _ = strings.Cut(line, " ")
		return id, rest, true
	}
	var b strings.Builder
	for i := 0; i < len(quoted); i++ {
		switch quoted[i] {
		case '\\':
			if i++; i == len(quoted) {
				return b.String(), "", false
			}
		case '"':
			rest = quoted[i+1:]
			return b.String(), rest, rest == "" || rest[0] == ' '
		}
		b.WriteByte(quoted[i])
	}
	return b.String(), "", false
}

// parseRights takes letters, and names behind a ':'. ok is false where there is another letter: a ':' that was forgotten must not
// give rights by the letters of their names.
func (e *ACLEntry) parseRights(text string) (ok bool) {
	letters, names, _ := strings.Cut(text, ":")
	var has [len(ACLRights)]bool
	var others strings.Builder
	for _, c := range letters {
		if i := strings.IndexRune(ACLRights, c); i >= 0 {
			has[i] = true
		} else if c != ' ' && c != '\t' {
			return false
		}
	}
	sep := " :"
next:
	for _, name := range strings.FieldsFunc(names, func(c rune) bool { return c == ' ' || c == '\t' || c == ',' }) {
		for i := range aclNames {
			if name == aclNames[i] {
				has[i] = true
				continue next
			}
		}
		others.WriteString(sep + name)
		sep = " "
	}
	var rights []byte
	for i := range has {
		if has[i] {
			rights = append(rights, ACLRights[i])
		}
	}
	e.Rights, e.more = string(rights), others.String()
	return true
}

// SetRights gives an entry other rights, letters of ACLRights; those that are not ours stay.
func (e *ACLEntry) SetRights(letters string) {
	more := e.more
	e.parseRights(letters)
	e.more, e.line = more, ""
}

// text is the line of an entry.
func (e *ACLEntry) text() string {
	if e.line != "" || e.Kind == aclComment {
		return e.line
	}
	var id string
	for word, kind := range aclKinds {
		if kind == e.Kind && word != "anonymous" {
			id = word + e.Name
		}
	}
	if e.Negative {
		id = "-" + id
	}
	if strings.Contains(id, " ") {
		id = `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(id) + `"`
	}
	return strings.TrimRight(id+" "+e.Rights+e.more, " ")
}

// Update replaces the entries by what change makes of them, under Dovecot's own lock; comments and lines that were not understood
// are among them, and stay as they are. It is on disk when Update returns; an error of change leaves all as it was.
//
// Errors: ErrLimit where the file would be larger than 64 KiB, those of the lock, of the file system and of change.
func (a *ACL) Update(ctx context.Context, change func([]ACLEntry) ([]ACLEntry, error)) error {
	l := newLocker(a.root, a.dir, aclFile, a.o)
	lock, err := l.lock(ctx)
	if err != nil {
		return err
	}
	return errors.Join(a.update(lock, change), lock.release())
}

func (a *ACL) update(lock *dotlock, change func([]ACLEntry) ([]ACLEntry, error)) error {
	list, err := a.load()
	if err != nil {
		return err // a damaged file is for the administrator to look at
	}
	if list, err = change(list); err != nil {
		return err
	}
	var text []byte
	for i := range list {
		line := list[i].text()
		if strings.ContainsAny(line, "\n\x00") {
			return fmt.Errorf("%s: a name with a line end", aclFile)
		}
		text = append(append(text, line...), '\n')
	}
	if len(text) > maxACL {
		return fmt.Errorf("%w: %s", ErrLimit, aclFile)
	}
	_, err = a.replace(aclFile, text, time.Time{}, lock.still)
	return err
}

// CopyACL writes to a new folder, which nobody uses yet, what the file of another says. One without the file gives it none.
func CopyACL(from, to *ACL) error {
	data, _, err := from.folder.read(aclFile, maxACL)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	_, err = to.replace(aclFile, data, time.Time{}, func() error { return nil })
	return err
}
