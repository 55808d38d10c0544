package backend

import (
	"slices"
	"sort"
)

// chunkLen is the greatest number of messages in a chunk. A change to one
// message copies this many at most, and a snapshot of n messages has about
// n/chunkLen pointers of its own.
const chunkLen = 256

// msg is one message as a snapshot has it.
type msg struct {
	name   string // file name in new/ or cur/
	modseq uint64
	flags  flags
	uid    uint32
	inNew  bool
}

// base is the part of the name that stays: up to the first ':'.
func (m *msg) base() string { return baseOf(m.name) }

// at is where the message is, as a look at names sees it.
func (m *msg) at() seen { return seen{name: m.name, inNew: m.inNew} }

// chunk is a run of messages in ascending order of UID, 1 to chunkLen of them.
// Immutable once it is part of a published snapshot.
type chunk struct {
	msgs                   []msg
	modseq                 uint64 // the greatest of them
	any, every             uint64 // flags.bits that some, and that all of them have
	unseen, deleted, inNew uint32
}

func newChunk(msgs []msg) *chunk {
	c := &chunk{msgs: msgs, every: ^uint64(0)}
	for i := range msgs {
		c.any |= msgs[i].flags.bits()
		c.every &= msgs[i].flags.bits()
		c.modseq = max(c.modseq, msgs[i].modseq)
		if !msgs[i].flags.has(flagSeen) {
			c.unseen++
		}
		if msgs[i].flags.has(flagDeleted) {
			c.deleted++
		}
		if msgs[i].inNew {
			c.inNew++
		}
	}
	return c
}

// snapshot is the messages of a folder at one instant. Immutable.
type snapshot struct {
	gen     uint64 // grows with each published snapshot of a mailbox
	chunks  []*chunk
	starts  []uint32 // starts[i] messages come before chunks[i]
	n       uint32
	uidNext uint32
	modseq  uint64 // HIGHESTMODSEQ: no message has a greater one, nor had when it was expunged
	history history
	names   *keywordNames
}

// cut sets the chunks and counts them.
func (s *snapshot) cut(chunks []*chunk) {
	s.chunks = chunks
	s.starts = make([]uint32, len(chunks))
	s.n = 0
	for i, c := range chunks {
		s.starts[i] = s.n
		s.n += uint32(len(c.msgs))
	}
}

// at returns the message with this sequence number, in 1..n.
func (s *snapshot) at(seq uint32) *msg {
	i := s.chunkOf(seq)
	return &s.chunks[i].msgs[seq-1-s.starts[i]]
}

// chunkOf returns the index of the chunk that the message with this sequence number is in.
func (s *snapshot) chunkOf(seq uint32) int {
	return sort.Search(len(s.starts), func(i int) bool { return s.starts[i] >= seq }) - 1
}

// ceil returns the sequence number of the first message with at least this
// UID, n+1 where there is none.
func (s *snapshot) ceil(uid uint32) uint32 {
	i := sort.Search(len(s.chunks), func(i int) bool {
		msgs := s.chunks[i].msgs
		return msgs[len(msgs)-1].uid >= uid
	})
	if i == len(s.chunks) {
		return s.n + 1
	}
	msgs := s.chunks[i].msgs
	j := sort.Search(len(msgs), func(j int) bool { return msgs[j].uid >= uid })
	return s.starts[i] + uint32(j) + 1
}

// find returns the message with this UID, nil where there is none, and its
// sequence number.
func (s *snapshot) find(uid uint32) (*msg, uint32) {
	seq := s.ceil(uid)
	if seq > s.n {
		return nil, 0
	}
	if m := s.at(seq); m.uid == uid {
		return m, seq
	}
	return nil, 0
}

// sum adds up one of the counts of the chunks.
func (s *snapshot) sum(of func(*chunk) uint32) (n uint32) {
	for _, c := range s.chunks {
		n += of(c)
	}
	return n
}

func (c *chunk) unseenCount() uint32  { return c.unseen }
func (c *chunk) deletedCount() uint32 { return c.deleted }
func (c *chunk) inNewCount() uint32   { return c.inNew }

// firstUnseen is the sequence number of the first message without \Seen, or 0.
func (s *snapshot) firstUnseen() uint32 {
	for i, c := range s.chunks {
		if c.unseen == 0 {
			continue
		}
		j := slices.IndexFunc(c.msgs, func(m msg) bool { return !m.flags.has(flagSeen) })
		return s.starts[i] + uint32(j) + 1
	}
	return 0
}

