package backend

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// The mod-sequences of a folder (RFC 7162) are microseconds since 1970, pushed above the last one given out.
// What they mean after a restart is in its file modseqFile; see "Mod-sequences" in doc.go.

const (
	// modseqFile is the name of a folder's file of mod-sequences, beside dovecot-uidlist.
	modseqFile = "maildir-imapd-modseq"
	// reserveAhead is how much is reserved at once, so that a busy folder's file is
	// marked every ten minutes only.
	reserveAhead = uint64(10 * time.Minute / time.Microsecond)
	// saveAfter is how long nothing must have changed until the file is written.
	saveAfter = 5 * time.Second
)

// modseqs is the state of a mailbox's mod-sequences. Owned by the holder of the turn.
type modseqs struct {
	last     uint64        // the last one given out
	reserved uint64        // what the file says may have been given out, at least
	saved    uint64        // HIGHESTMODSEQ of the state that is in the file; 0: none that counts
	file     os.FileInfo   // the file that we have read or written; nil: there was none
	foreign  bool          // another process writes it too: nobody does any more
	known    *modseqRecord // from the file, while the folder is read for the first time
	save     *time.Timer
}

// nextModSeq gives out a mod-sequence. Its change must be published before anything else
// can be, so that HIGHESTMODSEQ never runs ahead of a change to come. The turn is held.
func (mb *Mailbox) nextModSeq() uint64 {
	x := &mb.modseqs
	x.last = max(uint64(time.Now().UnixMicro()), x.last+1)
	if x.last > x.reserved {
		before := x.reserved
		x.reserved = x.last + reserveAhead
		if err := mb.markModSeqs(); err != nil {
			x.reserved = before // the next one tries again
			mb.trouble("can't reserve mod-sequences", err)
		}
	}
	return x.last
}

// markModSeqs writes to the file, before any change is told that it does not know, that there may be such
// changes. Where that fails the file goes: none is as good.
func (mb *Mailbox) markModSeqs() (err error) {
	at := mb.f.control
	f, err := at.root.OpenFile(path.Join(at.dir, modseqFile), os.O_WRONLY|unix.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = mb.modseqs.mark(f)
	}
	if err != nil {
		if err2 := at.root.Remove(path.Join(at.dir, modseqFile)); err2 == nil || errors.Is(err2, fs.ErrNotExist) {
			return nil
		}
	}
	return err
}

var errForeign = errors.New("another process has written it")

func (x *modseqs) mark(f *os.File) (err error) {
	defer func() { err = errors.Join(err, f.Close()) }()
	fi, err := f.Stat()
	if err != nil {
		return err
	}
	if x.file == nil || !os.SameFile(fi, x.file) {
		x.foreign = true
		return errForeign
	}
	if _, err := f.WriteAt(modseqHeader(x.reserved), 0); err != nil {
		return err
	}
	return f.Sync()
}

// loadModSeqs reads the file. What is wrong with it costs clients a re-sync. The turn is held.
func (mb *Mailbox) loadModSeqs() {
	x := &mb.modseqs
	at := mb.f.control
	f, err := at.root.OpenFile(path.Join(at.dir, modseqFile), os.O_RDONLY|unix.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		x.reserved = ^uint64(0) // there is nothing to be marked
		return
	}
	var rec *modseqRecord
	if err == nil {
		defer f.Close()
		rec, err = readModSeqs(f)
	}
	if err == nil {
		x.file, err = f.Stat()
	}
	if err != nil {
		mb.log.Warn("the mod-sequences of the folder are lost; its clients will ask for all flags again", "err", err)
		x.file, x.reserved = nil, ^uint64(0)
		if err := removeIfThere(at, modseqFile); err != nil {
			x.reserved = 0 // before anything is given out, it is tried again
			mb.trouble("can't remove the file of mod-sequences", err)
		}
		return
	}
	x.last, x.reserved = max(rec.reserved, rec.highest), rec.reserved
	if rec.reserved == rec.highest && rec.uidValidity == mb.uidValidity && rec.sameNames(mb.keywords.Names()) {
		x.known, x.saved = rec, rec.highest
	}
}

