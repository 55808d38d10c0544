package index

import "encoding/binary"

// Kind says what a record tells of its message. Each kind is read and written by itself.
type Kind uint8

const (
	Facts  Kind = 1 + iota // sizes and date only
	Head                   // and what the header tells
	Body                   // and what the structure of the whole message tells
	Digest                 // and the digest of the message

	lastKind = Digest
)

// Record is what is remembered of a message.
type Record struct {
	// Base is the BaseHash of the message's file name.
	Base uint64
	// Size on disk and Wire, with CRLF line ends, are in octets. Wire is -1 where it was not counted.
	Size, Wire int64
	// MTime is the time of last change in nanoseconds since 1970: INTERNALDATE.
	MTime int64
	// First and Second are of a Head the ENVELOPE as it is sent, empty where nobody asked for
	// it yet, and those header fields that are in Fields, as they stand in the file, with the
	// empty line after the header; of a Body BODYSTRUCTURE and BODY as they are sent; of a
	// Digest that, and nothing.
	First, Second []byte
}

// BaseHash is the hash of a base name (FNV-1a), by which a record knows its file.
func BaseHash(base string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(base) {
		h = (h ^ uint64(base[i])) * 1099511628211
	}
	return h
}

// maxRecord is how many octets a record may have. A longer one is not kept.
const maxRecord = 64 << 10

// append appends the encoded record.
func (r *Record) append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint64(b, r.Base)
	b = binary.AppendUvarint(b, uint64(r.Size))
	b = binary.AppendVarint(b, r.Wire)
	b = binary.AppendVarint(b, r.MTime)
	b = binary.AppendUvarint(b, uint64(len(r.First)))
	b = append(b, r.First...)
	return append(b, r.Second...)
}

// decode is the way back. What follows a record in a later format is left in Second, so a
// change of the format needs another number in the file's header. The texts lie in b.
func (r *Record) decode(b []byte) bool {
	d := decoder{b: b}
	r.Base = d.uint64()
	r.Size = int64(d.uvarint())
	r.Wire = d.varint()
	r.MTime = d.varint()
	n := d.uvarint()
	if d.bad || n > uint64(len(d.b)) {
		return false
	}
	r.First, r.Second = d.b[:n:n], d.b[n:]
	return true
}

// decoder takes numbers from b.
type decoder struct {
	b   []byte
	bad bool
}

func (d *decoder) uint64() uint64 {
	if len(d.b) < 8 {
		d.bad = true
		return 0
	}
	x := binary.LittleEndian.Uint64(d.b)
	d.b = d.b[8:]
	return x
}

func (d *decoder) uvarint() uint64 {
	x, n := binary.Uvarint(d.b)
	d.skip(n)
	return x
}

func (d *decoder) varint() int64 {
	x, n := binary.Varint(d.b)
	d.skip(n)
	return x
}

func (d *decoder) skip(n int) {
	if n <= 0 {
		d.bad, n = true, 0
	}
	d.b = d.b[n:]
}
