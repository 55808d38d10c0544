package backend

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"sync"
	"time"

	"maildir-imapd/index"
	"maildir-imapd/message"
)

// indexName is the index of a folder, which lies beside its mail; in the directory that INDEX= names,
// where the indexes of all folders lie, a dot and the folder's GUID follow.
const indexName = "maildir-imapd-index"

// indexUnused is how long an index in the directory of INDEX= stays that nobody writes to: its
// folder may be gone.
const indexUnused = 90 * 24 * time.Hour

// openIndex opens the directory of INDEX=. Without it, there is just no index.
func (a *Account) openIndex() {
	if a.loc.Index == "" || a.loc.Index == "MEMORY" {
		return
	}
	err := os.MkdirAll(a.loc.Index, a.dirPerm)
	if err == nil {
		a.index, err = os.OpenRoot(a.loc.Index)
	}
	if err != nil {
		a.log().Warn("can't open the directory of the index, go on without", "dir", a.loc.Index, "err", err)
		return
	}
	a.sweepIndex()
}

// sweepIndex removes the indexes of folders that are gone, as far as their age tells.
func (a *Account) sweepIndex() {
	list, err := fs.ReadDir(a.index.FS(), ".")
	for _, e := range list {
		if !strings.HasPrefix(e.Name(), indexName+".") {
			continue
		}
		if fi, err2 := e.Info(); err2 == nil && time.Since(fi.ModTime()) > indexUnused {
			err = errors.Join(err, a.index.Remove(e.Name()))
		}
	}
	if err != nil {
		a.log().Warn("can't remove old indexes", "dir", a.loc.Index, "err", err)
	}
}

// guidOf is the GUID of a mailbox, if it is open.
func (a *Account) guidOf(dir string) string {
	a.mu.Lock()
	mb := a.boxes[dir]
	a.mu.Unlock()
	if mb == nil || !mb.opened.Load() {
		return ""
	}
	return mb.guid
}

// removeIndex removes the index of a mailbox that was deleted, if it lies elsewhere. Where the GUID is
// not known, its age will tell.
func (a *Account) removeIndex(guid string) {
	if a.index == nil || guid == "" {
		return
	}
	if err := a.index.Remove(indexName + "." + guid); err != nil && !errors.Is(err, fs.ErrNotExist) {
		a.log().Warn("can't remove the index of a deleted mailbox", "err", err)
	}
}

// openIndex makes the index of a folder that is about to be used.
func (mb *Mailbox) openIndex() {
	o := index.Options{
		Root: mb.f.mail.root, Name: mb.f.mail.dir + "/" + indexName,
		GUID: mb.guid, UIDValidity: mb.uidValidity,
		Live: func(uid uint32) bool {
			m, _ := mb.snap.Load().find(uid)
			return m != nil && !mb.isGone()
		},
		Queue: &mb.a.b.indexes,
		Log:   mb.log,
	}
	if mb.a.loc.Index != "" {
		if mb.a.index == nil {
			return
		}
		o.Root, o.Name = mb.a.index, indexName+"."+mb.guid
	}
	mb.index = index.New(o)
}

// indexedFields are the header fields that the index remembers.
var indexedFields = message.NewFieldNames(index.Fields...)

// Indexed reports whether View.HeaderFields may have the answer for all of these header fields.
func Indexed(names ...string) bool { return indexedFields.Has(names...) }

// aspect is a part of what is remembered, which is read ahead by itself.
type aspect uint8

const (
	ofFile aspect = iota
	ofHeader
	ofBody
	ofDigest
)

// recorded are the records that tell an aspect.
var recorded = [...][]index.Kind{
	ofFile:   {index.Facts, index.Digest, index.Head, index.Body},
	ofHeader: {index.Head},
	ofBody:   {index.Body},
	ofDigest: {index.Digest},
}

// recall reads what the index knows, ahead of a session that goes through a folder in order. A
// view has one from the first question of a command to its end, and none while it idles.
type recall struct {
	ahead   [len(recorded)]readAhead
	uids    []uint32
	scratch []byte
}

type readAhead struct {
	batch index.Batch
	next  uint32 // the sequence number after the last that was asked for
	n     int    // messages in the batch
}

var recalls = sync.Pool{New: func() any { return new(recall) }}

func (v *View) recall() *recall {
	if v.recalled == nil {
		v.recalled = recalls.Get().(*recall)
	}
	return v.recalled
}

// Release gives back the memory that the view needs while a command asks it. Call it before the connection
// waits for the next one; Sync and Close do so, too.
func (v *View) Release() {
	r := v.recalled
	if r == nil {
		return
	}
	v.recalled = nil
	for i := range r.ahead {
		r.ahead[i].batch.Release()
		r.ahead[i].next = 0
	}
	if cap(r.scratch) <= small {
		recalls.Put(r)
	}
}

