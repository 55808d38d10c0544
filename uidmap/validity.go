package uidmap

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"maildir-imapd/internal/noreplace"
)

const validityFile = "dovecot-uidvalidity"

// Validity gives out the UIDVALIDITY values of an account: dovecot-uidvalidity, which
// has the last one in hex, and the empty marker file
// dovecot-uidvalidity.<hex>. The marker is what counts: renaming it to the next
// number takes that number, and only one program can. Safe for
// concurrent use.
type Validity struct {
	folder
	now func() time.Time
}

// NewValidity returns the Validity whose files lie in dir. It touches no file.
func NewValidity(root *os.Root, dir string, o Options) *Validity {
	return &Validity{folder{root, dir, o}, time.Now}
}

// Next returns a value that is greater than all that were given out before, the
// first not less than the seconds since 1970. It is on disk when Next returns.
func (v *Validity) Next(ctx context.Context) (uint32, error) {
	// Each turn that fails is one in which another program took a number.
	for ctx.Err() == nil {
		next, err := v.take(ctx)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrExist) {
			if _, gone := v.root.Stat(v.dir); gone != nil {
				return 0, gone
			}
			continue
		}
		if err != nil {
			return 0, err
		}
		reached("validity: taken")
		if err := v.sync(); err != nil {
			return 0, err
		}
		if err := v.note(next); err != nil {
			// Only a hint where to look for the marker.
			v.log().Warn("can't note the last UIDVALIDITY", "error", err)
		}
		return next, nil
	}
	return 0, context.Cause(ctx)
}

// take moves the marker on by one; fs.ErrNotExist or fs.ErrExist where another program was faster.
func (v *Validity) take(ctx context.Context) (uint32, error) {
	last := v.noted()
	if last != 0 && last < math.MaxUint32 && !v.has(last+1) && v.has(last) {
		return last + 1, v.move(last)
	}
	markers, err := v.scan()
	if err != nil {
		return 0, err
	}
	from := uint32(0)
	for _, m := range markers {
		from = max(from, m)
	}
	if from != 0 && from >= last {
		if from == math.MaxUint32 {
			return 0, ErrExhausted
		}
		return from + 1, v.move(from)
	}
	if last == math.MaxUint32 {
		return 0, ErrExhausted
	}
	return v.begin(ctx, last)
}

// begin makes a marker where there is none. last is what was noted when that was found out.
func (v *Validity) begin(ctx context.Context, last uint32) (_ uint32, err error) {
	locker := newLocker(v.root, v.dir, validityFile, v.o)
	lock, err := locker.lock(ctx)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, lock.release()) }()
	// Reading the directory may miss a marker that is renamed meanwhile. But whoever renames notes it then, and
	// who was here before us has done so with the lock held.
	var markers []uint32
	for range 3 {
		if markers, err = v.scan(); err != nil {
			return 0, err
		}
		if v.noted() != last || slices.ContainsFunc(markers, func(m uint32) bool { return m >= last }) {
			return 0, fs.ErrExist
		}
	}
	first := max(last+1, uint32(min(v.now().Unix(), math.MaxUint32)))
	f, err := v.root.OpenFile(v.marker(first), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o444)
	if err != nil {
		return 0, err
	}
	for _, m := range markers { // lower ones mislead nobody, but are of no use
		if err := v.root.Remove(v.marker(m)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return 0, errors.Join(err, f.Close())
		}
	}
	return first, errors.Join(f.Close(), v.note(first))
}

// move renames a marker to the next number.
func (v *Validity) move(from uint32) error {
	dir, err := v.root.Open(v.path("."))
	if err != nil {
		return err
	}
	defer dir.Close()
	fd := int(dir.Fd())
	return noreplace.Rename(fd, path.Base(v.marker(from)), fd, path.Base(v.marker(from+1)))
}

func (v *Validity) marker(n uint32) string {
	return v.path(fmt.Sprintf("%s.%08x", validityFile, n))
}

func (v *Validity) has(n uint32) bool {
	_, err := v.root.Lstat(v.marker(n))
	return err == nil
}

// noted is the number in the file, 0 where there is none.
func (v *Validity) noted() uint32 {
	data, _, _ := v.read(validityFile, 8)
	return hex8(string(data))
}

// note writes the number to the file in place, as Dovecot does.
func (v *Validity) note(n uint32) error {
	f, err := v.root.OpenFile(v.path(validityFile), os.O_WRONLY|os.O_CREATE, v.o.FilePerm)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(fmt.Appendf(nil, "%08x", n), 0)
	return errors.Join(err, f.Close())
}

// scan finds the markers.
func (v *Validity) scan() ([]uint32, error) {
	dir, err := v.root.Open(v.path("."))
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	var found []uint32
	for _, name := range names {
		digits, ok := strings.CutPrefix(name, validityFile+".")
		if n := hex8(digits); ok && n != 0 {
			found = append(found, n)
		}
	}
	return found, nil
}

// hex8 reads eight hex digits in lower case, else returns 0.
func hex8(s string) uint32 {
	n, err := strconv.ParseUint(s, 16, 32)
	if err != nil || len(s) != 8 || strings.ToLower(s) != s {
		return 0
	}
	return uint32(n)
}
