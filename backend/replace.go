package backend

import (
	"context"
	"errors"
	"io/fs"
)

// Replace begins a REPLACE (RFC 8508): an APPEND to name of what takes the place of a message, which Remove removes after
// Commit. What that message counts in the quota is there for the new one, if that goes to the same account. [TRYCREATE] where name is
// missing, [NOPERM] where a right is (RFC 8508 §4.1), ErrGone where the message is.
func (v *View) Replace(ctx context.Context, seq uint32, name string) (*Appender, error) {
	if v.readOnly {
		return nil, errReadOnly
	}
	if !v.Rights().Has(RightDeleted | RightExpunge) {
		return nil, errNoPerm
	}
	dst, rights, err := v.user.mailbox(ctx, name, RightInsert)
	if err != nil {
		return nil, tryCreate(err)
	}
	m, _ := v.mb.snap.Load().find(v.told.at(seq).uid)
	if m == nil {
		dst.release()
		return nil, ErrGone
	}
	p := &Appender{mb: dst, user: v.user, rights: rights, from: v}
	if dst.a == v.mb.a {
		p.credit = v.mb.usage(m)
	}
	return p, nil
}

// Gone reports whether a message that the client still sees is expunged.
func (v *View) Gone(seq uint32) bool {
	m, _ := v.mb.snap.Load().find(v.told.at(seq).uid)
	return m == nil
}

// Remove expunges one message, whether it is \Deleted or not. One that is gone already is no error.
func (v *View) Remove(ctx context.Context, seq uint32) error {
	mb := v.mb
	if err := mb.enter(ctx); err != nil {
		return err
	}
	defer mb.leave()
	for try := 0; ; try++ {
		m, _ := mb.snap.Load().find(v.told.at(seq).uid)
		if m == nil {
			return nil
		}
		usage := mb.usage(m)
		err := mb.removeFile(m, v)
		if err == nil {
			err = mb.forget(ctx, []uint32{m.uid})
			mb.a.quota.changed(usage.negative())
			return err
		}
		if !errors.Is(err, fs.ErrNotExist) || try > 2 {
			return err
		}
		if err := mb.scan(ctx); err != nil { // another program has renamed it
			return err
		}
	}
}
