package backend

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"io"
	"io/fs"
	"math"
	"os"
	"time"

	"maildir-imapd/message"
	"maildir-imapd/uidmap"

	"github.com/emersion/go-imap/v2"
	"golang.org/x/sys/unix"
)

// Append begins an APPEND (or MULTIAPPEND) to name; [TRYCREATE] where it is missing, [NOPERM] where the user has no right to it,
// [OVERQUOTA] where the quota is used up. Nothing is visible before Commit. Abort must be called in the end.
func (u *User) Append(ctx context.Context, name string) (*Appender, error) {
	mb, rights, err := u.mailbox(ctx, name, RightInsert)
	if err != nil {
		return nil, tryCreate(err)
	}
	p := &Appender{mb: mb, user: u, rights: rights}
	if err := p.room(ctx, 1); err != nil {
		mb.release()
		return nil, err
	}
	return p, nil
}

// tryCreate says that CREATE would help, where it would (RFC 3501 §7.1): also for a name that is there for its children only.
func tryCreate(err error) error {
	if e := (*imap.Error)(nil); errors.As(err, &e) && (e.Code == imap.ResponseCodeNonExistent || e == errNoselect) {
		return &imap.Error{Type: e.Type, Code: imap.ResponseCodeTryCreate, Text: e.Text}
	}
	return err
}

// Appender collects the messages of one APPEND. Owned by one goroutine.
type Appender struct {
	mb      *Mailbox
	user    *User
	rights  Rights // the user's to mb, when the APPEND began
	pending []arriving
	usage   Usage // of all pending

	// Of View.Replace:
	from   *View // which has the message that goes
	credit Usage // of that
}

// room returns errOverQuota where one more message of so many octets on disk has no room.
func (p *Appender) room(ctx context.Context, size int64) error {
	return p.mb.a.quota.room(ctx, p.usage.plus(Usage{size, 1}).plus(p.credit.negative()))
}

// Announce is asked before a message is sent that has size octets on the wire: [OVERQUOTA] where there can be no room for it. Each
// CRLF is one octet on disk, so that half of them may be enough.
func (p *Appender) Announce(ctx context.Context, size int64) error { return p.room(ctx, size/2) }

// arriving is a message that is about to become one of a folder: a file, complete and on
// disk, in that folder's tmp/ or (MOVE) in another folder.
type arriving struct {
	from  dir
	name  string // in from
	base  string // file name to be
	size  int64  // of the file in octets, where it is new to the account
	names []imap.Flag
	flags flags  // names, as the folder has them
	guid  string // of the message that this one is a copy of, see guidOf; "": base
}

// Add stores one message in tmp/, with line ends as LF. binary is set for a literal8:
// MIME parts in binary are then encoded (RFC 3516 §4.4). Exactly size octets are read from r
// unless it fails. date zero means now. When Add returns, the file is on disk. [OVERQUOTA] as soon as there is no room for more.
func (p *Appender) Add(ctx context.Context, flags []imap.Flag, date time.Time, r io.Reader, size int64, binary bool) error {
	return p.Compose(ctx, flags, date, func(w io.Writer) error {
		if binary {
			return p.encode(w, r, size)
		}
		_, err := io.CopyN(w, r, size)
		return err
	})
}

// Compose is Add for a message that write puts together (RFC 4469). Where write fails, its error is
// returned and nothing stays.
func (p *Appender) Compose(ctx context.Context, flags []imap.Flag, date time.Time, write func(io.Writer) error) (err error) {
	mb := p.mb
	x := arriving{from: mb.d.tmp, base: freshBase(), names: p.rights.flags(flags)}
	x.name = x.base
	f, err := x.from.create(x.name, mb.a.filePerm)
	if errors.Is(err, fs.ErrNotExist) {
		return tryCreate(errNonExistent) // deleted since APPEND began
	} else if err != nil {
		return err
	}
	defer func() {
		if err = errors.Join(err, f.Close()); err != nil {
			err = errors.Join(err, x.from.remove(x.name))
		}
	}()
	out := bufio.NewWriterSize(f, 32<<10)
	w := message.NewLFWriter(&limited{Writer: out, p: p, ctx: ctx})
	if err := write(w); err != nil {
		return err
	}
	if err := errors.Join(w.Flush(), out.Flush()); err != nil {
		return err
	}
	if !date.IsZero() {
		if err := setTime(f, date); err != nil {
			return err
		}
	}
	if err := f.Sync(); err != nil {
		return err
	}
	x.size = w.Disk
	x.base = sizedBase(x.base, w.Disk, w.Wire)
	p.pending = append(p.pending, x)
	p.usage = p.usage.plus(Usage{x.size, 1})
	return nil
}

