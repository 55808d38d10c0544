package index

import (
	"context"
	"encoding/binary"
	"errors"
	"io/fs"
	"maps"
	"os"
	"slices"
)

// wasteful reports whether the file is worth to be written anew: most of it is dead, or its
// blocks are so small that reading their directories takes long.
func (f *Folder) wasteful() bool {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.writable && f.file != nil && (f.size > 1<<20 && f.live < f.size/2 || f.blocks > 64+len(f.refs)/16)
}

// compact writes what is alive to a new file, in the order of UIDs, and puts that in the
// place of the old one. Only the background goroutine calls it.
func (f *Folder) compact(ctx context.Context) (err error) {
	f.mu.RLock()
	refs, old := maps.Clone(f.refs), f.file
	f.mu.RUnlock()
	if old == nil {
		return nil
	}
	name := f.o.Name + ".new"
	if err := f.o.Root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	file, err := f.create(name)
	if err != nil {
		return err
	}
	defer func() {
		if file != nil {
			file.Close()
			err = errors.Join(err, f.o.Root.Remove(name))
		}
	}()
	w := rewriter{file: file, refs: make(map[key]ref, len(refs)), out: appendHeader(nil, f.o.GUID, f.o.UIDValidity)}
	for _, k := range slices.Sorted(maps.Keys(refs)) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if !f.o.Live(k.uid()) {
			continue
		}
		record, err := w.read(old, k, refs[k])
		if err != nil {
			f.lost(old, err)
			return nil
		}
		w.b.add(k, record)
		if w.b.full() {
			if err := w.flush(); err != nil {
				return err
			}
		}
	}
	if err := w.flush(); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.file != old || !f.isOurs(old) {
		return nil // what we have copied is not wanted any more
	}
	if err := f.o.Root.Rename(name, f.o.Name); err != nil {
		return err
	}
	f.drop(ready)
	f.file, file = file, nil
	f.size, f.blocks, f.refs = w.size, w.blocks, make(map[key]ref, len(w.refs))
	for k, r := range w.refs {
		f.put(k, r)
	}
	return nil
}

// rewriter writes the new file.
type rewriter struct {
	file   *os.File
	refs   map[key]ref
	size   int64
	blocks int
	b      block
	out    []byte
	buf    []byte
}

// read reads a record of the old file.
func (w *rewriter) read(old *os.File, k key, r ref) ([]byte, error) {
	w.buf = slices.Grow(w.buf[:0], sumLen+int(r.len))[:sumLen+int(r.len)]
	if _, err := old.ReadAt(w.buf, int64(r.off)); err != nil {
		return nil, err
	}
	if binary.LittleEndian.Uint32(w.buf) != recordSum(k, w.buf[sumLen:]) {
		return nil, errDamaged
	}
	return w.buf[sumLen:], nil
}

// flush writes the block that has been collected.
func (w *rewriter) flush() error {
	if len(w.b.keys) > 0 {
		w.out = w.b.append(w.out, w.size+int64(len(w.out)), func(k key, r ref) { w.refs[k] = r })
		w.b.reset()
		w.blocks++
	}
	n, err := w.file.WriteAt(w.out, w.size)
	w.size += int64(n)
	w.out = w.out[:0]
	return err
}
