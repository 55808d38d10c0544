package backend

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"strings"

	"github.com/emersion/go-imap/v2"
	"golang.org/x/sys/unix"
)

// Copy copies messages to the mailbox dest: all or none (RFC 3501 §6.4.7).
// [TRYCREATE] where dest is missing, [NOPERM] where the user has no right to it, [OVERQUOTA] where there is no room for all, ErrGone where one of
// the messages is.
func (v *View) Copy(ctx context.Context, seqs []uint32, dest string) (data *imap.CopyData, err error) {
	return v.transfer(ctx, seqs, dest, true, (*transfer).copyAll)
}

// Move moves them (RFC 6851): each message is in one of the two mailboxes at
// any time. Within an account quota has no part in it: all mailboxes have the same. Those that are gone already are left out. Call Sync(true) after
// COPYUID was sent. It wants the rights of COPY, of STORE with \Deleted, and of EXPUNGE (RFC 6851 §4.2).
func (v *View) Move(ctx context.Context, seqs []uint32, dest string) (*imap.CopyData, error) {
	if v.readOnly {
		return nil, errReadOnly
	}
	if !v.Rights().Has(RightDeleted | RightExpunge) {
		return nil, errNoPerm
	}
	return v.transfer(ctx, seqs, dest, false, (*transfer).move)
}

// transfer is a COPY or MOVE under way. The turns of both mailboxes are held.
type transfer struct {
	v        *View
	src, dst *Mailbox
	rights   Rights     // to dst
	asked    int        // messages that the client named
	from     []msg      // those that are there, ascending
	to       []arriving // what they become, in the same order
	uids     []imap.UID // of these
}

// transfer copies or moves. more says that there is more mail than before then, also within one account.
func (v *View) transfer(ctx context.Context, seqs []uint32, dest string, more bool, do func(*transfer, context.Context) error) (data *imap.CopyData, err error) {
	dst, rights, err := v.user.mailbox(ctx, dest, RightInsert)
	if err != nil {
		return nil, tryCreate(err)
	}
	defer dst.release()
	if more || dst.a != v.mb.a {
		var add Usage
		if dst.a.quota.limited() || !more && v.mb.a.quota.limited() {
			for _, seq := range seqs {
				add = add.plus(v.mb.usage(v.told.at(seq)))
			}
		}
		arrived, err2 := dst.a.quota.reserve(ctx, add)
		if err2 != nil {
			return nil, err2
		}
		defer func() {
			if err != nil {
				add = Usage{}
			}
			arrived(add)
			if !more {
				v.mb.a.quota.changed(add.negative())
			}
		}()
	}
	leave, err := enterBoth(ctx, v.mb, dst)
	if err != nil {
		return nil, err
	}
	defer leave()
	for try := 0; ; try++ {
		t := &transfer{v: v, src: v.mb, dst: dst, rights: rights, asked: len(seqs)}
		if err = t.pick(ctx, seqs); err == nil {
			err = do(t, ctx)
		}
		if errors.Is(err, fs.ErrNotExist) {
			if try == 3 {
				return nil, ErrGone // a link to nothing, say
			}
			// Another program has renamed or removed one of them: look, and try again.
			if err = t.src.scan(ctx); err == nil {
				continue
			}
		}
		if err != nil {
			return nil, err
		}
		return t.data(), nil
	}
}

// enterBoth takes the turns of two mailboxes in the order of their paths.
func enterBoth(ctx context.Context, a, b *Mailbox) (leave func(), err error) {
	if a == b {
		return a.leave, a.enter(ctx)
	}
	if a.path > b.path {
		a, b = b, a
	}
	if err := a.enter(ctx); err != nil {
		return nil, err
	}
	if err := b.enter(ctx); err != nil {
		a.leave()
		return nil, err
	}
	return func() { b.leave(); a.leave() }, nil
}

// pick finds the messages and their flags in the destination.
func (t *transfer) pick(ctx context.Context, seqs []uint32) error {
	now := t.src.snap.Load()
	known := make(map[flags]flags) // in the source, in the destination
	for _, seq := range seqs {
		m, _ := now.find(t.v.told.at(seq).uid)
		if m == nil {
			continue
		}
		f, ok := known[m.flags]
		if !ok {
			var err error
			if f, err = t.dst.flagsFor(ctx, t.rights.flags(m.flags.names(*now.names)), true); err != nil {
				return err
			}
			known[m.flags] = f
		}
		t.from = append(t.from, *m)
		t.to = append(t.to, arriving{base: freshBase() + sizesOf(m.base()), flags: f, guid: t.src.guidOf(m)})
	}
	return nil
}

// guidOf returns the GUID by which Dovecot knows a message: the G of its line in dovecot-uidlist, else the base name with
// which it came into being. A copy has that of its original, as Dovecot writes it. "" is for a base name that no G can
// hold: then the copy's is another. The turn is held.
func (mb *Mailbox) guidOf(m *msg) string {
	base := m.base()
	if rec, ok := mb.list.Lookup(base); ok && rec.UID == m.uid && rec.GUID != "" {
		return rec.GUID
	}
	if strings.ContainsFunc(base, func(c rune) bool { return c <= ' ' || c == 0x7f }) {
		return ""
	}
	return base
}

// sizesOf returns the ",S=" and ",W=" of a base name, for the copy has the same.
func sizesOf(base string) (s string) {
	size, ok := sizeIn(base, 'S')
	if wire, ok2 := sizeIn(base, 'W'); ok && ok2 {
		return sizedBase("", size, wire)
	}
	return ""
}

