package uidmap

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path"
	"slices"
	"strings"
)

const listFile = "dovecot-uidlist"

// List is the dovecot-uidlist of one folder, read into memory. Its methods
// must not run at the same time as each other or those of its Tx, except that
// any number of Lookup, All, Len, LenFrom, Dropped and the header's values may.
type List struct {
	folder
	locker locker
	fresh  func(context.Context) (uint32, error) // gives a UIDVALIDITY
	home   os.FileInfo                           // the directory: another one under its name is another folder

	*content             // nil before the first read
	info     os.FileInfo // the file that content was read from
	dropped  int         // see Dropped

	// What the next holder of the lock must mend.
	suspect   bool // a write failed half-way: trust nothing in memory, append nothing
	rewrite   bool // nothing may be appended to the file
	behind    bool // the file lost lines that we know
	exhausted bool // no UIDs left
}

// Record is a line of the list.
type Record struct {
	UID  uint32
	Base string // the file name up to the first ':'
	// Size and WireSize are the S and W extensions in octets, 0 where absent.
	Size, WireSize int64
	// GUID is the G extension: the message's identity where it is not its
	// base (a copy that keeps the identity of its original), else "".
	GUID string
}

// OpenList reads the list that lies in dir. Where there is none it imports
// courierimapuiddb (a Courier map), else it makes a new one with a UIDVALIDITY
// from next. The file is on disk when OpenList returns without error; where
// it can't be written, the error says so (see IsReadOnly, IsFull).
//
// dir is opened through root (see os.Root), so that no name in it leads out of
// the account. ctx is for waiting for the lock, which is taken only where the
// file has to be made, upgraded or replaced.
func OpenList(ctx context.Context, root *os.Root, dir string, next func(context.Context) (uint32, error), o Options) (*List, error) {
	l := &List{folder: folder{root, dir, o}, locker: newLocker(root, dir, listFile, o), fresh: next}
	var err error
	if l.home, err = root.Stat(dir); err != nil {
		return nil, err
	}
	if err := l.load(); err == nil && !l.mustMend() {
		return l, nil
	} else if err != nil && !mendable(err) {
		return nil, err
	}
	t, err := l.Lock(ctx)
	if err != nil {
		return nil, err
	}
	return l, t.Unlock()
}

// GUID reads the G of the list that lies in dir, "" where it has none.
func GUID(root *os.Root, dir string) (string, error) {
	f, _, err := open(root, path.Join(dir, listFile), os.O_RDONLY)
	if err != nil {
		return "", err
	}
	defer f.Close()
	head := make([]byte, 4096)
	n, err := f.ReadAt(head, 0)
	if err != nil && err != io.EOF {
		return "", err
	}
	line, _, _ := strings.Cut(string(head[:n]), "\n")
	var c content
	err = c.parseHeader(line)
	return c.guid, err
}

// UIDValidity of the folder, never 0.
func (l *List) UIDValidity() uint32 { return l.content.validity }

// UIDNext is max(N, last UID+1).
func (l *List) UIDNext() uint32 { return l.content.next }

// GUID is the folder's G, 32 hex digits.
func (l *List) GUID() string { return l.content.guid }

// Len is the number of records.
func (l *List) Len() int { return len(l.recs) - l.dead }

// LenFrom is the number of records whose UID is not less than uid.
func (l *List) LenFrom(uid uint32) (n int) {
	i, _ := slices.BinarySearchFunc(l.recs, uid, func(r rec, uid uint32) int { return cmp.Compare(r.uid, uid) })
	for ; i < len(l.recs); i++ {
		if !l.recs[i].dead {
			n++
		}
	}
	return n
}

// Dropped counts how often another program has written a list without records that were known here, as Dovecot does
// after expunges: what Lookup found before, it may not find any more.
func (l *List) Dropped() int { return l.dropped }

// Lookup finds the record of a base name.
func (l *List) Lookup(base string) (Record, bool) {
	r := l.find(base)
	if r == nil || r.dead {
		return Record{}, false
	}
	return r.record(), true
}

