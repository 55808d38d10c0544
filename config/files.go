package config

import (
	"crypto/tls"
	"errors"
	"io/fs"
	"os"
	"os/user"
	"slices"
	"strconv"
	"time"
)

// checkFiles checks what the settings name outside the file: the certificate,
// the users, the user to run as. Where mail lies differs from user to user and is
// looked at when one logs in.
func (c *Config) checkFiles() Problems {
	v := validator{c: c}
	readers := v.runAs()
	if c.NeedsTLS() {
		v.certificate(readers)
	}
	v.readable("auth.passwd_file", c.Auth.PasswdFile, readers)
	return v.problems
}

// runAs looks the user up. The result is nil where run_as is not set or unknown.
func (v *validator) runAs() *Identity {
	if v.c.RunAs == "" {
		return nil
	}
	id, err := LookupIdentity(v.c.RunAs)
	if err != nil {
		v.problem("run_as", "%s", err)
		return nil
	}
	if id.UID == 0 {
		v.problem("run_as", "expected the user that owns the mail, such as vmail, found %q, which is root", v.c.RunAs)
	}
	return id
}

// certificate loads the pair, as the server will.
func (v *validator) certificate(readers *Identity) {
	t := v.c.TLS
	readable := v.readable("tls.certificate", t.Certificate, readers)
	if !v.readable("tls.key", t.Key, readers) || !readable {
		return
	}
	pair, err := tls.LoadX509KeyPair(t.Certificate, t.Key)
	if err != nil {
		v.problem("tls.certificate", "%s and %s are no PEM certificate with its key: %s", t.Certificate, t.Key, err)
		return
	}
	if leaf := pair.Leaf; time.Now().After(leaf.NotAfter) {
		v.warn("tls.certificate", "%s expired at %s", t.Certificate, leaf.NotAfter.Format(time.DateTime))
	}
	if fi, err := os.Stat(t.Key); err == nil && fi.Mode().Perm()&0o007 != 0 {
		v.warn("tls.key", "%s is open to everybody on this machine (mode %04o); use chmod o= on it", t.Key, fi.Mode().Perm())
	}
}

// readable reports whether this process can read the file that setting names. It warns
// where the user that the server is to run as can't: it starts then, and can't reload.
func (v *validator) readable(setting, path string, readers *Identity) bool {
	f, err := os.Open(path)
	if err != nil {
		v.problem(setting, "can't read %s: %s", path, cause(err))
		return false
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil || !fi.Mode().IsRegular() && fi.Mode()&(fs.ModeNamedPipe|fs.ModeCharDevice) == 0 {
		v.problem(setting, "expected a file, %s is none", path)
		return false
	}
	if readers != nil && !readers.mayRead(fi) {
		v.warn(setting, "%s can't be read by %s: a reload (SIGHUP) will fail", path, v.c.RunAs)
	}
	return true
}

// cause is the error without the path that the problem's text has already.
func cause(err error) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err
	}
	return err
}

// Identity is a user of this machine with all groups.
type Identity struct {
	UID, GID int
	Groups   []int
	Home     string
}

// LookupIdentity finds a user by name.
func LookupIdentity(name string) (*Identity, error) {
	u, err := user.Lookup(name)
	if err != nil {
		return nil, err
	}
	id := &Identity{Home: u.HomeDir}
	if id.UID, err = strconv.Atoi(u.Uid); err != nil {
		return nil, err
	}
	if id.GID, err = strconv.Atoi(u.Gid); err != nil {
		return nil, err
	}
	groups, err := u.GroupIds()
	if err != nil {
		return nil, err
	}
	for _, g := range groups {
		n, err := strconv.Atoi(g)
		if err != nil {
			return nil, err
		}
		id.Groups = append(id.Groups, n)
	}
	return id, nil
}

// mayRead goes by the file's own mode bits.
func (id *Identity) mayRead(fi fs.FileInfo) bool {
	uid, gid := owner(fi)
	mode := fi.Mode().Perm()
	switch {
	case uid == id.UID:
		return mode&0o400 != 0
	case gid == id.GID || slices.Contains(id.Groups, gid):
		return mode&0o040 != 0
	}
	return mode&0o004 != 0
}
