package backend

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"sync"

	"maildir-imapd/index"
	"maildir-imapd/message"

	"golang.org/x/sys/unix"
)

// File is an open message, of one view and its goroutine.
type File struct {
	io.ReaderAt
	v      *View
	m      *msg
	fact   fact     // what is known of it
	f      *os.File // nil where the whole message is in memory
	mem    *[]byte
	header *message.HeaderBlock // nil until somebody asks for it
	noted  bool                 // what it says was remembered
}

// small is the size in octets up to which a message is read into memory whole
// when it is opened: one system call instead of one for each section.
const small = 64 << 10

var smallFiles = sync.Pool{New: func() any { return new(make([]byte, small)) }}

// lastFile is what a view remembers of the message that it has opened last.
type lastFile struct {
	header    message.HeaderBlock
	uid       uint32
	size      int64
	mtime     int64 // nanoseconds since 1970
	structure *message.Structure
}

// Open opens a message for BODY[...], BINARY[...] and header fields. Close it before
// the next call to Open. ErrGone where it is expunged and can't be read any more.
func (v *View) Open(seq uint32) (*File, error) {
	m := v.told.at(seq)
	fd, st, err := v.openFile(m)
	if err != nil {
		return nil, err
	}
	x := &File{v: v, m: m, fact: factOf(m, &st)}
	if known, ok := v.knownFact(seq); ok {
		x.compare(known)
	}
	if x.fact.size > small {
		x.f = os.NewFile(uintptr(fd), m.name)
		x.ReaderAt = x.f
		return x, nil
	}
	x.mem = smallFiles.Get().(*[]byte)
	mem, err := readAll(fd, (*x.mem)[:x.fact.size])
	if err = errors.Join(err, unix.Close(fd)); err != nil {
		return nil, errors.Join(err, x.Close())
	}
	x.fact.size, x.ReaderAt = int64(len(mem)), memory(mem)
	return x, nil
}

// readAll reads a file into b, up to its end. An os.File costs more system calls than the reading.
func readAll(fd int, b []byte) ([]byte, error) {
	for n := 0; n < len(b); {
		k, err := unix.Pread(fd, b[n:], int64(n))
		if err == unix.EINTR {
			continue
		}
		if err != nil || k == 0 {
			return b[:n], err
		}
		n += k
	}
	return b, nil
}

// compare takes what is known of the file, or drops it where the file has changed.
func (f *File) compare(known fact) {
	if known.sameFile(f.fact) {
		f.fact = known
		return
	}
	f.v.mb.index.Outdated(f.m.uid)
	if r := f.v.recalled; r != nil {
		for i := range r.ahead {
			r.ahead[i].batch.Forget()
		}
	}
	f.v.mb.meta.forget([]uint32{f.m.uid})
}

// memory is an io.ReaderAt over bytes.
type memory []byte

