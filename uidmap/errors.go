package uidmap

import (
	"errors"
	"io/fs"
	"syscall"
)

var (
	// ErrLocked says that another program held a file's lock for as long as
	// we were ready to wait.
	ErrLocked = errors.New("uidmap: locked by another program")

	// ErrLockLost says that our lock was overridden (we were stopped for
	// minutes) or the file was changed in spite of it. Nothing was written.
	ErrLockLost = errors.New("uidmap: lock lost")

	// ErrExhausted says that a list has no UID left to give. The next
	// [List.Lock] starts it anew under another UIDVALIDITY.
	ErrExhausted = errors.New("uidmap: out of numbers")

	// ErrName refuses a base name, GUID, keyword or mailbox name that its file can't hold.
	ErrName = errors.New("uidmap: name can't be stored")

	// ErrLimit refuses what would make a file larger than we are ready to read.
	ErrLimit = errors.New("uidmap: limit reached")

	// ErrVersion says that a file is of a version that we don't know. It is left alone.
	ErrVersion = errors.New("uidmap: unknown version of file")
)

// IsReadOnly reports whether err came from a directory or file system that we may not
// write: the folder can be shown, not changed.
func IsReadOnly(err error) bool {
	return errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS)
}

// IsFull reports whether err came from a full disk or an exceeded disk quota.
func IsFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// damage is the reason why a file can't be understood.
type damage string

func (d damage) Error() string { return "damaged: " + string(d) }
