package message

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// name writes a section as a client does.
func (s Section) name() string {
	out := strings.Trim(strings.ReplaceAll(fmt.Sprint(s.Path), " ", "."), "[]")
	spec := [...]string{"", "HEADER", "HEADER.FIELDS", "HEADER.FIELDS.NOT", "TEXT", "MIME"}[s.Specifier]
	if out != "" && spec != "" {
		out += "."
	}
	return strings.TrimSpace(out + spec + " " + strings.Join(s.Fields, " "))
}

func TestLookup(t *testing.T) {
	const missing = "NIL"
	subject := []string{"Subject"}
	for _, test := range []struct {
		file string
		sec  Section
		want string
	}{
		{"no-header", Section{Specifier: Header}, "\r\n"},
		{"no-header", Section{Specifier: Text}, "Just a body.\r\nLine two\r\n"},
		{"no-header", Section{Path: []int{1}}, "Just a body.\r\nLine two\r\n"},
		{"no-header", Section{Specifier: HeaderFields, Fields: subject}, "\r\n"},
		{"no-body", Section{Specifier: Text}, ""},
		{"no-body", Section{Path: []int{1}}, ""},
		{"no-body", Section{Specifier: HeaderFields, Fields: subject}, "Subject: no body\r\n"},
		{"no-body-blank", Section{Specifier: HeaderFields, Fields: subject}, "Subject: no body, blank\r\n\r\n"},
		{"header-cut", Section{Specifier: Header}, "From: Ann <ann@example.org>\r\nSubject: cut he"},
		{"header-cut", Section{Specifier: HeaderFields, Fields: subject}, "Subject: cut he\r\n"},
		{"empty", Section{}, ""},
		{"empty", Section{Path: []int{1}}, ""},
		{"plain", Section{Path: []int{1}}, "hello\r\nworld\r\n"},
		{"plain", Section{Path: []int{1, 1}}, missing},
		{"plain", Section{Path: []int{2}}, missing},
		{"plain", Section{Path: []int{0}}, missing},
		{"plain", Section{Path: []int{-1}}, missing},
		{"plain", Section{Path: []int{1}, Specifier: Header}, missing},
		{"plain", Section{Path: []int{1}, Specifier: Text}, missing},
		{"plain", Section{Specifier: MIME}, missing},
		{"mixed-eol", Section{Specifier: Text}, "hello\r\nworld\r\nlone\rcr\r\nend"},
		{"nul", Section{Specifier: Text}, "bo\x80dy\r\n"},
		{"nul", Section{Specifier: HeaderFields, Fields: subject}, "Subject: a\x80b\r\n\r\n"},
		{"dup", Section{Specifier: HeaderFields, Fields: subject}, "Subject: first\r\nSubject: second\r\n\r\n"},
		{"dup", Section{Specifier: HeaderFields, Fields: []string{"TO", "x", "fRom"}},
			"From: a@example.org\r\nFrom: b@example.org\r\nTo: c@x.org\r\nTo: d@x.org\r\n\r\n"},
		{"dup", Section{Specifier: HeaderFieldsNot, Fields: []string{"to", "from", "date", "content-type", "MESSAGE-ID"}},
			"Subject: first\r\nSubject: second\r\n\r\n"},
		{"fold-crlf", Section{Specifier: HeaderFields, Fields: subject}, "Subject: folded\r\n in\r\n\tthree\r\n\r\n"},
		{"ws-header", Section{Specifier: HeaderFields, Fields: subject}, "Subject: ws\r\nSubject : spaced name\r\n  \r\n\r\n"},
		{"mbox-from", Section{Specifier: HeaderFields, Fields: []string{"From"}}, "From: Ann <ann@example.org>\r\n\r\n"},
		{"junk-line", Section{Specifier: HeaderFieldsNot, Fields: subject}, "this line has no colon\r\nFrom: ann@example.org\r\n\r\n"},
		{"space-first", Section{Specifier: Header}, " leading continuation\r\nSubject: x\r\n\r\n"},

		{"mixed", Section{Path: []int{1}}, "hello\r\nw=C3=B6rld"},
		{"mixed", Section{Path: []int{1}, Specifier: MIME},
			"Content-Type: text/plain; charset=utf-8; format=flowed\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"},
		{"mixed", Section{Path: []int{2}}, "iVBORw0KGgo="},
		{"mixed", Section{Path: []int{3}}, missing},
		{"mixed", Section{Path: []int{1, 1}}, missing},
		{"no-parts", Section{Path: []int{1}}, ""},
		{"no-parts", Section{Path: []int{1}, Specifier: MIME}, ""},
		{"no-parts", Section{Path: []int{2}}, missing},
		{"prefix", Section{Path: []int{1, 2}}, "inner two"},
		{"prefix", Section{Path: []int{1}}, "--bb\r\n\r\ninner one\r\n--bb\r\nContent-Type: text/html\r\n\r\ninner two\r\n--bb--"},
		{"boundary-in-header", Section{Path: []int{1}, Specifier: MIME}, "Content-Type: text/html"},
		{"boundary-in-header", Section{Path: []int{3}, Specifier: MIME}, "X: y\r\n\r\n"},

		{"rfc822", Section{Path: []int{1}, Specifier: Header}, "Subject: inner\r\nFrom: in@example.org\r\nSender: s@example.org\r\n\r\n"},
		{"rfc822", Section{Path: []int{1}, Specifier: HeaderFields, Fields: subject}, "Subject: inner\r\n\r\n"},
		{"rfc822", Section{Path: []int{1}, Specifier: Text}, "body\r\nlines\r\n"},
		{"rfc822", Section{Path: []int{1, 1}}, "body\r\nlines\r\n"},
		{"rfc822", Section{Path: []int{1, 1}, Specifier: MIME}, "Subject: inner\r\nFrom: in@example.org\r\nSender: s@example.org\r\n\r\n"},
		{"rfc822", Section{Path: []int{1, 1, 1}}, missing},
		{"digest", Section{Path: []int{1}}, "From: in@example.org\r\nSubject: inner\r\n\r\ninner body"},
		{"digest", Section{Path: []int{1}, Specifier: MIME}, "\r\n"},
		{"digest", Section{Path: []int{3}, Specifier: Text}, "--c\r\n\r\ndeep\r\n--c--"},
		{"digest", Section{Path: []int{3, 1}}, "deep"},
		{"digest", Section{Path: []int{3, 1}, Specifier: MIME}, "\r\n"},
		{"digest", Section{Path: []int{3, 2}}, missing},
		{"digest", Section{Path: []int{2}, Specifier: Header}, missing},
	} {
		t.Run(test.file+"/"+test.sec.name(), func(t *testing.T) {
			s, src := openFile(t, test.file)
			c, ok, err := s.Lookup(src, test.sec)
			if err != nil {
				t.Fatal(err)
			}
			got := missing
			if ok {
				got = string(read(t, c))
			}
			if got != test.want {
				t.Errorf("got  %q\nwant %q", got, test.want)
			}
		})
	}
}

