package wire

import (
	"bufio"
	"io"
)

// Limits bound what one command may cost.
type Limits struct {
	// Line is the greatest number of octets of all lines of a command, line ends
	// included, literals not.
	Line int
	// Literal is the greatest number of octets of all literals of a command's
	// arguments. APPEND's messages don't count, as they are streamed; but what stands between them counts here where it is more than
	// Line.
	Literal int64
	// Skip is the greatest refused non-synchronizing literal, in octets, that is read and
	// dropped, and how much more than Line the lines of a command may be then.
	Skip int64
}

// bufferSize is that of the read buffer, and so most of what an idle connection costs.
const bufferSize = 4 << 10

// A Decoder reads commands. It is owned by one goroutine.
//
// Next reads a line; the methods named after rules of the grammar then take
// tokens from it. A token that is a literal is read whole into memory. The
// first failure sticks: it is Err's, and all later methods take nothing and
// return zero values, so that a command is parsed without looking at errors
// in between. Methods that decide (Try, Peek, ...) return false or 0 after a failure, which
// ends loops.
//
// What remains of a failed command is dropped by Skip or Next, its
// announced non-synchronizing literals included (RFC 7888 §4): octets of a
// literal are never taken for commands.
type Decoder struct {
	r         *bufio.Reader
	onLiteral func(n int64, sync bool) error
	limits    Limits
	utf8      bool // see SetUTF8

	line     []byte // what is left of the current line, without its end; may alias r's buffer
	long     []byte // holds a line that does not fit into r's buffer
	lineLeft int    // octets that the command's lines may still have
	litLeft  int64  // octets that the command's literals may still have

	streaming bool  // a literal is being streamed
	stream    int64 // octets of it that were not read yet

	err  error // why this command failed
	dead error // why the connection is of no use any more
}

// NewDecoder returns a Decoder of what src gives. onLiteral is called before a
// literal of n octets is read or skipped; if sync is set the client waits for a
// continuation request, which onLiteral has to send. Its error ends the connection.
func NewDecoder(src io.Reader, limits Limits, onLiteral func(n int64, sync bool) error) *Decoder {
	return &Decoder{r: bufio.NewReaderSize(src, bufferSize), limits: limits, onLiteral: onLiteral}
}

// SetLimits changes the limits from the next command on.
func (d *Decoder) SetLimits(l Limits) { d.limits = l }

// SetUTF8 says that the client has enabled UTF-8: 8-bit octets in quoted strings must be UTF-8, and
// '&' in the name of a mailbox stands for itself (RFC 9051 §5.1, RFC 6855 §3).
func (d *Decoder) SetUTF8(on bool) { d.utf8 = on }

// Reset makes the Decoder read from src. What was read ahead of the current command
// is dropped: after STARTTLS it is plain text that somebody slipped in.
func (d *Decoder) Reset(src io.Reader) { d.r.Reset(src) }

// Buffered is the number of octets that were read ahead.
func (d *Decoder) Buffered() int { return d.r.Buffered() }

// Wait blocks until there is something to read. Its error does not stick: a time-out leaves
// the Decoder as it was.
func (d *Decoder) Wait() error {
	if d.dead != nil {
		return d.dead
	}
	_, err := d.r.Peek(1)
	return err
}

// Next drops what is left of the current command and reads the first line of
// the next. An error is fatal.
func (d *Decoder) Next() error {
	if err := d.Skip(); err != nil {
		return err
	}
	d.err = nil
	d.lineLeft, d.litLeft = d.limits.Line, d.limits.Literal
	d.readLine()
	return d.dead
}

// Line reads one more line, which is no command: a SASL response or DONE. It is valid until
// the next read. Where it is a command all the same, and announces a literal, Skip drops that. An error is fatal.
func (d *Decoder) Line() ([]byte, error) {
	err := d.Next()
	return d.line, err
}