// sweepModSeqs removes what killed servers have left of the file that they were about to write. The turn is held.
func (mb *Mailbox) sweepModSeqs() error {
	at := mb.f.control
	f, err := at.root.Open(at.dir)
	if err != nil {
		return err
	}
	names, err := f.Readdirnames(-1)
	err = errors.Join(err, f.Close())
	for _, name := range names {
		if !strings.HasPrefix(name, modseqFile+".") {
			continue
		}
		fi, err2 := at.root.Lstat(path.Join(at.dir, name))
		if err2 == nil && time.Since(fi.ModTime()) > time.Hour { // what is young may belong to a server that is at work
			err = errors.Join(err, removeIfThere(at, name))
		}
	}
	return err
}

// remembered returns the mod-sequence of a message that had these flags when the file was written.
func (mb *Mailbox) remembered(m *msg) (modseq uint64, ok bool) {
	rec := mb.modseqs.known
	if rec == nil {
		return 0, false
	}
	old, ok := rec.find(m.uid)
	return old.modseq, ok && old.flags == m.flags
}

// recall settles the first look at a folder: what the file knows and the folder has not any
// more was expunged meanwhile. Where nothing is known, nothing is known of expunges either.
func (mb *Mailbox) recall(found []msg) {
	x := &mb.modseqs
	if x.known == nil {
		mb.history = history{since: mb.nextModSeq()}
		return
	}
	mb.history = x.known.history
	var gone []uint32
	for _, old := range x.known.msgs {
		for len(found) > 0 && found[0].uid < old.uid {
			found = found[1:]
		}
		if len(found) == 0 || found[0].uid != old.uid {
			gone = append(gone, old.uid)
		}
	}
	x.known = nil
	if len(gone) > 0 {
		mb.history.add(mb.nextModSeq(), gone)
	}
}

// saveSoon writes the file once the folder has been left alone for a while. The turn is held.
func (mb *Mailbox) saveSoon() {
	x := &mb.modseqs
	if x.foreign || x.last == x.saved {
		return
	}
	if x.save != nil {
		x.save.Reset(saveAfter)
		return
	}
	x.save = time.AfterFunc(saveAfter, func() {
		if !mb.a.retain(mb) {
			return // being closed, which saves it
		}
		if !mb.a.b.background(func(ctx context.Context) {
			defer mb.release()
			if err := safely(func() error { return mb.saveModSeqs(ctx) }); err != nil && ctx.Err() == nil {
				mb.log.Error("can't save mod-sequences", "err", err)
			}
		}) {
			mb.release()
		}
	})
}

// stopSaving saves at once, before the mailbox is closed.
func (mb *Mailbox) stopSaving() {
	if mb.modseqs.save != nil {
		mb.modseqs.save.Stop()
	}
	if err := mb.saveModSeqs(context.Background()); err != nil {
		mb.log.Error("can't save mod-sequences", "err", err)
	}
}

// saveModSeqs writes what the folder is like, unless that changes meanwhile.
func (mb *Mailbox) saveModSeqs(ctx context.Context) error {
	if err := mb.enter(ctx); err != nil {
		return ignoreGone(err)
	}
	s, x := mb.snap.Load(), &mb.modseqs
	due := s.modseq != x.saved && !x.foreign
	mb.leave()
	if !due {
		return nil
	}
	// Nobody has to wait for the disk.
	at, tmp := mb.f.control, modseqFile+"."+freshBase()
	fi, err := writeModSeqs(at, tmp, mb.a.filePerm, s, mb.uidValidity)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // the folder has gone
	} else if err != nil {
		return errors.Join(err, removeIfThere(at, tmp))
	}
	if err := mb.enter(ctx); err != nil {
		return errors.Join(ignoreGone(err), removeIfThere(at, tmp))
	}
	defer mb.leave()
	if now := mb.snap.Load(); now.modseq != s.modseq || x.last != s.modseq {
		return removeIfThere(at, tmp) // that change has set the timer again
	}
	name := path.Join(at.dir, modseqFile)
	if there, err := at.root.Stat(name); err == nil && (x.file == nil || !os.SameFile(there, x.file)) {
		mb.log.Warn("another process serves the folder too: mod-sequences are not kept over a restart")
		x.foreign = true
		return errors.Join(removeIfThere(at, modseqFile), removeIfThere(at, tmp))
	}
	if err := at.root.Rename(path.Join(at.dir, tmp), name); err != nil {
		return errors.Join(err, removeIfThere(at, tmp))
	}
	x.file, x.saved, x.reserved = fi, s.modseq, s.modseq
	return nil
}

func ignoreGone(err error) error {
	if errors.Is(err, errNonExistent) {
		return nil
	}
	return err
}

func removeIfThere(at place, name string) error {
	if err := at.root.Remove(path.Join(at.dir, name)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
