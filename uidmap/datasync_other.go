//go:build !linux

package uidmap

import "os"

// fdatasync puts a file's content and length on disk.
func fdatasync(f *os.File) error { return f.Sync() }
