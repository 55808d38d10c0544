package backend

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"maildir-imapd/message"

	"golang.org/x/sync/errgroup"
)

// keyIndex is what SORT and THREAD need of the headers of a mailbox, read when it is first asked for, and
// dropped with the mailbox.
type keyIndex struct {
	table atomic.Pointer[keyTable]
	turn  chan struct{} // holds a value while somebody adds to the table

	dropped int // records that the present names still have strings of; owned by who has the turn
}

func newKeyIndex() *keyIndex {
	x := &keyIndex{turn: make(chan struct{}, 1)}
	x.table.Store(&keyTable{names: newKeyNames(), strings: []string{""}, numIDs: 1})
	return x
}

// keys returns a table that knows the messages of seqs, which is ascending; but not those that have
// vanished, or can't be read.
func (v *View) keys(ctx context.Context, seqs []uint32) (*keyTable, error) {
	x := v.mb.keyIndex
	if t := x.table.Load(); len(v.unknown(t, seqs)) == 0 {
		return t, nil
	}
	select {
	case x.turn <- struct{}{}:
		defer func() { <-x.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	t := x.table.Load()
	unknown := v.unknown(t, seqs)
	if len(unknown) == 0 {
		return t, nil
	}
	added, err := v.readKeys(ctx, t.names, unknown)
	if err != nil {
		return nil, err
	}
	t = x.merge(v, t, added)
	x.table.Store(t)
	return t, nil
}

// unknown returns those of seqs that are not in the table.
func (v *View) unknown(t *keyTable, seqs []uint32) (out []uint32) {
	next := 0
	p := cursor{s: v.told}
	for _, seq := range seqs {
		uid := p.at(seq).uid
		for next < len(t.records) && t.records[next].uid < uid {
			next++
		}
		if next == len(t.records) || t.records[next].uid != uid {
			out = append(out, seq)
		}
	}
	return out
}

// keyBlock is the number of messages in a row that a goroutine takes at a time: so many that reading ahead in the index
// pays.
const keyBlock = 512

// inBlocks calls f for all of n things, block by block, from several goroutines. Each has a view of its own, with its own memory
// for headers and for what the index knows.
func (v *View) inBlocks(ctx context.Context, n int, f func(ctx context.Context, v *View, from, to int) error) error {
	v.progress.start(n)
	var next atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	for range min(runtime.GOMAXPROCS(0), n/keyBlock+1, 8) {
		group.Go(func() error {
			return safely(func() error {
				own := &View{mb: v.mb, told: v.told}
				defer own.Release()
				for {
					from := int(next.Add(1)-1) * keyBlock
					if from >= n {
						return nil
					}
					to := min(from+keyBlock, n)
					if err := f(ctx, own, from, to); err != nil {
						return err
					}
					v.progress.step(to - from)
				}
			})
		})
	}
	return group.Wait()
}

// readKeys reads headers and returns records in any order. The turn of the keyIndex is held.
func (v *View) readKeys(ctx context.Context, names *keyNames, seqs []uint32) ([]keyRecord, error) {
	var mu sync.Mutex // guards names and records
	records := make([]keyRecord, 0, len(seqs))
	err := v.inBlocks(ctx, len(seqs), func(ctx context.Context, v *View, from, to int) error {
		var keys [32]message.SortKeys
		for part := range slices.Chunk(seqs[from:to], len(keys)) {
			if err := ctx.Err(); err != nil {
				return err
			}
			var uids [len(keys)]uint32 // 0: passed over
			for i, seq := range part {
				switch err := v.readSortKeys(seq, &keys[i]); {
				case err == nil:
					uids[i] = v.told.at(seq).uid
				case !v.mb.passOver(err):
					return err
				}
			}
			mu.Lock()
			for i := range part {
				if uids[i] != 0 {
					records = append(records, names.record(uids[i], &keys[i]))
				}
			}
			mu.Unlock()
		}
		return nil
	})
	return records, err
}

// readSortKeys reads the keys of one message. The sent date of one without is its internal date (RFC 5256 §2.2).
func (v *View) readSortKeys(seq uint32, k *message.SortKeys) (err error) {
	if rec, ok := v.remembered(seq, ofHeader); ok {
		h := message.HeaderOf(rec.Second)
		k.ReadSortKeys(&h)
		if !k.HasSent {
			k.Sent = time.Unix(0, rec.MTime).Unix()
		}
		return nil
	}
	f, err := v.Open(seq)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	h, err := f.Header()
	if err != nil {
		return err
	}
	if k.ReadSortKeys(h); !k.HasSent {
		k.Sent = time.Unix(0, f.fact.mtime).Unix()
	}
	return nil
}

// merge returns a table with the added records, and without those of messages that the mailbox and v have no more.
func (x *keyIndex) merge(v *View, old *keyTable, added []keyRecord) *keyTable {
	slices.SortFunc(added, func(a, b keyRecord) int { return int(int64(a.uid) - int64(b.uid)) })
	now := v.mb.snap.Load()
	t := &keyTable{names: old.names, records: make([]keyRecord, 0, len(old.records)+len(added))}
	a, b := cursor{s: now}, cursor{s: v.told}
	for _, r := range old.records {
		for len(added) > 0 && added[0].uid < r.uid {
			t.records, added = append(t.records, added[0]), added[1:]
		}
		if a.has(r.uid) || b.has(r.uid) {
			t.records = append(t.records, r)
		} else {
			x.dropped++
		}
	}
	t.records = append(t.records, added...)
	if x.dropped > len(t.records)+chunkLen { // most of the names are of no use any more
		t.names, x.dropped = newKeyNames(), 0
		for i := range t.records {
			t.records[i] = t.names.renumber(t.records[i], old.names)
		}
	}
	t.strings, t.numIDs = t.names.strings, len(t.names.ids)
	return t
}

// at moves on to the chunk of a sequence number and returns its message. Numbers must be asked for in ascending order.
func (p *cursor) at(seq uint32) *msg {
	for seq > p.s.starts[p.c]+uint32(len(p.s.chunks[p.c].msgs)) {
		p.c++
	}
	return &p.s.chunks[p.c].msgs[seq-1-p.s.starts[p.c]]
}

// has moves on to the first message with at least this UID and tells whether it has it. UIDs must be asked for
// in ascending order.
func (p *cursor) has(uid uint32) bool {
	for c := p.chunk(); c != nil && c.msgs[len(c.msgs)-1].uid < uid; c = p.chunk() {
		p.c, p.i = p.c+1, 0
	}
	for p.chunk() != nil && p.msg().uid < uid {
		p.next()
	}
	return p.chunk() != nil && p.msg().uid == uid
}
