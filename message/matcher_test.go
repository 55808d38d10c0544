package message

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"
)

func TestMatcherInFiles(t *testing.T) {
	const body, text = "BODY", "TEXT"
	for _, test := range []struct {
		file, where, needle string
		want                bool
	}{
		{"mixed", body, "WÖRLD", true},       // decoded, in any case
		{"mixed", body, "wo\u0308rld", true}, // in two code points
		{"mixed", body, "w=c3", false},
		{"mixed", body, "preamble", false},
		{"mixed", body, "epilogue", false},
		{"mixed", body, "iVBOR", false},
		{"mixed", body, "a picture", false},
		{"mixed", text, "a picture", true}, // in the header of a part
		{"mixed", text, "to: BOB", true},
		{"mixed", text, "hello", true},
		{"mixed", body, "ann@example.org", false},
		{"mixed", body, "", true},
		{"empty", body, "", true},
		{"empty", body, "x", false},
		{"empty", text, "x", false},
		{"plain", body, "hello\r\nworld", true},
		{"plain", body, "hello\nworld", true},
		{"plain-crlf", body, "hello\nworld", true},
		{"plain-crlf", body, "hello world", false},
		{"rfc822", body, "inner", true}, // the header of a message in the message is body
		{"rfc822", body, "sender: s@", true},
		{"rfc822", body, "lines", true},
		{"rfc822", text, "fwd", true},
		{"rfc822", body, "fwd", false},
		{"digest", body, "inner two", true},
		{"digest", body, "deep", true},
		{"eightbit", body, "bodyé", true}, // windows-1252 where there is no charset
		{"types", body, "13", true},

		{"encoded", "Subject", "café two", true},
		{"encoded", "subject", "CAFÉ", true},
		{"encoded", "subject", "cafe", true}, // an e, and an accent (RFC 5051)
		{"encoded", "subject", "cafe two", false},
		{"encoded", "subject", "iso-8859", false},
		{"encoded", "From", "jürgen <j@", true},
		{"encoded", "to", "comment name <ann", true}, // as displayed
		{"encoded", "to", "ann@example.org (comment", true},
		{"encoded", "to", "a,b <a@", true},
		{"quoting", "From", `A "q" \ b <local part@`, true},
		{"quoting", "From", `"A \"q`, true}, // as written
		{"groups", "to", "friends: bob", true},
		{"groups", "Subject", "", true},
		{"groups", "X-Not", "", false},
		{"groups", "X-Not", "a", false},
		{"routes", "Subject", "folded subject with spaces", true},
		{"routes", "Bcc", "q.r@s.org", true},
		{"ws-header", "subject", "spaced", true},
		{"dup", "to", "d@x", true},
		{"dup", "to", "c@x.org, d@x", false}, // each field by itself
	} {
		s, src := openFile(t, test.file)
		m := NewMatcher(test.needle)
		var got bool
		var err error
		switch test.where {
		case body:
			got, err = m.Body(src, s)
		case text:
			got, err = m.Text(src, s)
		default:
			h, herr := ReadHeader(src, s.Size)
			if herr != nil {
				t.Fatal(herr)
			}
			got = m.Field(h, test.where)
			if m.Header(h) != got && test.needle != "" && got {
				t.Errorf("%s: %q is found in a field, and not in all", test.file, test.needle)
			}
		}
		if err != nil || got != test.want {
			t.Errorf("%s %s %q: %v, %v, want %v", test.file, test.where, test.needle, got, err, test.want)
		}
	}
}

// TestMatcherAcrossBlocks has the text at each offset around the edge of what is read at once.
func TestMatcherAcrossBlocks(t *testing.T) {
	qp := func(s string) string { return strings.ReplaceAll(s, "é", "=C3=A9") }
	b64 := func(s string) string {
		var out strings.Builder
		for b := []byte(s); len(b) > 0; {
			n := min(57, len(b))
			out.WriteString(base64.StdEncoding.EncodeToString(b[:n]) + "\n")
			b = b[n:]
		}
		return out.String()
	}
	for _, test := range []struct {
		name, header string
		block        int
		encode       func(string) string
	}{
		{"8bit", "Content-Type: text/plain; charset=utf-8\n", blockSize, func(s string) string { return s }},
		{"quoted-printable", "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n", blockSize / 4, qp},
		{"base64", "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64\n", blockSize / 4 * 57 / 78, b64},
		{"latin", "Content-Type: text/plain; charset=iso-8859-1\n", blockSize, func(s string) string { return strings.ReplaceAll(s, "é", "\xe9") }},
	} {
		m := NewMatcher("NÉEDLÉ")
		for shift := -40; shift < 40; shift++ {
			filler := strings.Repeat("hay stack needle\n", blockSize/17+10)[:test.block+shift]
			msg := test.header + "\n" + test.encode(filler+"néedlé"+filler)
			s, src := scanBytes(t, []byte(msg))
			if ok, err := m.Body(src, s); !ok || err != nil {
				t.Fatalf("%s at %d: %v, %v", test.name, shift, ok, err)
			}
			msg = test.header + "\n" + test.encode(filler+"n_edlé"+filler)
			s, src = scanBytes(t, []byte(msg))
			if ok, err := m.Body(src, s); ok || err != nil {
				t.Fatalf("%s at %d: %v, %v where it isn't", test.name, shift, ok, err)
			}
		}
	}
}

