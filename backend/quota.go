package backend

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"sync"
	"time"

	"github.com/emersion/go-imap/v2"
)

// quota is the one quota root of an account, of all its mail (RFC 9208). Safe for concurrent use.
//
// maildirsize, which other programs read and write too, says how much there is: each change of ours
// adds a line to it. As it is known to lag behind what Postfix delivers and mutt deletes, the mail itself is counted
// before anything is refused, when somebody asks, and in the background every countAgain; only folders
// that have changed since the last time are read for it.
type quota struct {
	a *Account

	// counting holds a value while folders are counted. It comes after the mailbox turns and before folders.mu
	// and mu.
	counting chan struct{}
	folders  map[string]folderUsage // owned by who counts; by directory

	mu         sync.Mutex // guards the fields below; held while maildirsize is read or written
	configured Usage      // limits; all 0: those in maildirsize, if there is one
	limits     Usage      // that count
	header     Usage      // limits in maildirsize, where file is not nil
	used       Usage
	reserved   Usage       // of messages that are about to arrive
	file       os.FileInfo // of maildirsize as used has it; nil: it must be made anew
	change     uint64      // grows when used changes
	counted    time.Time
	recounting bool // in the background
}

// countAgain is how old a count may be that nothing depends on.
const countAgain = 15 * time.Minute

// maxMaildirsize is the greatest maildirsize in octets that is read: longer ones are made anew.
const maxMaildirsize = 64 << 10

var errOverQuota = &imap.Error{Type: imap.StatusResponseTypeNo, Code: imap.ResponseCodeOverQuota, Text: "Quota exceeded"}

func newQuota(a *Account) *quota { return &quota{a: a, counting: make(chan struct{}, 1)} }

// configure sets the limits of the account's location. The first count runs in the background, so that no command
// has to wait for it.
func (q *quota) configure(limits Usage) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.configured == limits {
		return
	}
	q.configured, q.file = limits, nil
	if known, err := q.lookLocked(); err == nil && !known {
		q.recountLocked()
	}
}

// limited reports whether there are limits at all.
func (q *quota) limited() bool {
	limited, _, err := q.look()
	return limited && err == nil
}

// Quota is what an account may have, and has.
type Quota struct {
	Limits Usage // 0 is no limit; at least one is not
	Used   Usage
}

// Quota counts the account's mail. It returns nil where that has no limits.
func (a *Account) Quota(ctx context.Context) (*Quota, error) {
	if limited, _, err := a.quota.look(); err != nil || !limited {
		return nil, err
	}
	if err := a.quota.count(ctx); err != nil {
		return nil, err
	}
	q := a.quota
	q.mu.Lock()
	defer q.mu.Unlock()
	return &Quota{Limits: q.limits, Used: q.used}, nil
}

// look takes notice of what others wrote to maildirsize. known is false where the mail has to be counted to know what
// is used.
func (q *quota) look() (limited, known bool, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	known, err = q.lookLocked()
	return q.limits != Usage{}, known, err
}

func (q *quota) lookLocked() (known bool, err error) {
	q.limits = q.configured
	fi, err := q.a.control.Stat(maildirsizeFile)
	if errors.Is(err, fs.ErrNotExist) {
		q.file = nil
		return q.limits == Usage{}, nil
	}
	if err != nil { // a link that leads out, say
		q.file = nil
		return false, nil
	}
	if q.file == nil || !os.SameFile(q.file, fi) || q.file.Size() != fi.Size() || !q.file.ModTime().Equal(fi.ModTime()) {
		q.file = nil
		data, err := readSmall(q.a.control, maildirsizeFile, maxMaildirsize)
		var header, used Usage
		if err == nil {
			header, used, err = parseMaildirsize(data)
		}
		if q.configured == (Usage{}) {
			q.limits = header
		}
		if err != nil {
			// What can't be read sets no limit, and is made anew where there is one.
			q.a.log().Debug("maildirsize can't be used", "err", err)
			return false, nil
		}
		if header != q.limits {
			return false, nil
		}
		q.file, q.used = fi, used
		q.change++
		q.header = header
	}
	if q.configured == (Usage{}) {
		q.limits = q.header
	}
	return true, nil
}

// reserve sets aside room for messages that are about to arrive, errOverQuota where there is not enough. arrived must be called
// in the end, with what has arrived: nothing, where that failed. No turn of a mailbox is held.
func (q *quota) reserve(ctx context.Context, add Usage) (arrived func(Usage), err error) {
	limited, known, err := q.look()
	if err != nil {
		return nil, err
	}
	if !limited {
		return func(Usage) {}, nil
	}
	if known && q.take(add) {
		return q.release(add), nil
	}
	if err := q.count(ctx); err != nil {
		return nil, err
	}
	if !q.take(add) {
		return nil, errOverQuota
	}
	return q.release(add), nil
}

// room returns errOverQuota where there is not enough, for those who are about to add so much.
func (q *quota) room(ctx context.Context, add Usage) error {
	arrived, err := q.reserve(ctx, add)
	if err == nil {
		arrived(Usage{})
	}
	return err
}

// take sets room aside if there is enough.
func (q *quota) take(add Usage) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.used.plus(q.reserved).plus(add).over(q.limits) {
		return false
	}
	q.reserved = q.reserved.plus(add)
	return true
}

func (q *quota) release(add Usage) func(Usage) {
	return func(arrived Usage) {
		q.mu.Lock()
		q.reserved = q.reserved.plus(add.negative())
		q.mu.Unlock()
		q.changed(arrived)
	}
}

// changed notes that mail has come, or gone (negative).
func (q *quota) changed(by Usage) {
	if by == (Usage{}) {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if known, err := q.lookLocked(); err != nil || q.limits == (Usage{}) {
		q.trouble(err)
		return
	} else if !known {
		q.recountLocked()
		return
	}
	if err := q.appendLocked(by); err != nil {
		q.trouble(err)
		q.file = nil // what it says is not what there is any more
		return
	}
	if q.file == nil || q.file.Size() >= maildirsizeFull || time.Since(q.counted) > countAgain {
		q.recountLocked()
	}
}

// appendLocked adds a line to maildirsize: in one write, so that lines of several programs don't mix.
func (q *quota) appendLocked(by Usage) (err error) {
	f, err := q.a.control.OpenFile(maildirsizeFile, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	fi, err := f.Stat()
	if err != nil {
		return err
	}
	if !os.SameFile(fi, q.file) || fi.Size() != q.file.Size() {
		q.file = nil // another program was in between: it is read again next time
	}
	if _, err = f.Write(appendMaildirsizeLine(nil, by)); err != nil {
		return err
	}
	q.used = q.used.plus(by)
	q.change++
	if fi, err = f.Stat(); q.file != nil {
		q.file = fi
	} else if err == nil {
		_, err = q.lookLocked()
	}
	return err
}

// recount counts the mail in the background.
func (q *quota) recount() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.recountLocked()
}

func (q *quota) recountLocked() {
	if q.recounting || q.configured == (Usage{}) && q.limits == (Usage{}) {
		return
	}
	q.recounting = q.a.inBackground(func(ctx context.Context) {
		err := safely(func() error { return q.count(ctx) })
		q.mu.Lock()
		q.recounting = false
		q.mu.Unlock()
		if ctx.Err() == nil {
			q.trouble(err)
		}
	})
}

// trouble logs an error that fails no command: the mail is where it should be.
func (q *quota) trouble(err error) {
	if err != nil {
		q.a.log().Warn("can't keep maildirsize", "err", err)
	}
}
