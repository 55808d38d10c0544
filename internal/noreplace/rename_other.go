//go:build !linux

package noreplace

// Rename gives the file name in the directory from (a file descriptor) the name as in the directory to. Where a file has that name, it fails with
// unix.EEXIST (fs.ErrExist).
func Rename(from int, name string, to int, as string) error {
	return lookAndRename(from, name, to, as)
}