// remembered returns what the index knows of a message. It is valid until the next question of this aspect.
func (v *View) remembered(seq uint32, what aspect) (index.Record, bool) {
	if v.mb.index == nil {
		return index.Record{}, false
	}
	r := v.recall()
	m, x := v.told.at(seq), &r.ahead[what]
	rec, _, read, ok := x.batch.Get(m.uid)
	if !read {
		if x.next != seq {
			x.n = 2
		}
		x.n = min(2*x.n, index.MaxBatch)
		r.uids = r.uids[:0]
		for i := seq; i <= v.told.n && i < seq+uint32(x.n); i++ {
			r.uids = append(r.uids, v.told.at(i).uid)
		}
		x.batch.Read(v.mb.index, r.uids, recorded[what]...)
		rec, _, _, ok = x.batch.Get(m.uid)
	}
	x.next = seq + 1
	if ok && rec.Base != index.BaseHash(m.base()) {
		v.mb.index.Outdated(m.uid)
		ok = false
	}
	return rec, ok
}

// knownFact returns what memory or the index know of a message's file.
func (v *View) knownFact(seq uint32) (fact, bool) {
	uid := v.told.at(seq).uid
	if f, ok := v.mb.meta.get(uid); ok {
		return f, true
	}
	rec, ok := v.remembered(seq, ofFile)
	if !ok {
		return fact{}, false
	}
	f := fact{size: rec.Size, wire: rec.Wire, mtime: rec.MTime}
	v.mb.meta.put(uid, f)
	return f, true
}

// Envelope appends the ENVELOPE as it is sent, if it is known without opening the message.
func (v *View) Envelope(dst []byte, seq uint32) (_ []byte, ok bool) {
	rec, ok := v.remembered(seq, ofHeader)
	if !ok {
		return dst, false
	}
	if len(rec.First) > 0 {
		return append(dst, rec.First...), true
	}
	h := message.HeaderOf(rec.Second)
	return h.AppendEnvelope(dst), true
}

// BodyStructure appends BODYSTRUCTURE, or BODY where extended is false, as it is sent, if it is known
// without opening the message.
func (v *View) BodyStructure(dst []byte, seq uint32, extended bool) (_ []byte, ok bool) {
	rec, ok := v.remembered(seq, ofBody)
	if !ok {
		return dst, false
	}
	if extended {
		return append(dst, rec.First...), true
	}
	return append(dst, rec.Second...), true
}

// knownHeader returns the Indexed fields of a header, if they are known without opening the message. It is valid
// until the next question of this kind.
func (v *View) knownHeader(seq uint32) (_ message.HeaderBlock, ok bool) {
	rec, ok := v.remembered(seq, ofHeader)
	return message.HeaderOf(rec.Second), ok
}

// HeaderFields returns BODY[HEADER.FIELDS (names)], for names that are Indexed, if it is known
// without opening the message.
func (v *View) HeaderFields(seq uint32, names []string) (_ message.Content, ok bool) {
	h, ok := v.knownHeader(seq)
	if !ok {
		return nil, false
	}
	c, err := h.Fields(names, false)
	return c, err == nil
}

// remember queues a record for the index.
func (mb *Mailbox) remember(k index.Kind, m *msg, f fact, first, second []byte) {
	mb.index.Put(k, m.uid, &index.Record{
		Base: index.BaseHash(m.base()),
		Size: f.size, Wire: f.wire, MTime: f.mtime,
		First: first, Second: second,
	})
}

// rememberHeader remembers what the header says, unless that is known; envelope may be empty.
func (f *File) rememberHeader(envelope []byte) {
	mb := f.v.mb
	if mb.index == nil || f.noted || mb.index.Has(index.Head, f.m.uid) {
		return
	}
	f.noted = true
	r := f.v.recall()
	fields, ok := f.header.AppendFields(r.scratch[:0], indexedFields)
	r.scratch = fields[:0]
	if ok {
		mb.remember(index.Head, f.m, f.counted(), envelope, fields)
	}
}

// rememberStructure remembers the structure, of which one form has been made already.
func (f *File) rememberStructure(s *message.Structure, extended bool, made []byte) {
	mb := f.v.mb
	if mb.index == nil || mb.index.Has(index.Body, f.m.uid) {
		return
	}
	r := f.v.recall()
	other := s.AppendBodyStructure(r.scratch[:0], !extended, false)
	r.scratch = other[:0]
	if extended {
		mb.remember(index.Body, f.m, f.fact, made, other)
	} else {
		mb.remember(index.Body, f.m, f.fact, other, made)
	}
}
