package message

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

// naive returns b as it is sent, the slow and plain way.
func naive(b []byte) []byte {
	var out []byte
	for i, c := range b {
		if c == '\n' && (i == 0 || b[i-1] != '\r') {
			out = append(out, '\r')
		}
		out = append(out, c)
	}
	return out
}

func withoutNUL(b []byte) []byte { return bytes.ReplaceAll(b, []byte{0}, []byte{nulReplacement}) }

// addFiles adds all test messages, as they are and with CRLF, to a fuzz target.
func addFiles(f *testing.F) {
	files, err := filepath.Glob("testdata/*.eml")
	if err != nil || len(files) == 0 {
		f.Fatalf("no test messages: %v", err)
	}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
		f.Add(naive(b))
	}
}

func FuzzScan(f *testing.F) {
	addFiles(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		src := bytes.NewReader(b)
		order := &inOrder{src: src}
		s, err := Scan(order, int64(len(b)))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(order.read, b) {
			t.Fatal("not read once, in order")
		}
		wire := naive(b)
		if s.Size != int64(len(b)) || s.WireSize != int64(len(wire)) {
			t.Fatalf("sizes %d, %d, want %d, %d", s.Size, s.WireSize, len(b), len(wire))
		}
		checkPart(t, b, s, s.Root, 0, s.Size)
		checkList(t, s.AppendEnvelope(nil))
		checkList(t, s.AppendBodyStructure(nil, false, false))
		checkList(t, s.AppendBodyStructure(nil, true, true))
		checkSections(t, b, s, s.Root, nil)
		if got := read(t, mustLookup(t, s, src, Section{})); !bytes.Equal(got, withoutNUL(wire)) {
			t.Fatalf("BODY[] is %q, want %q", got, wire)
		}
		checkHeader(t, b, s)
	})
}

// inOrder collects what is read.
type inOrder struct {
	src  io.ReaderAt
	read []byte
}

func (x *inOrder) ReadAt(p []byte, off int64) (int, error) {
	n, err := x.src.ReadAt(p, off)
	x.read = append(x.read, p[:n]...)
	return n, err
}

// checkPart checks that p and its children are nested ranges of the file, and that sizes are true.
func checkPart(t *testing.T, b []byte, s *Structure, p *Part, start, end int64) {
	t.Helper()
	for _, r := range []Range{p.Header, p.Body} {
		if r.Start < start || r.End < r.Start || r.End > end {
			t.Fatalf("range %+v outside of [%d, %d)", r, start, end)
		}
		if want := len(naive(b[:r.End])) - len(naive(b[:r.Start])); r.Wire != int64(want) {
			t.Fatalf("range %+v is %d octets on the wire", r, want)
		}
	}
	if p.Header.End != p.Body.Start {
		t.Fatalf("a gap between header %+v and body %+v", p.Header, p.Body)
	}
	if want := bytes.Count(b[p.Body.Start:p.Body.End], lfOctet); p.Lines != int64(want) {
		t.Fatalf("%d lines, want %d", p.Lines, want)
	}
	at := p.Body.Start
	for _, child := range p.Children {
		checkPart(t, b, s, child, at, p.Body.End)
		at = child.Body.End
	}
}

// checkSections checks each section of p, which path names.
func checkSections(t *testing.T, b []byte, s *Structure, p *Part, path []int) {
	t.Helper()
	src := bytes.NewReader(b)
	if len(path) > 0 {
		if s.Part(path) != p {
			t.Fatalf("path %v names another part", path)
		}
		for spec, r := range map[Specifier]Range{All: p.Body, MIME: p.Header} {
			got := read(t, mustLookup(t, s, src, Section{Path: path, Specifier: spec}))
			if want := withoutNUL(naive(b[:r.End])[len(naive(b[:r.Start])):]); !bytes.Equal(got, want) {
				t.Fatalf("section %v %d is %q, want %q", path, spec, got, want)
			}
		}
		if bin, ok, err := s.Binary(src, path); err == nil {
			if got := read(t, bin); !ok || bin.HasNUL() != (bytes.IndexByte(got, 0) >= 0) {
				t.Fatalf("BINARY%v: %v, NUL %v in %q", path, ok, bin.HasNUL(), got)
			}
		} else if err != ErrUnknownCTE {
			t.Fatal(err)
		}
	}
	for _, not := range []Specifier{HeaderFields, HeaderFieldsNot} {
		if c, ok, err := s.Lookup(src, Section{Path: path, Specifier: not, Fields: []string{"SUBJECT", "x"}}); err != nil {
			t.Fatal(err)
		} else if ok {
			read(t, c)
		}
	}
	children := p.Children
	if p.kind == rfc822 && len(path) > 0 {
		children = children[0].Children
		if p.Children[0].kind != multipart {
			return
		}
	} else if p.kind != multipart {
		return
	}
	for i, child := range children {
		if i < 5 && len(path) < 6 {
			checkSections(t, b, s, child, append(path[:len(path):len(path)], i+1))
		}
	}
}

