package backend

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
)

// modseqRecord is what the file modseqFile says.
//
// Its first line is text of a fixed length, so that it can be written in place: a name, the reserved
// mod-sequence, and a checksum of these. What follows are varints, and a checksum at the end.
type modseqRecord struct {
	reserved    uint64 // no greater one was given out
	highest     uint64 // HIGHESTMODSEQ of the state that follows. Less than reserved: there may be changes that it does not know
	uidValidity uint32
	names       []string // of the keywords, by index
	history     history
	msgs        []msg // uid, modseq and flags only, ascending
}

const (
	modseqMagic     = "maildir-imapd-modseq 1"
	modseqHeaderLen = len(modseqMagic) + 1 + 20 + 1 + 8 + 1
	// maxModSeqFile bounds what is read into memory, in octets: some five million messages.
	maxModSeqFile = 64 << 20
	// maxModSeq is the greatest mod-sequence that is believed: there is room above it for all to come.
	maxModSeq = 1 << 62
)

var errModSeqFile = errors.New("the file is damaged")

func modseqHeader(reserved uint64) []byte {
	b := fmt.Appendf(nil, "%s %020d", modseqMagic, reserved)
	return fmt.Appendf(b, " %08x\n", crc32.ChecksumIEEE(b))
}

// appendModSeqs appends the file's contents for a snapshot.
func appendModSeqs(b []byte, s *snapshot, uidValidity uint32) []byte {
	b = append(b, modseqHeader(s.modseq)...)
	from := len(b)
	put := func(n uint64) { b = binary.AppendUvarint(b, n) }
	put(uint64(uidValidity))
	put(s.modseq)
	put(uint64(len(*s.names)))
	for _, n := range *s.names {
		put(uint64(len(n)))
		b = append(b, n...)
	}
	put(s.history.since)
	put(uint64(len(s.history.list)))
	for _, x := range s.history.list {
		put(s.modseq - x.modseq)
		put(uint64(x.first))
		put(uint64(x.last - x.first))
	}
	put(uint64(s.n))
	var last msg
	for _, m := range s.all {
		put(uint64(m.uid - last.uid))
		b = binary.AppendVarint(b, int64(m.modseq)-int64(last.modseq)) // mostly as the one before
		put(uint64(m.flags.sys))
		put(uint64(m.flags.letters))
		put(uint64(len(m.flags.more)))
		b = append(b, m.flags.more...)
		last = *m
	}
	return binary.LittleEndian.AppendUint32(b, crc32.ChecksumIEEE(b[from:]))
}

// parseModSeqs reads it.
func parseModSeqs(b []byte) (*modseqRecord, error) {
	rec := new(modseqRecord)
	if len(b) < modseqHeaderLen+4 {
		return nil, errModSeqFile
	}
	if _, err := fmt.Sscanf(string(b[len(modseqMagic):modseqHeaderLen]), " %d", &rec.reserved); err != nil ||
		rec.reserved > maxModSeq || string(b[:modseqHeaderLen]) != string(modseqHeader(rec.reserved)) {
		return nil, errModSeqFile
	}
	body, sum := b[modseqHeaderLen:len(b)-4], binary.LittleEndian.Uint32(b[len(b)-4:])
	if crc32.ChecksumIEEE(body) != sum {
		return nil, errModSeqFile
	}
	r := varints{b: body}
	rec.uidValidity, rec.highest = uint32(r.get(1<<32-1)), r.get(maxModSeq)
	for range r.get(uint64(len(r.b))) {
		rec.names = append(rec.names, r.text())
		if r.bad {
			break
		}
	}
	rec.history.since = r.get(rec.highest)
	for range r.get(uint64(len(r.b))) {
		x := expunge{modseq: rec.highest - r.get(rec.highest), first: uint32(r.get(1<<32 - 1))}
		x.last = x.first + uint32(r.get(uint64(^uint32(0)-x.first)))
		rec.history.list = append(rec.history.list, x)
		if r.bad {
			break
		}
	}
	n := r.get(uint64(len(r.b) / 5)) // a message takes five octets at least
	rec.msgs = make([]msg, 0, n)
	var m msg
	for range n {
		m.uid += uint32(r.get(uint64(^uint32(0) - m.uid)))
		m.modseq += uint64(r.signed())
		m.flags.sys, m.flags.letters = uint8(r.get(1<<8-1)), uint32(r.get(1<<32-1))
		m.flags.more = r.text()
		if r.bad || m.modseq > rec.highest {
			return nil, errModSeqFile
		}
		rec.msgs = append(rec.msgs, m)
	}
	sorted := slices.IsSortedFunc(rec.msgs, func(a, b msg) int { return cmp.Compare(a.uid, b.uid) }) &&
		slices.IsSortedFunc(rec.history.list, func(a, b expunge) int { return cmp.Compare(a.modseq, b.modseq) })
	if r.bad || len(r.b) > 0 || !sorted {
		return nil, errModSeqFile
	}
	return rec, nil
}

// varints reads what appendModSeqs has written; bad sticks.
type varints struct {
	b   []byte
	bad bool
}

// get reads a number that is not greater than limit; 0 where there is none.
func (r *varints) get(limit uint64) uint64 {
	v, n := binary.Uvarint(r.b)
	if r.bad = r.bad || n <= 0 || v > limit; r.bad {
		r.b = nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *varints) signed() int64 {
	v, n := binary.Varint(r.b)
	if r.bad = r.bad || n <= 0; r.bad {
		r.b = nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *varints) text() string {
	n := r.get(uint64(len(r.b)))
	if n > uint64(len(r.b)) { // the length took octets itself
		r.bad, n = true, 0
	}
	s := string(r.b[:n])
	r.b = r.b[n:]
	return s
}

// find returns what was known of a message.
func (rec *modseqRecord) find(uid uint32) (m msg, ok bool) {
	i, ok := slices.BinarySearchFunc(rec.msgs, uid, func(m msg, uid uint32) int { return cmp.Compare(m.uid, uid) })
	if ok {
		m = rec.msgs[i]
	}
	return m, ok
}

// sameNames reports whether the keywords of then have the same names now; there may be more.
func (rec *modseqRecord) sameNames(now []string) bool {
	return len(rec.names) <= len(now) && slices.Equal(rec.names, now[:len(rec.names)])
}

// readModSeqs reads a file.
func readModSeqs(f *os.File) (*modseqRecord, error) {
	fi, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !fi.Mode().IsRegular() || fi.Size() > maxModSeqFile {
		return nil, errModSeqFile
	}
	b := make([]byte, fi.Size())
	if _, err := io.ReadFull(f, b); err != nil {
		return nil, err
	}
	return parseModSeqs(b)
}

// writeModSeqs writes a new file and makes it durable.
func writeModSeqs(at place, name string, perm fs.FileMode, s *snapshot, uidValidity uint32) (fi os.FileInfo, err error) {
	f, err := at.root.OpenFile(path.Join(at.dir, name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, perm)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if _, err := f.Write(appendModSeqs(nil, s, uidValidity)); err != nil {
		return nil, err
	}
	if err := f.Sync(); err != nil {
		return nil, err
	}
	return f.Stat()
}
