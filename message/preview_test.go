package message

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"
)

func preview(t testing.TB, raw string) string {
	t.Helper()
	src := strings.NewReader(raw)
	s, err := Scan(src, src.Size())
	if err != nil {
		t.Fatal(err)
	}
	text, err := s.Preview(src)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestPreview(t *testing.T) {
	const alternative = "Content-Type: multipart/alternative; boundary=b\n\n--b\n"
	for _, x := range []struct{ name, raw, want string }{
		{"plain", "\nHello   world,\n\n  this is\ttext.\n> quoted\nmore\n", "Hello world, this is text. more"},
		{"only quoted", "\n> a quoted\n>> line\n", "> a quoted line"},
		{"only >", "\n>\n>\n", ""},
		{"empty", "Subject: x\n\n", ""},
		{"long", "\n" + strings.Repeat("ä", 300), strings.Repeat("ä", 200)},
		{"a word that does not fit", "\n" + strings.Repeat("x", 199) + " yz", strings.Repeat("x", 199)},
		{"latin-1", "Content-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable\n\nGr=FC=DFe =\nweiter\n", "Grüße weiter"},
		{"base64", "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64\n\nSMOkbGxvIFdlbHQ=\n", "Hällo Welt"},
		{"unknown charset", "Content-Type: text/plain; charset=x-foo\n\nabc \xe4 def\n", "abc \ufffd def"},
		{"control and invisible characters", "\na\x01b\x7fc\u200bd \u200c\u00a0 \u200c e\ufeff", "a b cd e"},
		{"html", "Content-Type: text/html\n\n<html><head><title>T</title><style>x<y{}</style></head><body onload=\"a>b\"><p>Hello&nbsp;<b>bo</b>ld" +
			" &amp; &lt;x&gt; &#228; &eacute; &nope; 1 < 2<br>new<div>d</div><script>s('</p>')</script><!-- c > --><!--[if x]>y<![endif]-->!</body></html>\n",
			"Hello bold & <x> ä é &nope; 1 < 2 new d !"},
		{"html quote", "Content-Type: text/html\n\n<p>before</p><blockquote>quoted</blockquote><p>after</p>", "before after"},
		{"html only quote", "Content-Type: text/html\n\n<blockquote>quoted</blockquote>", "> quoted"},
		{"html ends in an entity", "Content-Type: text/html\n\na &am", "a &am"},
		{"html ends in a tag", "Content-Type: text/html\n\na <b", "a"},
		{"alternative", alternative + "\nplain\n--b\nContent-Type: text/html\n\n<p>html\n--b--\n", "plain"},
		{"html first", alternative + "Content-Type: text/html\n\n<p>html\n--b\nContent-Type: text/plain\n\nplain\n--b--\n", "plain"},
		{"plain is empty", alternative + "\n \n--b\nContent-Type: text/html\n\n<p>html\n--b--\n", "html"},
		{"attachment first", "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: application/pdf\n\npdf\n--b\n\nthe text after\n--b--\n", "the text after"},
		{"image", "Content-Type: image/png\n\nxxxx", ""},
		{"encrypted", "Content-Type: multipart/encrypted; boundary=b\n\n--b\n\nVersion: 1\n--b--\n", ""},
		{"a message", "Content-Type: message/rfc822\n\nSubject: inner\n\ninner text\n", ""},
	} {
		if got := preview(t, x.raw); got != x.want {
			t.Errorf("%s: %q, want %q", x.name, got, x.want)
		}
	}
}

func FuzzPreview(f *testing.F) {
	f.Add([]byte("Content-Type: text/html; charset=utf-16\n\n<p>&a<!--x-->'<blockquote>"))
	f.Add([]byte("Content-Type: text/html\n\n<style><a \"</style>&#0;&#x110000;\xff"))
	f.Add([]byte("\n> a\nb"))
	f.Add([]byte("\n>" + strings.Repeat("quoted ", 100)))
	f.Fuzz(func(t *testing.T, raw []byte) {
		s, err := Scan(bytes.NewReader(raw), int64(len(raw)))
		if err != nil {
			t.Fatal(err)
		}
		text, err := s.Preview(bytes.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		if n := utf8.RuneCountInString(text); n > PreviewLength || !utf8.ValidString(text) || strings.ContainsAny(text, "\r\n\x00") {
			t.Errorf("%d characters: %q", n, text)
		}
	})
}
