package backend

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"sync"
	"time"

	"maildir-imapd/index"

	"golang.org/x/sys/unix"
)

// meta is what is known of the files of a folder, by UID. Safe for concurrent use.
type meta struct {
	mu      sync.Mutex
	facts   map[uint32]fact
	digests map[uint32]digest // of files whose facts are known; where these had to be read
}

// fact is what is known of one file: sizes in octets, on disk and with CRLF (-1: not
// counted yet), and its time of change in nanoseconds since 1970.
type fact struct{ size, wire, mtime int64 }

// sameFile reports whether a file of which g is known has not changed since f was.
func (f fact) sameFile(g fact) bool { return f.size == g.size && f.mtime == g.mtime }

func (x *meta) get(uid uint32) (fact, bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	f, ok := x.facts[uid]
	return f, ok
}

func (x *meta) put(uid uint32, f fact) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.putLocked(uid, f)
}

func (x *meta) putLocked(uid uint32, f fact) {
	if x.facts == nil {
		x.facts = make(map[uint32]fact)
	}
	if old, ok := x.facts[uid]; ok && !old.sameFile(f) {
		delete(x.digests, uid)
	}
	x.facts[uid] = f
}

func (x *meta) digest(uid uint32) (digest, bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	d, ok := x.digests[uid]
	return d, ok
}

func (x *meta) putDigest(uid uint32, f fact, d digest) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.putLocked(uid, f)
	if x.digests == nil {
		x.digests = make(map[uint32]digest)
	}
	x.digests[uid] = d
}

func (x *meta) forget(uids []uint32) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, uid := range uids {
		delete(x.facts, uid)
		delete(x.digests, uid)
	}
}

// Size is the RFC822.SIZE of a message: octets, with every line end as CRLF.
// ErrGone where its file has vanished.
func (v *View) Size(seq uint32) (int64, error) {
	m := v.told.at(seq)
	v.knownFact(seq)
	n, err := v.mb.wireSize(m)
	if !errors.Is(err, fs.ErrNotExist) {
		return n, err
	}
	fd, _, err := v.openFile(m) // renamed, or expunged
	if err != nil {
		return 0, err
	}
	f := os.NewFile(uintptr(fd), m.name)
	defer f.Close()
	return countWire(f)
}

// KnownSize is Size, if it is known without reading the message.
func (v *View) KnownSize(seq uint32) (n int64, ok bool) {
	f, ok := v.knownFact(seq)
	if m := v.told.at(seq); !ok {
		if _, ok = sizeIn(m.base(), 'W'); ok {
			var err error
			f, err = v.mb.fact(m, false)
			ok = err == nil
		}
	}
	return f.wire, ok && f.wire >= 0
}

// InternalDate is the time of change of the message's file. ErrGone where that has vanished.
func (v *View) InternalDate(seq uint32) (time.Time, error) {
	m := v.told.at(seq)
	v.knownFact(seq)
	f, err := v.mb.fact(m, false)
	if err == nil {
		return time.Unix(0, f.mtime), nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return time.Time{}, err
	}
	fd, st, err := v.openFile(m)
	if err != nil {
		return time.Time{}, err
	}
	return time.Unix(st.Mtim.Unix()), unix.Close(fd)
}

// wireSize returns the RFC822.SIZE of a message, counting once where nothing tells it.
func (mb *Mailbox) wireSize(m *msg) (int64, error) {
	f, err := mb.fact(m, true)
	return f.wire, err
}

// fact returns what is known of a message's file, looking at it where nothing is. Without count, its
// size on the wire may not be.
func (mb *Mailbox) fact(m *msg, count bool) (fact, error) {
	f, ok := mb.meta.get(m.uid)
	if ok && (f.wire >= 0 || !count) {
		return f, nil
	}
	if !ok {
		st, err := mb.d.of(m.inNew).statMail(m.name)
		if err != nil {
			return fact{}, err
		}
		f = factOf(m, &st)
	}
	if count && f.wire < 0 {
		file, err := mb.d.of(m.inNew).open(m.name)
		if err != nil {
			return fact{}, err
		}
		defer file.Close()
		if f.wire, err = countWire(file); err != nil {
			return fact{}, err
		}
	}
	mb.meta.put(m.uid, f)
	mb.remember(index.Facts, m, f, nil, nil)
	return f, nil
}

// factOf is what a file's status tells; wire is set where the file name tells it and its ",S=" is true.
func factOf(m *msg, st *unix.Stat_t) fact {
	f := fact{size: st.Size, wire: -1, mtime: time.Unix(st.Mtim.Unix()).UnixNano()}
	base := m.base()
	size, ok := sizeIn(base, 'S')
	if wire, ok2 := sizeIn(base, 'W'); ok2 && (!ok || size == f.size) && wire >= f.size && wire <= 2*f.size {
		f.wire = wire
	}
	return f
}

var countBuffers = sync.Pool{New: func() any { return new([64 << 10]byte) }}

// countWire counts the octets of a message with every line end as CRLF.
func countWire(r io.Reader) (n int64, err error) {
	buf := countBuffers.Get().(*[64 << 10]byte)
	defer countBuffers.Put(buf)
	var last byte
	for {
		k, err := r.Read(buf[:])
		b := buf[:k]
		n += int64(k + bareLFs(b))
		if k > 0 {
			if last == '\r' && b[0] == '\n' {
				n-- // a CRLF on both sides of the border
			}
			last = b[k-1]
		}
		if err == io.EOF {
			return n, nil
		} else if err != nil {
			return 0, err
		}
	}
}

// bareLFs counts the LFs that no CR is before.
func bareLFs(b []byte) int {
	n := bytes.Count(b, []byte{'\n'})
	if n > 0 && bytes.IndexByte(b, '\r') >= 0 {
		n -= bytes.Count(b, []byte("\r\n"))
	}
	return n
}
