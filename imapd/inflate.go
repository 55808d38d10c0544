package imapd

import (
	"errors"
	"io"
	"sync"
)

// inflater undoes DEFLATE (RFC 1951) while its input comes. The readers of the flate packages
// would not do: none can go on after a time-out (IDLE needs that), they keep back what a client
// has finished by a partial flush, as mutt does, and they hold 45 KiB. This one
// gives all that the input so far says, and an idle connection costs what the client may refer back
// to: what it has sent, 32 KiB at most, and 2 KiB of tables.
type inflater struct {
	read func([]byte) (int, error) // from the network. After an error it may be called again

	in    []byte // not looked at yet; in buf
	buf   *[inSize]byte
	bits  uint64 // taken from in, the next in the lowest place
	nbits uint

	err      error // what it ended with; nil: it goes on
	state    inflateState
	final    bool // this block is the last one
	stored   int  // octets that a stored block still has
	copyLen  int  // octets of a match that did not fit
	copyDist int

	// Of a block's codes, while they are read.
	nlit, ndist, nclen, have int
	lengths                  [maxLit + maxDist]uint8
	clen                     prefixCode
	lit, dist                prefixCode

	window []byte // the last octets of the output; a ring once it has windowSize
	pos    int    // the next place in it

	wrapped bool // the window is a ring
}

// inflateState says what comes next in the input.
type inflateState uint8

const (
	inflateHeader inflateState = iota
	inflateStoredSize
	inflateStored
	inflateCounts
	inflateCodeLengths
	inflateLengths
	inflateSymbols
	inflateEnd
)

const (
	inSize     = 4 << 10
	windowSize = 32 << 10
	maxLit     = 288
	maxDist    = 32
	maxSymbol  = 48 // bits of a literal or of a match
)

var errInflate = errors.New("compressed data is damaged")

var inBuffers = sync.Pool{New: func() any { return new([inSize]byte) }}

// Read gives the next octets. Errors of read leave it as it was.
func (f *inflater) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for {
		n, err := f.inflate(p)
		if n > 0 || err != nil {
			return n, err
		}
		// While this blocks nothing else is held than p, which is the Decoder's.
		k, err := f.read(p[:min(len(p), inSize)])
		if k > 0 {
			f.buf = inBuffers.Get().(*[inSize]byte)
			f.in = f.buf[:copy(f.buf[:], p[:k])]
			continue // an error will come again
		}
		if err != nil {
			return 0, err
		}
	}
}

// inflate decodes until p is full or there is no more input. An error sticks: what follows damage means nothing.
func (f *inflater) inflate(p []byte) (n int, err error) {
	for err = f.err; n < len(p) && err == nil; {
		if f.copyLen > 0 {
			n += f.copyMatch(p[n:])
			continue
		}
		var more bool
		switch f.state {
		case inflateHeader:
			more, err = f.header()
		case inflateStoredSize:
			more, err = f.storedSize()
		case inflateStored:
			if k := f.copyStored(p[n:]); k > 0 {
				n, more = n+k, true
			} else if f.stored == 0 {
				f.endBlock()
				more = true
			}
		case inflateCounts:
			more, err = f.counts()
		case inflateCodeLengths:
			more, err = f.codeLengths()
		case inflateLengths:
			more, err = f.codes()
		case inflateSymbols:
			var k int
			k, more, err = f.symbol(p[n:])
			n += k
		case inflateEnd:
			err = io.EOF
		}
		if !more && err == nil {
			f.release()
			break
		}
	}
	if f.err = err; n > 0 {
		err = nil // it comes again
	}
	return n, err
}

// release gives the input's buffer back once it is used up.
func (f *inflater) release() {
	if f.buf != nil && len(f.in) == 0 {
		inBuffers.Put(f.buf)
		f.buf, f.in = nil, nil
	}
}

// fill takes bits from the input until there are n, and reports whether there are.
func (f *inflater) fill(n uint) bool {
	for f.nbits < n && len(f.in) > 0 {
		f.bits |= uint64(f.in[0]) << f.nbits
		f.nbits += 8
		f.in = f.in[1:]
	}
	return f.nbits >= n
}

