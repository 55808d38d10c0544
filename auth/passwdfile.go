package auth

import (
	"context"
	"errors"
	"io/fs"
	"iter"
	"log/slog"
	"maps"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Options of a PasswdFile; the zero value of each field means its default.
type Options struct {
	Log *slog.Logger
	// CacheTTL is how long a password that was verified once need not be hashed
	// again, for clients that log in many times a second. 0: always hash. A changed
	// user file counts at once all the same.
	CacheTTL time.Duration
}

// PasswdFile is a user database in a file, in Dovecot's passwd-file format (see
// parseUserLine). It reads the file again by itself when it has changed, which it
// looks for once a second at most, when somebody logs in. Safe for concurrent use.
type PasswdFile struct {
	log   *slog.Logger
	slots chan struct{} // held while hashing: more at once than CPUs make all slow
	cache *cache

	users atomic.Pointer[userTable]

	mu         sync.Mutex // guards the rest, and the replacement of users
	path       string
	checked    time.Time
	checkEvery time.Duration
	lastErr    string // why the file could not be read at the last try, "" if it could
}

var _ Database = (*PasswdFile)(nil)

// OpenPasswdFile reads the user file at path. Lines that can't be used are logged
// and are in Problems; the users of the others can log in.
func OpenPasswdFile(path string, o Options) (*PasswdFile, error) {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	p := &PasswdFile{
		log:        o.Log,
		slots:      make(chan struct{}, runtime.NumCPU()),
		cache:      newCache(o.CacheTTL),
		checkEvery: time.Second,
	}
	if err := p.Reload(path); err != nil {
		return nil, err
	}
	return p, nil
}

// Reload reads the user file at path, which may be another than before, and has it
// count from now on. When it fails, what was read before goes on to count.
func (p *PasswdFile) Reload(path string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.loadLocked(path); err != nil {
		return err
	}
	p.path, p.lastErr = path, ""
	return nil
}

func (p *PasswdFile) loadLocked(path string) error {
	p.checked = time.Now()
	t, err := readUserTable(path)
	if err != nil {
		return err
	}
	for _, problem := range t.problems {
		p.log.Warn("user file: " + problem.Error())
	}
	p.users.Store(t)
	return nil
}

// refresh reads the file again if it has changed and the last look is so long ago. While
// one goroutine does that, the others go on with what there is.
func (p *PasswdFile) refresh(every time.Duration) {
	if !p.mu.TryLock() {
		return
	}
	defer p.mu.Unlock()
	if time.Since(p.checked) < every {
		return
	}
	p.checked = time.Now()
	info, err := os.Stat(p.path)
	if err == nil {
		if stampOf(info) == p.users.Load().stamp {
			p.lastErr = ""
			return
		}
		if err = p.loadLocked(p.path); err == nil {
			p.lastErr = ""
			p.log.Info("user file: read again", "path", p.path, "users", len(p.users.Load().users))
			return
		}
	}
	if s := err.Error(); s != p.lastErr {
		p.lastErr = s
		p.log.Error("user file: can't be read again, the users known so far stay", "err", err)
	}
}

// Problems returns what is wrong with the lines of the file that were not used, each
// with file and line.
func (p *PasswdFile) Problems() []error { return p.users.Load().problems }

// Len returns the number of users.
func (p *PasswdFile) Len() int { return len(p.users.Load().users) }

// All gives the users who can log in here with the right password, and their lines in the file, in
// their order.
func (p *PasswdFile) All() iter.Seq2[int, *User] {
	byLine := func(a, b *entry) int { return a.line - b.line }
	all := slices.SortedFunc(maps.Values(p.users.Load().users), byLine)
	return func(yield func(int, *User) bool) {
		for _, e := range all {
			if e.refusal == "" && (e.user.Referral == nil || !e.user.Referral.Only) && !yield(e.line, e.copyUser()) {
				return
			}
		}
	}
}

// Lookup returns a user without asking for the password, ErrInvalid if there is
// none of that name.
func (p *PasswdFile) Lookup(name string) (*User, error) {
	p.refresh(p.checkEvery)
	if e, ok := p.users.Load().users[Normalize(name)]; ok {
		return e.copyUser(), nil
	}
	return nil, invalid("no such user")
}

// Verify implements Database. It waits for a CPU to hash on until ctx ends; its
// error is ctx's then. An error that is ErrInvalid says in its text, for the log,
// what was wrong.
func (p *PasswdFile) Verify(ctx context.Context, name, password string) (*User, error) {
	if !plausible(name, password) {
		return nil, invalid("malformed name or password")
	}
	p.refresh(p.checkEvery)
	name = Normalize(name)
	t := p.users.Load()
	e, known := t.users[name]
	if !known {
		// An administrator who has just added somebody does not wait for the next look: a look
		// is nothing beside the slow hash that follows.
		p.refresh(0)
		t = p.users.Load()
		e, known = t.users[name]
	}
	hash := t.dummy
	if known && e.refusal == "" {
		hash = e.password
	}
	right, err := p.matches(ctx, name, hash, password)
	switch {
	case err != nil:
		return nil, err
	case !known:
		return nil, invalid("no such user")
	case e.refusal != "":
		return nil, invalid(e.refusal)
	case !right:
		return nil, invalid("wrong password")
	case !e.allowedFrom(ctx):
		return nil, invalid("allow_nets has no network with the client's address")
	}
	return e.copyUser(), nil
}

// matches reports whether password is the one of hash. hash is "" if nobody in the
// file has a password: there is nobody whose absence could be told then.
func (p *PasswdFile) matches(ctx context.Context, name, hash, password string) (bool, error) {
	if hash == "" {
		return false, nil
	}
	key := p.cache.key(name, hash, password)
	if p.cache.has(key) {
		return true, nil
	}
	s, err := parseStored(hash)
	if err != nil {
		return false, err // not so: it was parsed when it was read
	}
	if s.slow {
		select {
		case p.slots <- struct{}{}:
			defer func() { <-p.slots }()
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}
	if !s.verify(name, password) {
		return false, nil
	}
	p.cache.add(key)
	return true, nil
}

// copyUser returns e's User for a caller to keep.
func (e *entry) copyUser() *User {
	u := e.user
	u.Extra = maps.Clone(u.Extra)
	return &u
}

// invalidError is ErrInvalid with the reason for the log.
type invalidError string

func invalid(reason string) error      { return invalidError(reason) }
func (e invalidError) Error() string   { return string(e) }
func (invalidError) Is(err error) bool { return err == ErrInvalid }

// stamp tells one state of a file from another.
type stamp struct {
	mtime int64
	size  int64
	ino   uint64
}

func stampOf(info fs.FileInfo) stamp {
	s := stamp{mtime: info.ModTime().UnixNano(), size: info.Size()}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		s.ino = uint64(st.Ino)
	}
	return s
}

// readUserTable reads a user file whole.
func readUserTable(path string) (*userTable, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return nil, &fs.PathError{Op: "read", Path: path, Err: errors.New("is a directory")}
	}
	t, err := parseUserFile(path, f)
	if err != nil {
		return nil, err
	}
	// A file that was changed just now may be changed again within the same tick of
	// its time stamp: its stamp stays zero, and it is read again next time.
	if time.Since(info.ModTime()) > 2*time.Second {
		t.stamp = stampOf(info)
	}
	return t, nil
}