func TestFindBoundary(t *testing.T) {
	for _, test := range []struct {
		open, line string
		level      int
		closing    bool
	}{
		{"a", "a", 0, false},
		{"a", "a--", 0, true},
		{"a", "a \t", 0, false},
		{"a", "a-- ", 0, true},
		{"a", "ab", 0, false},
		{"a", "a--b", 0, true},
		{"a", "b", -1, false},
		{"a", "", -1, false},
		{"a", "A", -1, false},
		{"a a", "a", 1, false},     // the innermost of equals
		{"a ab", "ab", 1, false},   // the whole line
		{"ab a", "ab", 0, false},   // the whole line, though the inner one is its start
		{"ab a", "abc", 0, false},  // the longest start
		{"a ab", "abc", 1, false},  // the longest start
		{"a a--", "a--", 1, false}, // the innermost whole line
		{"a-- a", "a--", 1, true},
		{"a-- a", "a----", 0, true},
	} {
		var open []boundary
		for _, b := range strings.Fields(test.open) {
			open = append(open, boundary(b))
		}
		if level, closing := findBoundary(open, []byte(test.line)); level != test.level || closing != test.closing {
			t.Errorf("%q in [%s]: %d, %v, want %d, %v", test.line, test.open, level, closing, test.level, test.closing)
		}
	}
}

// TestBlockEdges moves each octet of each message to the edge of a block: that may change nothing.
func TestBlockEdges(t *testing.T) {
	files, err := filepath.Glob("testdata/*.eml")
	if err != nil {
		t.Fatal(err)
	}
	filler := strings.Repeat("\n "+strings.Repeat("x", 70), 62_000/72) + "\n"
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.HasPrefix(b, []byte("From ")) || bytes.HasPrefix(b, []byte(" ")) || len(b) == 0 {
			continue // with a field before it, it is something else
		}
		want, _ := scanBytes(t, b)
		for cut := 0; cut < len(b); cut += slow {
			pad := "X-Pad:" + strings.Repeat("x", blockSize-len("X-Pad:")-len(filler)-cut) + filler
			got, _ := scanBytes(t, append([]byte(pad), b...))
			if g, w := got.AppendBodyStructure(nil, true, false), want.AppendBodyStructure(nil, true, false); !bytes.Equal(g, w) {
				t.Fatalf("%s, cut at %d:\ngot  %s\nwant %s", name, cut, g, w)
			}
			if g, w := got.AppendEnvelope(nil), want.AppendEnvelope(nil); !bytes.Equal(g, w) {
				t.Fatalf("%s, cut at %d:\ngot  %s\nwant %s", name, cut, g, w)
			}
		}
	}
}

