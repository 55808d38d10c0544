package watcher

import (
	"errors"
	"time"

	"golang.org/x/sys/unix"
)

const defaultPollInterval = 10 * time.Second

var hostSystem = system{open: openFsnotify, stat: statDir, network: onNetwork}

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
