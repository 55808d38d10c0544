package backend

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync/atomic"
	"time"

	"maildir-imapd/message"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
)

// searchBlock is the number of messages that a goroutine of a search takes at a time.
const searchBlock = 64

// Search returns the matching sequence numbers, ascending. Keys are evaluated in
// the order of their cost, whatever theirs: what the snapshot tells first, bodies
// last; each file is opened once at most. Messages that have vanished from the disk, or can't be
// read, match nothing. Searches that read files use several processors.
//
// Errors: *imap.Error with BAD for a sequence number above Len; those of ctx and of the file system.
func (v *View) Search(ctx context.Context, key *Key) ([]uint32, error) {
	if v.Len() == 0 {
		return nil, nil
	}
	p, err := v.planSearch(key)
	if err != nil {
		return nil, err
	}
	if p.cost == costMemory {
		return v.searchMemory(p)
	}
	blocks := make([][]uint32, (v.Len()+searchBlock-1)/searchBlock)
	workers := 1
	if p.cost >= costHeader { // else it does not last
		v.progress.start(int(v.Len()))
		workers = min(runtime.GOMAXPROCS(0), len(blocks), 8)
	}
	var next atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	for range workers {
		// A view of its own has its own memory for headers and structures.
		s := searcher{v: &View{mb: v.mb, told: v.told, recent: v.recent}}
		group.Go(func() error {
			defer s.v.Release()
			return safely(func() (err error) {
				for {
					i := int(next.Add(1)) - 1
					if i >= len(blocks) {
						return nil
					}
					if err := ctx.Err(); err != nil {
						return err
					}
					if blocks[i], err = s.block(ctx, p, uint32(i)*searchBlock+1); err != nil {
						return err
					}
					v.progress.step(searchBlock)
				}
			})
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return slices.Concat(blocks...), nil
}

// searchMemory is Search where the snapshot tells all: some nanoseconds for each message, and none for most.
func (v *View) searchMemory(p *plan) ([]uint32, error) {
	s := searcher{v: v}
	var out []uint32
	for i, c := range v.told.chunks {
		first := v.told.starts[i] + 1
		e := p.extent(c, first)
		if e == none {
			continue
		}
		for j := range c.msgs {
			s.seq, s.m = first+uint32(j), &c.msgs[j]
			ok := e == all
			if !ok {
				var err error
				if ok, err = s.eval(p); err != nil {
					return nil, err
				}
			}
			if ok {
				out = append(out, s.seq)
			}
		}
	}
	return out, nil
}

// match returns those of seqs that match. It is Search for few messages.
func (v *View) match(ctx context.Context, key *Key, seqs []uint32) (out []uint32, err error) {
	p, err := v.planSearch(key)
	if err != nil {
		return nil, err
	}
	s := searcher{v: &View{mb: v.mb, told: v.told, recent: v.recent}}
	defer s.v.Release()
	for _, seq := range seqs {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		ok, err := s.message(p, seq)
		if err != nil {
			return nil, err
		}
		if ok {
			out = append(out, seq)
		}
	}
	return out, nil
}

// passOver reports whether err says that one message has vanished, or can't be read: a link, or another user's file. It must not
// hide all others from SEARCH, SORT and THREAD. The log is told of the first.
func (mb *Mailbox) passOver(err error) bool {
	switch {
	case err == nil:
		return false
	case errors.Is(err, ErrGone):
		return true
	}
	for _, of := range []error{unix.EACCES, unix.ELOOP, unix.EIO} {
		if errors.Is(err, of) {
			mb.unreadable.Do(func() { mb.log.Error("messages that can't be read are not searched", "error", err) })
			return true
		}
	}
	return false
}

// searcher evaluates keys for one message after the other. Owned by one goroutine.
type searcher struct {
	v    *View
	seq  uint32
	m    *msg
	file *File // of m, where it was needed
	head *message.HeaderBlock

	fields message.HeaderBlock // of m, as far as the index has them
	known  bool                // it has
	asked  bool                // we have looked

	id [objectIDLen]byte
}

// block searches the messages from seq on.
func (s *searcher) block(ctx context.Context, p *plan, seq uint32) (out []uint32, err error) {
	end := min(seq+searchBlock, s.v.Len()+1)
	for ; seq < end; seq++ {
		if p.cost >= costHeader && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		ok, err := s.message(p, seq)
		if err != nil {
			return nil, err
		}
		if ok {
			out = append(out, seq)
		}
	}
	return out, nil
}

// message evaluates a plan for one message.
func (s *searcher) message(p *plan, seq uint32) (ok bool, err error) {
	s.seq, s.m = seq, s.v.told.at(seq)
	defer func() {
		if s.file != nil {
			err = errors.Join(err, s.file.Close())
			s.file, s.head = nil, nil
		}
		s.known, s.asked = false, false
		if s.v.mb.passOver(err) {
			ok, err = false, nil
		}
	}()
	return s.eval(p)
}

func (s *searcher) eval(p *plan) (bool, error) {
	switch p.op {
	case KeyAll:
		return true, nil
	case KeyAnd:
		for _, k := range p.keys {
			if ok, err := s.eval(k); !ok || err != nil {
				return false, err
			}
		}
		return true, nil
	case KeyOr:
		for _, k := range p.keys {
			if ok, err := s.eval(k); ok || err != nil {
				return ok, err
			}
		}
		return false, nil
	case KeyNot:
		ok, err := s.eval(p.keys[0])
		return !ok && err == nil, err
	case KeySeq, KeyUID:
		i, found := slices.BinarySearchFunc(p.spans, s.seq, func(x span, seq uint32) int { return int(int64(x.start) - int64(seq)) })
		return found || i > 0 && s.seq < p.spans[i-1].end, nil
	case KeyFlag:
		return p.flag(s.m), nil
	case KeyModSeq:
		return s.m.modseq >= uint64(p.n), nil
	case KeyEmailID:
		return s.objectID(p, (*View).EmailID, (*File).AppendEmailID)
	case KeyThreadID:
		return s.objectID(p, (*View).ThreadID, (*File).AppendThreadID)
	case KeyRecent:
		return s.v.recent.has(s.m.uid), nil
	case KeyBefore, KeyOn, KeySince, KeyYounger, KeyOlder:
		date := s.v.InternalDate
		if p.saved {
			date = s.v.SaveDate
		}
		t, err := date(s.seq)
		return err == nil && p.covers(t), err
	case KeyLarger, KeySmaller:
		size, err := s.v.Size(s.seq)
		if p.op == KeyLarger {
			return err == nil && size > p.n, err
		}
		return err == nil && size < p.n, err
	}
	if p.op == KeyBody || p.op == KeyText {
		return s.evalBody(p)
	}
	return s.evalHeader(p)
}

// open opens the message's file, once.
func (s *searcher) open() (err error) {
	if s.file == nil {
		s.file, err = s.v.Open(s.seq)
	}
	return err
}

// objectID compares an object ID, which is known, or is in the file.
func (s *searcher) objectID(p *plan, known func(*View, []byte, uint32) ([]byte, bool), read func(*File, []byte) ([]byte, error)) (bool, error) {
	id, ok := known(s.v, s.id[:0], s.seq)
	if !ok {
		err := s.open()
		if err != nil {
			return false, err
		}
		if id, err = read(s.file, s.id[:0]); err != nil {
			return false, err
		}
	}
	return string(id) == p.text, nil
}

// evalBody evaluates the keys that need all of the message.
func (s *searcher) evalBody(p *plan) (bool, error) {
	if err := s.open(); err != nil {
		return false, err
	}
	structure, err := s.file.Structure()
	if err != nil {
		return false, err
	}
	if p.op == KeyBody {
		return p.matcher.Body(s.file, structure)
	}
	return p.matcher.Text(s.file, structure)
}

// header returns what a key needs of the header.
func (s *searcher) header(p *plan) (_ *message.HeaderBlock, err error) {
	if s.head != nil {
		return s.head, nil
	}
	if p.indexed && !s.asked {
		s.fields, s.known = s.v.knownHeader(s.seq)
		s.asked = true
	}
	if p.indexed && s.known {
		return &s.fields, nil
	}
	if err := s.open(); err != nil {
		return nil, err
	}
	s.head, err = s.file.Header()
	return s.head, err
}

// evalHeader evaluates the keys that need the message's header.
func (s *searcher) evalHeader(p *plan) (bool, error) {
	head, err := s.header(p)
	if err != nil {
		return false, err
	}
	if p.op == KeyHeader {
		return p.matcher.Field(head, p.field), nil
	}
	year, month, mday, ok := head.SentDate()
	if !ok {
		return false, nil
	}
	return p.hasDay(dayOf(year, month, mday)), nil
}

// covers reports whether a date is one that the key asks for, in its own zone.
func (p *plan) covers(t time.Time) bool {
	switch p.op {
	case KeyYounger:
		return !t.Before(p.at)
	case KeyOlder:
		return t.Before(p.at)
	}
	return p.hasDay(dayOf(t.Date()))
}

// hasDay reports whether a day is one that the key asks for.
func (p *plan) hasDay(d day) bool {
	switch p.op {
	case KeyBefore, KeySentBefore:
		return d < p.day
	case KeyOn, KeySentOn:
		return d == p.day
	}
	return d >= p.day
}
