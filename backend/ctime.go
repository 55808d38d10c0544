//go:build !darwin && !freebsd && !netbsd

package backend

import (
	"os"
	"syscall"
	"time"
)

// ctime is when a file or directory changed last, which nobody can set back.
func ctime(fi os.FileInfo) time.Time { return time.Unix(fi.Sys().(*syscall.Stat_t).Ctim.Unix()) }