// take takes n bits, which must be there.
func (f *inflater) take(n uint) int {
	v := f.bits & (1<<n - 1)
	f.bits >>= n
	f.nbits -= n
	return int(v)
}

func (f *inflater) header() (bool, error) {
	if !f.fill(3) {
		return false, nil
	}
	f.final = f.take(1) == 1
	switch f.take(2) {
	case 0:
		f.take(f.nbits % 8)
		f.state = inflateStoredSize
	case 1:
		f.lit, f.dist = fixedLit, fixedDist
		f.state = inflateSymbols
	case 2:
		f.state = inflateCounts
	default:
		return false, errInflate
	}
	return true, nil
}

func (f *inflater) endBlock() {
	f.state = inflateHeader
	if f.final {
		f.state = inflateEnd
	}
}

func (f *inflater) storedSize() (bool, error) {
	if !f.fill(32) {
		return false, nil
	}
	f.stored = f.take(16)
	if f.take(16) != f.stored^0xffff {
		return false, errInflate
	}
	f.state = inflateStored
	return true, nil
}

func (f *inflater) copyStored(p []byte) (n int) {
	for n < min(len(p), f.stored) && f.fill(8) {
		p[n] = byte(f.take(8))
		f.put(p[n])
		n++
	}
	f.stored -= n
	return n
}

// counts takes the numbers of codes.
func (f *inflater) counts() (bool, error) {
	if !f.fill(14) {
		return false, nil
	}
	f.nlit, f.ndist, f.nclen = f.take(5)+257, f.take(5)+1, f.take(4)+4
	if f.nlit > 286 || f.ndist > 30 {
		return false, errInflate
	}
	f.have = 0
	clear(f.lengths[:19])
	f.state = inflateCodeLengths
	return true, nil
}

// codeLengthOrder is the order in which the lengths of the codes of lengths come (RFC 1951 §3.2.7).
var codeLengthOrder = [19]uint8{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}

func (f *inflater) codeLengths() (bool, error) {
	for ; f.have < f.nclen; f.have++ {
		if !f.fill(3) {
			return false, nil
		}
		f.lengths[codeLengthOrder[f.have]] = uint8(f.take(3))
	}
	f.have = 0
	f.state = inflateLengths
	if !f.clen.build(f.lengths[:19]) {
		return false, errInflate
	}
	return true, nil
}

// codes takes the lengths of the codes of literals and distances, and makes these codes.
func (f *inflater) codes() (bool, error) {
	for total := f.nlit + f.ndist; f.have < total; {
		f.fill(14)
		sym, n := f.clen.decode(f.bits, f.nbits)
		if n == 0 || sym < 0 {
			return false, damagedIf(sym < 0)
		}
		if sym < 16 {
			f.take(n)
			f.lengths[f.have] = uint8(sym)
			f.have++
			continue
		}
		extra, repeat, length := uint(2), 3, uint8(0)
		switch sym {
		case 16:
			if f.have == 0 {
				return false, errInflate
			}
			length = f.lengths[f.have-1]
		case 17:
			extra = 3
		case 18:
			extra, repeat = 7, 11
		}
		if f.nbits < n+extra {
			return false, nil
		}
		f.take(n)
		if repeat += f.take(extra); f.have+repeat > total {
			return false, errInflate
		}
		for range repeat {
			f.lengths[f.have] = length
			f.have++
		}
	}
	if f.lengths[256] == 0 || !f.lit.build(f.lengths[:f.nlit]) || !f.dist.build(f.lengths[f.nlit:f.nlit+f.ndist]) {
		return false, errInflate
	}
	f.state = inflateSymbols
	return true, nil
}

func damagedIf(damaged bool) error {
	if damaged {
		return errInflate
	}
	return nil
}

// What the symbols 257 to 285 and the distances stand for (RFC 1951 §3.2.5).
var (
	lengthBase  = [29]uint16{3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258}
	lengthExtra = [29]uint8{0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0}
	distBase    = [30]uint16{1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145,
		8193, 12289, 16385, 24577}
	distExtra = [30]uint8{0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13}
)

