package backend

import (
	"slices"
	"strings"
	"sync"

	"maildir-imapd/message"
)

// The strings that SORT compares, as indexes into keyRecord.strings.
const (
	subjectKey = iota
	fromKey
	toKey
	ccKey
	displayFromKey
	displayToKey
	stringKeys
)

func (k SortKey) stringKey() int { return int(k-SortSubject) + subjectKey }

// keyRecord is what SORT and THREAD compare of a message. Strings and message IDs are numbers of a keyNames.
type keyRecord struct {
	uid     uint32
	sent    int64              // seconds since 1970
	strings [stringKeys]uint32 // 0: empty
	reply   bool               // the subject is that of a reply
	id      uint32             // 0: none
	refs    []uint32           // the oldest first; immutable
}

// keyTable is what is known of the headers of a mailbox. Immutable, and shared by all sessions.
type keyTable struct {
	records []keyRecord // ascending by UID
	names   *keyNames
	strings []string // those of names that there were when the table was made
	numIDs  int      // likewise
}

// find sets the records of items, which are ascending, and drops those that have none.
func (t *keyTable) find(v *View, items []sortItem) []sortItem {
	kept := items[:0]
	next := uint32(0) // record
	p := cursor{s: v.told}
	for _, it := range items {
		uid := p.at(it.seq).uid
		for int(next) < len(t.records) && t.records[next].uid < uid {
			next++
		}
		if int(next) == len(t.records) {
			break
		}
		if t.records[next].uid == uid {
			it.record = next
			kept = append(kept, it)
		}
	}
	return kept
}

// ranks returns the place of each string, by its number, in the order of the collation.
func (t *keyTable) ranks() []uint32 { return t.names.order.ranks(t.strings) }

// keyNames gives numbers to strings and message IDs, so that each is kept once. Both
// only grow; whoever adds to it holds keyIndex.turn.
type keyNames struct {
	stringOf map[string]uint32
	strings  []string // by number
	idOf     map[message.ID]uint32
	ids      []message.ID
	order    keyOrder
}

// keyOrder is the order of strings, made when somebody sorts by it. Safe for concurrent use.
type keyOrder struct {
	mu     sync.Mutex
	sorted []uint32 // numbers of strings
	rank   []uint32 // by number: the place in sorted. Immutable
}

// ranks returns the ranks of strings, and maybe of more that come after them. Strings that were added since the last
// time are sorted, and merged into the others.
func (o *keyOrder) ranks(all []string) []uint32 {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.rank) >= len(all) {
		return o.rank
	}
	var added []uint32
	for n := len(o.rank); n < len(all); n++ {
		added = append(added, uint32(n))
	}
	byString := func(a, b uint32) int { return strings.Compare(all[a], all[b]) }
	slices.SortFunc(added, byString)
	sorted, known := make([]uint32, 0, len(all)), o.sorted
	for _, n := range added {
		i, _ := slices.BinarySearchFunc(known, n, byString)
		sorted = append(append(sorted, known[:i]...), n)
		known = known[i:]
	}
	o.sorted = append(sorted, known...)
	o.rank = make([]uint32, len(all))
	for place, n := range o.sorted {
		o.rank[n] = uint32(place)
	}
	return o.rank
}

func newKeyNames() *keyNames {
	return &keyNames{
		stringOf: map[string]uint32{"": 0}, strings: []string{""},
		idOf: map[message.ID]uint32{0: 0}, ids: []message.ID{0},
	}
}

// string returns the number of a string; 0 is that of "".
func (x *keyNames) string(b []byte) uint32 {
	n, ok := x.stringOf[string(b)]
	if !ok {
		n = uint32(len(x.strings))
		s := string(b)
		x.strings, x.stringOf[s] = append(x.strings, s), n
	}
	return n
}

// id returns the number of a message ID; 0 is that of none.
func (x *keyNames) id(id message.ID) uint32 {
	n, ok := x.idOf[id]
	if !ok {
		n = uint32(len(x.ids))
		x.ids, x.idOf[id] = append(x.ids, id), n
	}
	return n
}

// record makes a record.
func (x *keyNames) record(uid uint32, k *message.SortKeys) keyRecord {
	r := keyRecord{
		uid: uid, sent: k.Sent, reply: k.Reply, id: x.id(k.MessageID),
		strings: [stringKeys]uint32{x.string(k.Subject), x.string(k.From), x.string(k.To), x.string(k.Cc), x.string(k.DisplayFrom), x.string(k.DisplayTo)},
	}
	if len(k.References) > 0 {
		r.refs = make([]uint32, len(k.References))
		for i, id := range k.References {
			r.refs[i] = x.id(id)
		}
	}
	return r
}

// renumber makes a record of one with numbers of other names.
func (x *keyNames) renumber(r keyRecord, old *keyNames) keyRecord {
	for i, n := range r.strings {
		r.strings[i] = x.string([]byte(old.strings[n]))
	}
	r.id = x.id(old.ids[r.id])
	r.refs = slices.Clone(r.refs)
	for i, n := range r.refs {
		r.refs[i] = x.id(old.ids[n])
	}
	return r
}