// All yields the records by ascending UID. Those whose messages the folder no longer has
// should be given to [Tx.Forget].
func (l *List) All() iter.Seq[Record] {
	return func(yield func(Record) bool) {
		for i := range l.recs {
			if !l.recs[i].dead && !yield(l.recs[i].record()) {
				return
			}
		}
	}
}

// Refresh reads what other programs wrote since the last look (one stat where
// nothing was). reset is true where the list was replaced by one with another
// UIDVALIDITY: then no UID that was known before means anything. Refresh takes the lock
// only where the file is missing or damaged.
func (l *List) Refresh() (reset bool, err error) {
	before := l.UIDValidity()
	if err := l.load(); err != nil && !mendable(err) {
		return false, err
	} else if err != nil || l.mustMend() {
		t, err := l.Lock(context.Background())
		if err != nil {
			return l.UIDValidity() != before, err
		}
		if err := t.Unlock(); err != nil {
			return l.UIDValidity() != before, err
		}
	}
	return l.UIDValidity() != before, nil
}

// mustMend reports whether what was read can't be shown before it was mended
// under the lock.
func (l *List) mustMend() bool { return l.version != 3 || l.guid == "" || l.behind }

// mendable reports whether the lock's holder can do something about err.
func mendable(err error) bool {
	_, damaged := errors.AsType[damage](err)
	_, clashes := errors.AsType[*clash](err)
	return damaged || clashes || errors.Is(err, errMissing)
}

// clash is the error for a file that gives a UID to another message than it did
// before, under the same UIDVALIDITY.
type clash struct{ found *content }

func (*clash) Error() string { return "UIDs were given to other messages" }

var errMissing = fmt.Errorf("no %s: %w", listFile, fs.ErrNotExist)

// load brings memory up to date with the file. Where it fails, memory is as it was.
func (l *List) load() error {
	info, err := l.stat(listFile)
	switch {
	case err != nil:
		return err
	case info == nil:
		return errMissing
	case same(info, l.info) && !l.suspect:
		return nil
	}
	if l.content != nil && !l.suspect && os.SameFile(info, l.info) && info.Size() > l.info.Size() {
		if done, err := l.loadTail(); done || err != nil {
			return err
		}
	}
	data, info, err := l.read(listFile, maxList)
	if errors.Is(err, fs.ErrNotExist) {
		return errMissing
	}
	if err != nil {
		return err
	}
	c, err := parseList(string(data))
	if err != nil {
		return err
	}
	if old := l.content; old != nil && old.validity == c.validity {
		contradicts, lacks := c.compare(old)
		if contradicts {
			return &clash{c}
		}
		if lacks {
			l.dropped++
		}
		if c.next < old.next {
			// Another program lost some lines, say by a restored backup.
			lost := c.next
			for _, r := range old.recs {
				if r.uid >= lost && !r.dead {
					c.add(r)
				}
			}
			c.next, l.behind = old.next, true
		}
	}
	l.content, l.info, l.suspect = c, info, false
	return nil
}

// loadTail reads what was appended. It is not done where the file is another one
// after all: inode numbers are used again. So we read the header and the last line that we
// know, too. Were a new file the same in both, then it would
// have given out no other UIDs up to that line.
func (l *List) loadTail() (done bool, err error) {
	f, info, err := open(l.root, l.path(listFile), os.O_RDONLY)
	if err != nil || info.Size() < l.off || info.Size() > maxList {
		return false, nil // the caller will see
	}
	defer f.Close()
	head := make([]byte, len(l.head)+1)
	if _, err := f.ReadAt(head, 0); err != nil || string(head) != l.head+"\n" {
		return false, err
	}
	from := l.off - int64(l.tail)
	data := make([]byte, info.Size()-from)
	if _, err := f.ReadAt(data, from); err != nil {
		return false, err
	}
	text := string(data)
	if l.tail > 0 {
		last := l.recs[len(l.recs)-1]
		r, err := l.parseRecord(text[:l.tail-1])
		if err != nil || text[l.tail-1] != '\n' || r.uid != last.uid || r.name() != last.name() {
			return false, nil
		}
	}
	if err := l.parseLines(text[l.tail:]); err != nil {
		l.suspect = true
		return false, err
	}
	l.info = info
	return true, nil
}