// symbol takes a literal, which goes to p, a match, or the end of the block; nothing where a bit of it is missing.
func (f *inflater) symbol(p []byte) (n int, more bool, err error) {
	f.fill(maxSymbol)
	sym, used := f.lit.decode(f.bits, f.nbits)
	switch {
	case used == 0 || sym < 0:
		return 0, false, damagedIf(sym < 0)
	case sym < 256:
		f.take(used)
		p[0] = byte(sym)
		f.put(p[0])
		return 1, true, nil
	case sym == 256:
		f.take(used)
		f.endBlock()
		return 0, true, nil
	case sym > 285:
		return 0, false, errInflate
	}
	l := sym - 257
	extra := uint(lengthExtra[l])
	if f.nbits < used+extra {
		return 0, false, nil
	}
	length := int(lengthBase[l]) + int(f.bits>>used&(1<<extra-1))
	used += extra
	d, k := f.dist.decode(f.bits>>used, f.nbits-used)
	if k == 0 || d < 0 {
		return 0, false, damagedIf(d < 0)
	}
	if d > 29 {
		return 0, false, errInflate
	}
	used += k
	extra = uint(distExtra[d])
	if f.nbits < used+extra {
		return 0, false, nil
	}
	f.copyLen, f.copyDist = length, int(distBase[d])+int(f.bits>>used&(1<<extra-1))
	f.take(used + extra)
	if f.copyDist > f.pos && !f.wrapped { // before the beginning
		f.copyLen = 0
		return 0, false, errInflate
	}
	return 0, true, nil
}

// copyMatch copies as much of a match as fits.
func (f *inflater) copyMatch(p []byte) int {
	n := min(len(p), f.copyLen)
	for i := range n {
		at := f.pos - f.copyDist
		if at < 0 {
			at += windowSize
		}
		p[i] = f.window[at]
		f.put(p[i])
	}
	f.copyLen -= n
	return n
}

// put adds an octet to the window.
func (f *inflater) put(b byte) {
	if f.pos == len(f.window) {
		if len(f.window) < windowSize {
			grown := make([]byte, max(2*len(f.window), 1<<10))
			copy(grown, f.window)
			f.window = grown
		} else {
			f.pos, f.wrapped = 0, true
		}
	}
	f.window[f.pos] = b
	f.pos++
}

// prefixCode is a Huffman code: how many codes of each length there are, and the symbols in the order of
// their codes (RFC 1951 §3.2.2).
type prefixCode struct {
	count  [16]uint16
	symbol [maxLit]uint16
}

var fixedLit, fixedDist = func() (lit, dist prefixCode) {
	var l [maxLit]uint8
	for i := range l {
		switch {
		case i < 144, i >= 280:
			l[i] = 8
		case i < 256:
			l[i] = 9
		default:
			l[i] = 7
		}
	}
	lit.build(l[:])
	for i := range maxDist {
		l[i] = 5
	}
	dist.build(l[:maxDist])
	return lit, dist
}()

// build makes the code from the lengths of its symbols' codes. It returns false where there are too many codes, or
// too few; none, or one of one bit, is allowed.
func (c *prefixCode) build(lengths []uint8) bool {
	c.count = [16]uint16{}
	for _, l := range lengths {
		c.count[l]++
	}
	codes := len(lengths) - int(c.count[0])
	c.count[0] = 0
	left := 1
	var at [16]uint16
	for l := 1; l <= 15; l++ {
		if left = left*2 - int(c.count[l]); left < 0 {
			return false
		}
		at[l] = at[l-1] + c.count[l-1]
	}
	for sym, l := range lengths {
		if l > 0 {
			c.symbol[at[l]] = uint16(sym)
			at[l]++
		}
	}
	return left == 0 || codes == 0 || codes == 1 && c.count[1] == 1
}

// decode returns the symbol that n bits begin with, and the length of its code: 0 where
// these bits are too few. The symbol is -1 where no code begins so.
func (c *prefixCode) decode(bits uint64, n uint) (sym int, used uint) {
	code, first, index := 0, 0, 0
	for l := uint(1); l < 16; l++ {
		if l > n {
			return 0, 0
		}
		code = code<<1 | int(bits&1)
		bits >>= 1
		first <<= 1
		count := int(c.count[l])
		if code-first < count {
			return int(c.symbol[index+code-first]), l
		}
		index += count
		first += count
	}
	return -1, 15
}
