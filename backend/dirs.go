package backend

import (
	"cmp"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"maildir-imapd/internal/noreplace"

	"golang.org/x/sys/unix"
)

// dirs are the open directories of one folder.
type dirs struct {
	cur, new, tmp dir
}

// dir is an open directory of a folder, opened beneath the account's os.Root.
// Its files are reached by a single name relative to it, and symbolic links
// are not followed, so that nothing in a folder leads out of the account.
type dir struct {
	f *os.File
	// links is set where messages that are symbolic links are read (Location.FollowSymlinks): what programs such as mairix find
	// is folders of these.
	links bool
}

// openDirs opens name's cur, new and tmp beneath root.
func openDirs(root *os.Root, name string, links bool) (d dirs, err error) {
	for _, x := range []struct {
		to   *dir
		name string
	}{{&d.cur, "cur"}, {&d.new, "new"}, {&d.tmp, "tmp"}} {
		x.to.links = links
		if x.to.f, err = root.Open(name + "/" + x.name); err != nil {
			d.close()
			return dirs{}, err
		}
	}
	return d, nil
}

func (d *dirs) close() {
	for _, x := range []dir{d.cur, d.new, d.tmp} {
		if x.f != nil {
			x.f.Close()
		}
	}
}

// of returns the directory that a message lies in.
func (d *dirs) of(inNew bool) dir {
	if inNew {
		return d.new
	}
	return d.cur
}

func (d dir) fd() int { return int(d.f.Fd()) }

// fault names the operation and the file for the log, never for a client.
func (d dir) fault(op, name string, err error) error {
	if err == nil {
		return nil
	}
	return &fs.PathError{Op: op, Path: d.f.Name() + "/" + name, Err: err}
}

// open opens a message. What is no regular file is none (ErrNotExist).
func (d dir) open(name string) (*os.File, error) {
	fd, _, err := d.openFD(name)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), name), nil
}

// openFD is open for those who read the file at once.
func (d dir) openFD(name string) (fd int, st unix.Stat_t, err error) {
	flags := unix.O_RDONLY | unix.O_CLOEXEC | unix.O_NONBLOCK
	if !d.links {
		flags |= unix.O_NOFOLLOW
	}
	for {
		fd, err = unix.Openat(d.fd(), name, flags, 0)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return -1, st, d.fault("open", name, err)
		}
		if err = unix.Fstat(fd, &st); err == nil && st.Mode&unix.S_IFMT != unix.S_IFREG {
			err = unix.ENOENT
		}
		if err != nil {
			unix.Close(fd)
			return -1, st, d.fault("open", name, err)
		}
		return fd, st, nil
	}
}

// create makes a new file for writing.
func (d dir) create(name string, perm fs.FileMode) (*os.File, error) {
	fd, err := unix.Openat(d.fd(), name, unix.O_RDWR|unix.O_CREAT|unix.O_EXCL|unix.O_CLOEXEC|unix.O_NOFOLLOW, uint32(perm.Perm()))
	if err != nil {
		return nil, d.fault("create", name, err)
	}
	return os.NewFile(uintptr(fd), name), nil
}

// statMail is the status of a message, as open would find it.
func (d dir) statMail(name string) (st unix.Stat_t, err error) {
	if !d.links {
		return d.stat(name)
	}
	err = unix.Fstatat(d.fd(), name, &st, 0)
	return st, d.fault("stat", name, err)
}

// stat does not follow links.
func (d dir) stat(name string) (st unix.Stat_t, err error) {
	err = unix.Fstatat(d.fd(), name, &st, unix.AT_SYMLINK_NOFOLLOW)
	return st, d.fault("stat", name, err)
}

func (d dir) exists(name string) bool {
	_, err := d.stat(name)
	return err == nil
}

func (d dir) remove(name string) error {
	return d.fault("remove", name, unix.Unlinkat(d.fd(), name, 0))
}

// rename moves a file to another directory, or another name, of this file system. An existing file is
// not replaced (fs.ErrExist): it may be another mail.
func (d dir) rename(name string, to dir, as string) error {
	return d.fault("rename", name, noreplace.Rename(d.fd(), name, to.fd(), as))
}

// link gives a file a second name, and not a symbolic link that leads to it; an existing one is not replaced.
func (d dir) link(name string, to dir, as string) error {
	flags := 0
	if d.links {
		flags = unix.AT_SYMLINK_FOLLOW
	}
	return d.fault("link", name, unix.Linkat(d.fd(), name, to.fd(), as, flags))
}

// sync makes the directory's entries durable.
func (d dir) sync() error { return d.f.Sync() }

