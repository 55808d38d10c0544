package backend

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"

	"maildir-imapd/index"
	"maildir-imapd/message"
	"maildir-imapd/uidmap"
)

// Object identifiers (RFC 8474).
//
// EMAILID and THREADID come from the message itself: so they are the same after COPY, MOVE and RENAME, and also after
// another program has moved the file to another folder, after a backup was restored, and after dovecot-uidlist was lost. Two
// deliveries of the same octets are one email (RFC 8474 §5.1 allows that). A file that was edited in place is another
// email, once we know of it; RFC 8474 wants mail that does not change.
//
// EMAILID is the digest of the whole message, made when somebody asks for it and kept in the index. THREADID is that
// of the ID of the first message of the thread, which each message of it names in its References: so it needs no state, is the
// same in all folders, and never changes. Where a client has cut References, or wrote In-Reply-To only, a thread of THREAD
// has several THREADIDs.

// digest names a message or a thread.
type digest [message.DigestSize]byte

// objectIDLen is the length of an EMAILID or THREADID: a letter, and the digest in hexadecimal.
const objectIDLen = 1 + 2*len(digest{})

// The letters tell EMAILID and THREADID apart (RFC 8474 §5.2), and keep IDs from looking like numbers (§8.1).
func (d digest) appendEmailID(dst []byte) []byte  { return hex.AppendEncode(append(dst, 'M'), d[:]) }
func (d digest) appendThreadID(dst []byte) []byte { return hex.AppendEncode(append(dst, 'T'), d[:]) }

// knownDigest returns the digest of a message, if it is known without opening it.
func (v *View) knownDigest(seq uint32) (digest, bool) {
	if d, ok := v.mb.meta.digest(v.told.at(seq).uid); ok {
		return d, true
	}
	rec, ok := v.remembered(seq, ofDigest)
	if !ok || len(rec.First) != len(digest{}) {
		return digest{}, false
	}
	return digest(rec.First), true
}

// EmailID appends the EMAILID, if it is known without opening the message.
func (v *View) EmailID(dst []byte, seq uint32) (_ []byte, ok bool) {
	d, ok := v.knownDigest(seq)
	if !ok {
		return dst, false
	}
	return d.appendEmailID(dst), true
}

// ThreadID appends the THREADID, if it is known without opening the message.
func (v *View) ThreadID(dst []byte, seq uint32) (_ []byte, ok bool) {
	h, ok := v.knownHeader(seq)
	if !ok {
		return dst, false
	}
	if d, ok := v.threadOf(&h); ok {
		return d.appendThreadID(dst), true
	}
	d, ok := v.knownDigest(seq)
	if !ok {
		return dst, false
	}
	return d.appendThreadID(dst), true
}

// threadOf returns the digest of a thread, if a header names one.
func (v *View) threadOf(h *message.HeaderBlock) (d digest, ok bool) {
	r := v.recall()
	root := h.AppendThreadRoot(r.scratch[:0])
	r.scratch = root[:0]
	sum := sha256.Sum256(root)
	return digest(sum[:len(d)]), len(root) > 0
}

// AppendEmailID appends the EMAILID.
func (f *File) AppendEmailID(dst []byte) ([]byte, error) {
	d, err := f.digest()
	if err != nil {
		return dst, err
	}
	return d.appendEmailID(dst), nil
}

// AppendThreadID appends the THREADID. That of a message that has no ID and names none is made of its EMAILID.
func (f *File) AppendThreadID(dst []byte) ([]byte, error) {
	h, err := f.Header()
	if err != nil {
		return dst, err
	}
	d, ok := f.v.threadOf(h)
	if !ok {
		if d, err = f.digest(); err != nil {
			return dst, err
		}
	}
	return d.appendThreadID(dst), nil
}

// digest reads the whole message, unless it is in memory or its digest is known. A large one is scanned as well: that
// costs little beside, and who asks for more of the message has its structure then.
func (f *File) digest() (d digest, err error) {
	mb := f.v.mb
	if d, ok := mb.meta.digest(f.m.uid); ok {
		return d, nil
	}
	sum := message.NewDigest()
	defer sum.Release()
	if mem, ok := f.ReaderAt.(memory); ok {
		_, err = sum.Write(mem)
	} else {
		_, err = f.scan(tee{f.ReaderAt, sum})
	}
	if err != nil {
		return d, err
	}
	d, f.fact.wire = sum.Sum(), sum.Wire
	mb.meta.putDigest(f.m.uid, f.fact, d)
	mb.remember(index.Digest, f.m, f.fact, d[:], nil)
	return d, nil
}

// tee writes all that is read, which must be in order.
type tee struct {
	io.ReaderAt
	w io.Writer
}

func (t tee) ReadAt(p []byte, off int64) (int, error) {
	n, err := t.ReaderAt.ReadAt(p, off)
	t.w.Write(p[:n])
	return n, err
}

// MailboxID is the MAILBOXID: it stays through RENAME.
func (v *View) MailboxID() string { return v.mb.id() }

func (mb *Mailbox) id() string { return "F" + mb.guid }

// ownGUID sees to it that no two folders of the account have one GUID, as they do after one was copied with its uidlist: two mailboxes
// must not have the same MAILBOXID (RFC 8474 §4). It keeps that which was opened first. The turn is held.
func (mb *Mailbox) ownGUID(ctx context.Context) error {
	a, guid := mb.a, mb.list.GUID()
	a.mu.Lock()
	other, known := a.guids[guid]
	if !known { // at once: the copy may be opened at the same time
		a.guids[guid] = mb.f
	}
	a.mu.Unlock()
	if known && other.Dir != mb.f.Dir && other.control.isCopy(mb.f.control, guid) {
		tx, err := mb.list.Lock(ctx)
		if err != nil {
			return err
		}
		if err := errors.Join(tx.NewGUID(), tx.Unlock()); err != nil {
			return err
		}
		mb.log.Warn("the folder was copied, and has a GUID of its own now", "from", other.Name, "before", guid, "now", mb.list.GUID())
	}
	a.mu.Lock()
	a.guids[mb.list.GUID()] = mb.f
	a.mu.Unlock()
	return nil
}

// isCopy reports whether the folder with this GUID in p is still there, and is not the one in q: that may be p under a new name, or by a symlink.
func (p place) isCopy(q place, guid string) bool {
	other, err := uidmap.GUID(p.root, p.dir)
	if err != nil || other != guid {
		return false
	}
	a, errA := p.root.Stat(p.dir)
	b, errB := q.root.Stat(q.dir)
	return errA == nil && errB == nil && !os.SameFile(a, b)
}
