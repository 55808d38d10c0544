package wire

import (
	"bytes"
	"io"
	"strings"
	"testing"
)

// rules take one token each.
var rules = []func(d *Decoder){
	func(d *Decoder) { d.Tag() },
	func(d *Decoder) { d.AString() },
	func(d *Decoder) { d.NString() },
	func(d *Decoder) { d.ListMailbox() },
	func(d *Decoder) { d.Mailbox() },
	func(d *Decoder) { d.NumSet(true) },
	func(d *Decoder) { d.NumSet(false) },
	func(d *Decoder) { d.Number64() },
	func(d *Decoder) { d.NZNumber() },
	func(d *Decoder) { d.Flags() },
	func(d *Decoder) { d.FlagList() },
	func(d *Decoder) { d.MailboxAttr() },
	func(d *Decoder) { d.Date() },
	func(d *Decoder) { d.DateTime() },
	func(d *Decoder) { d.Base64() },
	func(d *Decoder) { d.ItemName(); d.Section(); d.TryPartial() },
	func(d *Decoder) { d.SectionPart() },
	func(d *Decoder) { d.List(func() { d.Atom() }) },
	func(d *Decoder) { io.CopyN(io.Discard, d.Stream(d.Literal()), 3); d.EndStream() },
	func(d *Decoder) { d.SP() },
}

// FuzzDecoder takes tokens by rules from input. Whatever happens in a line, the next
// one is a command, unless a literal was announced.
func FuzzDecoder(f *testing.F) {
	for _, line := range []string{
		// Examples of RFC 9051 and 3501.
		`a001 LOGIN mrc secret`,
		`A002 LOGIN {11+}` + "\r\nFRED FOOBAR {7+}\r\nfat man",
		`A142 SELECT "~peter/mail/&U,BTFw-/&ZeVnLIqe-"`,
		`a654 fetch 2:4 (flags body[header.fields (date from)])`,
		`A003 APPEND saved-messages (\Seen) " 7-Feb-1994 21:52:25 -0800" {310+}`,
		`A282 SEARCH RETURN (MIN COUNT) FLAGGED SINCE 1-Feb-1994 NOT FROM "Smith"`,
		`A999 UID FETCH 4827313:4828442,*:7 FLAGS`,
		`A01 LIST (SUBSCRIBED RECURSIVEMATCH) "" ("%" "*") RETURN (CHILDREN STATUS (MESSAGES))`,
		`003 STORE 2:4,$ +FLAGS.SILENT (\Deleted $MDNSent)`,
		`001 FETCH 3 BINARY.PEEK[1.2]<0.1024>`,
		`a AUTHENTICATE PLAIN AHRlc3QAdGVzdA==`,
		"a APPEND x ~{3+}\r\na\x00b",
		`a023 ID ("name" "Thunderbird" "version" NIL)`,
	} {
		f.Add([]byte(line+"\r\n"), []byte{0, 19, 1, 19, 6, 19, 9, 19, 15, 18})
	}
	f.Fuzz(func(t *testing.T, input, order []byte) {
		input = append(input, "\r\nnext\r\n"...)
		d := NewDecoder(bytes.NewReader(input), testLimits, func(int64, bool) error { return nil })
		for d.Next() == nil {
			for _, n := range order {
				rules[int(n)%len(rules)](d)
			}
			if err := d.Err(); err != nil && err.Error() == "" {
				t.Error("error without text")
			}
		}
		if bytes.ContainsRune(input, '{') {
			return
		}
		if d.dead != io.EOF && d.dead != ErrLineTooLong {
			t.Errorf("ended with %v", d.dead)
		}
	})
}

// FuzzFraming has one line without a literal, and looks whether the next one is untouched.
func FuzzFraming(f *testing.F) {
	f.Add(`a "unterminated`, uint8(1))
	f.Add(`{3}`, uint8(18))
	f.Fuzz(func(t *testing.T, line string, rule uint8) {
		if strings.ContainsAny(line, "\n{") || len(line) > testLimits.Line-10 {
			return
		}
		d, _ := newTest(t, line+"\r\nnext\r\n")
		if err := d.Next(); err != nil {
			t.Fatal(err)
		}
		rules[int(rule)%len(rules)](d)
		if err := d.Next(); err != nil {
			t.Fatal(err)
		}
		if got := d.Atom(); got != "next" {
			t.Errorf("next command is %q", got)
		}
	})
}

// FuzzString reads back what was encoded.
func FuzzString(f *testing.F) {
	f.Add("INBOX")
	f.Add("a \"b\\\r\nü")
	f.Fuzz(func(t *testing.T, s string) {
		want := strings.ReplaceAll(s, "\x00", "")
		for _, encoded := range [][]byte{AppendString(nil, s), AppendAString(nil, s), AppendNString(nil, s, true)} {
			d := NewDecoder(bytes.NewReader(append(encoded, "\r\n"...)), Limits{Line: 1 << 20, Literal: 1 << 20},
				func(int64, bool) error { return nil })
			if err := d.Next(); err != nil {
				t.Fatal(err)
			}
			got := d.AString()
			d.End()
			if d.Err() != nil || got != want {
				t.Errorf("%q was sent as %q and read as %q, error %v", s, encoded, got, d.Err())
			}
		}
	})
}
