package index

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Options of a Folder.
type Options struct {
	Root *os.Root // the directory that the file lies beneath
	Name string   // of the file in it
	// GUID (of 32 hex digits at most) and UIDValidity say whose index it is. A file of another one is removed.
	GUID        string
	UIDValidity uint32
	// Live reports whether the folder has a message with this UID. It is called with a lock
	// of the Folder held, and must not call it.
	Live  func(uid uint32) bool
	Queue *Queue
	Log   *slog.Logger
}

// Folder is the index of one folder. A nil Folder knows nothing and remembers nothing. Safe for
// concurrent use.
type Folder struct {
	o     Options
	queue queue

	mu       sync.RWMutex // guards the fields below
	state    state
	again    time.Time // when the state off may be left
	file     *os.File  // nil where there is none
	writable bool      // there is no file yet, or it is ours to write
	refs     map[key]ref
	size     int64 // where the next block goes
	live     int64 // octets of what refs name, with their directories
	blocks   int
}

// state of a Folder.
type state uint8

const (
	unread state = iota // nobody has asked yet
	ready
	off // something is wrong: ask again later
	closed
)

// retry is how long a folder is left alone after something went wrong with its file.
const retry = time.Minute

// New returns the index of a folder. The file is looked at when it is first used. Close must be called.
func New(o Options) *Folder {
	f := &Folder{o: o}
	f.queue.wake = make(chan struct{}, 1)
	return f
}

// Close ends the use of the file. What was not written yet is written first, in the background.
func (f *Folder) Close() {
	if f != nil && !f.queue.close() {
		f.end()
	}
}

// Discard is Close for a folder that is not where it was: what was not written yet is dropped.
func (f *Folder) Discard() {
	if f != nil {
		f.o.Queue.octets.Add(-f.queue.empty())
		f.Close()
	}
}

// end closes the file for good.
func (f *Folder) end() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.drop(closed)
}

// drop forgets the file. mu is held.
func (f *Folder) drop(s state) {
	if f.file != nil {
		f.file.Close() // it was only read, or written without hope
	}
	f.file, f.refs, f.size, f.live, f.blocks = nil, nil, 0, 0, 0
	f.writable = s == ready
	if f.state = s; s == off {
		f.again = time.Now().Add(retry)
	}
}

// rlock takes mu for reading, after the file has been looked at. It returns false, and mu
// is not held, where nothing is known.
func (f *Folder) rlock() bool {
	f.mu.RLock()
	if f.state == unread || f.state == off && time.Now().After(f.again) {
		f.mu.RUnlock()
		f.mu.Lock()
		if f.state == unread || f.state == off {
			f.open()
		}
		f.mu.Unlock()
		f.mu.RLock()
	}
	if f.state != ready || f.file == nil {
		f.mu.RUnlock()
		return false
	}
	return true
}

// open looks at the file. mu is held.
func (f *Folder) open() {
	f.drop(ready)
	err := f.read()
	if err == nil {
		return
	}
	mine := f.writable
	f.drop(off)
	if !errors.Is(err, errForeign) && !errors.Is(err, errDamaged) {
		f.o.Log.Warn("can't read the index, go on without it", "file", f.o.Name, "err", err)
		return
	}
	f.o.Log.Warn("the index is of no use, start anew", "file", f.o.Name, "reason", err)
	if mine && f.remove() {
		f.drop(ready)
	}
}

// remove removes the file.
func (f *Folder) remove() bool {
	err := f.o.Root.Remove(f.o.Name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		f.o.Log.Warn("can't remove the index", "file", f.o.Name, "err", err)
		return false
	}
	return true
}