// copyAll copies all messages that the client named.
func (t *transfer) copyAll(ctx context.Context) error {
	if len(t.from) < t.asked {
		return ErrGone
	}
	return t.copy(ctx)
}

// copy links the messages into the destination's tmp/, and lets them arrive.
func (t *transfer) copy(ctx context.Context) (err error) {
	linked := 0
	defer func() {
		if err != nil {
			t.dst.discard(t.to[:linked])
		}
	}()
	t.v.progress.start(len(t.to))
	for i := range t.to {
		if err := t.toTmp(i); err != nil {
			return err
		}
		linked++
		t.v.progress.step(1)
	}
	t.uids, err = t.dst.arrive(ctx, t.to)
	return err
}

// toTmp brings message i to the destination's tmp/: as a link, or as a copy where
// links can't be had.
func (t *transfer) toTmp(i int) error {
	m, x := &t.from[i], &t.to[i]
	x.from, x.name = t.dst.d.tmp, x.base
	err := t.src.d.of(m.inNew).link(m.name, x.from, x.name)
	if noLink(err) {
		return copyFile(t.src.d.of(m.inNew), m.name, x.from, x.name, t.dst.a.filePerm)
	}
	return err
}

// noLink reports whether err says that a file can't have a second name there.
func noLink(err error) bool {
	return errors.Is(err, unix.EXDEV) || errors.Is(err, unix.EMLINK) || errors.Is(err, unix.EPERM) || errors.Is(err, unix.EOPNOTSUPP)
}

// copyFile copies a file with its time of change (INTERNALDATE) and makes it durable.
func copyFile(from dir, name string, to dir, as string, perm fs.FileMode) (err error) {
	in, err := from.open(name)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := to.create(as, perm)
	if err != nil {
		return err
	}
	defer func() {
		if err = errors.Join(err, out.Close()); err != nil {
			err = errors.Join(err, to.remove(as))
		}
	}()
	fi, err := in.Stat()
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		return err
	}
	if err := setTime(out, fi.ModTime()); err != nil {
		return err
	}
	return out.Sync()
}

// move renames the messages out of the source into the destination. What other
// sessions still see in the source keeps a link in its tmp/.
func (t *transfer) move(ctx context.Context) (err error) {
	if err := t.arrive(ctx); errors.Is(err, errAcross) {
		return t.moveAcross(ctx)
	} else if err != nil {
		return err
	}
	return t.left(ctx, t.sources())
}

// errAcross says that the messages can't be moved by renames.
var errAcross = errors.New("on another file system, or on one without links")

// arrive moves the messages to the destination. The source does not know yet.
func (t *transfer) arrive(ctx context.Context) (err error) {
	across := false
	t.v.progress.start(len(t.to))
	for i := range t.to {
		t.v.progress.step(1)
		m := &t.from[i]
		t.to[i].from, t.to[i].name = t.src.d.of(m.inNew), m.name
		if _, err = t.src.bury(m, t.v, dir.link); err != nil {
			across = noLink(err)
			break
		}
	}
	if err == nil {
		t.uids, err = t.dst.arrive(ctx, t.to)
		across = errors.Is(err, unix.EXDEV)
	}
	if err != nil {
		t.src.unbury(t.from)
	}
	if across {
		return errAcross
	}
	return err
}

// moveAcross moves to another file system, or on one without links: a copy, and
// only when that is safe the removal.
func (t *transfer) moveAcross(ctx context.Context) error {
	if err := t.copy(ctx); err != nil {
		return err
	}
	return t.remove(ctx, t.sources())
}

// remove takes the messages that were copied out of the source. One that another program has renamed meanwhile is looked for; where that does not find it in
// the end it stays, for the next look to decide.
func (t *transfer) remove(ctx context.Context, uids []uint32) error {
	for try := 0; ; try++ {
		var gone, missed []uint32
		var err error
		now := t.src.snap.Load()
		for _, uid := range uids {
			m, _ := now.find(uid)
			if m == nil {
				continue // removed by another program, too
			}
			switch err2 := t.src.removeFile(m, t.v); {
			case err2 == nil:
				gone = append(gone, uid)
			case errors.Is(err2, fs.ErrNotExist):
				missed = append(missed, uid)
			default:
				err = errors.Join(err, err2)
			}
		}
		if err = errors.Join(err, t.left(ctx, gone)); err != nil || len(missed) == 0 || try == 2 {
			return err
		}
		if err := t.src.scan(ctx); err != nil {
			return err
		}
		uids = missed
	}
}

// sources are the UIDs of the messages in the source.
func (t *transfer) sources() []uint32 {
	uids := make([]uint32, len(t.from))
	for i := range t.from {
		uids[i] = t.from[i].uid
	}
	return uids
}

// left tells that messages have left the source.
func (t *transfer) left(ctx context.Context, gone []uint32) error {
	t.src.trouble("can't sync the folder that messages were moved from", errors.Join(t.src.d.cur.sync(), t.src.d.new.sync()))
	return t.src.forget(ctx, gone)
}

// data is the COPYUID of the transfer (RFC 4315 §3), without UIDs for a user who may not read the destination.
func (t *transfer) data() *imap.CopyData {
	d := &imap.CopyData{UIDValidity: t.dst.uidValidity}
	if !t.rights.Has(RightRead) {
		return d
	}
	for i, uid := range t.uids {
		d.SourceUIDs.AddNum(imap.UID(t.from[i].uid))
		d.DestUIDs.AddNum(uid)
	}
	return d
}
