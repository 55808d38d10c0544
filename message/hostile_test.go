package message

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestHostile scans and searches messages that are made to cost much. Anything quadratic in their size
// would take minutes.
func TestHostile(t *testing.T) {
	const mb = 1 << 20 / slow
	multipart := func(body string) string {
		return "Content-Type: multipart/mixed; boundary=b\n\n" + body
	}
	var nested, messages strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&nested, "Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n", i, i)
		messages.WriteString("Content-Type: message/rfc822\n\n")
	}
	deep := nested.String()
	for name, msg := range map[string]string{
		"brackets":       "To: " + strings.Repeat("[", mb) + "\n\n",
		"angles":         "To: " + strings.Repeat("<@a,", mb/4) + "\n\n",
		"commas":         "To: <@a" + strings.Repeat(",", mb) + "@b:c>\n\n",
		"comments":       "To: " + strings.Repeat("(", mb) + "\nContent-Type: " + strings.Repeat("(", mb) + "\n\n",
		"addresses":      "From: " + strings.Repeat("a,", mb/2) + "\nTo: " + strings.Repeat("b,", mb/2) + "\n\n",
		"fields":         strings.Repeat("To: a\n", mb/6) + "\n",
		"backslashes":    "To: \"" + strings.Repeat("\\", mb) + "\n\n",
		"groups":         "To: " + strings.Repeat("a:;", mb/3) + "\n\n",
		"params":         "Content-Type: text/plain" + strings.Repeat("; a*0*=b", mb/8) + "\n\n",
		"words":          "Subject: " + strings.Repeat("=?a?q?x", mb/7) + "\n\n",
		"words 2":        "Subject: " + strings.Repeat("=?a?q?", mb/6) + "?=\n\n",
		"one line":       strings.Repeat("x", 8*mb),
		"lines":          "\n" + strings.Repeat("\n", 8*mb),
		"dashes":         multipart(strings.Repeat("-", 8*mb)),
		"lines of --":    deep + strings.Repeat("--\n", mb),
		"parts":          multipart(strings.Repeat("--b\n", 2*mb)),
		"parts with to":  multipart(strings.Repeat("--b\nContent-Type: message/rfc822\n\nFrom: "+strings.Repeat("a,", 50)+"\n\n", 50_000/slow)),
		"nested":         deep,
		"messages":       messages.String(),
		"long boundary":  "Content-Type: multipart/mixed; boundary=" + strings.Repeat("b", mb) + "\n\n--" + strings.Repeat("b", mb) + "\n\nx",
		"quoted":         "Content-Transfer-Encoding: quoted-printable\n\n" + strings.Repeat("=", 4*mb),
		"quoted spaces":  "Content-Transfer-Encoding: quoted-printable\n\n" + strings.Repeat(" ", 4*mb),
		"base64 padding": "Content-Transfer-Encoding: base64\n\n" + strings.Repeat("=", 4*mb),
		"needle":         "\n" + strings.Repeat("no such nothin", mb/2),
		"half runes":     "\n" + strings.Repeat("\xf0\x9f\x98", mb),
		"lone CRs":       multipart(strings.Repeat("--b\nContent-ID: x"+strings.Repeat("\r", mb-100)+"x\n\n", 8)),
		"folded":         "Subject: " + strings.Repeat("\n ", mb) + "\n\n",
		"utf-7":          "Content-Type: text/plain; charset=iso-2022-jp\n\n" + strings.Repeat("\x1b$", 2*mb),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			start := time.Now()
			s, src := scanBytes(t, []byte(msg))
			envelope, structure := s.AppendEnvelope(nil), s.AppendBodyStructure(nil, true, false)
			checkList(t, envelope)
			checkList(t, structure)
			if n := len(envelope) + len(structure); n > 2*maxKept {
				t.Errorf("%d octets of ENVELOPE and BODYSTRUCTURE", n)
			}
			for _, text := range []string{"no such nothing", "aaaaaaaaaaaaaaab", "  x", "=?"} {
				if _, err := NewMatcher(text).Text(src, s); err != nil {
					t.Fatal(err)
				}
			}
			if _, ok, err := s.Binary(src, []int{1}); ok && err != nil {
				t.Fatal(err)
			}
			if took := time.Since(start); took > 30*time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
}

// TestManyNames asks for many fields of a header that has many.
func TestManyNames(t *testing.T) {
	const fields, names = 1 << 20 / 3 / slow, 30_000
	src := strings.NewReader(strings.Repeat("x:\n", fields) + "Last: 1\n\n")
	list := make([]string, names)
	for i := range list {
		list[i] = string(rune('a' + i%20))
	}
	list[names-1] = "LAST"
	s, err := Scan(src, src.Size())
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	for spec, want := range map[Specifier]int64{HeaderFields: int64(len("Last: 1\r\n\r\n")), HeaderFieldsNot: 4*fields + 2} {
		c, _, err := s.Lookup(src, Section{Specifier: spec, Fields: list})
		if err != nil || c.Len() != want {
			t.Errorf("%d octets, want %d; error %v", c.Len(), want, err)
		}
	}
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
}

// TestLimits checks that what is beyond the limits belongs to the part around it.
func TestLimits(t *testing.T) {
	var b bytes.Buffer
	b.WriteString("Content-Type: multipart/mixed; boundary=b\n\n")
	for range maxParts + 10 {
		b.WriteString("--b\n\nx\n")
	}
	s, _ := scanBytes(t, b.Bytes())
	if n := len(s.Root.Children); n != maxParts-1 {
		t.Errorf("%d parts", n)
	}
	if s.Root.Body.End != s.Size {
		t.Errorf("body %+v of %d octets", s.Root.Body, s.Size)
	}

	deep := strings.Repeat("Content-Type: message/rfc822\n\n", maxDepth+10) + "\nbody\n"
	s, _ = scanBytes(t, []byte(deep))
	depth, p := 0, s.Root
	for ; len(p.Children) > 0; p = p.Children[0] {
		depth++
	}
	if depth != maxDepth || p.MediaType != "application/octet-stream" {
		t.Errorf("%d messages deep, there is %s", depth, p.MediaType)
	}
}
