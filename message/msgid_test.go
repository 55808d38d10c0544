package message

import (
	"bytes"
	"strings"
	"testing"
)

func TestThreadRoot(t *testing.T) {
	for _, x := range []struct{ name, header, want string }{
		{"own ID", "Message-ID: <1@x>\n", "1@x"},
		{"In-Reply-To", "Message-ID: <1@x>\nIn-Reply-To: your mail of today <2@x> (<3@x>)\n", "2@x"},
		{"References", "Message-ID: <1@x>\nIn-Reply-To: <2@x>\nReferences: <3@x> <2@x>\n", "3@x"},
		{"any order", "References: <3@x>\nMessage-ID: <1@x>\n", "3@x"},
		{"no valid reference", "References: x <y> <@>\nIn-Reply-To: <2@x>\nMessage-ID: <1@x>\n", "2@x"},
		{"no valid ID before it", "References:\nIn-Reply-To: Alice's message\nMessage-ID: <1@x>\n", "1@x"},
		{"the first counts", "Message-ID: <1@x>\nMessage-ID: <2@x>\nReferences: <y>\nReferences: <3@x>\n", "1@x"},
		{"normal form", "message-id : < \"a b\\\"\" @ \n\tx>\n", `a b"@x`},
		{"none", "Subject: <1@x>\n", ""},
		{"not in the body", "Subject: x\n\nMessage-ID: <1@x>\n", ""},
		{"no header", "", ""},
		{"too large a header", "X: " + strings.Repeat("x\n ", maxHeader/4+1) + "\nMessage-ID: <1@x>\n", ""},
		{"large header", "X: " + strings.Repeat("x\n ", maxHeader/4-100) + "\nMessage-ID: <1@x>\n", "1@x"},
	} {
		text := []byte(x.header + "\nbody\n")
		for name, b := range map[string][]byte{"LF": text, "CRLF": naive(text)} {
			h, err := ReadHeader(bytes.NewReader(b), int64(len(b)))
			if err != nil {
				t.Fatal(err)
			}
			if got := h.AppendThreadRoot([]byte("T")); string(got) != "T"+x.want {
				t.Errorf("%s, %s: got %q, want %q", x.name, name, got, x.want)
			}
		}
	}
}

// All messages with one EMAILID have one THREADID (RFC 8474 §5.2), whatever their line ends are on disk; and the ID is that
// by which THREAD knows the message.
func FuzzThreadRoot(f *testing.F) {
	addFiles(f)
	f.Add([]byte("References: <\"a\\\"\"@b> <c@d>\r\n\nMessage-ID: <x@y>"))
	f.Add([]byte("Message-ID:\n <\n\x00\r\r\n a@b\r>"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var roots [2][]byte
		for i, b := range [][]byte{b, naive(b)} {
			h, err := ReadHeader(bytes.NewReader(b), int64(len(b)))
			if err != nil {
				t.Fatal(err)
			}
			roots[i] = h.AppendThreadRoot(nil)
			var k SortKeys
			k.ReadSortKeys(h)
			want := k.MessageID
			if n := len(k.References); n == maxReferences {
				continue // there may have been more before
			} else if n > 0 {
				want = k.References[0]
			}
			if got := idOf(roots[i]); got != want {
				t.Errorf("%q is not the one of THREAD", roots[i])
			}
		}
		if !bytes.Equal(roots[0], roots[1]) {
			t.Errorf("got %q, with CRLF %q", roots[0], roots[1])
		}
	})
}

func BenchmarkThreadRoot(b *testing.B) {
	msg := typical(0)
	h := HeaderOf(msg)
	var dst []byte
	b.ReportAllocs()
	for b.Loop() {
		dst = h.AppendThreadRoot(dst[:0])
	}
}
