package message

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

// typical returns a message as they come, with a text of n lines.
func typical(n int) []byte {
	var b bytes.Buffer
	for i := range 4 {
		fmt.Fprintf(&b, "Received: from mx%d.example.org (mx%d.example.org [192.0.2.%d])\n\tby mail.example.net (Postfix) with ESMTPS id 4F1D2%d\n\tfor <bob@example.net>; Mon, 23 Jun 2025 09:06:3%d +0000 (UTC)\n", i, i, i, i, i)
	}
	b.WriteString("DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.org; s=k1;\n\th=from:to:subject:date:message-id; bh=" + strings.Repeat("Ab", 22) + ";\n\tb=" + strings.Repeat("Cd", 86) + "\n")
	b.WriteString("From: =?utf-8?q?J=C3=BCrgen?= Example <juergen@example.org>\nTo: Bob <bob@example.net>, Carol <carol@example.com>\nCc: dave@example.org\n" +
		"Subject: Re: the quarterly figures\nDate: Mon, 23 Jun 2025 09:06:36 +0000\nMessage-ID: <20250623090636.4F1D2@example.org>\n" +
		"In-Reply-To: <1@example.net>\nReferences: <0@example.net> <1@example.net>\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n")
	for range n {
		b.WriteString("The quick brown fox jumps over the lazy dog, and looks back at it.\n")
	}
	return b.Bytes()
}

func BenchmarkScan(b *testing.B) {
	mixed := []byte("Subject: x\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=\"----=_Part_1234\"\n\n" +
		"------=_Part_1234\nContent-Type: text/plain\n\n" + strings.Repeat("some text\n", 100) +
		"------=_Part_1234\nContent-Type: application/pdf\nContent-Transfer-Encoding: base64\n\n" +
		strings.Repeat(strings.Repeat("QUJD", 19)+"\n", 100_000) + "------=_Part_1234--\n")
	for name, msg := range map[string][]byte{
		"2KB":       typical(12),
		"2KB-CRLF":  naive(typical(12)),
		"8MB":       typical(120_000),
		"8MB-CRLF":  naive(typical(120_000)),
		"8MB-mixed": mixed,
	} {
		b.Run(name, func(b *testing.B) {
			src := bytes.NewReader(msg)
			b.SetBytes(int64(len(msg)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Scan(src, int64(len(msg))); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkEnvelope(b *testing.B) {
	msg := typical(12)
	src := bytes.NewReader(msg)
	b.Run("header", func(b *testing.B) {
		b.ReportAllocs()
		var h HeaderBlock
		var dst []byte
		for b.Loop() {
			if err := h.Read(src, int64(len(msg))); err != nil {
				b.Fatal(err)
			}
			dst = h.AppendEnvelope(dst[:0])
		}
	})
	b.Run("fields", func(b *testing.B) {
		b.ReportAllocs()
		var h HeaderBlock
		names := []string{"From", "To", "Cc", "Bcc", "Subject", "Date", "Message-ID", "Priority", "X-Priority", "References", "Newsgroups", "In-Reply-To", "Content-Type", "Reply-To"}
		for b.Loop() {
			if err := h.Read(src, int64(len(msg))); err != nil {
				b.Fatal(err)
			}
			if _, err := h.Fields(names, false); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("date", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			ParseDate([]byte("Mon, 23 Jun 2025 09:06:36 +0000 (UTC)"))
		}
	})
}

func BenchmarkWrite(b *testing.B) {
	msg := typical(120_000)
	for name, msg := range map[string][]byte{"LF": msg, "CRLF": naive(msg)} {
		b.Run(name, func(b *testing.B) {
			s, src := scanBytes(b, msg)
			c, _, _ := s.Lookup(src, Section{})
			b.SetBytes(c.Len())
			b.ReportAllocs()
			for b.Loop() {
				var n countWriter
				if err := c.WriteRange(&n, 0, c.Len()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkSearchBody(b *testing.B) {
	plain := typical(12)
	large := typical(120_000)
	latin := bytes.ReplaceAll(bytes.ReplaceAll(large, []byte("utf-8"), []byte("iso-8859-1")), []byte("fox"), []byte("f\xf6x"))
	cyrillic := bytes.ReplaceAll(large, []byte("quick brown fox jumps over"), []byte("быстрая лиса прыгает через"))
	for name, msg := range map[string][]byte{"2KB": plain, "8MB": large, "8MB-latin1": latin, "8MB-cyrillic": cyrillic} {
		b.Run(name, func(b *testing.B) {
			s, src := scanBytes(b, msg)
			m := NewMatcher("no such words")
			b.SetBytes(int64(len(msg)))
			b.ReportAllocs()
			for b.Loop() {
				if ok, err := m.Body(src, s); ok || err != nil {
					b.Fatal(ok, err)
				}
			}
		})
	}
	b.Run("header", func(b *testing.B) {
		h, err := ReadHeader(bytes.NewReader(plain), int64(len(plain)))
		if err != nil {
			b.Fatal(err)
		}
		m := NewMatcher("no such words")
		b.ReportAllocs()
		for b.Loop() {
			if m.Field(h, "Subject") || m.Field(h, "From") {
				b.Fatal("found")
			}
		}
	})
}