// Skip drops the rest of the command: the line, and where it announces a
// non-synchronizing literal, that and the lines after it. A client
// that waits for a continuation request gets none and sends nothing more. An error is fatal.
func (d *Decoder) Skip() error {
	skip := d.limits.Skip
	for d.dead == nil {
		if d.streaming {
			d.endStream()
			continue
		}
		n, sync, ok := announced(d.line)
		d.line = nil
		if !ok || sync {
			break
		}
		if n > d.limits.Skip {
			return d.die(ErrSkipTooBig)
		}
		if err := d.onLiteral(n, false); err != nil {
			return d.die(err)
		}
		d.discard(n)
		d.refill(&skip)
		d.readLine()
	}
	d.line, d.long = nil, nil // while the connection is idle it holds r's buffer only
	return d.dead
}

// Kill makes the Decoder of no use: all that follows fails with err, which it returns.
func (d *Decoder) Kill(err error) error { return d.die(err) }

// Err is why the command failed, or nil.
func (d *Decoder) Err() error { return d.err }

// Fail says that something else than expected stands here, unless the command failed before.
func (d *Decoder) Fail(expected string) {
	d.fail(&SyntaxError{Expected: expected})
}

// Refuse fails the command with err, unless it failed before: what the rest of
// its line asks for does not matter, and a client that would send a literal is not asked to.
func (d *Decoder) Refuse(err error) { d.fail(err) }

func (d *Decoder) fail(err error) {
	if d.err == nil {
		d.err = err
	}
}

func (d *Decoder) die(err error) error {
	if d.dead == nil {
		d.dead = err
	}
	d.line, d.streaming = nil, false
	d.fail(d.dead)
	return d.dead
}

// readLine reads a line into d.line. A line ends with LF; CR before it belongs to the end.
func (d *Decoder) readLine() {
	if d.dead != nil {
		return
	}
	d.line = nil
	long := d.long[:0]
	for {
		frag, err := d.r.ReadSlice('\n')
		if d.lineLeft -= len(frag); d.lineLeft < 0 {
			d.die(ErrLineTooLong)
			return
		}
		if err == nil && len(long) == 0 {
			d.line = frag
			break
		}
		long = append(long, frag...)
		if err == nil {
			d.long, d.line = long, long
			break
		}
		if err != bufio.ErrBufferFull {
			if err == io.EOF && len(long) > 0 {
				err = io.ErrUnexpectedEOF
			}
			d.die(err)
			return
		}
	}
	d.line = d.line[:len(d.line)-1]
	if n := len(d.line); n > 0 && d.line[n-1] == '\r' {
		d.line = d.line[:n-1]
	}
}

// refill makes good the lines that were read, as far as another limit has something left: what stands before thousands of
// messages is more than a line may be.
func (d *Decoder) refill(left *int64) {
	n := min(int64(d.limits.Line-d.lineLeft), *left)
	d.lineLeft += int(n)
	*left -= n
}

// discard reads and drops n octets.
func (d *Decoder) discard(n int64) {
	if d.dead != nil {
		return
	}
	if _, err := io.CopyN(io.Discard, d.r, n); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		d.die(err)
	}
}

// More reports whether the line has anything left.
func (d *Decoder) More() bool { return d.err == nil && len(d.line) > 0 }

// Peek returns the next octet, or 0 at the end of the line.
func (d *Decoder) Peek() byte {
	if !d.More() {
		return 0
	}
	return d.line[0]
}

// Try takes the octet c if it is the next one.
func (d *Decoder) Try(c byte) bool {
	if !d.More() || d.line[0] != c {
		return false
	}
	d.line = d.line[1:]
	return true
}

// Expect takes the octet c.
func (d *Decoder) Expect(c byte) {
	if !d.Try(c) {
		d.Fail(string(c))
	}
}

// SP takes a space.
func (d *Decoder) SP() {
	if !d.Try(' ') {
		d.Fail("a space")
	}
}

// End wants the end of the command.
func (d *Decoder) End() {
	if d.More() {
		d.Fail("the end of the line")
	}
}

// List takes a parenthesised list of one or more items, separated by spaces; item takes one.
func (d *Decoder) List(item func()) {
	d.Expect('(')
	item()
	for d.Try(' ') {
		item()
	}
	d.Expect(')')
}

// ListOrEmpty is List, but "()" is allowed.
func (d *Decoder) ListOrEmpty(item func()) {
	if len(d.line) >= 2 && d.line[0] == '(' && d.line[1] == ')' && d.err == nil {
		d.line = d.line[2:]
		return
	}
	d.List(item)
}