// read opens the file and reads the directories of its blocks.
func (f *Folder) read() (err error) {
	// It may be anything that has this name: a pipe must not hold us up.
	const flags = unix.O_NONBLOCK | unix.O_NOFOLLOW
	f.file, err = f.o.Root.OpenFile(f.o.Name, os.O_RDWR|flags, 0)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		f.file = nil
		return nil
	case errors.Is(err, fs.ErrPermission) || errors.Is(err, unix.EROFS):
		f.writable = false
		f.file, err = f.o.Root.OpenFile(f.o.Name, os.O_RDONLY|flags, 0)
	}
	if err != nil {
		f.file = nil
		return err
	}
	fi, err := f.file.Stat()
	if err != nil {
		return err
	}
	if !fi.Mode().IsRegular() {
		f.writable = false // nothing of ours, not to be removed
		return errDamaged
	}
	f.writable = f.writable && lock(f.file)
	if fi.Size() == 0 {
		return nil // somebody was about to write it
	}
	return f.readBlocks(fi.Size())
}

// lock makes the file ours to write.
func lock(file *os.File) bool { return unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil }

// readBlocks reads where the records are. What follows the last whole block was cut short by
// a crash, or is about to be written: it is passed over, and overwritten.
func (f *Folder) readBlocks(size int64) error {
	// With the directory of a block come the first of its records; that is cheaper than a second read.
	buf := make([]byte, blockHeadLen+maxBlockRecords*entryLen)
	n, err := f.file.ReadAt(buf[:headerLen], 0)
	if err != nil && err != io.EOF {
		return err
	}
	if err := checkHeader(buf[:n], f.o.GUID, f.o.UIDValidity); err != nil {
		return err
	}
	f.refs = make(map[key]ref)
	size = min(size, maxFile)
	pos := int64(headerLen)
	for pos < size {
		n, err := f.file.ReadAt(buf, pos)
		if err != nil && err != io.EOF {
			return err
		}
		count, data, end, ok := blockHead(buf[:n], pos, size)
		dir := blockHeadLen + count*entryLen
		if !ok || dir > n || blockSum(buf[:blockHeadLen-4], buf[blockHeadLen:dir]) != binary.LittleEndian.Uint32(buf[blockHeadLen-4:]) ||
			!blockRefs(buf[blockHeadLen:dir], data, end, f.putLive) {
			break
		}
		pos = end
		f.blocks++
	}
	if pos < size && f.writable {
		f.o.Log.Info("the end of the index is not whole, it will be overwritten", "file", f.o.Name, "octets", size-pos)
	}
	f.size = pos
	return nil
}

// putLive is put for what was found in a file, which may name messages that are not there, or are
// gone. mu is held.
func (f *Folder) putLive(k key, r ref) {
	if k.kind() >= Facts && k.kind() <= lastKind && f.o.Live(k.uid()) {
		f.put(k, r)
	}
}

// put notes where a record is. mu is held.
func (f *Folder) put(k key, r ref) {
	if old, ok := f.refs[k]; ok {
		f.live -= old.cost()
	}
	if r.len == 0 { // Outdated
		delete(f.refs, k)
		return
	}
	f.refs[k] = r
	f.live += r.cost()
}

func (r ref) cost() int64 { return entryLen + sumLen + int64(r.len) }

// Has reports whether there is a record. One that was just Put is none yet.
func (f *Folder) Has(k Kind, uid uint32) bool {
	if f == nil {
		return false
	}
	if !f.rlock() {
		return false
	}
	defer f.mu.RUnlock()
	_, ok := f.refs[keyOf(k, uid)]
	return ok
}

// Forget drops what is remembered of these messages.
func (f *Folder) Forget(uids ...uint32) {
	if f == nil {
		return
	}
	f.forget(uids)
}

// Outdated drops what is remembered of a message whose file has changed, for good: a message
// that is gone is forgotten because nobody asks for it, but this one lives.
func (f *Folder) Outdated(uid uint32) {
	if f == nil {
		return
	}
	f.forget([]uint32{uid})
	for k := Facts; k <= lastKind; k++ {
		f.enqueue(keyOf(k, uid), nil)
	}
}

func (f *Folder) forget(uids []uint32) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, uid := range uids {
		for k := Facts; k <= lastKind; k++ {
			if r, ok := f.refs[keyOf(k, uid)]; ok {
				delete(f.refs, keyOf(k, uid))
				f.live -= r.cost()
			}
		}
	}
}

