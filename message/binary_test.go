package message

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
)

func TestBinary(t *testing.T) {
	for _, test := range []struct {
		file string
		path []int
		want string
		nul  bool
	}{
		{"mixed", []int{1}, "hello\r\nw\xc3\xb6rld", false},
		{"mixed", []int{2}, "\x89PNG\r\n\x1a\n", false},
		{"plain", []int{1}, "hello\r\nworld\r\n", false},
		{"nul", []int{1}, "bo\x00dy\r\n", true},
		{"nul", nil, "Subject: a\x00b\r\nFrom: x\x00y@example.org\r\n\r\nbo\x00dy\r\n", true},
		{"digest", []int{1}, "From: in@example.org\r\nSubject: inner\r\n\r\ninner body", false},
		{"prefix", []int{1, 1}, "inner one", false},
		{"rfc822-b64", []int{1}, "Subject: inner\n\nbody\n", false},
	} {
		s, src := openFile(t, test.file)
		b, ok, err := s.Binary(src, test.path)
		if err != nil || !ok {
			t.Errorf("%s %v: %v, %v", test.file, test.path, ok, err)
			continue
		}
		if got := string(read(t, b)); got != test.want || b.HasNUL() != test.nul {
			t.Errorf("%s %v: %q, NUL %v, want %q, %v", test.file, test.path, got, b.HasNUL(), test.want, test.nul)
		}
	}

	s, src := openFile(t, "types")
	if _, _, err := s.Binary(src, []int{12}); err != ErrUnknownCTE {
		t.Errorf("x-foo: %v", err)
	}
	if _, ok, err := s.Binary(src, []int{99}); ok || err != nil {
		t.Errorf("missing part: %v, %v", ok, err)
	}
}

func TestTransferDecoder(t *testing.T) {
	for _, test := range []struct {
		encoding cte
		in, want string
	}{
		{cteBase64, "aGVsbG8=", "hello"},
		{cteBase64, "aGVs\r\nbG8=\r\n", "hello"},
		{cteBase64, "aGVsbG8", "hello"},
		{cteBase64, "aGVsbG8=aGVsbG8=", "hellohello"},
		{cteBase64, "aG*V s-bG8", "hello"},
		{cteBase64, "====", ""},
		{cteBase64, "a", ""},
		{cteQuotedPrintable, "a=3Db", "a=b"},
		{cteQuotedPrintable, "a=3db =\nc", "a=b c"},
		{cteQuotedPrintable, "a \t\nb", "a\r\nb"},
		{cteQuotedPrintable, "a \t=\r\nb", "a \tb"},
		{cteQuotedPrintable, "a=  \nb", "ab"},
		{cteQuotedPrintable, "a=", "a"},
		{cteQuotedPrintable, "a=x=4=zz==41", "a=x=4=zz=A"},
		{cteQuotedPrintable, "\n\n", "\r\n\r\n"},
		{cteQuotedPrintable, strings.Repeat("x=41", 5000) + "\n", strings.Repeat("xA", 5000) + "\r\n"},
		{cteQuotedPrintable, strings.Repeat("x", maxCarry-1) + "=41\n", strings.Repeat("x", maxCarry-1) + "A\r\n"},
		{cteQuotedPrintable, strings.Repeat("x", maxCarry-2) + "=41\n", strings.Repeat("x", maxCarry-2) + "A\r\n"},
		{cteQuotedPrintable, strings.Repeat("x", maxCarry-1) + "  \n", strings.Repeat("x", maxCarry-1) + "\r\n"},
		{cteIdentity, "a=3D\n", "a=3D\n"},
	} {
		for _, size := range []int{1, 2, 3, 7, 1 << 20} {
			d := transferDecoder{encoding: test.encoding}
			var got []byte
			for in := []byte(test.in); len(in) > 0; {
				n := min(size, len(in))
				got = d.append(got, in[:n])
				in = in[n:]
			}
			if got = d.finish(got); string(got) != test.want {
				t.Errorf("%.40q in pieces of %d: got %.60q, want %.60q", test.in, size, got, test.want)
			}
		}
	}
}

// TestBinaryPartial fetches pieces of a large attachment: each must not decode it from its start.
func TestBinaryPartial(t *testing.T) {
	want := make([]byte, 3<<20)
	rnd := rand.New(rand.NewPCG(1, 2))
	for i := range want {
		want[i] = byte(rnd.Uint32())
	}
	var b bytes.Buffer
	b.WriteString("Content-Type: application/octet-stream\nContent-Transfer-Encoding: base64\n\n")
	for line := want; len(line) > 0; {
		n := min(57, len(line))
		b.WriteString(base64.StdEncoding.EncodeToString(line[:n]) + "\n")
		line = line[n:]
	}
	s, src := scanBytes(t, b.Bytes())
	reads := &counter{ReaderAt: src}
	var got bytes.Buffer
	for off := int64(0); off < int64(len(want)); off += 65536 {
		bin, ok, err := s.Binary(reads, []int{1})
		if !ok || err != nil || bin.Len() != int64(len(want)) {
			t.Fatalf("%v, %v, length %d", ok, err, bin.Len())
		}
		if err := bin.WriteRange(&got, off, min(65536, bin.Len()-off)); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Error("the pieces make something else")
	}
	if reads.n > 4*int64(b.Len()) {
		t.Errorf("%d octets read for a file of %d", reads.n, b.Len())
	}
}

