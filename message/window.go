package message

import (
	"bytes"
	"io"
	"sync"
)

// blockSize is how much is read from a file at a time, in octets.
const blockSize = 64 << 10

type block [blockSize]byte

var blocks = sync.Pool{New: func() any { return new(block) }}

// window is a view of a file that slides forward over it. Slices that its
// methods return are valid until the next call.
type window struct {
	src  io.ReaderAt
	next int64 // file offset that is read next
	end  int64 // file offset where reading ends
	buf  []byte
	r, w int // what has been read and not consumed is buf[r:w]
}

// newWindow returns a window of [off, end) that uses buf.
func newWindow(src io.ReaderAt, off, end int64, buf []byte) window {
	return window{src: src, next: off, end: end, buf: buf}
}

// memoryWindow returns a window of what is in memory already.
func memoryWindow(b []byte) window {
	return window{buf: b, w: len(b)}
}

func (w *window) unread() []byte { return w.buf[w.r:w.w] }

// offset is the file offset of the first unread octet.
func (w *window) offset() int64 { return w.next - int64(w.w-w.r) }

// full reports that fill can't add anything: the file is read to its end, or
// nothing in the buffer has been consumed.
func (w *window) full() bool { return w.next >= w.end || w.w-w.r == len(w.buf) }

// fill reads on, keeping what is unread. A file that is shorter than it was
// said to be is io.ErrUnexpectedEOF.
func (w *window) fill() error {
	if w.r > 0 {
		w.w = copy(w.buf, w.buf[w.r:w.w])
		w.r = 0
	}
	n := min(int64(len(w.buf)-w.w), w.end-w.next)
	if n <= 0 {
		return nil
	}
	got, err := w.src.ReadAt(w.buf[w.w:w.w+int(n)], w.next)
	w.w += got
	w.next += int64(got)
	if int64(got) == n {
		return nil
	}
	if err == nil || err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// block returns what is unread, and reads where that is nothing. Empty at the end.
func (w *window) block() ([]byte, error) {
	if w.r == w.w && !w.full() {
		if err := w.fill(); err != nil {
			return nil, err
		}
	}
	return w.unread(), nil
}

// peekLine returns the next line with its line end without consuming it. A
// line longer than the buffer comes in pieces, the last line may have no line
// end, and at the end the line is empty.
func (w *window) peekLine() ([]byte, error) {
	seen := 0
	for {
		b := w.unread()
		if i := bytes.IndexByte(b[seen:], '\n'); i >= 0 {
			return b[:seen+i+1], nil
		}
		if w.full() {
			return b, nil
		}
		seen = len(b)
		if err := w.fill(); err != nil {
			return nil, err
		}
	}
}

// line is peekLine, and consumes it.
func (w *window) line() ([]byte, error) {
	b, err := w.peekLine()
	w.r += len(b)
	return b, err
}

// complete reports whether the piece ends with a line end.
func complete(piece []byte) bool {
	return len(piece) > 0 && piece[len(piece)-1] == '\n'
}

// blank reports whether the line is empty, as the one that ends a header.
func blank(line []byte) bool {
	return len(line) == 1 && line[0] == '\n' || len(line) == 2 && line[0] == '\r' && line[1] == '\n'
}

// trimEOL returns the line without LF or CRLF.
func trimEOL(line []byte) []byte {
	if n := len(line); n > 0 && line[n-1] == '\n' {
		line = line[:n-1]
		if n > 1 && line[n-2] == '\r' {
			line = line[:n-2]
		}
	}
	return line
}