// checkEvery is how many octets of a message are written between two looks at the quota: a line of CATENATE can ask for gigabytes.
const checkEvery = 1 << 20

// limited is a writer that fails where there is no room for a message that is as long as this has become.
type limited struct {
	io.Writer
	p          *Appender
	ctx        context.Context // of the command that writes
	n, checked int64
}

func (l *limited) Write(b []byte) (int, error) {
	n, err := l.Writer.Write(b)
	if l.n += int64(n); err == nil && l.n-l.checked >= checkEvery {
		l.checked = l.n
		err = l.p.room(l.ctx, l.n)
	}
	return n, err
}

// encode stores what came in a literal8 as lines.
func (p *Appender) encode(w io.Writer, r io.Reader, size int64) (err error) {
	tmp, name := p.mb.d.tmp, freshBase()
	f, err := tmp.create(name, p.mb.a.filePerm)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close(), tmp.remove(name)) }()
	if _, err := io.CopyN(f, r, size); err != nil {
		return err
	}
	if err := message.EncodeBinary(w, f, size); errors.Is(err, message.ErrNUL) {
		return &imap.Error{Type: imap.StatusResponseTypeNo, Code: imap.ResponseCodeUnknownCTE, Text: "NUL octets are allowed in binary parts only"}
	} else if err != nil {
		return err
	}
	return nil
}

// setTime sets the time of last change, which is INTERNALDATE.
func setTime(f *os.File, t time.Time) error {
	// 292 years before and after 1970 are what fits into nanoseconds; most file systems know fewer.
	const second, most = int64(time.Second), math.MaxInt64/int64(time.Second) - 1
	tv := unix.NsecToTimeval(min(max(t.Unix(), -most), most)*second + int64(t.Nanosecond()))
	return unix.Futimes(int(f.Fd()), []unix.Timeval{tv, tv})
}

// Commit makes all of them visible, or none: [OVERQUOTA] where the quota has no room for all. The UIDs are in
// the order of Add; there are none for a user who may not read the mailbox (RFC 4315 §3).
func (p *Appender) Commit(ctx context.Context) (uidValidity uint32, uids []imap.UID, err error) {
	mb := p.mb
	add := p.usage
	arrived, err := mb.a.quota.reserve(ctx, add.plus(p.credit.negative()))
	if err != nil {
		return 0, nil, err
	}
	defer func() {
		if err != nil {
			add = Usage{}
		}
		arrived(add)
	}()
	if err := mb.enter(ctx); err != nil {
		return 0, nil, tryCreate(err) // deleted while the messages came
	}
	defer mb.leave()
	// A client may take hours to send a message.
	if err := p.user.rightsTo(mb).may(RightInsert); err != nil {
		return 0, nil, tryCreate(err)
	}
	if p.from != nil && !p.from.Rights().Has(RightDeleted|RightExpunge) {
		return 0, nil, errNoPerm
	}
	if err := mb.claimFlags(ctx, p.pending); err != nil {
		return 0, nil, err
	}
	if uids, err = mb.arrive(ctx, p.pending); err != nil {
		return 0, nil, err
	}
	p.pending = nil
	if !p.rights.Has(RightRead) {
		uids = nil
	}
	return mb.uidValidity, uids, nil
}

// Abort removes what Add wrote and gives the mailbox back. Call it once in the end, also after Commit.
func (p *Appender) Abort() {
	p.mb.discard(p.pending)
	p.pending = nil
	p.mb.release()
}

