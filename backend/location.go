package backend

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/emersion/go-imap/v2"
)

// Layout is how folders lie below the root.
type Layout uint8

const (
	MaildirPP Layout = iota // .Work.Sub
	FS                      // Work/Sub
)

// Location says where an account's mail lies and how it is named.
type Location struct {
	Root      string // absolute path of the INBOX's Maildir, below which all folders lie
	Inbox     string // INBOX=: the INBOX's Maildir relative to Root; "": Root itself, or with DirName INBOX/DirName
	Layout    Layout
	Separator byte   // of IMAP names: '.' or '/'; 0: the layout's own
	Control   string // CONTROL=: where uidlist, keywords, subscriptions lie; "": beside the mail
	Index     string // INDEX=: where the disposable index lies; "": beside the mail; MEMORY: nowhere
	DirName   string // DIRNAME= of LAYOUT=fs, e.g. "mAildir"
	UTF8      bool   // UTF-8: new folders' names are written in UTF-8 on disk, not in modified UTF-7
	Prefix    string // namespace prefix, "" or e.g. "INBOX.", with the separator at its end
	// SpecialUse maps a mailbox name to its attribute; the usual names are
	// recognised without (Sent, Drafts, Trash, Junk, Archive).
	SpecialUse map[string]imap.MailboxAttr
	// FollowSymlinks allows folders that are symlinks out of Root, and messages that are symlinks.
	FollowSymlinks bool
	// Shared is a tree that several users see: it has no INBOX, and each has the rights that its access control lists give him.
	Shared bool
	// Quota limits the account's mail. Where all is 0, maildirsize may have limits that others set.
	Quota Usage
}

// separator is the hierarchy separator of IMAP names.
func (l *Location) separator() byte {
	switch {
	case l.Separator != 0:
		return l.Separator
	case l.Layout == FS:
		return '/'
	}
	return '.'
}

// ParseLocation reads a mail location as Dovecot writes it
// ("maildir:~/Maildir:LAYOUT=fs:CONTROL=..."), with variables (%u %n %d %h,
// %{user}, %Lu) and ~ expanded. A ':' within a part is written "::". The error names
// the part that is wrong. No user name leads to another directory than
// one of its own.
func ParseLocation(s, user, home string) (Location, error) {
	e := expander{user: user, home: home}
	parts := splitLocation(s)
	root := parts[0]
	if root == "maildir" && len(parts) > 1 {
		parts = parts[1:]
		root = parts[0]
	} else if !strings.ContainsRune("/~%", rune((root + "?")[0])) {
		return Location{}, fmt.Errorf("mail location: %q is no Maildir: expected maildir:path", root)
	}
	var l Location
	var err error
	if l.Root, err = e.path(root); err != nil {
		return Location{}, fmt.Errorf("mail location: path %q: %w", root, err)
	}
	var inbox string
	for _, part := range parts[1:] {
		key, value, _ := strings.Cut(part, "=")
		switch key {
		case "LAYOUT":
			switch strings.ToLower(value) {
			case "fs":
				l.Layout = FS
			case "maildir++":
				l.Layout = MaildirPP
			default:
				err = fmt.Errorf("no such layout, expected fs or Maildir++")
			}
		case "CONTROL":
			l.Control, err = e.path(value)
		case "INDEX":
			if l.Index = value; value != "MEMORY" {
				l.Index, err = e.path(value)
			}
		case "INBOX":
			inbox, err = e.path(value)
		case "DIRNAME":
			if l.DirName = value; value == "" || value[0] == '.' || strings.ContainsAny(value, "/\x00") || isMaildirPart(value) {
				err = fmt.Errorf("not the name of a directory")
			}
		case "UTF-8":
			l.UTF8 = true
		case "INDEXPVT", "INDEXCACHE", "VOLATILEDIR", "LISTINDEX", "ITERINDEX", "NO-NOSELECT", "BROKENCHAR", "":
			// These say how Dovecot keeps its own books; where the mail lies does not depend on them.
		default:
			err = fmt.Errorf("no such option")
		}
		if err != nil {
			return Location{}, fmt.Errorf("mail location: %q: %w", part, err)
		}
	}
	if l.DirName != "" && l.Layout != FS {
		return Location{}, fmt.Errorf("mail location: DIRNAME=%s: wants LAYOUT=fs", l.DirName)
	}
	if inbox != "" && inbox != l.Root {
		rel, err := filepath.Rel(l.Root, inbox)
		if err != nil || !filepath.IsLocal(rel) {
			return Location{}, fmt.Errorf("mail location: INBOX=%s: lies outside %s", inbox, l.Root)
		}
		l.Inbox = rel
	}
	return l, nil
}

// splitLocation cuts at each ':' that is not doubled.
func splitLocation(s string) []string {
	var parts []string
	var part strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == ':' {
			if i+1 == len(s) || s[i+1] != ':' {
				parts = append(parts, part.String())
				part.Reset()
				continue
			}
			i++
		}
		part.WriteByte(s[i])
	}
	return append(parts, part.String())
}