// lost is called when a record is not what was written: nothing in the file is believed
// any more. It must be called without mu.
func (f *Folder) lost(file *os.File, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.file != file || f.state != ready {
		return // told already
	}
	f.o.Log.Warn("the index is of no use, start anew", "file", f.o.Name, "reason", err)
	switch {
	case !f.writable:
		f.drop(off)
	case f.isOurs(file) && !f.remove():
		f.drop(off)
	default:
		f.drop(ready)
	}
}

// isOurs reports whether the file is still the one of its name.
func (f *Folder) isOurs(file *os.File) bool {
	open, err := file.Stat()
	at, err2 := f.o.Root.Lstat(f.o.Name)
	return err == nil && err2 == nil && os.SameFile(open, at)
}

// write appends queued records to the file, and then, unless ctx has come to its end, tidies that
// up. Only the background goroutine calls it.
func (f *Folder) write(ctx context.Context, records []queued, data []byte) {
	f.mu.Lock()
	if f.state == ready && f.file != nil && f.writable && !f.isOurs(f.file) {
		f.drop(unread) // it was removed, or another one has its name
	}
	if f.state == unread || f.state == off && time.Now().After(f.again) {
		f.open()
	}
	usable := f.state == ready && f.writable
	f.mu.Unlock()
	if !usable {
		return
	}
	var b block
	for len(records) > 0 {
		b.reset()
		for len(records) > 0 && !b.full() {
			r := records[0]
			records = records[1:]
			b.add(r.key, data[r.from:r.to])
		}
		if err := f.appendBlock(&b); err != nil {
			f.unwritable(err)
			return
		}
	}
	if ctx.Err() == nil && f.wasteful() {
		if err := f.compact(ctx); err != nil && ctx.Err() == nil {
			f.unwritable(err)
		}
	}
}

// unwritable stops writing for a while, where it does no good: the disk is full, say.
// What is there can still be read.
func (f *Folder) unwritable(err error) {
	f.queue.pause(time.Now().Add(retry))
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.state != ready {
		return
	}
	f.o.Log.Warn("can't write the index, go on without", "file", f.o.Name, "err", err)
	if f.file == nil {
		f.drop(off)
		return
	}
	_ = f.file.Truncate(f.size) // where that fails, the checksums tell
}

// appendBlock writes a block, and a file where there is none.
func (f *Folder) appendBlock(b *block) error {
	f.mu.RLock()
	file, size := f.file, f.size
	f.mu.RUnlock()
	var out []byte
	if file == nil {
		var err error
		if file, err = f.create(f.o.Name); err != nil {
			return err
		}
	}
	if size == 0 {
		out = appendHeader(out, f.o.GUID, f.o.UIDValidity)
	}
	if size+int64(len(out)+blockHeadLen+len(b.dir)+len(b.data)) > maxFile {
		return errors.New("the file has reached its greatest size")
	}
	at := make([]ref, 0, len(b.keys))
	out = b.append(out, size+int64(len(out)), func(_ key, r ref) { at = append(at, r) })
	_, err := file.WriteAt(out, size)

	f.mu.Lock()
	defer f.mu.Unlock()
	if f.file == nil && f.state == ready && err == nil {
		f.file = file
	}
	if f.file != file {
		// Somebody has found the file damaged meanwhile, or writing has failed.
		if size == 0 {
			file.Close()
			f.remove()
		}
		return err
	}
	if err != nil {
		return err
	}
	if f.refs == nil {
		f.refs = make(map[key]ref)
	}
	for i, k := range b.keys {
		f.put(k, at[i])
	}
	f.size = size + int64(len(out))
	f.blocks++
	return nil
}

// create makes a new file, which is ours to write.
func (f *Folder) create(name string) (*os.File, error) {
	file, err := f.o.Root.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	if !lock(file) {
		file.Close()
		return nil, errors.New("another process was quicker")
	}
	return file, nil
}
