package backend

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"slices"

	"maildir-imapd/uidmap"

	"github.com/emersion/go-imap/v2"
)

// StoreRequest is what a STORE asks for.
type StoreRequest struct {
	Op    imap.StoreFlagsOp
	Flags []imap.Flag // \Recent is ignored
	// UnchangedSince leaves out messages with a greater mod-sequence (RFC 7162 §3.1.3). nil: none.
	UnchangedSince *uint64
}

// StoreResult lists sequence numbers, ascending.
type StoreResult struct {
	// Stored are the messages that the request was done for: those that were there, but the Modified ones.
	Stored []uint32
	// Changed are those whose flags it has changed: they have a new mod-sequence.
	Changed []uint32
	// Unexpected are those whose flags are not what the client can work out by
	// itself, because another session or program had changed them; they have to be told even where it was .SILENT.
	Unexpected []uint32
	// Modified are those that UnchangedSince left out.
	Modified []uint32
}

// Store changes flags on disk and in memory (RFC 3501 §6.4.6). After it the flags of all these
// messages count as told: unless it was .SILENT the caller sends FETCH for each of them.
//
// Messages that are gone are left out, and give ErrGone once the others are done.
func (v *View) Store(ctx context.Context, seqs []uint32, r StoreRequest) (res StoreResult, err error) {
	if v.readOnly {
		return res, errReadOnly
	}
	mb := v.mb
	if r.Flags, err = v.mayStore(r); err != nil {
		return res, err
	}
	if err := mb.enter(ctx); err != nil {
		return res, err
	}
	defer mb.leave()
	set, err := mb.flagsFor(ctx, r.Flags, r.Op != imap.StoreFlagsDel)
	if err != nil {
		return res, err
	}
	todo := seqs
	if r.UnchangedSince != nil {
		if todo, res.Modified, err = v.unchangedSince(ctx, seqs, r.Op, set, *r.UnchangedSince); err != nil {
			return res, err
		}
	}
	before := mb.snap.Load()
	put, gone, err := mb.storeAll(ctx, v, todo, r.Op, set)
	// What was renamed is told even where the disk failed half-way.
	mb.publishFlags(put)
	if err != nil {
		return res, err
	}
	v.tellStored(&res, before, todo, r.Op, set)
	if gone {
		err = ErrGone
	}
	return res, err
}

// mayStore returns the flags of a STORE that the user may change. Only where he may change none the STORE fails (RFC 4314 §4).
func (v *View) mayStore(r StoreRequest) ([]imap.Flag, error) {
	may := v.Rights().flags(r.Flags)
	if len(may) == 0 && (len(r.Flags) > 0 || v.rights&flagRights == 0) {
		return nil, errNoPerm
	}
	return may, nil
}

// unchangedSince divides seqs. A message that has changed since is taken nevertheless
// where it is seen that these flags have not: RFC 7162 §3.1.12. The turn is held.
func (v *View) unchangedSince(ctx context.Context, seqs []uint32, op imap.StoreFlagsOp, set flags, since uint64) (todo, modified []uint32, err error) {
	// What other programs have changed has no mod-sequence yet where nobody has looked.
	if err := v.mb.freshen(ctx); err != nil {
		return nil, nil, err
	}
	now := v.mb.snap.Load()
	for _, seq := range seqs {
		known := v.told.at(seq)
		m, _ := now.find(known.uid)
		same := op != imap.StoreFlagsSet && m != nil && known.modseq <= since && known.flags.overlap(set) == m.flags.overlap(set)
		if m == nil || m.modseq <= since || same {
			todo = append(todo, seq)
		} else {
			modified = append(modified, seq)
		}
	}
	return todo, modified, nil
}

// storeAll renames the files of the messages; put has those that have changed. The turn is held.
func (mb *Mailbox) storeAll(ctx context.Context, v *View, seqs []uint32, op imap.StoreFlagsOp, set flags) (put []msg, gone bool, err error) {
	extra := make(map[string][]int)
	stored := 0
	v.progress.start(len(seqs))
	for _, seq := range seqs {
		v.progress.step(1)
		var m *msg
		uid := v.told.at(seq).uid
		if m, err = mb.storeOne(ctx, uid, v.rights, op, set, &put); errors.Is(err, fs.ErrNotExist) {
			gone, err = true, nil
			continue
		} else if err != nil {
			break
		} else if m == nil {
			continue
		}
		if m.flags.more != "" || mb.keywords.Extra(m.base()) != nil {
			extra[m.base()] = m.flags.extra()
		}
		put = append(put, *m)
		stored++
	}
	if err2 := mb.keywords.SetExtra(ctx, extra); err2 != nil { // none of them is on disk
		err = errors.Join(err, err2)
		for i := range put {
			put[i].flags.setExtra(slices.Clone(mb.keywords.Extra(put[i].base())))
		}
	}
	if len(put) < stored && len(extra) > 0 { // the others were published, and looked at, before their keywords were on disk, or not
		mb.publishFlags(put)
		put, mb.reread = nil, true
		err = errors.Join(err, mb.scan(ctx))
	}
	return put, gone, err
}

