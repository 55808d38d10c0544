package message

import (
	"bytes"
	"crypto/sha256"
	"hash"
	"sync"
)

// DigestSize is the size of a digest in octets.
const DigestSize = 16

// Digest hashes a message as it goes over the wire, with CRLF line ends, whatever it has in its file: 128 bits of SHA-256. NULs are
// hashed as they are. Write it the file from start to end; Release gives its memory back. Owned by one goroutine.
type Digest struct {
	Wire int64 // octets on the wire so far

	sum  hash.Hash
	all  [sha256.Size]byte // of which Sum returns the first octets
	conv crlfConverter
}

var digests = sync.Pool{New: func() any { return &Digest{sum: sha256.New()} }}

// NewDigest returns a Digest of nothing.
func NewDigest() *Digest {
	d := digests.Get().(*Digest)
	d.sum.Reset()
	d.Wire, d.conv = 0, crlfConverter{}
	return d
}

// Release gives the memory back. Call it once in the end.
func (d *Digest) Release() { digests.Put(d) }

// Write takes the next octets of the file. It does not fail.
func (d *Digest) Write(b []byte) (int, error) {
	out := blocks.Get().(*block)
	defer blocks.Put(out)
	n := len(b)
	for len(b) > 0 {
		part := b[:min(len(b), blockSize/2)] // each octet becomes two at most
		wire := d.conv.append(out[:0], part)
		d.sum.Write(wire)
		d.Wire += int64(len(wire))
		b = b[len(part):]
	}
	return n, nil
}

// Sum returns the digest of what was written.
func (d *Digest) Sum() (sum [DigestSize]byte) {
	copy(sum[:], d.sum.Sum(d.all[:0]))
	return sum
}

// wireLen is the length of b with CRLF line ends.
func wireLen(b []byte) int { return len(b) + bytes.Count(b, lfOctet) - bytes.Count(b, crlf) }
