//go:build unix

package config

import (
	"io/fs"
	"syscall"
)

// owner is the user and the group of a file.
func owner(fi fs.FileInfo) (uid, gid int) {
	st := fi.Sys().(*syscall.Stat_t)
	return int(st.Uid), int(st.Gid)
}