// counter counts the octets that are read.
type counter struct {
	io.ReaderAt
	n int64
}

func (c *counter) ReadAt(b []byte, off int64) (int, error) {
	n, err := c.ReaderAt.ReadAt(b, off)
	c.n += int64(n)
	return n, err
}

// TestPartial fetches a large message in pieces, as Thunderbird does.
func TestPartial(t *testing.T) {
	for _, eol := range []string{"\n", "\r\n", "\n\r\n\r"} {
		b := []byte("Subject: large\n\n" + strings.Repeat("0123456789"+eol, 400_000))
		want := naive(b)
		s, src := scanBytes(t, b)
		reads := &counter{ReaderAt: src}
		c := mustLookup(t, s, src, Section{})
		c.(*stretch).src = reads
		if c.Len() != int64(len(want)) {
			t.Fatalf("length %d, want %d", c.Len(), len(want))
		}
		var got bytes.Buffer
		for off := int64(0); off < c.Len(); off += 65536 {
			if err := c.WriteRange(&got, off, min(65536, c.Len()-off)); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(got.Bytes(), want) {
			t.Fatalf("%q: the pieces make something else", eol)
		}
		if reads.n > 4*int64(len(b)) {
			t.Errorf("%q: %d octets read for a file of %d", eol, reads.n, len(b))
		}
	}
}

// TestShrunk reads a file that became shorter after it was scanned.
func TestShrunk(t *testing.T) {
	b := []byte("Subject: x\n\n" + strings.Repeat("line\n", 50_000))
	s, _ := scanBytes(t, b)
	short := bytes.NewReader(b[:len(b)/2])
	c := mustLookup(t, s, short, Section{})
	var n countWriter
	if err := c.WriteRange(&n, 0, c.Len()); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("error %v after %d octets", err, n)
	}
	if _, err := Scan(short, int64(len(b))); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("Scan: error %v", err)
	}
	if _, err := ReadHeader(bytes.NewReader([]byte("Subject: ")), 100); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("ReadHeader: error %v", err)
	}
}

// TestLargeHeader has a header that is not kept in memory.
func TestLargeHeader(t *testing.T) {
	var b bytes.Buffer
	for i := range 40_000 {
		fmt.Fprintf(&b, "X-%d: %s\nY: y\n", i, strings.Repeat("v", 20))
	}
	b.WriteString("Subject: at the end\n\nbody\n")
	s, src := scanBytes(t, b.Bytes())
	if got := string(s.AppendEnvelope(nil)); !strings.Contains(got, "at the end") {
		t.Errorf("envelope %s", got)
	}
	h, err := ReadHeader(src, int64(b.Len()))
	if err != nil {
		t.Fatal(err)
	}
	fields, err := h.Fields([]string{"y", "subject"}, false)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []Content{fields, mustLookup(t, s, src, Section{Specifier: HeaderFields, Fields: []string{"Y", "Subject"}})} {
		if got, want := string(read(t, c)), strings.Repeat("Y: y\r\n", 40_000)+"Subject: at the end\r\n\r\n"; got != want {
			t.Errorf("%d octets of fields, want %d", len(got), len(want))
		}
	}
	all, err := h.All()
	if err != nil {
		t.Fatal(err)
	}
	if got, want := read(t, all), read(t, mustLookup(t, s, src, Section{Specifier: Header})); !bytes.Equal(got, want) {
		t.Errorf("%d octets of header, want %d", len(got), len(want))
	}
}

// TestWhole: what is in memory is the same without a scan.
func TestWhole(t *testing.T) {
	for range 2000 {
		b := make([]byte, rand.IntN(40))
		for i := range b {
			b[i] = "\r\n\r\n\x00a:"[rand.IntN(7)]
		}
		s, src := scanBytes(t, b)
		want, c := mustLookup(t, s, src, Section{}), Whole(b)
		if c.Len() != want.Len() {
			t.Fatalf("%q: length %d, want %d", b, c.Len(), want.Len())
		}
		off := rand.Int64N(want.Len() + 1)
		n := rand.Int64N(want.Len() - off + 1)
		var x, y bytes.Buffer
		if err := errors.Join(c.WriteRange(&x, off, n), want.WriteRange(&y, off, n)); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(x.Bytes(), y.Bytes()) {
			t.Fatalf("%q, %d octets from %d on: %q, want %q", b, n, off, &x, &y)
		}
	}
}
