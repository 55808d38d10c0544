package watcher

import (
	"errors"

	"golang.org/x/sys/unix"
)

// statDir follows symbolic links, as the kernel's watches do. Whatever cannot be
// looked at counts as absent.
func statDir(path string) dirState {
	var st unix.Stat_t
	for {
		err := unix.Stat(path, &st)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return dirState{}
		}
		break
	}
	return dirState{
		id:    fileID{dev: uint64(st.Dev), ino: uint64(st.Ino)},
		ctime: st.Ctim.Nano(),
	}
}
