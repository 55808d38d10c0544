package backend

import "golang.org/x/sys/unix"

// renameNew is renameat(2) that replaces no file: EEXIST.
func renameNew(from int, name string, to int, as string) error {
	err := unix.Renameat2(from, name, to, as, unix.RENAME_NOREPLACE)
	if err == unix.EINVAL || err == unix.ENOSYS { // not on this file system, or kernel
		return lookAndRename(from, name, to, as)
	}
	return err
}
