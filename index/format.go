package index

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
)

// format is the number of the file format. It changes with anything that a Folder could
// misread: the layout of a file or of a record, or what a record says.
const format = 2

const (
	fileMagic  = "maildir-imapd\r\n\x00"
	blockMagic = 0x6b6c62ff

	headerLen    = 64
	guidLen      = 32
	blockHeadLen = 16 // magic, count, octets of records, checksum
	entryLen     = 8  // of a block's directory
	sumLen       = 4  // before each record

	// Limits of a block in records and octets; the last record may exceed the latter.
	maxBlockRecords = 256
	maxBlockData    = 256 << 10

	// maxFile keeps offsets in 32 bits: with some 800 octets for each message, five million of them.
	maxFile = 1<<32 - 1<<20
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

var (
	errForeign = errors.New("written by another version, or for another folder")
	errDamaged = errors.New("damaged")
)

// key names a record: kind and UID.
type key uint64

func keyOf(k Kind, uid uint32) key { return key(uid)<<8 | key(k) }

func (k key) uid() uint32 { return uint32(k >> 8) }
func (k key) kind() Kind  { return Kind(k) }

// ref is where a record is: the offset of its checksum in the file, and its length without that.
type ref struct{ off, len uint32 }

// appendHeader appends the header of a file.
func appendHeader(b []byte, guid string, uidValidity uint32) []byte {
	at := len(b)
	b = append(b, fileMagic...)
	b = binary.LittleEndian.AppendUint32(b, format)
	b = binary.LittleEndian.AppendUint32(b, fieldsSum)
	b = append(b, guid...)
	b = append(b, make([]byte, guidLen-len(guid))...)
	b = binary.LittleEndian.AppendUint32(b, uidValidity)
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b[at:], castagnoli))
}

// block collects records that are written together.
type block struct {
	dir  []byte
	data []byte
	keys []key
	lens []uint32
}

func (b *block) reset() {
	b.dir, b.data, b.keys, b.lens = b.dir[:0], b.data[:0], b.keys[:0], b.lens[:0]
}

func (b *block) full() bool { return len(b.keys) >= maxBlockRecords || len(b.data) >= maxBlockData }

// add adds an encoded record.
func (b *block) add(k key, record []byte) {
	b.dir = binary.LittleEndian.AppendUint32(b.dir, k.uid())
	b.dir = binary.LittleEndian.AppendUint32(b.dir, uint32(k.kind())<<24|uint32(len(record)))
	b.data = binary.LittleEndian.AppendUint32(b.data, recordSum(k, record))
	b.data = append(b.data, record...)
	b.keys = append(b.keys, k)
	b.lens = append(b.lens, uint32(len(record)))
}

// append appends the block as it stands in the file, at offset off, and tells where each
// record is.
func (b *block) append(dst []byte, off int64, at func(key, ref)) []byte {
	head := len(dst)
	dst = binary.LittleEndian.AppendUint32(dst, blockMagic)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(b.keys)))
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(b.data)))
	dst = binary.LittleEndian.AppendUint32(dst, blockSum(dst[head:], b.dir))
	dst = append(append(dst, b.dir...), b.data...)
	off += int64(blockHeadLen + len(b.dir))
	for i, k := range b.keys {
		at(k, ref{uint32(off), b.lens[i]})
		off += sumLen + int64(b.lens[i])
	}
	return dst
}

// blockSum is the checksum of a block's head, up to the checksum, and its directory.
func blockSum(head, dir []byte) uint32 {
	return crc32.Update(crc32.Checksum(head, castagnoli), castagnoli, dir)
}

// recordSum is the checksum of a record. It says whose it is, too.
func recordSum(k key, record []byte) uint32 {
	// The key's octets one by one: a slice of them would be allocated for each record.
	c := ^uint32(0)
	for i := range 8 {
		c = castagnoli[byte(c)^byte(k>>(8*i))] ^ c>>8
	}
	return crc32.Update(^c, castagnoli, record)
}

// checkHeader checks the header of a file.
func checkHeader(b []byte, guid string, uidValidity uint32) error {
	if len(b) < headerLen || binary.LittleEndian.Uint32(b[headerLen-4:]) != crc32.Checksum(b[:headerLen-4], castagnoli) {
		return errDamaged
	}
	if string(b[:headerLen]) != string(appendHeader(nil, guid, uidValidity)) {
		return errForeign
	}
	return nil
}

// blockHead reads the head of a block at offset off of a file of size octets: how many records
// it has, where they begin and where they end. ok is false where there is no such block.
func blockHead(head []byte, off, size int64) (count int, data, end int64, ok bool) {
	if len(head) < blockHeadLen || binary.LittleEndian.Uint32(head) != blockMagic {
		return 0, 0, 0, false
	}
	count = int(binary.LittleEndian.Uint32(head[4:]))
	if count == 0 || count > maxBlockRecords {
		return 0, 0, 0, false
	}
	data = off + blockHeadLen + int64(count)*entryLen
	end = data + int64(binary.LittleEndian.Uint32(head[8:]))
	return count, data, end, end <= size
}

// blockRefs reads the directory of a block, of which data is the offset of the first record and end that
// of what follows the last one.
func blockRefs(dir []byte, data, end int64, at func(key, ref)) bool {
	for ; len(dir) >= entryLen; dir = dir[entryLen:] {
		uid, kindLen := binary.LittleEndian.Uint32(dir), binary.LittleEndian.Uint32(dir[4:])
		n := int64(kindLen & (1<<24 - 1))
		if data+sumLen+n > end {
			return false
		}
		at(keyOf(Kind(kindLen>>24), uid), ref{uint32(data), uint32(n)})
		data += sumLen + n
	}
	return data == end
}
