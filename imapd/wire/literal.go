package wire

import (
	"bytes"
	"io"
	"math"
)

// Literal is the announcement of a literal.
type Literal struct {
	Size   int64 // octets
	Sync   bool  // the client waits for a continuation request
	Binary bool  // literal8 (RFC 3516 §4.2): NUL is allowed
}

// announced returns the literal that a line announces by its last octets: {n}, {n+}. A number that is
// too large for anything is the largest: what follows is no command either.
func announced(line []byte) (n int64, sync, ok bool) {
	if len(line) < 3 || line[len(line)-1] != '}' {
		return 0, false, false
	}
	open := bytes.LastIndexByte(line, '{')
	if open < 0 {
		return 0, false, false
	}
	digits := line[open+1 : len(line)-1]
	sync = true
	if len(digits) > 0 && digits[len(digits)-1] == '+' { // RFC 7888 §3
		sync, digits = false, digits[:len(digits)-1]
	}
	if len(digits) == 0 || bytes.ContainsFunc(digits, func(r rune) bool { return r < '0' || r > '9' }) {
		return 0, false, false
	}
	if n, ok = parseNumber(digits, math.MaxInt64); !ok {
		n = math.MaxInt64
	}
	return n, sync, true
}

// Literal takes the announcement of a literal, literal8 included, and with it the
// rest of the line. The literal is then read by Stream, or refused by not doing so.
func (d *Decoder) Literal() (lit Literal) {
	rest := d.line
	if d.err != nil {
		return
	}
	if len(rest) > 0 && rest[0] == '~' {
		lit.Binary, rest = true, rest[1:]
	}
	if len(rest) == 0 || rest[0] != '{' || bytes.LastIndexByte(rest, '{') != 0 {
		d.Fail("a literal")
		return
	}
	var ok bool
	if lit.Size, lit.Sync, ok = announced(rest); !ok || lit.Size == math.MaxInt64 {
		d.Fail("a literal's size in octets and }")
	}
	return lit
}

// Stream lets the client send the literal that was announced last and returns its octets,
// exactly Size of them. EndStream goes on with the command.
func (d *Decoder) Stream(lit Literal) io.Reader {
	if d.err != nil {
		return errReader{d.err}
	}
	d.line = nil
	if err := d.onLiteral(lit.Size, lit.Sync); err != nil {
		return errReader{d.die(err)}
	}
	d.streaming, d.stream = true, lit.Size
	return &streamReader{d}
}

// EndStream drops what was not read of the streamed literal and reads the
// line that follows it.
func (d *Decoder) EndStream() {
	if d.err == nil && d.streaming {
		d.endStream()
	}
}

func (d *Decoder) endStream() {
	d.discard(d.stream)
	d.streaming = false
	d.refill(&d.litLeft)
	d.readLine()
}

type streamReader struct{ d *Decoder }

func (s *streamReader) Read(p []byte) (int, error) {
	d := s.d
	if d.dead != nil {
		return 0, d.dead
	}
	if d.stream == 0 {
		return 0, io.EOF
	}
	n, err := d.r.Read(p[:min(int64(len(p)), d.stream)])
	d.stream -= int64(n)
	if err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		err = d.die(err)
	}
	return n, err
}

type errReader struct{ err error }

func (r errReader) Read([]byte) (int, error) { return 0, r.err }

// literal reads a literal of an argument into memory. Without binary, literal8 and NUL are
// refused.
func (d *Decoder) literal(binary bool) []byte {
	lit := d.Literal()
	if d.err != nil {
		return nil
	}
	if lit.Binary && !binary {
		d.Fail("a string, not a literal8")
		return nil
	}
	if lit.Size > d.litLeft {
		d.fail(ErrTooBig)
		return nil
	}
	d.litLeft -= lit.Size
	d.line = nil
	if err := d.onLiteral(lit.Size, lit.Sync); err != nil {
		d.die(err)
		return nil
	}
	b := make([]byte, lit.Size)
	if _, err := io.ReadFull(d.r, b); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		d.die(err)
		return nil
	}
	d.readLine()
	if d.err == nil && !lit.Binary && bytes.IndexByte(b, 0) >= 0 {
		d.Fail("a string without NUL")
	}
	if d.err != nil {
		return nil
	}
	return b
}
