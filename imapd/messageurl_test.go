package imapd

import (
	"reflect"
	"testing"

	"maildir-imapd/imapd/wire"
)

func TestParseMessageURL(t *testing.T) {
	for s, want := range map[string]messageURL{
		";uid=20":                           {uid: 20, partial: wholeContent},
		"/inbox/;UID=1":                     {mailbox: "INBOX", uid: 1, partial: wholeContent},
		"/a/b;uidvalidity=7/;UID=1":         {mailbox: "a/b", validity: 7, uid: 1, partial: wholeContent},
		"/Entw%C3%BCrfe/;UID=1":             {mailbox: "Entwürfe", uid: 1, partial: wholeContent},
		"/a%3Bb/;UID=1/;SECTION=1.MIME":     {mailbox: "a;b", uid: 1, section: wire.Section{Path: []int{1}, Text: "MIME"}, partial: wholeContent},
		"/x/;UID=1/;PARTIAL=5":              {mailbox: "x", uid: 1, partial: wire.Partial{Offset: 5, Count: wholeContent.Count}},
		"/x/;UID=1/;SECTION=1/;PARTIAL=0.9": {mailbox: "x", uid: 1, section: wire.Section{Path: []int{1}}, partial: wire.Partial{Count: 9}},
		"/x/;UID=1/;SECTION=HEADER.FIELDS%20(a%20B)": {mailbox: "x", uid: 1,
			section: wire.Section{Text: "HEADER.FIELDS", Fields: []string{"a", "B"}}, partial: wholeContent},
	} {
		if u, ok := parseMessageURL(s); !ok || !reflect.DeepEqual(u, want) {
			t.Errorf("%s: %+v, %v, want %+v", s, u, ok, want)
		}
	}
	for _, s := range []string{
		"", "/", "/x", "/;UID=1", "x/;UID=1", "/x;UID=1", "/x/;UID=0", "/x/;UID=4294967296", "/x/;UID=+1", "/x/;UID=1/", "/x/;UID=1;",
		"/x/;UID=1/;SECTION=", "/x/;UID=1/;SECTION=1/;SECTION=2", "/x/;UID=1/;PARTIAL=0.1/;SECTION=2", "/x/;UID=1/;PARTIAL=1.0",
		"/x/;UID=1/;PARTIAL=", "/x;UIDVALIDITY=0/;UID=1", "/x;FOO=1/;UID=1", "/x/;UID=1?q", "/x/;UID=1#f", "/%FF/;UID=1", "/%zz/;UID=1",
		"/x/;UID=1/;URLAUTH=anonymous:internal:00", "imap://host/x/;UID=1", "/x/;UID=1/;SECTION=HEADER.FIELDS%20(%7B0+%7D)",
	} {
		if u, ok := parseMessageURL(s); ok {
			t.Errorf("%q is taken for %+v", s, u)
		}
	}
}

func FuzzMessageURL(f *testing.F) {
	f.Add("/Drafts;UIDVALIDITY=385759045/;UID=20/;section=HEADER.FIELDS%20(a)/;PARTIAL=1.2")
	f.Add(";UID=1")
	f.Fuzz(func(t *testing.T, s string) {
		if u, ok := parseMessageURL(s); ok && (u.uid == 0 || u.partial.Count <= 0 || u.partial.Offset < 0) {
			t.Errorf("%q: %+v", s, u)
		}
	})
}
