package backend

import (
	"reflect"
	"strings"
	"testing"
)

func TestParseLocation(t *testing.T) {
	const user, home = "Bob@Example.org", "/home/bob"
	tests := []struct {
		s    string
		want Location
	}{
		{"maildir:~/Maildir", Location{Root: "/home/bob/Maildir"}},
		{"maildir:~", Location{Root: "/home/bob"}},
		{"~/Maildir", Location{Root: "/home/bob/Maildir"}},
		{"/srv/mail/%u/", Location{Root: "/srv/mail/Bob@Example.org"}},
		{"maildir:/srv/%d/%n", Location{Root: "/srv/Example.org/Bob"}},
		{"maildir:/srv/%Ld/%1Ln", Location{}},
		{"maildir:/srv/%Ld/%L1n/%1.2n", Location{Root: "/srv/example.org/b/ob"}},
		{"maildir:/srv/%{domain}/%{username}", Location{Root: "/srv/Example.org/Bob"}},
		{"maildir:/srv/%{user | domain | lower}/%{ user|username|upper}", Location{Root: "/srv/example.org/BOB"}},
		{"maildir:%h/100%%", Location{Root: "/home/bob/100%"}},
		{"maildir:%{home}/m", Location{Root: "/home/bob/m"}},
		{"maildir:/a::b:CONTROL=/c::d/%n", Location{Root: "/a:b", Control: "/c:d/Bob"}},
		{"maildir:~/m:LAYOUT=fs:DIRNAME=mAildir:INDEX=~/i:CONTROL=/c", Location{
			Root: "/home/bob/m", Layout: FS, DirName: "mAildir", Index: "/home/bob/i", Control: "/c"}},
		{"maildir:~/m:LAYOUT=Maildir++:UTF-8:INDEX=MEMORY", Location{Root: "/home/bob/m", UTF8: true, Index: "MEMORY"}},
		{"maildir:~/m:INBOX=~/m/.INBOX", Location{Root: "/home/bob/m", Inbox: ".INBOX"}},
		{"maildir:~/m:INBOX=~/m/", Location{Root: "/home/bob/m"}},
		{"maildir:~/m:LISTINDEX=x:", Location{Root: "/home/bob/m"}},
	}
	for _, tt := range tests {
		got, err := ParseLocation(tt.s, user, home)
		if tt.want.Root == "" {
			if err == nil {
				t.Errorf("%q: got %+v, want an error", tt.s, got)
			}
			continue
		}
		if err != nil || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%q:\n got %+v, %v\nwant %+v", tt.s, got, err, tt.want)
		}
	}
}

// Each error names the part that is wrong.
func TestParseLocationErrors(t *testing.T) {
	tests := []struct{ s, user, home, part string }{
		{"", "u", "/h", `""`},
		{"mbox:~/mail", "u", "/h", `"mbox"`},
		{"maildir:", "u", "/h", `path ""`},
		{"maildir:Maildir", "u", "/h", `path "Maildir": not an absolute`},
		{"maildir:/", "u", "/h", `root of the file system`},
		{"maildir:~/m", "u", "", "no home"},
		{"maildir:~bob/m", "u", "/h", "absolute"},
		{"maildir:/m:LAYOUT=index", "u", "/h", `"LAYOUT=index"`},
		{"maildir:/m:FOO=bar", "u", "/h", `"FOO=bar"`},
		{"maildir:/m:ALT=/x", "u", "/h", `"ALT=/x"`},
		{"maildir:/m:CONTROL=x", "u", "/h", `"CONTROL=x"`},
		{"maildir:/m:LAYOUT=fs:DIRNAME=a/b", "u", "/h", `"DIRNAME=a/b"`},
		{"maildir:/m:LAYOUT=fs:DIRNAME=cur", "u", "/h", `"DIRNAME=cur"`},
		{"maildir:/m:DIRNAME=x", "u", "/h", "LAYOUT=fs"},
		{"maildir:/m:INBOX=/n", "u", "/h", "INBOX=/n"},
		{"maildir:/m/%z", "u", "/h", `"z"`},
		{"maildir:/m/%{foo}", "u", "/h", `"foo"`},
		{"maildir:/m/%{user", "u", "/h", "brace"},
		{"maildir:/m/%{user|md5}", "u", "/h", `"md5"`},
		{"maildir:/m/%", "u", "/h", "no variable"},
		{"maildir:/m/%1.2.3u", "u", "/h", "modifier"},
		{"maildir:/m/%99999999999999999999u", "u", "/h", "modifier"},
		// Users that would get at somebody else's mail.
		{"maildir:/srv/%u", "../root", "/h", "user"},
		{"maildir:/srv/%u", "..", "/h", "user"},
		{"maildir:/srv/%u", "a/b", "/h", "user"},
		{"maildir:/srv/%u", "a\x00", "/h", "user"},
		{"maildir:/srv/%u", "", "/h", "empty"},
		{"maildir:/srv/%d/%n", "example.org", "/h", "domain"},
		{"maildir:/srv/%d/%n", "bob@..", "/h", "user"},
		{"maildir:/srv/%n", "@example.org", "/h", "empty"},
		{"maildir:/srv/.%1n/x", ".bob", "/h", `".."`},
		{"maildir:/srv/%2n/x", "..bob", "/h", `".."`},
		{"maildir:/srv/%{user|domain}", "a@b@..", "/h", ""},
		{"maildir:/srv/../x", "u", "/h", `".."`},
	}
	for _, tt := range tests {
		got, err := ParseLocation(tt.s, tt.user, tt.home)
		if tt.part == "" {
			continue
		}
		if err == nil || !strings.Contains(err.Error(), tt.part) {
			t.Errorf("ParseLocation(%q, %q): got %+v, error %v, want one with %q", tt.s, tt.user, got, err, tt.part)
		}
	}
}

// A user's name can't add options.
func TestParseLocationColon(t *testing.T) {
	l, err := ParseLocation("maildir:/srv/%u", "bob:UTF-8", "/h")
	if err != nil || l.UTF8 || l.Root != "/srv/bob:UTF-8" {
		t.Errorf("got %+v, %v", l, err)
	}
}

func FuzzParseLocation(f *testing.F) {
	f.Add("maildir:/srv/%d/%n:LAYOUT=fs:CONTROL=/c/%u", "bob@example.org")
	f.Add("maildir:/srv/%1.2n/%{user|lower}::x", "..@/")
	f.Fuzz(func(t *testing.T, s, user string) {
		l, err := ParseLocation(s, user, "/home/u")
		if err != nil {
			return
		}
		for _, p := range []string{l.Root, l.Control} {
			if p != "" && (p[0] != '/' || strings.Contains(p+"/", "/../")) {
				t.Fatalf("%q for %q gives %q", s, user, p)
			}
		}
	})
}
