package imapd

import (
	"bytes"
	"net"
	"sync"
	"time"
)

const (
	outSize = 32 << 10 // of an output buffer
	outMark = 24 << 10 // a buffer this full is written
)

// outBuffers lends output buffers to connections for as long as they have something to say.
var outBuffers = sync.Pool{New: func() any { return new([outSize]byte) }}

// writer collects a connection's output. It has a buffer only while there is
// something in it. Its first error sticks; what is written after it is dropped.
type writer struct {
	nc      net.Conn
	timeout time.Duration // for one write to nc
	failed  func()        // called once, at the first error
	deflate bool          // compress (COMPRESS)

	lent  *[outSize]byte
	buf   []byte // begins in lent, and moves away where a response outgrows it
	err   error
	total int64 // octets written to nc
}

// begin returns the buffer to append a response to; end takes it back.
//
//	b := w.begin()
//	b = append(b, "* SEARCH"...)
//	w.endLine(b)
func (w *writer) begin() []byte {
	if w.buf == nil {
		w.lent = outBuffers.Get().(*[outSize]byte)
		w.buf = w.lent[:0]
	}
	return w.buf
}

// end takes back what begin gave, and writes it to the client when it is nearly full.
func (w *writer) end(b []byte) {
	w.buf = b
	if len(b) >= outMark {
		w.flush()
	}
}

// endLine is end with a CRLF.
func (w *writer) endLine(b []byte) { w.end(append(b, '\r', '\n')) }

// Write is for the contents of literals; lines are written by begin and end.
func (w *writer) Write(p []byte) (int, error) {
	for n := 0; n < len(p); {
		b := w.begin()
		k := min(len(p)-n, max(outSize-len(b), 1))
		w.end(append(b, p[n:n+k]...))
		n += k
	}
	return len(p), w.err
}

// flush writes what was collected and gives the buffer back.
func (w *writer) flush() error {
	if w.buf == nil {
		return w.err
	}
	for p := w.buf; len(p) > 0 && w.err == nil; {
		k := min(len(p), outSize)
		if err := w.send(p[:k]); err != nil {
			w.err = err
			w.failed()
		}
		p = p[k:]
	}
	outBuffers.Put(w.lent)
	w.lent, w.buf = nil, nil
	return w.err
}

// send writes p to nc, compressed if that was asked for.
func (w *writer) send(p []byte) error {
	if w.deflate {
		b := deflateBuffers.Get().(*bytes.Buffer)
		defer deflateBuffers.Put(b)
		b.Reset()
		if err := appendDeflated(b, p); err != nil {
			return err
		}
		p = b.Bytes()
	}
	w.nc.SetWriteDeadline(time.Now().Add(w.timeout))
	n, err := w.nc.Write(p)
	w.total += int64(n)
	return err
}
