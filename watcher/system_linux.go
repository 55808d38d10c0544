package watcher

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/fsnotify/fsnotify"
	"golang.org/x/sys/unix"
)

const defaultPollInterval = 10 * time.Second

var hostSystem = system{open: openFsnotify, stat: statDir, network: onNetwork}

func openFsnotify() (*kernel, error) {
	n, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, err
	}
	return &kernel{events: n.Events, errors: n.Errors, add: n.Add, remove: n.Remove, close: n.Close,
		newMark: func() (*mark, error) { return watchMark(n) }}, nil
}

// watchMark makes a file in memory and has n watch it: each chmod of it is an event of that name (a write is none since
// Linux 6.14). The names of two that are open at the same time differ.
func watchMark(n *fsnotify.Watcher) (*mark, error) {
	fd, err := unix.MemfdCreate("maildir-imapd-mark", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), "mark")
	m := &mark{
		name:  fmt.Sprintf("/proc/self/fd/%d", fd),
		make:  func() error { return f.Chmod(0o600) },
		close: f.Close,
	}
	if err := n.Add(m.name); err != nil {
		f.Close()
		return nil, err
	}
	return m, nil
}

// onNetwork reports whether path lies on a file system that others can change
// without this kernel's knowing: statfs(2) names it.
func onNetwork(path string) bool {
	var st unix.Statfs_t
	for {
		err := unix.Statfs(path, &st)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return false
		}
		break
	}
	const ( // those that x/sys does not list
		gfs2   = 0x01161970
		lustre = 0x0bd00bd0
		ocfs2  = 0x7461636f
		gpfs   = 0x47504653
		vboxsf = 0x786f4256
	)
	// The field's type differs between architectures; the magic numbers have 32 bits.
	switch uint32(st.Type) {
	case unix.NFS_SUPER_MAGIC, unix.CIFS_SUPER_MAGIC, unix.SMB_SUPER_MAGIC, unix.SMB2_SUPER_MAGIC,
		unix.FUSE_SUPER_MAGIC, unix.V9FS_MAGIC, unix.AFS_SUPER_MAGIC, unix.AFS_FS_MAGIC,
		unix.CODA_SUPER_MAGIC, unix.NCP_SUPER_MAGIC, unix.CEPH_SUPER_MAGIC,
		gfs2, lustre, ocfs2, gpfs, vboxsf:
		return true
	}
	return false
}