func (m memory) ReadAt(p []byte, off int64) (int, error) {
	if off >= int64(len(m)) {
		return 0, io.EOF
	}
	n := copy(p, m[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// openFile finds the file of a message under its name of now, after a second look at the
// folder where another program has renamed it, or in its grave.
func (v *View) openFile(m *msg) (fd int, st unix.Stat_t, err error) {
	mb := v.mb
	for try := 0; try < 3; try++ {
		now, _ := mb.snap.Load().find(m.uid)
		if now == nil {
			break
		}
		fd, st, err = mb.d.of(now.inNew).openFD(now.name)
		if err == nil || !errors.Is(err, fs.ErrNotExist) {
			return fd, st, err
		}
		if mb.d.of(now.inNew).exists(now.name) {
			break // no file, or a link to none: it is where it was
		}
		if err := mb.find(now); err != nil {
			return -1, st, err
		}
	}
	if name, ok := mb.graveOf(m.uid); ok {
		if fd, st, err = mb.d.tmp.openFD(name); err == nil || !errors.Is(err, fs.ErrNotExist) {
			return fd, st, err
		}
	}
	return -1, st, ErrGone
}

// find looks for a message whose file is not where it was.
func (mb *Mailbox) find(m *msg) error {
	ctx := mb.a.b.jobs.ctx
	if err := mb.enter(ctx); errors.Is(err, errNonExistent) {
		return nil // with its folder
	} else if err != nil {
		return err
	}
	defer mb.leave()
	if now, _ := mb.snap.Load().find(m.uid); now == nil || now.name != m.name || now.inNew != m.inNew {
		return nil // somebody else has looked meanwhile
	}
	return mb.scan(context.WithoutCancel(ctx))
}

// Size is the size on disk in octets.
func (f *File) Size() int64 { return f.fact.size }

// WireSize is the RFC822.SIZE: octets, with every line end as CRLF. It is counted where it is not known.
func (f *File) WireSize() (int64, error) {
	if f.fact.wire < 0 {
		if f.counted().wire < 0 {
			n, err := countWire(io.NewSectionReader(f, 0, f.fact.size))
			if err != nil {
				return 0, err
			}
			f.fact.wire = n
		}
		f.v.mb.remember(index.Facts, f.m, f.fact, nil, nil)
	}
	f.v.mb.meta.put(f.m.uid, f.fact)
	return f.fact.wire, nil
}

// counted is what is known of the file; a message that is in memory is counted for that.
func (f *File) counted() fact {
	if mem, ok := f.ReaderAt.(memory); ok && f.fact.wire < 0 {
		f.fact.wire = int64(len(mem) + bareLFs(mem))
	}
	return f.fact
}

// Structure scans the message. The view remembers the structure of the last
// message, so that partial fetches in a row do not scan again.
func (f *File) Structure() (*message.Structure, error) {
	last := &f.v.last
	if last.structure != nil && last.uid == f.m.uid && last.size == f.fact.size && last.mtime == f.fact.mtime {
		return last.structure, nil
	}
	return f.scan(f.ReaderAt)
}

// scan scans the message, which it reads from src, and remembers its structure.
func (f *File) scan(src io.ReaderAt) (*message.Structure, error) {
	s, err := message.Scan(src, f.fact.size)
	if err != nil {
		return nil, err
	}
	last := &f.v.last
	f.fact.wire = s.WireSize
	last.structure, last.uid, last.size, last.mtime = s, f.m.uid, s.Size, f.fact.mtime
	f.v.mb.meta.put(f.m.uid, f.fact)
	return s, nil
}

// Whole is BODY[]. What is in memory is not scanned for it.
func (f *File) Whole() (message.Content, error) {
	mem, ok := f.ReaderAt.(memory)
	if !ok {
		s, err := f.Structure()
		if err != nil {
			return nil, err
		}
		c, _, err := s.Lookup(f, message.Section{})
		return c, err
	}
	c := message.Whole(mem)
	f.fact.wire = c.Len()
	f.v.mb.meta.put(f.m.uid, f.fact)
	return c, nil
}

// Header reads the header only: quick, in memory of the view that is used
// again at the next Open.
func (f *File) Header() (*message.HeaderBlock, error) {
	if f.header == nil {
		h := &f.v.last.header
		if err := h.Read(f.ReaderAt, f.fact.size); err != nil {
			return nil, err
		}
		f.header = h
	}
	return f.header, nil
}

// AppendEnvelope appends the ENVELOPE as it is sent.
func (f *File) AppendEnvelope(dst []byte) ([]byte, error) {
	h, err := f.Header()
	if err != nil {
		return dst, err
	}
	n := len(dst)
	dst = h.AppendEnvelope(dst)
	f.rememberHeader(dst[n:])
	return dst, nil
}

// AppendBodyStructure appends BODYSTRUCTURE, or BODY where extended is false, as it is sent, with rev2 to clients of IMAP4rev2.
func (f *File) AppendBodyStructure(dst []byte, extended, rev2 bool) ([]byte, error) {
	s, err := f.Structure()
	if err != nil {
		return dst, err
	}
	n := len(dst)
	dst = s.AppendBodyStructure(dst, extended, rev2)
	if !s.HasGlobal { // else it is not the same for all clients
		f.rememberStructure(s, extended, dst[n:])
	}
	return dst, nil
}

// Close closes the file, and remembers what of it was read.
func (f *File) Close() error {
	if f.header != nil {
		f.rememberHeader(nil)
	}
	if f.mem != nil {
		smallFiles.Put(f.mem)
		f.mem = nil
	}
	if f.f != nil {
		return f.f.Close()
	}
	return nil
}
