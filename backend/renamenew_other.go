//go:build !linux

package backend

// renameNew is renameat(2) that replaces no file: EEXIST.
func renameNew(from int, name string, to int, as string) error {
	return lookAndRename(from, name, to, as)
}
