package message

import (
	"bytes"
	"crypto/sha256"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func digestOf(r io.Reader) ([DigestSize]byte, int64) {
	d := NewDigest()
	defer d.Release()
	io.Copy(struct{ io.Writer }{d}, r)
	return d.Sum(), d.Wire
}

func FuzzDigest(f *testing.F) {
	addFiles(f)
	f.Add([]byte("a\r\r\nb\rc\n\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		wire := naive(b)
		want := sha256.Sum256(wire)
		for name, r := range map[string]io.Reader{
			"whole":  bytes.NewReader(b),
			"octets": iotest.OneByteReader(bytes.NewReader(b)),
			"CRLF":   bytes.NewReader(wire),
			"LF":     strings.NewReader(strings.ReplaceAll(string(wire), "\r\n", "\n")),
		} {
			if name == "LF" && bytes.Contains(wire, []byte("\r\r\n")) {
				continue // another message: the CR before would become part of the line end
			}
			if got, n := digestOf(r); got != [DigestSize]byte(want[:DigestSize]) || n != int64(len(wire)) {
				t.Errorf("%s: got %x of %d octets, want %x of %d", name, got, n, want[:DigestSize], len(wire))
			}
		}
	})
}

// What is larger than the buffer is converted in pieces.
func TestDigestLarge(t *testing.T) {
	b := typical(5000)
	lf, n := digestOf(bytes.NewReader(b))
	crlf, m := digestOf(bytes.NewReader(naive(b)))
	if want := sha256.Sum256(naive(b)); lf != crlf || lf != [DigestSize]byte(want[:DigestSize]) || n != m {
		t.Errorf("got %x of %d octets, with CRLF %x of %d", lf, n, crlf, m)
	}
}

func BenchmarkDigest(b *testing.B) {
	for name, msg := range map[string][]byte{"2KB": typical(12), "8MB": typical(120_000), "8MB-CRLF": naive(typical(120_000))} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(msg)))
			b.ReportAllocs()
			for b.Loop() {
				d := NewDigest()
				d.Write(msg)
				d.Sum()
				d.Release()
			}
		})
	}
}
