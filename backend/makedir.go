package backend

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"path"
	"strings"
	"time"
)

// sweep removes what CREATE and DELETE left behind when the server was killed. It
// runs in the background, once for each account that is opened.
func (a *Account) sweep(scratch []string) {
	if len(scratch) == 0 {
		return
	}
	a.b.background(func(context.Context) {
		for _, name := range scratch {
			fi, err := a.root.Stat(name)
			// What is young may belong to a server that is at work.
			if err == nil && strings.HasPrefix(name, scratchPrefix) && time.Since(fi.ModTime()) > time.Hour {
				a.removeScratch(place{a.root, name})
			}
		}
	})
}

// scratch is a name in the root for a directory that is being made or removed.
func scratch() string { return scratchPrefix + freshBase() }

// removeScratch removes a directory that nobody can see any more.
func (a *Account) removeScratch(p place) {
	if err := p.root.RemoveAll(p.dir); err != nil && !errors.Is(err, fs.ErrClosed) {
		a.log().Warn("can't remove a directory", "dir", p.dir, "err", err)
	}
}

// ensureMaildir makes those of cur, new and tmp that are missing, and the directory of the control
// files. A folder that has been deleted since it was found stays so: errNonExistent.
func (a *Account) ensureMaildir(f folder) error {
	if f.Name != inboxName {
		needed := f.mail.dir
		if a.loc.Layout == FS && a.loc.DirName == "" && f.mail.dir != "." {
			needed = path.Join(needed, "cur") // children keep the directory
		}
		if _, err := f.mail.root.Stat(needed); errors.Is(err, fs.ErrNotExist) {
			return errNonExistent
		} else if err != nil {
			return err
		}
	}
	if a.loc.Control != "" {
		if err := a.control.MkdirAll(f.control.dir, a.dirPerm); err != nil {
			return err
		}
	}
	return a.makeParts(f.mail)
}

// makeParts makes cur, new and tmp in a directory, and that too. cur comes last: with it
// a directory of LAYOUT=fs is a mailbox.
func (a *Account) makeParts(p place) error {
	for _, part := range []string{"tmp", "new", "cur"} {
		if err := a.mkdir(place{p.root, path.Join(p.dir, part)}); err != nil {
			return err
		}
	}
	return nil
}

// mkdir makes a directory, and those above it, with the permissions of the root, whatever the umask.
// One that is there is left as it is.
func (a *Account) mkdir(p place) error {
	err := p.root.Mkdir(p.dir, a.dirPerm)
	if errors.Is(err, fs.ErrNotExist) && p.dir != "." {
		if err := a.mkdir(place{p.root, path.Dir(p.dir)}); err != nil {
			return err
		}
		err = p.root.Mkdir(p.dir, a.dirPerm)
	}
	if errors.Is(err, fs.ErrExist) {
		if fi, err := p.root.Stat(p.dir); err != nil || fi.IsDir() {
			return err
		}
	}
	if err != nil {
		return err
	}
	fi, err := p.root.Stat(p.dir)
	if err == nil && fi.Mode().Perm() != a.dirPerm {
		err = p.root.Chmod(p.dir, a.dirPerm|fi.Mode()&fs.ModeSetgid)
	}
	return err
}

// log has the user's name.
func (a *Account) log() *slog.Logger { return a.b.o.Log.With("user", a.user) }

// syncDir makes the entries of a directory durable.
func syncDir(p place) error {
	f, err := p.root.Open(p.dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
