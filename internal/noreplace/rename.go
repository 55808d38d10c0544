// Package noreplace renames files without replacing others: what has the new name may be somebody's
// mail, or a number that somebody else has taken. It imports no other package of this module.
package noreplace

import "golang.org/x/sys/unix"

// lookAndRename is Rename where the system has no such call: a file that comes in between look and rename is replaced.
func lookAndRename(from int, name string, to int, as string) error {
	var st unix.Stat_t
	if err := unix.Fstatat(to, as, &st, unix.AT_SYMLINK_NOFOLLOW); err == nil {
		return unix.EEXIST
	} else if err != unix.ENOENT {
		return err
	}
	return unix.Renameat(from, name, to, as)
}
