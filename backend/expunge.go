package backend

import (
	"context"
	"errors"
	"io/fs"

	"github.com/emersion/go-imap/v2"
)

// Expunge removes the messages with \Deleted (of uids only, where that is not
// nil) that the client knows of. Call Sync(true) after it.
//
// Errors: *imap.Error with NOPERM; others are faults.
func (v *View) Expunge(ctx context.Context, uids *imap.UIDSet) error {
	if v.readOnly {
		return errReadOnly
	}
	if !v.Rights().Has(RightExpunge) {
		return errNoPerm
	}
	mb := v.mb
	if err := mb.enter(ctx); err != nil {
		return err
	}
	defer mb.leave()
	spans := []span{{1, v.told.n + 1}}
	if uids != nil {
		spans, _ = v.spans(*uids) // a set of UIDs never fails
	}
	for try := 0; ; try++ {
		renamed, err := v.expunge(ctx, spans)
		if err != nil || !renamed || try == 2 {
			return err
		}
		// Look what has become of it, and remove it if it is still \Deleted.
		if err := mb.scan(ctx); err != nil {
			return err
		}
	}
}

// expunge removes what it can; renamed says that another program has renamed a file meanwhile, or removed
// it. The turn is held.
func (v *View) expunge(ctx context.Context, spans []span) (renamed bool, err error) {
	mb := v.mb
	var removed []uint32
	limited := mb.a.quota.limited()
	var freed Usage
	defer func() { mb.a.quota.changed(freed.negative()) }()
	now := mb.snap.Load()
	all := 0
	for _, s := range spans {
		all += int(s.end - s.start)
	}
	v.progress.start(all)
	for _, s := range spans {
		for seq := s.start; seq < s.end && err == nil; seq++ {
			v.progress.step(1)
			m, _ := now.find(v.told.at(seq).uid)
			if m == nil || !m.flags.has(flagDeleted) {
				continue
			}
			var u Usage
			if limited {
				u = mb.usage(m)
			}
			if err = mb.removeFile(m, v); err == nil {
				removed = append(removed, m.uid)
				freed = freed.plus(u)
			} else if errors.Is(err, fs.ErrNotExist) {
				renamed, err = true, nil
			}
		}
	}
	return renamed, errors.Join(err, mb.forget(ctx, removed))
}

// removeFile takes a message out of the folder, for self at once, and for the
// other views as soon as they have been told. The turn is held.
func (mb *Mailbox) removeFile(m *msg, self *View) error {
	if buried, err := mb.bury(m, self, dir.rename); buried || err != nil {
		return err
	}
	return mb.d.of(m.inNew).remove(m.name)
}

// forget publishes that messages, in ascending order of UID, are gone, and drops
// them from the folder's files. The turn is held.
func (mb *Mailbox) forget(ctx context.Context, removed []uint32) error {
	if len(removed) == 0 {
		return nil
	}
	now := mb.snap.Load()
	var bases []string
	for _, uid := range removed {
		if m, _ := now.find(uid); m != nil && m.flags.more != "" {
			bases = append(bases, m.base())
		}
	}
	mb.history.add(mb.nextModSeq(), removed)
	mb.seal(removed)
	mb.publish(now.with(nil, removed), now.names, now.uidNext)
	mb.meta.forget(removed)
	mb.index.Forget(removed...)
	// What follows is housekeeping: a dead line in a file does no harm.
	tx, err := mb.lock(ctx)
	if err != nil {
		mb.trouble("can't drop expunged messages from the uidlist", err)
		return nil
	}
	err = tx.Forget(removed)
	if len(bases) > 0 {
		err = errors.Join(err, mb.keywords.Forget(ctx, bases))
	}
	mb.trouble("can't drop expunged messages from the uidlist", errors.Join(err, tx.Unlock()))
	return nil
}