// expander expands the variables of one user.
type expander struct{ user, home string }

// path expands a part that names a directory. The result is absolute and clean.
func (e expander) path(s string) (string, error) {
	if s == "~" || strings.HasPrefix(s, "~/") {
		s = "%h" + s[1:]
	}
	s, err := e.expand(s)
	switch {
	case err != nil:
		return "", err
	case !filepath.IsAbs(s):
		return "", fmt.Errorf("not an absolute path")
	case strings.IndexByte(s, 0) >= 0:
		return "", fmt.Errorf("has a NUL")
	}
	// The parts of names could make up "..", as in .%1n.
	for c := range strings.SplitSeq(s, "/") {
		if c == "." || c == ".." {
			return "", fmt.Errorf("has a %q, in itself or by the user's name", c)
		}
	}
	if s = filepath.Clean(s); s == "/" {
		return "", fmt.Errorf("is the root of the file system")
	}
	return s, nil
}

// expand replaces variables: %u, %Lu (lower case), %Uu (upper case), %2u (the first two
// octets), %1.2u (two, from the second on), %{user}, %{user|lower}, %%.
func (e expander) expand(s string) (string, error) {
	var out strings.Builder
	for {
		plain, rest, found := strings.Cut(s, "%")
		if out.WriteString(plain); !found {
			return out.String(), nil
		}
		if strings.HasPrefix(rest, "%") {
			out.WriteByte('%')
			s = rest[1:]
			continue
		}
		var value string
		var err error
		if body, ok := strings.CutPrefix(rest, "{"); ok {
			body, after, closed := strings.Cut(body, "}")
			if !closed {
				return "", fmt.Errorf("%%{%s: no closing brace", body)
			}
			value, err = e.long(body)
			s = after
		} else {
			i := strings.IndexFunc(rest, func(c rune) bool { return !strings.ContainsRune("LU0123456789.", c) })
			if i < 0 {
				return "", fmt.Errorf("%%%s: no variable", rest)
			}
			value, err = e.short(rest[:i], rest[i:i+1])
			s = rest[i+1:]
		}
		if err != nil {
			return "", err
		}
		out.WriteString(value)
	}
}

// variables by their long names and the letters of the short form.
var variables = map[string]string{
	"u": "user", "n": "username", "d": "domain", "h": "home",
	"user": "user", "username": "username", "domain": "domain", "home": "home",
}

// value of a variable. One that would be empty, or lead to another directory, is an error.
func (e expander) value(name string) (string, error) {
	v, domain, _ := strings.Cut(e.user, "@")
	switch variables[name] {
	case "user":
		v = e.user
	case "username":
	case "domain":
		v = domain
	case "home":
		if e.home == "" {
			return "", fmt.Errorf("the user has no home")
		}
		return e.home, nil
	default:
		return "", fmt.Errorf("no variable is called %q", name)
	}
	if v == "" {
		return "", fmt.Errorf("the %s of user %q is empty", variables[name], e.user)
	}
	if strings.ContainsAny(v, "/\x00") || v == "." || v == ".." {
		return "", fmt.Errorf("the user's name %q can't be part of a path", e.user)
	}
	return v, nil
}

// short is the value of a variable with one letter and its modifiers.
func (e expander) short(modifiers, letter string) (string, error) {
	v, err := e.value(letter)
	if err != nil {
		return "", err
	}
	digits := strings.TrimLeft(modifiers, "LU")
	for _, m := range modifiers[:len(modifiers)-len(digits)] {
		if m == 'L' {
			v = strings.ToLower(v)
		} else {
			v = strings.ToUpper(v)
		}
	}
	if digits == "" {
		return v, nil
	}
	offset, width, both := strings.Cut(digits, ".")
	if !both {
		offset, width = "0", offset
	}
	o, err1 := strconv.Atoi(offset)
	w, err2 := strconv.Atoi(width)
	if err1 != nil || err2 != nil {
		return "", fmt.Errorf("%%%s%s: no such modifier", modifiers, letter)
	}
	o = min(o, len(v))
	return v[o : o+min(w, len(v)-o)], nil
}

// long is the value of a variable in braces: its name, then filters.
func (e expander) long(body string) (string, error) {
	name, filters, _ := strings.Cut(body, "|")
	v, err := e.value(strings.TrimSpace(name))
	if err != nil || filters == "" {
		return v, err
	}
	for filter := range strings.SplitSeq(filters, "|") {
		switch filter = strings.TrimSpace(filter); filter {
		case "lower":
			v = strings.ToLower(v)
		case "upper":
			v = strings.ToUpper(v)
		case "username", "domain":
			if v, err = (expander{user: v}).value(filter); err != nil {
				return "", err
			}
		default:
			return "", fmt.Errorf("%%{%s}: no such filter as %q", body, filter)
		}
	}
	return v, nil
}

// isMaildirPart reports whether name is one of the directories every Maildir has.
func isMaildirPart(name string) bool { return slices.Contains([]string{"cur", "new", "tmp"}, name) }