// discard removes files from tmp/ that are not to arrive.
func (mb *Mailbox) discard(list []arriving) {
	for _, x := range list {
		if err := x.from.remove(x.name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			mb.log.Warn("can't remove an unfinished message from tmp", "err", err)
		}
	}
}

// claimFlags turns the names of flags into those of this folder. The turn is held.
func (mb *Mailbox) claimFlags(ctx context.Context, list []arriving) (err error) {
	for i := range list {
		if list[i].flags, err = mb.flagsFor(ctx, list[i].names, true); err != nil {
			return err
		}
	}
	return nil
}

// arrive moves complete messages from tmp/ to where mail lies, and gives them UIDs, in this order: a
// kill in between leaves mail that the next look gives a UID. Where one can't be
// moved, none stays. The turn is held.
func (mb *Mailbox) arrive(ctx context.Context, list []arriving) (uids []imap.UID, err error) {
	tx, err := mb.lockKnown(ctx)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err2 := tx.Unlock(); err2 != nil {
			err = errors.Join(err, err2)
		}
	}()
	put := make([]msg, len(list))
	recs := make([]uidmap.Record, len(list))
	claim := mb.claims()
	for i, x := range list {
		m := msg{name: x.base, flags: x.flags, inNew: !claim && x.flags.sys == 0 && x.flags.letters == 0}
		if !m.inNew {
			m.name = withFlags(x.base, x.flags)
		}
		put[i], recs[i].Base, recs[i].GUID = m, x.base, x.guid
	}
	moved := 0
	defer func() {
		if err != nil {
			for i := range moved {
				err = errors.Join(err, mb.d.of(put[i].inNew).rename(put[i].name, list[i].from, list[i].name))
			}
		}
	}()
	extra := make(map[string][]int)
	for _, x := range list {
		if x.flags.more != "" {
			extra[x.base] = x.flags.extra()
		}
	}
	if len(extra) > 0 {
		if err := mb.keywords.SetExtra(ctx, extra); err != nil {
			return nil, err
		}
	}
	for i, x := range list {
		if err := x.from.rename(x.name, mb.d.of(put[i].inNew), put[i].name); err != nil {
			return nil, err
		}
		moved++
	}
	if err := mb.syncPut(put); err != nil {
		return nil, err
	}
	if err := tx.Add(recs); err != nil {
		return nil, err
	}
	moved = 0 // from here on they stay
	modseq := mb.nextModSeq()
	mb.mu.Lock()
	for i := range put {
		put[i].uid, put[i].modseq = recs[i].UID, modseq
		uids = append(uids, imap.UID(recs[i].UID))
		mb.unclaimed.add(uids[i], uids[i])
	}
	mb.mu.Unlock()
	now := mb.snap.Load()
	mb.publish(now.with(put, nil), now.names, mb.list.UIDNext())
	return uids, nil
}

// lockKnown takes the lock once all messages are known that other servers have given
// UIDs: the snapshot's UIDNEXT must not leap over them. The turn is held.
func (mb *Mailbox) lockKnown(ctx context.Context) (*uidmap.Tx, error) {
	for {
		tx, err := mb.lock(ctx)
		if err != nil || mb.list.UIDNext() == mb.snap.Load().uidNext {
			return tx, err
		}
		if err := cmp.Or(tx.Unlock(), ctx.Err()); err != nil {
			return nil, err
		}
		if mb.isGone() {
			return nil, errLost
		}
		if err := mb.scan(ctx); err != nil {
			return nil, err
		}
	}
}

// syncPut makes the directory entries of new messages durable.
func (mb *Mailbox) syncPut(put []msg) error {
	var in [2]bool
	for i := range put {
		if put[i].inNew {
			in[1] = true
		} else {
			in[0] = true
		}
	}
	var err error
	if in[0] {
		err = mb.d.cur.sync()
	}
	if in[1] {
		err = errors.Join(err, mb.d.new.sync())
	}
	return err
}
