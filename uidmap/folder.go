package uidmap

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path"
	"syscall"
	"time"
)

// folder is a directory beneath an account's root.
type folder struct {
	root *os.Root
	dir  string
	o    Options
}

func (d folder) path(name string) string { return path.Join(d.dir, name) }

func (d folder) log() *slog.Logger {
	if d.o.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return d.o.Log.With("dir", d.path("."))
}

// stat is nil for a file that is not there.
func (d folder) stat(name string) (os.FileInfo, error) {
	info, err := d.root.Stat(d.path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return info, err
}

// same reports whether two looks at a path saw the same file, unchanged. Nil
// stands for no file.
func same(a, b os.FileInfo) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}

// open opens a regular file. A FIFO in its place is an error, not a hang.
func open(root *os.Root, name string, flag int) (*os.File, os.FileInfo, error) {
	f, err := root.OpenFile(name, flag|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = damage("not a regular file")
	}
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return f, info, nil
}

// readFile reads a file of at most limit bytes: as many as it had when info
// was taken, so that a later look notices what is written meanwhile.
func readFile(root *os.Root, name string, limit int64) ([]byte, os.FileInfo, error) {
	f, info, err := open(root, name, os.O_RDONLY)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	if info.Size() > limit {
		return nil, info, damage(fmt.Sprintf("%d bytes are too many", info.Size()))
	}
	data := make([]byte, info.Size())
	n, err := io.ReadFull(f, data)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return nil, nil, err
	}
	return data[:n], info, nil
}

func (d folder) read(name string, limit int64) ([]byte, os.FileInfo, error) {
	return readFile(d.root, d.path(name), limit)
}

// replace puts data in the place of a file: at each instant the path shows the
// old content or the new one whole, and when replace returns the new one is on
// disk. A zero mtime is now. still is asked at the last moment whether the
// caller's lock is still his.
func (d folder) replace(name string, data []byte, mtime time.Time, still func() error) (info os.FileInfo, err error) {
	tmp := d.path(name + ".tmp")
	if err := d.root.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	f, err := d.root.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, d.o.FilePerm)
	if err != nil {
		return nil, err
	}
	defer func() {
		f.Close()
		if err != nil {
			d.root.Remove(tmp) // best effort: the next replace removes it too
		}
	}()
	reached("replace: created")
	if _, err := f.Write(data); err != nil {
		return nil, err
	}
	reached("replace: written")
	if info, err = f.Stat(); err != nil {
		return nil, err
	}
	if info.Mode().Perm() != d.o.FilePerm { // the umask
		if err := f.Chmod(d.o.FilePerm); err != nil {
			return nil, err
		}
	}
	if !mtime.IsZero() {
		if err := d.root.Chtimes(tmp, mtime, mtime); err != nil {
			return nil, err
		}
	}
	if err := fsync(f); err != nil {
		return nil, err
	}
	if info, err = f.Stat(); err != nil {
		return nil, err
	}
	if err := still(); err != nil {
		return nil, err
	}
	if err := d.root.Rename(tmp, d.path(name)); err != nil {
		return nil, err
	}
	reached("replace: renamed")
	if err := d.sync(); err != nil {
		return nil, err
	}
	return info, nil
}

// sync puts the directory's entries on disk.
func (d folder) sync() error {
	f, err := d.root.Open(path.Clean(d.dir))
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Sync(); err != nil {
		return err
	}
	reached("directory synced")
	return nil
}

// fsync puts a file and its metadata on disk.
func fsync(f *os.File) error {
	if err := f.Sync(); err != nil {
		return err
	}
	reached("file synced")
	return nil
}

// datasync puts a file's content and length on disk.
func datasync(f *os.File) error {
	if err := fdatasync(f); err != nil {
		return err
	}
	reached("data synced")
	return nil
}

// setAside keeps a damaged file under another name, from which an
// administrator may rescue something. Where hard links work, the
// damaged file also stays in its place until its successor replaces it.
func (d folder) setAside(name string, reason error) error {
	to := fmt.Sprintf("%s.broken-%s", name, time.Now().UTC().Format("20060102T150405.000000"))
	err := d.root.Link(d.path(name), d.path(to))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		err = d.root.Rename(d.path(name), d.path(to))
	}
	if err != nil {
		return err
	}
	reached("set aside")
	d.log().Error("file is damaged, starting a new one", "file", name, "kept", to, "reason", reason)
	return nil
}