// checkHeader checks that the header that is read by itself says the same.
func checkHeader(t *testing.T, b []byte, s *Structure) {
	t.Helper()
	src := bytes.NewReader(b)
	h, err := ReadHeader(src, int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := h.AppendEnvelope(nil), s.AppendEnvelope(nil); !bytes.Equal(got, want) {
		t.Fatalf("envelope of the header %q, of the message %q", got, want)
	}
	all, err := h.All()
	if err != nil {
		t.Fatal(err)
	}
	want := read(t, mustLookup(t, s, src, Section{Specifier: Header}))
	if got := read(t, all); !bytes.Equal(got, want) {
		t.Fatalf("header by itself %q, of the message %q", got, want)
	}
	for _, not := range []bool{false, true} {
		c, err := h.Fields([]string{"From", "Subject"}, not)
		if err != nil {
			t.Fatal(err)
		}
		spec := HeaderFields
		if not {
			spec = HeaderFieldsNot
		}
		want := read(t, mustLookup(t, s, src, Section{Specifier: spec, Fields: []string{"FROM", "SUBJECT"}}))
		if got := read(t, c); !bytes.Equal(got, want) {
			t.Fatalf("fields by itself %q, of the message %q", got, want)
		}
	}
}

func mustLookup(t *testing.T, s *Structure, src *bytes.Reader, sec Section) Content {
	t.Helper()
	c, ok, err := s.Lookup(src, sec)
	if err != nil || !ok {
		t.Fatalf("section %+v: %v, %v", sec, ok, err)
	}
	return c
}

// read reads all of c at once, and again in parts, which must be the same.
func read(t *testing.T, c Content) []byte {
	t.Helper()
	var whole bytes.Buffer
	if err := c.WriteRange(&whole, 0, c.Len()); err != nil {
		t.Fatal(err)
	}
	if int64(whole.Len()) != c.Len() {
		t.Fatalf("%d octets written, length is %d", whole.Len(), c.Len())
	}
	rnd := rand.New(rand.NewPCG(uint64(whole.Len()), 1))
	var parts bytes.Buffer
	for off := int64(0); off < c.Len(); {
		n := min(1+rnd.Int64N(1+c.Len()/3), c.Len()-off)
		if err := c.WriteRange(&parts, off, n); err != nil {
			t.Fatal(err)
		}
		off += n
	}
	if !bytes.Equal(whole.Bytes(), parts.Bytes()) {
		t.Fatalf("in parts %q, as a whole %q", parts.Bytes(), whole.Bytes())
	}
	if err := c.WriteRange(&parts, c.Len(), 1); err == nil {
		t.Fatal("a range past the end was written")
	}
	return whole.Bytes()
}

// checkList checks that b is one parenthesised list of RFC 3501 §9, without NUL.
func checkList(t *testing.T, b []byte) {
	t.Helper()
	rest, err := skipList(b)
	if err != nil || len(rest) > 0 {
		t.Fatalf("not a list: %v, %q is left of %q", err, rest, b)
	}
}

// skipList returns what follows the list, string, number or NIL at the start of b.
func skipList(b []byte) (rest []byte, err error) {
	if len(b) == 0 {
		return nil, fmt.Errorf("it ends")
	}
	switch {
	case b[0] == '(':
		for b = b[1:]; ; {
			if len(b) > 0 && b[0] == ')' {
				return b[1:], nil
			}
			if b, err = skipList(b); err != nil {
				return nil, err
			}
			if len(b) > 0 && b[0] == ' ' {
				b = b[1:]
			}
		}
	case b[0] == '"':
		for i := 1; i < len(b); i++ {
			switch {
			case b[i] == '"':
				return b[i+1:], nil
			case b[i] == '\\':
				i++
			case b[i] == 0 || b[i] == '\r' || b[i] == '\n' || b[i] >= 0x80:
				return nil, fmt.Errorf("octet %#x in a quoted string", b[i])
			}
		}
		return nil, fmt.Errorf("quoted string without end")
	case b[0] == '{':
		var n int
		if _, err := fmt.Sscanf(string(b), "{%d}\r\n", &n); err != nil {
			return nil, err
		}
		b = b[bytes.IndexByte(b, '\n')+1:]
		if len(b) < n || bytes.IndexByte(b[:n], 0) >= 0 {
			return nil, fmt.Errorf("literal too short or with NUL")
		}
		return b[n:], nil
	case bytes.HasPrefix(b, []byte("NIL")):
		return b[3:], nil
	}
	i := 0
	for i < len(b) && isDigit(b[i]) {
		i++
	}
	if i == 0 {
		return nil, fmt.Errorf("unexpected %q", b)
	}
	return b[i:], nil
}
