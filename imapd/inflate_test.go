package imapd

import (
	"bytes"
	"compress/flate"
	"errors"
	"io"
	"math/rand/v2"
	"testing"
)

var errDry = errors.New("no input for now")

// pieces gives data in pieces, and an error before each.
type pieces struct {
	data []byte
	size int
	dry  bool
}

func (x *pieces) read(p []byte) (int, error) {
	if x.dry = !x.dry; x.dry {
		return 0, errDry
	}
	n := copy(p[:min(x.size, len(p))], x.data)
	x.data = x.data[n:]
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

// inflateAll returns what an inflater makes of data.
func inflateAll(data []byte, size, room int) (out []byte, err error) {
	x := pieces{data: data, size: size}
	f := inflater{read: x.read}
	p := make([]byte, room)
	for {
		n, err := f.Read(p)
		out = append(out, p[:n]...)
		switch {
		case err == errDry:
		case err != nil:
			return out, err
		}
	}
}

func TestInflate(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for level := flate.HuffmanOnly; level <= flate.BestCompression; level++ {
		var packed bytes.Buffer
		w, err := flate.NewWriter(&packed, level)
		if err != nil {
			t.Fatal(err)
		}
		var want []byte
		for range 60 {
			part := make([]byte, r.IntN(5000))
			for i := range part {
				part[i] = byte(r.IntN(r.IntN(30) + 1))
			}
			want = append(want, part...)
			w.Write(part)
			w.Flush()
		}
		w.Close()
		for _, size := range []int{1, 3, 5000} {
			for _, room := range []int{1, 100, 5000} {
				if got, err := inflateAll(packed.Bytes(), size, room); err != io.EOF || !bytes.Equal(got, want) {
					t.Fatalf("level %d, pieces of %d: %d octets of %d, %v", level, size, len(got), len(want), err)
				}
			}
		}
	}
}

// What a flush has ended is there at once, and the window has no more than came.
func TestInflateFlush(t *testing.T) {
	var in bytes.Buffer
	w, _ := flate.NewWriter(&in, flate.DefaultCompression)
	f := inflater{read: func(p []byte) (int, error) {
		if in.Len() == 0 {
			return 0, errDry
		}
		return in.Read(p)
	}}
	p := make([]byte, 100)
	for _, line := range []string{"a NOOP\r\n", "b IDLE\r\n", "DONE\r\n"} {
		io.WriteString(w, line)
		w.Flush()
		if n, err := f.Read(p); err != nil || string(p[:n]) != line {
			t.Fatalf("%q, %v", p[:n], err)
		}
		if n, err := f.Read(p); n != 0 || err != errDry || f.buf != nil {
			t.Fatalf("%d octets more, %v, buffer %v", n, err, f.buf)
		}
	}
	if len(f.window) > 2<<10 {
		t.Errorf("a window of %d octets", len(f.window))
	}
}

func FuzzInflate(f *testing.F) {
	for _, text := range []string{"", "a NOOP\r\n", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab"} {
		for _, level := range []int{0, 1, 9, flate.HuffmanOnly} {
			var b bytes.Buffer
			w, _ := flate.NewWriter(&b, level)
			io.WriteString(w, text)
			w.Flush()
			io.WriteString(w, text)
			w.Close()
			f.Add(b.Bytes(), uint8(level))
		}
	}
	f.Fuzz(func(t *testing.T, data []byte, size uint8) {
		got, err := inflateAll(data, int(size)+1, 4096)
		want, wantErr := io.ReadAll(flate.NewReader(bytes.NewReader(data)))
		n := min(len(got), len(want))
		if !bytes.Equal(got[:n], want[:n]) || wantErr == nil && (len(got) != len(want) || err != io.EOF) {
			t.Errorf("%d octets, %v; the library has %d, %v", len(got), err, len(want), wantErr)
		}
	})
}

// What follows damage is not read, even where it would be right by itself.
func TestInflateDamageSticks(t *testing.T) {
	in := []byte("\x00\x01\x00\xfe\xffa" + "\x06" + "\x01\x00\xfe\xffb") // a stored block, one of no kind, and what would be a stored block
	out, err := io.ReadAll(&inflater{read: bytes.NewReader(in).Read})
	if string(out) != "a" || err != errInflate {
		t.Errorf("got %q, %v", out, err)
	}
}
