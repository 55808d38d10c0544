package message

import (
	"bytes"
	"io"
)

// LFWriter stores what comes over the wire as it is kept on disk: CRLF becomes
// LF, a lone CR stays, also one before CRLF, which then stays, too: what is read back is
// what came. It is owned by one goroutine. Call Flush at the end.
type LFWriter struct {
	// Disk is how many octets have been written. Wire is how many these are with every
	// line end as CRLF: the RFC822.SIZE, which may be more than came in.
	Disk, Wire int64

	w         io.Writer
	pendingCR bool // CR came last, and is not written yet
	lastCR    bool // CR was written last
}

// NewLFWriter returns an LFWriter that writes to w, which should be buffered.
func NewLFWriter(w io.Writer) *LFWriter { return &LFWriter{w: w} }

// Write converts b. Its result counts octets of b.
func (l *LFWriter) Write(b []byte) (int, error) {
	total := len(b)
	if l.pendingCR && total > 0 {
		l.pendingCR = false
		if b[0] != '\n' || l.lastCR {
			if err := l.put(crlf[:1]); err != nil {
				return 0, err
			}
		}
	}
	for len(b) > 0 {
		i := bytes.Index(b, crlf)
		if i < 0 {
			if l.pendingCR = b[len(b)-1] == '\r'; l.pendingCR {
				b = b[:len(b)-1]
			}
			return total, l.put(b)
		}
		if err := l.put(b[:i]); err != nil {
			return total - len(b), err
		}
		if l.lastCR { // CR CR LF: with one CR gone, the other would become part of the line end
			if err := l.put(crlf[:1]); err != nil {
				return total - len(b), err
			}
		}
		b = b[i+1:]
	}
	return total, nil
}

// Flush writes a CR that came last. It does not flush the writer below.
func (l *LFWriter) Flush() error {
	if !l.pendingCR {
		return nil
	}
	l.pendingCR = false
	return l.put(crlf[:1])
}

// put writes octets that are as they are kept, with no CRLF among them.
func (l *LFWriter) put(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	n, err := l.w.Write(b)
	l.Disk += int64(n)
	l.Wire += int64(n + bytes.Count(b[:n], lfOctet))
	if l.lastCR && b[0] == '\n' {
		l.Wire--
	}
	l.lastCR = b[len(b)-1] == '\r'
	return err
}
