package uidmap

import (
	"os"
	"syscall"
)

// fdatasync puts a file's content and length on disk.
func fdatasync(f *os.File) error {
	for {
		if err := syscall.Fdatasync(int(f.Fd())); err != syscall.EINTR {
			return os.NewSyscallError("fdatasync", err)
		}
	}
}