// storeOne changes one message and returns it as it is then, nil where nothing
// changes. ErrNotExist says that it is gone.
func (mb *Mailbox) storeOne(ctx context.Context, uid uint32, may Rights, op imap.StoreFlagsOp, set flags, done *[]msg) (*msg, error) {
	for try := 0; ; try++ {
		m, _ := mb.snap.Load().find(uid)
		if m == nil {
			return nil, fs.ErrNotExist
		}
		want := may.apply(m.flags, op, set)
		if want == m.flags {
			return nil, nil
		}
		changed := *m
		changed.flags = want
		changed.name, changed.inNew = withFlags(m.name, want), false
		if changed.name == m.name && !m.inNew {
			return &changed, nil // only keywords beyond the letters
		}
		err := mb.d.of(m.inNew).rename(m.name, mb.d.cur, changed.name)
		if err == nil {
			return &changed, nil
		}
		if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrExist) || try > 2 {
			return nil, err
		}
		// Another program has renamed or removed it, or given its new name to another mail. What this STORE has
		// renamed so far must be in the snapshot before the folder is looked at.
		mb.publishFlags(*done)
		*done = (*done)[:0]
		if err := mb.scan(ctx); err != nil {
			return nil, err
		}
	}
}

// publishFlags publishes messages whose flags have changed, all with the same mod-sequence. The turn is held.
func (mb *Mailbox) publishFlags(put []msg) {
	if len(put) == 0 {
		return
	}
	modseq := mb.nextModSeq()
	for i := range put {
		put[i].modseq = modseq
	}
	now := mb.snap.Load()
	mb.publish(now.with(put, nil), now.names, now.uidNext)
}

// tellStored notes in the view's snapshot what the client knows after a STORE, and what it has to be told. before is how
// the mailbox was.
func (v *View) tellStored(res *StoreResult, before *snapshot, seqs []uint32, op imap.StoreFlagsOp, set flags) {
	now := v.mb.snap.Load()
	put := make([]msg, 0, len(seqs)+len(res.Modified))
	tell := func(seq uint32) (known, m *msg) {
		known = v.told.at(seq)
		if m, _ = now.find(known.uid); m != nil && *m != *known {
			put = append(put, *m)
		}
		return known, m
	}
	for _, seq := range seqs {
		known, m := tell(seq)
		if m == nil {
			continue
		}
		res.Stored = append(res.Stored, seq)
		if v.rights.apply(known.flags, op, set) != m.flags {
			res.Unexpected = append(res.Unexpected, seq)
		}
		if old, _ := before.find(m.uid); old == nil || old.modseq != m.modseq {
			res.Changed = append(res.Changed, seq)
		}
	}
	for _, seq := range res.Modified {
		tell(seq)
	}
	slices.SortFunc(put, func(a, b msg) int { return cmp.Compare(a.uid, b.uid) })
	if len(put) > 0 {
		own := *v.told
		own.cut(v.told.with(put, nil))
		v.told, v.ahead = &own, true
	}
}

// flagsFor turns names into flags; create gives keywords that the folder
// does not have yet a place in its file. The turn is held.
func (mb *Mailbox) flagsFor(ctx context.Context, names []imap.Flag, create bool) (f flags, err error) {
	if len(names) == 0 {
		return f, nil
	}
	known := *mb.snap.Load().names
	var extra []int
	var missing []string
	add := func(i int) {
		if i < maxLetters {
			f.letters |= 1 << i
		} else {
			extra = append(extra, i)
		}
	}
	for _, name := range names {
		switch i := known.index(name); {
		case len(name) > 0 && name[0] == '\\':
			f.sys |= systemBit(name) // 0 for \Recent, which no client can set
		case i >= 0:
			add(i)
		case create:
			missing = append(missing, string(name))
		}
	}
	if len(missing) > 0 {
		idx, err := mb.addKeywords(ctx, missing)
		if err != nil {
			return f, err
		}
		for _, i := range idx {
			add(i)
		}
	}
	f.setExtra(extra)
	return f, nil
}

// addKeywords gives the folder new keywords and publishes their names. The turn is held.
func (mb *Mailbox) addKeywords(ctx context.Context, names []string) (idx []int, err error) {
	tx, err := mb.lock(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, tx.Unlock()) }()
	mb.keywords.Seen(mb.unnamed) // whoever has given out these letters has named them by now, or never will
	switch idx, err = mb.keywords.Add(ctx, names...); {
	case errors.Is(err, uidmap.ErrName):
		return nil, errBadKeyword
	case errors.Is(err, uidmap.ErrLimit):
		return nil, errTooManyKeywords
	case err != nil:
		return nil, err
	}
	now := mb.snap.Load()
	mb.publish(now.chunks, mb.namesNow(now), now.uidNext)
	return idx, nil
}

// What a client asks for in vain is no failure of ours, to be logged with all that it sent.
var (
	errBadKeyword      = &imap.Error{Type: imap.StatusResponseTypeNo, Code: imap.ResponseCodeCannot, Text: "A keyword is too long"}
	errTooManyKeywords = &imap.Error{Type: imap.StatusResponseTypeNo, Code: imap.ResponseCodeLimit, Text: "Too many keywords in the mailbox"}
)

var errReadOnly = &imap.Error{Type: imap.StatusResponseTypeNo, Code: imap.ResponseCodeNoPerm, Text: "Mailbox is read-only"}
