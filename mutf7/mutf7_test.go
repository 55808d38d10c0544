package mutf7

import (
	"errors"
	"testing"
	"unicode/utf8"
)

var pairs = []struct{ name, encoded string }{
	{"", ""},
	{"INBOX", "INBOX"},
	{"a b~!\"*%.-/", "a b~!\"*%.-/"},
	{"R&D", "R&-D"},
	{"&&", "&-&-"},
	{"Entwürfe", "Entw&APw-rfe"},
	{"~peter/mail/台北/日本語", "~peter/mail/&U,BTFw-/&ZeVnLIqe-"}, // RFC 3501 §5.1.3
	{"ü&ü", "&APw-&-&APw-"},
	{"😀", "&2D3eAA-"},
	{"a\x00\x7f\n", "a&AAAAfwAK-"},
	{"\ufffd", "&,,0-"},
}

func TestPairs(t *testing.T) {
	for _, p := range pairs {
		if got := Encode(p.name); got != p.encoded {
			t.Errorf("Encode(%q) = %q, want %q", p.name, got, p.encoded)
		}
		if got, err := Decode(p.encoded); err != nil || got != p.name {
			t.Errorf("Decode(%q) = %q, %v, want %q", p.encoded, got, err, p.name)
		}
	}
}

var refused = []string{
	"&",             // no end
	"a&APw",         // no end
	"Entw\xc3\xbcr", // 8-bit
	"a\nb", "\x7f",  // control characters must be encoded
	"&YQ-",           // half a UTF-16 unit
	"&AGE-",          // 'a' encoded
	"&ACY-",          // '&' encoded
	"&APw-&APw-",     // a needless shift
	"&APx-",          // stray bits at the end
	"&APw=-",         // padding
	"&AP/8-",         // '/' of plain base64
	"&A\nPw-",        // a line end inside base64
	"&2D0-", "&3gA-", // half a surrogate pair
	"&3gDYPQ-", // in the wrong order
	"&A-",
}

func TestRefused(t *testing.T) {
	for _, s := range refused {
		if got, err := Decode(s); !errors.Is(err, ErrInvalid) {
			t.Errorf("Decode(%q) = %q, %v, want ErrInvalid", s, got, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, p := range pairs {
		f.Add(p.encoded)
	}
	for _, s := range refused {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		name, err := Decode(s)
		if err != nil {
			return
		}
		if !utf8.ValidString(name) {
			t.Fatalf("Decode(%q) = %q, not UTF-8", s, name)
		}
		if back := Encode(name); back != s {
			t.Fatalf("Encode(Decode(%q)) = %q", s, back)
		}
	})
}

func FuzzEncode(f *testing.F) {
	for _, p := range pairs {
		f.Add(p.name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		s := Encode(name)
		for i := range len(s) {
			if !direct(rune(s[i])) {
				t.Fatalf("Encode(%q) = %q has the octet %#x", name, s, s[i])
			}
		}
		if back, err := Decode(s); utf8.ValidString(name) && (err != nil || back != name) {
			t.Fatalf("Decode(Encode(%q)) = %q, %v", name, back, err)
		}
	})
}