// all calls yield for each message in order, with its sequence number.
func (s *snapshot) all(yield func(seq uint32, m *msg) bool) {
	seq := uint32(0)
	for _, c := range s.chunks {
		for i := range c.msgs {
			seq++
			if !yield(seq, &c.msgs[i]) {
				return
			}
		}
	}
}

// with returns the chunks of s after some messages have been put in the place
// of those with the same UID (or added, where there is none), and others removed. Both
// lists are ascending. Chunks that neither touches are shared.
func (s *snapshot) with(put []msg, removed []uint32) []*chunk {
	out := make([]*chunk, 0, len(s.chunks)+len(put)/chunkLen+1)
	for i, c := range s.chunks {
		last := c.msgs[len(c.msgs)-1].uid
		np := len(put) // of these, how many belong to c
		if i < len(s.chunks)-1 || len(c.msgs) == chunkLen {
			np = sort.Search(len(put), func(k int) bool { return put[k].uid > last })
		}
		nr := sort.Search(len(removed), func(k int) bool { return removed[k] > last })
		if np == 0 && nr == 0 {
			out = append(out, c)
			continue
		}
		out = appendChunks(out, merge(c.msgs, put[:np], removed[:nr]))
		put, removed = put[np:], removed[nr:]
	}
	out = appendChunks(out, put)
	if len(out) > 8 && len(out) > 4*(count(out)/chunkLen+1) {
		return compact(out)
	}
	return out
}

// merge applies put and removed, which are ascending as msgs is.
func merge(msgs, put []msg, removed []uint32) []msg {
	out := make([]msg, 0, len(msgs)+len(put))
	for i := range msgs {
		m := &msgs[i]
		for len(put) > 0 && put[0].uid < m.uid {
			out, put = append(out, put[0]), put[1:]
		}
		for len(removed) > 0 && removed[0] < m.uid {
			removed = removed[1:]
		}
		switch {
		case len(put) > 0 && put[0].uid == m.uid:
			out, put = append(out, put[0]), put[1:]
		case len(removed) > 0 && removed[0] == m.uid:
		default:
			out = append(out, *m)
		}
	}
	return append(out, put...)
}

// appendChunks cuts msgs into chunks of their own.
func appendChunks(out []*chunk, msgs []msg) []*chunk {
	for part := range slices.Chunk(msgs, chunkLen) {
		out = append(out, newChunk(slices.Clip(part)))
	}
	return out
}

func count(chunks []*chunk) (n int) {
	for _, c := range chunks {
		n += len(c.msgs)
	}
	return n
}

// compact cuts the messages anew, after expunges have left small chunks.
func compact(chunks []*chunk) []*chunk {
	all := make([]msg, 0, count(chunks))
	for _, c := range chunks {
		all = append(all, c.msgs...)
	}
	return appendChunks(nil, all)
}

// cursor walks over the messages of a snapshot.
type cursor struct {
	s    *snapshot
	c, i int // chunk, and message in it
}

func (p *cursor) chunk() *chunk {
	if p.c == len(p.s.chunks) {
		return nil
	}
	return p.s.chunks[p.c]
}

func (p *cursor) msg() *msg { return &p.s.chunks[p.c].msgs[p.i] }

func (p *cursor) seq() uint32 { return p.s.starts[p.c] + uint32(p.i) + 1 }

func (p *cursor) next() {
	if p.i++; p.i == len(p.s.chunks[p.c].msgs) {
		p.c, p.i = p.c+1, 0
	}
}

// differ is told what makes a snapshot differ from an older one, in ascending order
// of UID.
type differ struct {
	gone    func(seq uint32, m *msg)      // in the older one only
	changed func(seq uint32, old, m *msg) // in both; seq is that of the newer
	added   func(seq uint32, m *msg)      // in the newer one only
}

// diff compares two snapshots. Chunks that they share are passed over, so that
// its cost is that of the chunks that differ.
func diff(old, new *snapshot, d differ) {
	a, b := cursor{s: old}, cursor{s: new}
	for {
		ca, cb := a.chunk(), b.chunk()
		switch {
		case ca == nil && cb == nil:
			return
		case ca == cb && a.i == b.i:
			a.c, a.i, b.c, b.i = a.c+1, 0, b.c+1, 0
		case cb == nil || ca != nil && a.msg().uid < b.msg().uid:
			d.gone(a.seq(), a.msg())
			a.next()
		case ca == nil || a.msg().uid > b.msg().uid:
			d.added(b.seq(), b.msg())
			b.next()
		default:
			if x, y := a.msg(), b.msg(); x.name != y.name || x.flags != y.flags || x.modseq != y.modseq {
				d.changed(b.seq(), x, y)
			}
			a.next()
			b.next()
		}
	}
}
