package backend

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"sync"

	"maildir-imapd/uidmap"

	"github.com/emersion/go-maildir"
)

// Account is a tree of mail: that of one user, or one that several share. Safe for concurrent use. Mailbox names are UTF-8
// with the account's separator; INBOX in any case is INBOX.
type Account struct {
	// Immutable after openAccount.
	b                 *Backend
	key               string // in Backend.accounts
	user              string // for the log
	loc               Location
	root              *os.Root // the mail
	rootInfo          os.FileInfo
	control           *os.Root // the control files; root, where CONTROL= is not set
	index             *os.Root // where INDEX= is set to a directory that there is; or nil
	dirPerm, filePerm fs.FileMode
	validity          *uidmap.Validity
	subs              *uidmap.Subscriptions

	refs int // guarded by Backend.mu: sessions

	folders folders    // the tree, see tree.go
	lookout *lookout   // for monitors
	quota   *quota     // immutable
	subsMu  sync.Mutex // guards subs, and is held while its file is written
	acls    acls       // of a shared tree

	mu    sync.Mutex
	boxes map[string]*Mailbox // by directory
	guids map[string]folder   // of those that were opened; see ownGUID
	// closing are those that leave memory just now, by directory. Who wants one waits for its channel to be closed: two
	// Mailboxes of one folder would take each other's files for those of another process.
	closing map[string]chan struct{}
}

// openAccount opens the files of an account that is not open yet.
func openAccount(_ context.Context, b *Backend, user string, loc Location, create bool) (_ *Account, err error) {
	a := &Account{b: b, user: user, loc: loc, boxes: make(map[string]*Mailbox), guids: make(map[string]folder), closing: make(map[string]chan struct{})}
	a.lookout = newLookout(a)
	a.quota = newQuota(a)
	defer func() {
		if err != nil {
			a.closeFiles()
		}
	}()
	if create {
		if err := makeRoot(filepath.Join(loc.Root, loc.inboxDir())); err != nil {
			return nil, err
		}
	}
	if a.root, err = os.OpenRoot(loc.Root); err != nil {
		return nil, err
	}
	if fi, err := a.root.Stat(path.Join(loc.inboxDir(), "cur")); !loc.Shared && (err != nil || !fi.IsDir()) {
		return nil, errors.Join(fmt.Errorf("%s is no Maildir: it has no directory cur", loc.Root), err)
	}
	if a.rootInfo, err = a.root.Stat("."); err != nil {
		return nil, err
	}
	// As Dovecot does, all below the root has the root's permissions.
	perm := a.rootInfo.Mode().Perm()
	a.dirPerm, a.filePerm = perm|0o700, perm&0o666|0o600
	a.control = a.root
	if loc.Control != "" {
		if err := os.MkdirAll(loc.Control, a.dirPerm); err != nil {
			return nil, err
		}
		if a.control, err = os.OpenRoot(loc.Control); err != nil {
			return nil, err
		}
	}
	a.openIndex()
	o := a.mapOptions()
	a.validity = uidmap.NewValidity(a.control, ".", o)
	a.subs, err = uidmap.OpenSubscriptions(a.control, ".", loc.diskSeparator(), o)
	return a, err
}

// makeRoot makes a Maildir where there is none.
func makeRoot(root string) error {
	if err := os.MkdirAll(filepath.Dir(root), 0o700); err != nil {
		return err
	}
	return maildir.Dir(root).Init() // cur last: with it the Maildir is whole
}

func (a *Account) mapOptions() uidmap.Options {
	o := uidmap.Options{Log: a.b.o.Log.With("user", a.user), FilePerm: a.filePerm}
	if a.control != a.root {
		o.Mail = a.root
	}
	return o
}

func (a *Account) closeFiles() {
	if a.control != nil && a.control != a.root {
		a.control.Close()
	}
	if a.index != nil {
		a.index.Close()
	}
	if a.root != nil {
		a.root.Close()
	}
}