// names reads the names of the messages. Names that begin with a dot are none.
func (d dir) names() ([]string, error) {
	// An open directory of our own: reading moves its offset, and several may read at once.
	fd, err := unix.Openat(d.fd(), ".", unix.O_RDONLY|unix.O_CLOEXEC|unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, d.fault("open", ".", err)
	}
	f := os.NewFile(uintptr(fd), d.f.Name())
	defer f.Close()
	all, err := f.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(n string) bool { return n[0] == '.' }), nil
}

// stamp is the time at which a directory changed last, and at which that was read. It is not the mtime, which rsync -a
// and tar set back after they have put something in.
type stamp struct{ ctime, read time.Time }

func (d dir) stamp() (stamp, error) {
	read := time.Now()
	var st unix.Stat_t
	if err := unix.Fstat(d.fd(), &st); err != nil {
		return stamp{}, d.fault("stat", ".", err)
	}
	return stamp{time.Unix(st.Ctim.Unix()), read}, nil
}

// stamps are those of cur/ and new/.
func (d *dirs) stamps() (cur, new stamp, err error) {
	if cur, err = d.cur.stamp(); err == nil {
		new, err = d.new.stamp()
	}
	return cur, new, err
}

// racy is how long after a directory's last change another change may have
// left its time as it was: the coarsest clock of a file system, with a margin.
const racy = 2 * time.Second

// isFresh reports whether the directory may have changed after s without a new time.
func (s stamp) isFresh() bool { return s.read.Sub(s.ctime) < racy }

// moved reports whether the directory may have changed between s and now.
func (s stamp) moved(now stamp) bool { return !s.ctime.Equal(now.ctime) || s.isFresh() }

// sameFile reports whether two are links to one file.
func sameFile(a, b *unix.Stat_t) bool { return a.Dev == b.Dev && a.Ino == b.Ino }

// fresh makes base names that no other message has: seconds, microseconds and
// process as Dovecot writes them, the microseconds growing within the process.
var fresh = struct {
	sync.Mutex
	last int64
	host string
}{host: hostPart()}

func freshBase() string {
	fresh.Lock()
	fresh.last = max(time.Now().UnixMicro(), fresh.last+1)
	us := fresh.last
	fresh.Unlock()
	b := strconv.AppendInt(make([]byte, 0, 64), us/1e6, 10)
	b = append(b, ".M"...)
	b = strconv.AppendInt(b, us%1e6, 10)
	b = append(b, 'P')
	b = strconv.AppendInt(b, int64(os.Getpid()), 10)
	b = append(b, '.')
	return string(append(b, fresh.host...))
}

// hostPart is the host name as it may stand in a file name.
func hostPart() string {
	host, err := os.Hostname()
	if err != nil || host == "" {
		host = "localhost"
	}
	return strings.NewReplacer("/", `\057`, ":", `\072`, ",", `\054`).Replace(host)
}

// sizedBase adds the sizes in octets to a base name, so that nobody has to count again.
func sizedBase(base string, size, wire int64) string {
	return base + ",S=" + strconv.FormatInt(size, 10) + ",W=" + strconv.FormatInt(wire, 10)
}

// sizeIn reads ",S=" (key 'S') or ",W=" from a base name.
func sizeIn(base string, key byte) (int64, bool) {
	for field := range strings.SplitSeq(base, ",") {
		if len(field) > 2 && field[0] == key && field[1] == '=' {
			n, err := strconv.ParseUint(field[2:], 10, 62)
			return int64(n), err == nil
		}
	}
	return 0, false
}

// arrival orders new messages: seconds and microseconds of the name, then its octets.
type arrival struct {
	sec, usec uint64
	base      string
}

func arrivalOf(base string) arrival {
	a := arrival{base: base}
	digits := func(s string) (uint64, string) {
		i := 0
		for i < len(s) && s[i] >= '0' && s[i] <= '9' {
			i++
		}
		n, _ := strconv.ParseUint(s[:i], 10, 64)
		return n, s[i:]
	}
	var rest string
	a.sec, rest = digits(base)
	rest, _ = strings.CutPrefix(rest, ".")
	if i := strings.IndexByte(rest, 'M'); i >= 0 {
		if j := strings.IndexByte(rest, '.'); j < 0 || i < j {
			a.usec, _ = digits(rest[i+1:])
		}
	}
	return a
}

func (a arrival) compare(b arrival) int {
	return cmp.Or(cmp.Compare(a.sec, b.sec), cmp.Compare(a.usec, b.usec), strings.Compare(a.base, b.base))
}
