package backend

import (
	"errors"
	"strings"
	"testing"

	"github.com/emersion/go-imap/v2"
)

func TestCanonical(t *testing.T) {
	l := Location{Separator: '/'}
	for name, want := range map[string]string{
		"inbox": "INBOX", "InBox/x": "INBOX/x", "inboxes": "inboxes", "inbox.x": "inbox.x", "a/inbox": "a/inbox", "inbo": "inbo", "": "",
	} {
		if got := l.canonical(name); got != want {
			t.Errorf("canonical(%q) = %q, want %q", name, got, want)
		}
	}
}

// Names of new mailboxes, and their directories; "" where the name is refused.
func TestDirOfName(t *testing.T) {
	dots := Location{Separator: '.'}
	slashes := Location{Separator: '/'}
	courier := Location{Separator: '.', Prefix: "INBOX."}
	utf8 := Location{Separator: '.', UTF8: true}
	tree := Location{Layout: FS, Separator: '/', DirName: "mAil"}
	treeDots := Location{Layout: FS, Separator: '.'}
	tests := []struct {
		l         Location
		name, dir string
	}{
		{dots, "Work", ".Work"},
		{dots, "Work.Sub", ".Work.Sub"},
		{dots, "INBOX.child", ".INBOX.child"},
		{dots, "Entwürfe", ".Entw&APw-rfe"},
		{dots, `x*y "%`, `.x*y "%`},
		{dots, "cur", ".cur"},
		{dots, "a~", ".a~"},
		{dots, "a/b", ""},
		{dots, "a..b", ""},
		{dots, ".a", ""},
		{dots, "a.", ""},
		{dots, "", ""},
		{dots, "~root", ""},
		{dots, "a\x00", ""},
		{dots, "a\nb", ""},
		{dots, "a\u0085b", ""},
		{dots, "Entw\xfcrfe", ""},
		{dots, strings.Repeat("a", 254), "." + strings.Repeat("a", 254)},
		{dots, strings.Repeat("a", 255), ""},
		{dots, strings.Repeat("ü", 100), ""},
		{dots, strings.Repeat("a.", 32) + "b", ""},
		{utf8, strings.Repeat("ü", 100), "." + strings.Repeat("ü", 100)},
		{slashes, "Work/Sub", ".Work.Sub"},
		{slashes, "a.b", ""},
		{slashes, "../x", ""},
		{slashes, "/etc", ""},
		{courier, "INBOX.Kid", ".Kid"},
		{courier, "INBOX.Kid.x", ".Kid.x"},
		{courier, "Kid", ""},
		{courier, "INBOX.", ""},
		{tree, "Work/Sub", "Work/Sub"},
		{tree, ".hid", ".hid"},
		{tree, "A.B", "A.B"},
		{tree, "a/..", ""},
		{tree, "../a", ""},
		{tree, "..maildir-imapd-x", ""},
		{tree, "a/./b", ""},
		{tree, "a/cur/b", ""},
		{tree, "new", ""},
		{tree, "a/mAil", ""},
		{tree, "a/dovecot-uidlist.lock", ""},
		{tree, "dovecot-keywords/b", ""},
		{tree, "dovecot.index.cache", ""},
		{tree, "a/maildir-imapd-metadata", ""},
		{tree, "subscriptions", ""},
		{tree, "subscriptions.lock", ""},
		{tree, "subscriptions 2026", "subscriptions 2026"},
		{tree, "a/subscriptions", "a/subscriptions"},
		{tree, "dovecot", "dovecot"},
		{dots, "dovecot-uidlist", ".dovecot-uidlist"},
		{tree, "~a", ""},
		{tree, "a//b", ""},
		{treeDots, "a.b", "a/b"},
		{treeDots, "a/b", ""},
	}
	for _, tt := range tests {
		levels, err := tt.l.levels(tt.l.canonical(tt.name))
		dir := ""
		if err == nil && len(levels) > 0 {
			dir, err = tt.l.dirBelow("", levels)
		}
		if e, ok := errors.AsType[*imap.Error](err); err != nil && (!ok || e.Code != imap.ResponseCodeCannot) {
			t.Errorf("%q: error %v, want one with CANNOT", tt.name, err)
		}
		if dir != tt.dir {
			t.Errorf("%q: directory %q, %v, want %q", tt.name, dir, err, tt.dir)
		}
	}
}

// Whatever lies on disk has a name that a client can use, and what we
// would call so, is exact.
func TestNameOf(t *testing.T) {
	dots := Location{Separator: '.'}
	slashes := Location{Separator: '/'}
	utf8 := Location{Separator: '.', UTF8: true}
	tree := Location{Layout: FS, Separator: '/'}
	tests := []struct {
		l     Location
		disk  string
		name  string
		exact bool
	}{
		{dots, "Work", "Work", true},
		{dots, "Entw&APw-rfe", "Entwürfe", true},
		{dots, "Entwürfe", "Entwürfe", false},         // Courier
		{dots, "Entw\xfcrfe", "Entw\ufffdrfe", false}, // latin1
		{dots, "R&D", "R&D", false},                   // bad modified UTF-7
		{dots, "R&-D", "R&D", true},
		{dots, "a&AAA-b", "a&AAA-b", false}, // a NUL
		{dots, "a\nb", "a\ufffdb", false},
		{dots, "", "\ufffd", false},
		{dots, "~x", "~x", true},
		{dots, "inbox", "INBOX", false},
		{slashes, "a/b", "a\ufffdb", false},
		{utf8, "Entwürfe", "Entwürfe", true},
		{utf8, "Entw&APw-rfe", "Entw&APw-rfe", true},
		{tree, "A.B", "A.B", true},
	}
	for _, tt := range tests {
		name, exact := tt.l.nameOf([]string{tt.disk})
		if name != tt.name || exact != tt.exact {
			t.Errorf("%q is called %q, exact %v; want %q, %v", tt.disk, name, exact, tt.name, tt.exact)
		}
	}
}

func FuzzNames(f *testing.F) {
	for _, s := range []string{"Work.Sub", "Entw&APw-rfe", "a/../b", "~", "INBOX.x", "\xff"} {
		f.Add(s)
	}
	locations := []Location{{Separator: '.'}, {Separator: '/'}, {Layout: FS, Separator: '/'}, {Layout: FS, Separator: '.', UTF8: true}}
	f.Fuzz(func(t *testing.T, s string) {
		for _, l := range locations {
			// A name that is taken leads to a directory below the root, and back to the name.
			levels, err := l.levels(l.canonical(s))
			if err != nil || len(levels) == 0 {
				continue
			}
			dir, err := l.dirBelow("", levels)
			if err != nil {
				continue
			}
			if !isLocalDir(dir) || isScratch(dir) {
				t.Fatalf("%q leads to %q", s, dir)
			}
			rest := dir
			if l.Layout == MaildirPP {
				rest = dir[1:]
			}
			if back, exact := l.nameOf(strings.Split(rest, string(l.diskSeparator()))); back != l.canonical(s) || !exact {
				t.Fatalf("%q leads to %q, and that is %q, exact %v", s, dir, back, exact)
			}
		}
	})
}

func isLocalDir(dir string) bool {
	for level := range strings.SplitSeq(dir, "/") {
		if level == "" || level == "." || level == ".." || strings.ContainsRune(level, 0) {
			return false
		}
	}
	return true
}