func TestEncodeBinary(t *testing.T) {
	for _, test := range []struct{ name, in, want string }{
		{"leaf", "Subject: x\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: binary\r\nX: y\r\n\r\na\x00b\r\n",
			"Subject: x\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: base64\r\nX: y\r\n\r\nYQBiDQo=\r\n"},
		{"folded", "content-transfer-ENCODING :\r\n BINARY\r\n\r\na\nb",
			"content-transfer-ENCODING: base64\r\n\r\nYQpi\r\n"},
		{"nothing to do", "Subject: x\r\n\r\nbody\n--\r\n", "Subject: x\r\n\r\nbody\n--\r\n"},
		{"part", "Content-Type: multipart/mixed; boundary=b\r\nContent-Transfer-Encoding: binary\r\n\r\n--b\r\nContent-Transfer-Encoding: binary\r\n\r\n" +
			strings.Repeat("\x00", 60) + "\r\n--b\r\nContent-Type: text/plain\r\n\r\ntext\r\n--b--\r\n",
			"Content-Type: multipart/mixed; boundary=b\r\nContent-Transfer-Encoding: 8bit\r\n\r\n--b\r\nContent-Transfer-Encoding: base64\r\n\r\n" +
				strings.Repeat("A", 76) + "\r\nAAAA\r\n--b\r\nContent-Type: text/plain\r\n\r\ntext\r\n--b--\r\n"},
		{"message", "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: binary\r\n\r\nContent-Transfer-Encoding: binary\r\n\r\n\x00",
			"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n\r\nContent-Transfer-Encoding: base64\r\n\r\nAA==\r\n"},
	} {
		var got bytes.Buffer
		err := EncodeBinary(&got, strings.NewReader(test.in), int64(len(test.in)))
		if err != nil || got.String() != test.want {
			t.Errorf("%s: %v\ngot  %q\nwant %q", test.name, err, got.String(), test.want)
		}
	}
	for _, in := range []string{
		"Subject: a\x00b\r\n\r\nbody",
		"Subject: x\r\n\r\nbo\x00dy",
		"X: \x00\r\nContent-Transfer-Encoding: binary\r\n\r\nbody",
		"Content-Type: multipart/mixed; boundary=b\r\n\r\n\x00\r\n--b\r\nContent-Transfer-Encoding: binary\r\n\r\n\x00\r\n--b--\r\n",
	} {
		if err := EncodeBinary(io.Discard, strings.NewReader(in), int64(len(in))); !errors.Is(err, ErrNUL) {
			t.Errorf("%q: %v", in, err)
		}
	}
}

// FuzzEncodeBinary checks that parts are the same before and after, and no NUL is left.
func FuzzEncodeBinary(f *testing.F) {
	addFiles(f)
	f.Add([]byte("Content-Transfer-Encoding: binary\r\n\r\n\x00\n\xff"))
	f.Fuzz(func(t *testing.T, b []byte) {
		before, src := scanBytes(t, b)
		var out bytes.Buffer
		if err := EncodeBinary(&out, src, int64(len(b))); err != nil {
			if !errors.Is(err, ErrNUL) || !before.nul {
				t.Fatal(err)
			}
			return
		}
		if bytes.IndexByte(out.Bytes(), 0) >= 0 {
			t.Fatalf("NUL in %q", out.Bytes())
		}
		if !bytes.Contains(bytes.ToLower(b), []byte("binary")) && !bytes.Equal(out.Bytes(), b) {
			t.Fatalf("changed to %q", out.Bytes())
		}
	})
}

func TestLFWriter(t *testing.T) {
	for in, want := range map[string]string{
		"":               "",
		"a\r\nb\r\n":     "a\nb\n",
		"a\nb\n":         "a\nb\n",
		"a\rb\r":         "a\rb\r",
		"\r\n":           "\n",
		"a\r\r\nb":       "a\r\r\nb",
		"\r\r\r\n\r\n":   "\r\r\r\n\n",
		"mixed\n\r\n\r":  "mixed\n\n\r",
		"x\r\n.\r\n\r\n": "x\n.\n\n",
	} {
		for _, size := range []int{1, 2, 3, 100} {
			var got bytes.Buffer
			w := NewLFWriter(&got)
			for b := []byte(in); len(b) > 0; {
				n, err := w.Write(b[:min(size, len(b))])
				if err != nil || n != min(size, len(b)) {
					t.Fatal(n, err)
				}
				b = b[n:]
			}
			if err := w.Flush(); err != nil {
				t.Fatal(err)
			}
			if got.String() != want || w.Disk != int64(len(want)) || w.Wire != int64(len(naive([]byte(want)))) {
				t.Errorf("%q in pieces of %d: %q, %d on disk, %d on the wire, want %q", in, size, got.String(), w.Disk, w.Wire, want)
			}
			if back := naive(got.Bytes()); string(back) != string(naive([]byte(in))) {
				t.Errorf("%q comes back as %q", in, back)
			}
		}
	}
}
