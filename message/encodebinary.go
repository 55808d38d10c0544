package message

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"errors"
	"io"
)

// ErrNUL says that a message has NUL octets where there may be none: outside
// of a part with Content-Transfer-Encoding binary.
var ErrNUL = errors.New("message: NUL octet outside of a binary part")

// EncodeBinary writes the message of size octets to w, as it came in a literal8 of APPEND, so that it can be kept
// as lines (RFC 3516 §4.4): parts with Content-Transfer-Encoding "binary"
// become base64, and multiparts and messages, which can't be (RFC 2045 §6.4), "8bit";
// all else is written octet for octet. The error is ErrNUL, where the message
// has NULs elsewhere, or one of src or w.
func EncodeBinary(w io.Writer, src io.ReaderAt, size int64) error {
	s, err := Scan(src, size)
	if err != nil {
		return err
	}
	e := binaryEncoder{w: bufio.NewWriterSize(w, blockSize), src: src, size: size}
	if err := e.part(s.Root); err != nil {
		return err
	}
	if err := e.copyTo(size); err != nil {
		return err
	}
	return e.w.Flush()
}

// binaryEncoder is one run of EncodeBinary.
type binaryEncoder struct {
	w    *bufio.Writer
	src  io.ReaderAt
	size int64
	at   int64 // all before this has been written
}

// part writes what is before the part, and the part as far as it is changed.
func (e *binaryEncoder) part(p *Part) error {
	container := p.kind == multipart || p.kind == rfc822
	if p.encoding == cteBinary {
		if err := e.copyTo(p.Header.Start); err != nil {
			return err
		}
		cte := "base64"
		if container {
			cte = "8bit"
		}
		if err := e.header(p, cte); err != nil {
			return err
		}
	}
	switch {
	case container:
		for _, child := range p.Children {
			if err := e.part(child); err != nil {
				return err
			}
		}
	case p.encoding == cteBinary:
		return e.body(p)
	}
	return nil
}

// header writes the header of p with its encoding changed.
func (e *binaryEncoder) header(p *Part, cte string) error {
	buf := blocks.Get().(*block)
	defer blocks.Put(buf)
	win := newWindow(e.src, p.Header.Start, p.Header.End, buf[:])
	replaced := false // the line belongs to a field that was replaced
	for bol := true; ; {
		line, err := win.line()
		if err != nil {
			return err
		}
		if len(line) == 0 {
			e.at = p.Header.End
			return nil
		}
		if bol && !isFolded(line) {
			name, _, ok := cutField(line)
			if replaced = ok && lookupField(name) == fieldEncoding; replaced {
				e.w.Write(name)
				e.w.WriteString(": ")
				e.w.WriteString(cte)
				e.w.Write(crlf) // the bufio.Writer keeps its first error
			}
		}
		bol = complete(line)
		if replaced {
			continue
		}
		if err := e.text(line); err != nil {
			return err
		}
	}
}

// body writes the body of p as base64 (RFC 2045 §6.8).
func (e *binaryEncoder) body(p *Part) error {
	const perLine = 57
	var in [perLine]byte
	var out [perLine/3*4 + 2]byte
	r := bufio.NewReaderSize(io.NewSectionReader(e.src, p.Body.Start, p.Body.End-p.Body.Start), 16<<10)
	for first := true; ; first = false {
		n, err := io.ReadFull(r, in[:])
		if n > 0 {
			if !first {
				e.w.Write(crlf)
			}
			base64.StdEncoding.Encode(out[:], in[:n])
			e.w.Write(out[:base64.StdEncoding.EncodedLen(n)])
		}
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			break
		}
		if err != nil {
			return err
		}
	}
	e.at = p.Body.End
	if e.at == e.size && p.Body.Start < e.size {
		e.w.Write(crlf)
	}
	return nil
}

// copyTo writes the file up to an offset as it is.
func (e *binaryEncoder) copyTo(end int64) error {
	if e.at >= end {
		return nil
	}
	buf := blocks.Get().(*block)
	defer blocks.Put(buf)
	win := newWindow(e.src, e.at, end, buf[:])
	for {
		b, err := win.block()
		if err != nil || len(b) == 0 {
			e.at = end
			return err
		}
		if err := e.text(b); err != nil {
			return err
		}
		win.r = win.w
	}
}

// text writes octets that may have no NUL.
func (e *binaryEncoder) text(b []byte) error {
	if bytes.IndexByte(b, 0) >= 0 {
		return ErrNUL
	}
	_, err := e.w.Write(b)
	return err
}