func TestMatcherCharsets(t *testing.T) {
	for charset, b := range map[string]string{
		"utf-8":          "日本語",
		"iso-2022-jp":    "\x1b$BF|K\\8l\x1b(B",
		"shift_jis":      "\x93\xfa\x96{\x8c\xea",
		"euc-jp":         "\xc6\xfc\xcb\xdc\xb8\xec",
		"utf-16be":       "\x65\xe5\x67\x2c\x8a\x9e",
		"x-no-such":      "日本語",
		"\"iso-8859-1\"": "日本語",
	} {
		msg := "Content-Type: text/plain; charset=" + charset + "\n\n" + strings.Repeat("x", 100) + b
		if charset == "utf-16be" {
			msg = "Content-Type: text/plain; charset=" + charset + "\n\n" + b
		}
		s, src := scanBytes(t, []byte(msg))
		got, err := NewMatcher("本語").Body(src, s)
		if want := charset != "\"iso-8859-1\""; err != nil || got != want {
			t.Errorf("%s: %v, %v, want %v", charset, got, err, want)
		}
	}
}

func TestFold(t *testing.T) {
	for _, group := range [][]string{
		{"k", "K", "\u212a"},
		{"s", "S", "ſ"},
		{"é", "É", "e\u0301", "E\u0301"},
		{"ß", "ẞ"},
		{"σ", "Σ", "ς"},
		{"ﬁ", "fi", "FI"},
		{"Ａ", "a"},
		{"я", "Я"},
		{"ǆ", "ǅ", "Ǆ"},
		{"ա", "Ա"},
		{"\xe9", "é"},
		{"한", "\u1112\u1161\u11ab"},
		{"𐐨", "𐐀"},
		{"ı", "i", "I"}, // its titlecase is I
	} {
		for _, s := range group[1:] {
			if a, b := fold(nil, []byte(group[0])), fold(nil, []byte(s)); !bytes.Equal(a, b) {
				t.Errorf("%q is %q, %q is %q", group[0], a, s, b)
			}
		}
	}
	for _, pair := range [][2]string{{"a", "b"}, {"é", "e"}, {"@", "`"}, {"[", "{"}, {"Z", "["}, {"日", "本"}} {
		for _, pad := range []string{"", "12345678"} {
			if a, b := fold(nil, []byte(pad+pair[0])), fold(nil, []byte(pad+pair[1])); bytes.Equal(a, b) {
				t.Errorf("%q and %q are both %q", pair[0], pair[1], a)
			}
		}
	}
}

// What i;unicode-casemap takes for the same, in SORT, is the same to SEARCH (RFC 5255 §4.2).
func TestFoldCollated(t *testing.T) {
	folded := make(map[string]string)
	for r := range rune(0x20000) { // behind that is no case
		collated, f := string(collateRune(nil, r)), string(foldRune(nil, r))
		if other, ok := folded[collated]; ok && other != f {
			t.Errorf("%U is %q, others that are collated as %q are %q", r, f, collated, other)
		}
		folded[collated] = f
	}
}

func TestNeedle(t *testing.T) {
	for _, test := range []struct {
		text, in string
		want     bool
	}{
		{"", "", true},
		{"A", "", false},
		{"QA", "AAAAQ", false},
		{"QA", "AAAAQA", true},
		{"AQ", "QQQAQ", true},
		{"XE", "XXE", true},
		{"EEEX", strings.Repeat("EEEE", 1000) + "EEEX", true},
		{"XE", strings.Repeat("X", 10_000) + "XE", true},
		{"XEX", strings.Repeat("XXE", 10_000), true},
		{"XEE", strings.Repeat("XEX", 10_000), false},
	} {
		if got := newNeedle([]byte(test.text)).in([]byte(test.in)); got != test.want {
			t.Errorf("%q in %.20q: %v", test.text, test.in, got)
		}
	}
}
