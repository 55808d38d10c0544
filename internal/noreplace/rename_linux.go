package noreplace

import "golang.org/x/sys/unix"

// Rename gives the file name in the directory from (a file descriptor) the name as in the directory to. Where a file has that name, it fails with
// unix.EEXIST (fs.ErrExist).
func Rename(from int, name string, to int, as string) error {
	err := unix.Renameat2(from, name, to, as, unix.RENAME_NOREPLACE)
	if err == unix.EINVAL || err == unix.ENOSYS { // not on this file system, or kernel
		return lookAndRename(from, name, to, as)
	}
	return err
}
