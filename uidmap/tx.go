package uidmap

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// Tx is a List whose lock file we hold.
type Tx struct {
	l    *List
	lock *dotlock
}

// Lock takes dovecot-uidlist.lock, waiting as Dovecot does (up to two minutes,
// then ErrLocked, or until ctx ends), and refreshes: the UIDVALIDITY may have
// changed as after Refresh. The Tx must be ended with Unlock. While it is held,
// the lock file is touched at least every 10 s.
func (l *List) Lock(ctx context.Context) (*Tx, error) {
	k, err := l.locker.lock(ctx)
	if err != nil {
		return nil, err
	}
	if err := l.settle(ctx, k); err != nil {
		return nil, errors.Join(err, k.release())
	}
	return &Tx{l, k}, nil
}

// Add gives each base the next UID, in the order given, and makes that durable
// (append and fdatasync, or rewrite) before it returns. The records' UID fields
// are filled in. A base that has a UID already keeps it. On error no record
// has a UID that may be shown.
//
// Errors: ErrName for a base that is not a ValidBase or a GUID with a space or control character,
// ErrExhausted, ErrLockLost, and those of the file system.
func (t *Tx) Add(recs []Record) error {
	l := t.l
	if err := t.recover(); err != nil {
		return err
	}
	var text strings.Builder
	uids := make([]uint32, len(recs))
	batch := make(map[string]uint32, len(recs))
	next, rewrite := l.content.next, l.rewrite
	for i := range recs {
		r := &recs[i]
		if known := l.find(r.Base); known != nil && !known.dead {
			uids[i] = known.uid
			continue
		} else if known != nil {
			rewrite = true // its dead line would be a duplicate to Dovecot
		}
		if uid, ok := batch[r.Base]; ok {
			uids[i] = uid
			continue
		}
		if !ValidBase(r.Base) || !validGUID(r.GUID) {
			return fmt.Errorf("%w: %q", ErrName, r.Base)
		}
		if next > maxUID {
			l.exhausted = true
			return ErrExhausted
		}
		uids[i], batch[r.Base] = next, next
		writeRecord(&text, next, r)
		next++
	}
	if text.Len() > 0 {
		if l.off+int64(text.Len()) > maxList {
			return ErrLimit
		}
		write := t.append
		if rewrite {
			write = t.rewrite
		}
		if err := write(text.String()); err != nil {
			return err
		}
	}
	for i, uid := range uids {
		recs[i].UID = uid
	}
	return nil
}

func validGUID(s string) bool {
	return len(s) < 256 && !strings.ContainsFunc(s, func(c rune) bool { return c <= ' ' || c == 0x7f })
}

// writeRecord writes r as a line: "UID [S<size> ][W<size> ][G<guid> ]:<base>".
func writeRecord(w *strings.Builder, uid uint32, r *Record) {
	var b []byte
	b = strconv.AppendUint(b, uint64(uid), 10)
	if r.Size > 0 {
		b = strconv.AppendInt(append(b, " S"...), r.Size, 10)
	}
	if r.WireSize > 0 {
		b = strconv.AppendInt(append(b, " W"...), r.WireSize, 10)
	}
	if r.GUID != "" && r.GUID != r.Base {
		b = append(append(b, " G"...), r.GUID...)
	}
	w.Write(append(append(append(b, " :"...), r.Base...), '\n'))
}

// append writes lines at the end of the file.
func (t *Tx) append(lines string) (err error) {
	l := t.l
	f, info, err := open(l.root, l.path(listFile), os.O_WRONLY|os.O_APPEND)
	if err != nil {
		return err
	}
	defer f.Close()
	if !same(info, l.info) {
		return fmt.Errorf("%w: %s has changed", ErrLockLost, listFile)
	}
	if err := t.lock.still(); err != nil {
		return err
	}
	// A line of which we don't know whether it is on disk is no reason to
	// show its UID, nor to give that to another message: read it again, and write a new file.
	l.suspect, l.rewrite = true, true
	reached("append: before")
	if _, err := f.WriteString(lines); err != nil {
		return err
	}
	reached("append: written")
	if err := datasync(f); err != nil {
		return err
	}
	if info, err = f.Stat(); err != nil {
		return err
	}
	if err := l.parseLines(lines); err != nil {
		return err
	}
	l.info, l.suspect, l.rewrite = info, false, false
	return nil
}

// recover reads the file again where the last write of this Tx failed half-way.
func (t *Tx) recover() error {
	if !t.l.suspect {
		return nil
	}
	return t.l.settle(context.Background(), t.lock)
}

// rewrite writes a new file without dead records and with lines at its end.
func (t *Tx) rewrite(lines string) error {
	return t.l.replaceWith(t.lock, t.l.content, lines)
}

// Forget notes that the messages with these UIDs are gone for good; the file is
// rewritten once more than a quarter of its records are dead. UIDs without record are
// ignored.
func (t *Tx) Forget(uids []uint32) error {
	if err := t.recover(); err != nil {
		return err
	}
	c := t.l.content
	for _, uid := range uids {
		if r := c.byUID(uid); r != nil && !r.dead {
			r.dead = true
			c.dead++
		}
	}
	if c.dead*4 > len(c.recs) {
		return t.rewrite("")
	}
	return nil
}

// NewGUID gives the folder another G, as a copy of another folder needs one.
func (t *Tx) NewGUID() error {
	if err := t.recover(); err != nil {
		return err
	}
	c := *t.l.content
	c.guid = newGUID()
	return t.l.replaceWith(t.lock, &c, "")
}

// Unlock removes the lock file. ErrLockLost says that it was overridden meanwhile.
func (t *Tx) Unlock() error { return t.lock.release() }