// Close gives the account back; its views must be closed before. It is called once for
// each Open.
func (a *Account) Close() error {
	a.b.done(a, 1)
	return nil
}

// AppendLimit is the greatest size of a message in octets, 0 for no limit.
func (a *Account) AppendLimit() int64 { return a.b.o.AppendLimit }

// path of a directory of the account, for the watcher and the log.
func (a *Account) path(dir string) string { return filepath.Join(a.loc.Root, dir) }

// mailbox finds a mailbox by its name, loads it where nobody has it open, and
// holds it until release.
func (a *Account) mailbox(ctx context.Context, name string) (*Mailbox, error) {
	for {
		f, err := a.folder(name)
		if err != nil {
			return nil, err
		}
		mb := a.hold(f)
		err = mb.load(ctx)
		if err == nil {
			return mb, nil
		}
		lost := mb.isGone()
		mb.release()
		if !lost || ctx.Err() != nil {
			return nil, err
		}
		// Removed while we waited for our turn, or before, and perhaps made again: take the new one.
	}
}

// hold finds or makes the Mailbox of a folder, and counts its user.
func (a *Account) hold(f folder) *Mailbox {
	a.mu.Lock()
	defer a.mu.Unlock()
	for closed := a.closing[f.Dir]; closed != nil; closed = a.closing[f.Dir] {
		a.mu.Unlock()
		<-closed
		a.mu.Lock()
	}
	mb := a.boxes[f.Dir]
	if mb == nil {
		mb = newMailbox(a, f)
		a.boxes[f.Dir] = mb
	} else if mb.refs == 0 {
		a.b.idle.remove(mb)
	}
	mb.refs++
	return mb
}

// retain holds a mailbox that the account still has.
func (a *Account) retain(mb *Mailbox) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.boxes[mb.f.Dir] != mb {
		return false
	}
	if mb.refs == 0 {
		a.b.idle.remove(mb)
	}
	mb.refs++
	return true
}

// keep counts a user more, for something that goes on in the background; the caller holds mb itself.
func (mb *Mailbox) keep() {
	mb.a.mu.Lock()
	defer mb.a.mu.Unlock()
	mb.refs++
}

// release gives a mailbox back. The last user leaves it in memory for a while.
func (mb *Mailbox) release() {
	a := mb.a
	a.mu.Lock()
	mb.refs--
	if mb.refs > 0 {
		a.mu.Unlock()
		return
	}
	keep := mb.opened.Load() && a.boxes[mb.f.Dir] == mb
	if keep {
		a.b.idle.add(mb)
	} else if a.boxes[mb.f.Dir] == mb {
		delete(a.boxes, mb.f.Dir)
	}
	a.mu.Unlock()
	if keep {
		a.b.idle.trim()
	} else {
		mb.close()
		a.b.done(a, 0)
	}
}

// evict closes a mailbox that is idle, unless somebody has taken it meanwhile.
func (a *Account) evict(mb *Mailbox) {
	a.mu.Lock()
	if mb.refs > 0 || a.boxes[mb.f.Dir] != mb {
		a.mu.Unlock()
		return
	}
	delete(a.boxes, mb.f.Dir)
	closed := make(chan struct{})
	a.closing[mb.f.Dir] = closed
	a.mu.Unlock()
	mb.close()
	a.mu.Lock()
	delete(a.closing, mb.f.Dir)
	a.mu.Unlock()
	close(closed)
	a.b.done(a, 0)
}

// drop forgets a mailbox, so that the next to ask for its name gets another. Those who
// have it, the caller among them, keep it; the last to release it closes it.
func (a *Account) drop(mb *Mailbox) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.boxes[mb.f.Dir] == mb {
		delete(a.boxes, mb.f.Dir)
	}
}

func (a *Account) noMailboxes() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.boxes) == 0 && len(a.closing) == 0
}
