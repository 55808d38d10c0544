package wire

import (
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/emersion/go-imap/v2"
)

var testLimits = Limits{Line: 1000, Literal: 100, Skip: 500}

// newTest returns a Decoder of input, which comes octet by octet, and a list of the literals that
// were let in: "5" where the client waits, "5+" where it does not.
func newTest(t *testing.T, input string) (*Decoder, *[]string) {
	t.Helper()
	asked := new([]string)
	return NewDecoder(iotest.OneByteReader(strings.NewReader(input)), testLimits, func(n int64, sync bool) error {
		mark := "+"
		if sync {
			mark = ""
		}
		*asked = append(*asked, fmt.Sprint(n, mark))
		return nil
	}), asked
}

func TestTokens(t *testing.T) {
	date := func(y int, m time.Month, d, h, min, s, zone int) time.Time {
		return time.Date(y, m, d, h, min, s, 0, time.FixedZone("", zone))
	}
	tests := []struct {
		rule  string
		take  func(d *Decoder) any
		input string
		want  any // nil: a syntax error
	}{
		{"tag", func(d *Decoder) any { return d.Tag() }, "A-1]x", "A-1]x"},
		{"tag", func(d *Decoder) any { return d.Tag() }, "a+", nil},
		{"tag", func(d *Decoder) any { return d.Tag() }, "", nil},
		{"tag", func(d *Decoder) any { return d.Tag() }, "\xe4", nil},
		{"atom", func(d *Decoder) any { return d.Atom() }, "a[b+", "a[b+"},
		{"atom", func(d *Decoder) any { return d.Atom() }, "%", nil},
		{"astring", func(d *Decoder) any { return d.AString() }, "~foo]", "~foo]"},
		{"astring", func(d *Decoder) any { return d.AString() }, `""`, ""},
		{"astring", func(d *Decoder) any { return d.AString() }, `"a \"\\ b"`, `a "\ b`},
		{"astring", func(d *Decoder) any { return d.AString() }, "\"gr\xc3\xbc\xc3\x9fe\"", "grüße"},
		{"astring", func(d *Decoder) any { return d.AString() }, "{3}\r\na\r\n", "a\r\n"},
		{"astring", func(d *Decoder) any { return d.AString() }, "{3+}\na\"b", `a"b`},
		{"astring", func(d *Decoder) any { return d.AString() }, "{0}\r\n", ""},
		{"astring", func(d *Decoder) any { return d.AString() }, "{1}\r\n\x00", nil},
		{"astring", func(d *Decoder) any { return d.AString() }, "~{1}\r\nx", nil},
		{"astring", func(d *Decoder) any { return d.AString() }, "{-1}", nil},
		{"astring", func(d *Decoder) any { return d.AString() }, "{}", nil},
		{"astring", func(d *Decoder) any { return d.AString() }, "{+}", nil},
		{"astring", func(d *Decoder) any { return d.AString() }, "{9223372036854775808}", nil},
		{"astring", func(d *Decoder) any { return d.AString() }, "{1} ", nil},
		{"astring", func(d *Decoder) any { return d.AString() }, "{1{2}", nil},
		{"astring", func(d *Decoder) any { return d.AString() }, `"a`, nil},
		{"astring", func(d *Decoder) any { return d.AString() }, `"a\`, nil},
		{"astring", func(d *Decoder) any { return d.AString() }, `"a\b"`, nil},
		{"astring", func(d *Decoder) any { return d.AString() }, "\"a\x00\"", nil},
		{"astring", func(d *Decoder) any { return d.AString() }, "(", nil},
		{"string", func(d *Decoder) any { return d.String() }, "a", nil},
		{"nstring", func(d *Decoder) any { s, ok := d.NString(); return fmt.Sprint(s, ok) }, "nil", "false"},
		{"nstring", func(d *Decoder) any { s, ok := d.NString(); return fmt.Sprint(s, ok) }, `"NIL"`, "NILtrue"},
		{"nstring", func(d *Decoder) any { s, ok := d.NString(); return fmt.Sprint(s, ok) }, "NILS", nil},
		{"number", func(d *Decoder) any { return d.Number() }, "4294967295", uint32(4294967295)},
		{"number", func(d *Decoder) any { return d.Number() }, "4294967296", nil},
		{"number", func(d *Decoder) any { return d.Number() }, "0", uint32(0)},
		{"nz-number", func(d *Decoder) any { return d.NZNumber() }, "0", nil},
		{"number64", func(d *Decoder) any { return d.Number64() }, "9223372036854775807", int64(1<<63 - 1)},
		{"number64", func(d *Decoder) any { return d.Number64() }, "9223372036854775808", nil},
		{"base64", func(d *Decoder) any { return string(d.Base64()) }, "AGJvYgA=", "\x00bob\x00"},
		{"base64", func(d *Decoder) any { return string(d.Base64()) }, "=", ""},
		{"base64", func(d *Decoder) any { return string(d.Base64()) }, "A", nil},
		{"base64", func(d *Decoder) any { return string(d.Base64()) }, "", nil},
		{"flag", func(d *Decoder) any { return d.Flag() }, `\sEEN`, imap.FlagSeen},
		{"flag", func(d *Decoder) any { return d.Flag() }, `$label1`, imap.Flag("$label1")},
		{"flag", func(d *Decoder) any { return d.Flag() }, `\Foo`, nil},
		{"flag", func(d *Decoder) any { return d.Flag() }, `\*`, nil},
		{"flag", func(d *Decoder) any { return d.Flag() }, `\Recent`, nil},
		{"flag-list", func(d *Decoder) any { return d.FlagList() }, "()", []imap.Flag{}},
		{"flag-list", func(d *Decoder) any { return d.FlagList() }, `(\Flagged a)`, []imap.Flag{imap.FlagFlagged, "a"}},
		{"flag-list", func(d *Decoder) any { return d.FlagList() }, `( a)`, nil},
		{"flags", func(d *Decoder) any { return d.Flags() }, `a \draft`, []imap.Flag{"a", imap.FlagDraft}},
		{"date", func(d *Decoder) any { return d.Date() }, "1-Feb-1994", time.Date(1994, 2, 1, 0, 0, 0, 0, time.UTC)},
		{"date", func(d *Decoder) any { return d.Date() }, `"01-feb-1994"`, time.Date(1994, 2, 1, 0, 0, 0, 0, time.UTC)},
		{"date", func(d *Decoder) any { return d.Date() }, "30-Feb-1994", nil},
		{"date-time", func(d *Decoder) any { return d.DateTime().Equal(date(1996, 7, 7, 2, 44, 25, -7*3600)) }, `" 7-Jul-1996 02:44:25 -0700"`, true},
		{"date-time", func(d *Decoder) any { return d.DateTime() }, `"7-Jul-1996"`, nil},
		{"section", func(d *Decoder) any { return d.Section() }, "[]", Section{}},
		{"section", func(d *Decoder) any { return d.Section() }, "[1.2.3]", Section{Path: []int{1, 2, 3}}},
		{"section", func(d *Decoder) any { return d.Section() }, "[1.mime]", Section{Path: []int{1}, Text: "MIME"}},
		{"section", func(d *Decoder) any { return d.Section() }, "[HEADER]", Section{Text: "HEADER"}},
		{"section", func(d *Decoder) any { return d.Section() }, `[2.HEADER.FIELDS.NOT (From "to")]`, Section{Path: []int{2}, Text: "HEADER.FIELDS.NOT", Fields: []string{"From", "to"}}},
		{"section", func(d *Decoder) any { return d.Section() }, "[HEADER.FIELDS ({4}\r\nFrom)]", Section{Text: "HEADER.FIELDS", Fields: []string{"From"}}},
		{"section", func(d *Decoder) any { return d.Section() }, "[MIME]", nil},
		{"section", func(d *Decoder) any { return d.Section() }, "[0]", nil},
		{"section", func(d *Decoder) any { return d.Section() }, "[1.]", nil},
		{"section", func(d *Decoder) any { return d.Section() }, "[HEADER.FIELDS ()]", nil},
		{"section", func(d *Decoder) any { return d.Section() }, "[HEADER.FIELDS (a:)]", nil},
		{"section", func(d *Decoder) any { return d.Section() }, "[" + strings.Repeat("1.", 200) + "1]", nil},
		{"section-part", func(d *Decoder) any { return d.SectionPart() }, "[1.2]", []int{1, 2}},
		{"section-part", func(d *Decoder) any { return d.SectionPart() }, "[1.TEXT]", nil},
		{"partial", func(d *Decoder) any { p, _ := d.TryPartial(); return p }, "<0.65536>", Partial{0, 65536}},
		{"partial", func(d *Decoder) any { p, ok := d.TryPartial(); return fmt.Sprint(p, ok) }, "", "{0 0} false"},
		{"partial", func(d *Decoder) any { p, _ := d.TryPartial(); return p }, "<0.0>", nil},
		{"item", func(d *Decoder) any { n := d.ItemName(); d.Section(); return n }, "body.peek[1]", "BODY.PEEK"},
	}
	for _, test := range tests {
		t.Run(test.rule+" "+test.input, func(t *testing.T) {
			d, _ := newTest(t, test.input+"\r\nnext\r\n")
			if err := d.Next(); err != nil {
				t.Fatal(err)
			}
			got := test.take(d)
			d.End()
			if test.want == nil {
				if _, ok := errors.AsType[*SyntaxError](d.Err()); !ok {
					t.Errorf("took %#v, error %v; want a syntax error", got, d.Err())
				}
			} else if d.Err() != nil || !reflect.DeepEqual(got, test.want) {
				t.Errorf("took %#v, error %v; want %#v", got, d.Err(), test.want)
			}
		})
	}
}

// TestNextCommand sees where a command ends, whatever happens to it.
func TestNextCommand(t *testing.T) {
	two := func(d *Decoder) { d.AString(); d.SP(); d.AString(); d.End() }
	tests := []struct {
		name, input string
		take        func(d *Decoder)
		err         error  // nil: none; &SyntaxError{}: any
		asked       string // literals that were let in, or skipped
	}{
		{"two literals", "{3}\r\na\n\n {1+}\r\nb\r\n", two, nil, "3 1+"},
		{"bare line feeds", "{3}\na\n\n {1+}\nb\n", two, nil, "3 1+"},
		{"syntax error, then a literal", "(x) {8+}\r\nnext BAD\r\n", two, &SyntaxError{}, "8+"},
		{"syntax error, then two literals", "(x) {4+}\r\nBAD\n{5+}\r\nBAD\r\n\r\n", two, &SyntaxError{}, "4+ 5+"},
		{"syntax error, then a literal that nobody sends", "(x) {4}\r\n", two, &SyntaxError{}, ""},
		{"unterminated string, then a literal", "\"x {4+}\r\nBAD\n\r\n", two, &SyntaxError{}, "4+"},
		{"not a literal at the end", "(x) {4+} \r\n", two, &SyntaxError{}, ""},
		{"too big, synchronizing", "{101}\r\n", two, ErrTooBig, ""},
		{"too big, not synchronizing", "{101+}\r\n" + strings.Repeat("BAD\n\n", 20) + "\n x\r\n", two, ErrTooBig, "101+"},
		{"too big together", "{60}\r\n" + strings.Repeat("x", 60) + " {41}\r\n", two, ErrTooBig, "60"},
		{"many streams", strings.Repeat("{1}\r\nx ", (testLimits.Line+int(testLimits.Literal))/6-10) + "\r\n", func(d *Decoder) {
			for d.Ahead("{") {
				d.Stream(d.Literal())
				d.EndStream()
				d.SP()
			}
		}, nil, strings.TrimSpace(strings.Repeat("1 ", (testLimits.Line+int(testLimits.Literal))/6-10))},
		{"many literals skipped", strings.Repeat("x {1+}\r\ny", (testLimits.Line+int(testLimits.Skip))/8-1) + "\r\n", func(d *Decoder) { d.Fail("x") },
			&SyntaxError{}, strings.TrimSpace(strings.Repeat("1+ ", (testLimits.Line+int(testLimits.Skip))/8-1))},
		{"nothing taken", "a b c {3+}\r\nBAD d {3+}\r\nBAD\r\n", func(*Decoder) {}, nil, "3+ 3+"},
		{"stream read", "{4}\r\nBAD\n\r\n", func(d *Decoder) {
			got, err := io.ReadAll(d.Stream(d.Literal()))
			if string(got) != "BAD\n" || err != nil {
				d.Refuse(fmt.Errorf("read %q, %v", got, err))
			}
			d.EndStream()
			d.End()
		}, nil, "4"},
		{"stream read in part", "~{4+}\r\nBAD\n x\r\n", func(d *Decoder) {
			io.ReadFull(d.Stream(d.Literal()), make([]byte, 2))
			d.EndStream()
			d.SP()
			d.Atom()
			d.End()
		}, nil, "4+"},
		{"stream left alone", "{4}\r\nBAD\n {4+}\r\nBAD\n x\r\n", func(d *Decoder) { d.Stream(d.Literal()) }, nil, "4 4+"},
		{"stream read, its end left alone", "{4}\r\nBAD\n {4+}\r\nBAD\n x\r\n", func(d *Decoder) {
			io.ReadAll(d.Stream(d.Literal()))
		}, nil, "4 4+"},
		{"stream refused, synchronizing", "{4000}\r\n", func(d *Decoder) { d.Literal(); d.Refuse(ErrTooBig) }, ErrTooBig, ""},
		{"stream refused, not synchronizing", "{4+}\r\nBAD\n)\r\n", func(d *Decoder) { d.Literal(); d.Refuse(ErrTooBig) }, ErrTooBig, "4+"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			d, asked := newTest(t, test.input+"next\r\n")
			if err := d.Next(); err != nil {
				t.Fatal(err)
			}
			test.take(d)
			if _, ok := test.err.(*SyntaxError); ok {
				if _, ok := errors.AsType[*SyntaxError](d.Err()); !ok {
					t.Errorf("error %v, want a syntax error", d.Err())
				}
			} else if d.Err() != test.err {
				t.Errorf("error %v, want %v", d.Err(), test.err)
			}
			if err := d.Next(); err != nil {
				t.Fatal(err)
			}
			if got := d.Atom(); got != "next" || d.More() {
				t.Errorf("next command %q, want next", got)
			}
			if got := strings.Join(*asked, " "); got != test.asked {
				t.Errorf("literals %q, want %q", got, test.asked)
			}
		})
	}
}

func TestFatal(t *testing.T) {
	tests := []struct {
		name, input string
		take        func(d *Decoder)
		want        error
	}{
		{"line too long", strings.Repeat("x", testLimits.Line) + "\r\n", nil, ErrLineTooLong},
		{"line without end", strings.Repeat("x", 100*testLimits.Line), nil, ErrLineTooLong},
		{"lines too long together", strings.Repeat("{0+}\r\n ", testLimits.Line/7+1) + "\r\n", func(d *Decoder) {
			for d.AString(); d.Try(' '); d.AString() {
			}
		}, ErrLineTooLong},
		{"lines that are skipped too long together", strings.Repeat("x {1+}\r\ny", (testLimits.Line+int(testLimits.Skip))/8+1) + "\r\n", nil, ErrLineTooLong},
		{"lines of streams too long together", strings.Repeat("{1+}\r\nx ", (testLimits.Line+int(testLimits.Literal))/7+1) + "\r\n", func(d *Decoder) {
			for ok := true; ok; ok = d.Try(' ') {
				d.Stream(d.Literal())
				d.EndStream()
			}
		}, ErrLineTooLong},
		{"refused literal too big to skip", "x {501+}\r\n", nil, ErrSkipTooBig},
		{"refused literal too big for a number", "x {99999999999999999999+}\r\n", nil, ErrSkipTooBig},
		{"end in a line", "x", nil, io.ErrUnexpectedEOF},
		{"end in a literal", "{5}\r\nx", func(d *Decoder) { d.AString() }, io.ErrUnexpectedEOF},
		{"end before a literal", "{5}\r\n", func(d *Decoder) { d.AString() }, io.ErrUnexpectedEOF},
		{"end in a stream", "{5}\r\nx", func(d *Decoder) { io.ReadAll(d.Stream(d.Literal())) }, io.ErrUnexpectedEOF},
		{"end after a literal", "{1}\r\nx", func(d *Decoder) { d.AString() }, io.EOF},
		{"end", "", nil, io.EOF},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			d, _ := newTest(t, test.input)
			err := d.Next()
			if err == nil && test.take != nil {
				test.take(d)
				if d.Err() != test.want {
					t.Errorf("command failed with %v, want %v", d.Err(), test.want)
				}
			}
			if err == nil {
				err = d.Next()
			}
			if err != test.want {
				t.Errorf("got %v, want %v", err, test.want)
			}
			if again := d.Next(); again != err {
				t.Errorf("%v does not stick: %v", err, again)
			}
		})
	}
}

// TestRawLine has a command where a raw line should be: its literal is dropped.
func TestRawLine(t *testing.T) {
	d, asked := newTest(t, "a IDLE\r\nx APPEND {4+}\r\nBAD\n\r\nnext\r\n")
	if err := d.Next(); err != nil {
		t.Fatal(err)
	}
	line, err := d.Line()
	if string(line) != "x APPEND {4+}" || err != nil {
		t.Fatalf("Line: %q, %v", line, err)
	}
	if err := d.Next(); err != nil {
		t.Fatal(err)
	}
	if got := d.Atom(); got != "next" || len(*asked) != 1 {
		t.Errorf("next command %q, literals %q", got, *asked)
	}
}

// TestLongLine has a line that is longer than the read buffer.
func TestLongLine(t *testing.T) {
	long := strings.Repeat("x", 3*bufferSize)
	d := NewDecoder(strings.NewReader(long+" y\r\nnext\r\n"), Limits{Line: 4 * bufferSize}, nil)
	if err := d.Next(); err != nil {
		t.Fatal(err)
	}
	if got := d.Atom(); got != long {
		t.Errorf("took %d octets, want %d", len(got), len(long))
	}
	if err := d.Next(); err != nil {
		t.Fatal(err)
	}
	if got := d.Atom(); got != "next" {
		t.Errorf("next command %q", got)
	}
}
