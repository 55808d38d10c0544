package index

import (
	"encoding/binary"
	"errors"
	"io"
	"os"
	"slices"
	"sync"
)

// Limits of a Batch.
const (
	MaxBatch  = 128       // messages
	batchData = 128 << 10 // octets
	// maxGap is how many octets that nobody asked for are read along rather than to read twice.
	maxGap = 4 << 10
)

// Batch is what was read of some messages at once. The zero Batch knows nothing. Owned by one goroutine.
type Batch struct {
	f    *Folder
	file *os.File
	uids []uint32 // that were asked for, ascending
	at   []place  // of these, as far as buf reaches
	buf  *[batchData]byte
}

// place is where in buf a record is, with its checksum; kind is 0 where there is none.
type place struct {
	from, to int
	kind     Kind
}

var batchBuffers = sync.Pool{New: func() any { return new([batchData]byte) }}

// Read reads the records of messages, given by ascending UIDs, MaxBatch of them at most: of each
// the first of the kinds that there is. What the batch had before is invalid then. Release it in the end.
func (b *Batch) Read(f *Folder, uids []uint32, kinds ...Kind) {
	b.uids, b.at, b.f = append(b.uids[:0], uids[:min(len(uids), MaxBatch)]...), b.at[:0], f
	if f == nil || !f.rlock() {
		b.at = slices.Grow(b.at, len(b.uids))[:len(b.uids)]
		clear(b.at)
		return
	}
	if b.buf == nil {
		b.buf = batchBuffers.Get().(*[batchData]byte)
	}
	b.file = f.file
	err := b.fill(kinds)
	f.mu.RUnlock()
	if err != nil {
		b.at = b.at[:0]
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			err = errors.New("shorter than it was")
		}
		f.lost(b.file, err)
	}
}

// fill reads records that lie close to each other with one call. mu is held for reading.
func (b *Batch) fill(kinds []Kind) error {
	var start, end int64 // of the stretch of the file that is to be read into buf[used:]
	used := 0
	flush := func() error {
		if start == end {
			return nil
		}
		_, err := b.file.ReadAt(b.buf[used:used+int(end-start)], start)
		used += int(end - start)
		start = end
		return err
	}
	for _, uid := range b.uids {
		var p place
		for _, k := range kinds {
			r, ok := b.f.refs[keyOf(k, uid)]
			if !ok {
				continue
			}
			from, to := int64(r.off), int64(r.off)+sumLen+int64(r.len)
			if from < end || from-end > maxGap || start == end {
				if err := flush(); err != nil {
					return err
				}
				start, end = from, from
			}
			if used+int(to-start) > batchData {
				return flush() // no room for the rest
			}
			end = to
			p = place{used + int(from-start), used + int(to-start), k}
			break
		}
		b.at = append(b.at, p)
	}
	return flush()
}

// Get returns the record of a message. read is false where the message is not in the batch: it has to be read. ok
// is false where nothing is known of it. The record's texts are valid until the next Read.
func (b *Batch) Get(uid uint32) (r Record, k Kind, read, ok bool) {
	i, found := slices.BinarySearch(b.uids, uid)
	if !found || i >= len(b.at) {
		return r, 0, false, false
	}
	p := b.at[i]
	if p.kind == 0 {
		return r, 0, true, false
	}
	raw := b.buf[p.from:p.to]
	sum, record := binary.LittleEndian.Uint32(raw), raw[sumLen:]
	if sum != recordSum(keyOf(p.kind, uid), record) || !r.decode(record) {
		b.f.lost(b.file, errDamaged)
		clear(b.at)
		return Record{}, 0, true, false
	}
	return r, p.kind, true, true
}

// Forget makes the batch know nothing, so that the next question is asked anew. What was got from it stays valid
// until the next Read.
func (b *Batch) Forget() { b.uids, b.at = b.uids[:0], b.at[:0] }

// Release gives the memory back. The batch may be used again.
func (b *Batch) Release() {
	if b.buf != nil {
		batchBuffers.Put(b.buf)
	}
	*b = Batch{uids: b.uids[:0], at: b.at[:0]}
}
