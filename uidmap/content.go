package uidmap

import (
	"cmp"
	"hash/maphash"
	"slices"
	"strconv"
	"strings"
)

// content is a dovecot-uidlist in memory: the text of the file, and where its
// records lie in it.
type content struct {
	version  int // 1 or 3, as found
	validity uint32
	next     uint32 // UIDNEXT
	guid     string // 32 hex digits, or "" where the header has none
	fields   string // further header fields, each after a space
	head     string // the header line as found, without line end

	recs []rec // by ascending UID
	dead int   // how many of recs are dead
	tail int   // length of the last line, with line end; 0: there is none
	off  int64 // end of the last complete line in the file

	// torn is what follows off: a line that is being written, or whose writer
	// died. aboveTorn is UIDNEXT in the latter case; only who holds the lock can tell.
	torn      string
	aboveTorn uint32

	index index
}

// rec is one record. A hundred thousand of them cost 2.4 MB beside their text.
type rec struct {
	text string // the line from after the UID to the end of the base
	uid  uint32
	base uint16 // where the base begins in text
	dead bool   // no lookup finds it; left out at the next rewrite
}

func (r *rec) name() string { return r.text[r.base:] }

// extensions are the record's fields but for the base, each followed by a space.
func (r *rec) extensions() string { return r.text[:r.base-1] }

// field returns the value of the extension with this letter.
func (r *rec) field(letter byte) string {
	for ext := range strings.FieldsSeq(r.extensions()) {
		if ext[0] == letter {
			return ext[1:]
		}
	}
	return ""
}

func (r *rec) record() Record {
	size, _ := strconv.ParseInt(r.field('S'), 10, 64)
	wire, _ := strconv.ParseInt(r.field('W'), 10, 64)
	return Record{UID: r.uid, Base: r.name(), Size: max(size, 0), WireSize: max(wire, 0), GUID: r.field('G')}
}

// add appends a record. Of two with one name the later one counts: a message
// that was expunged and came back has the UID that it got then.
func (c *content) add(r rec) {
	if old := c.find(r.name()); old != nil && !old.dead {
		old.dead = true
		c.dead++
	}
	c.recs = append(c.recs, r)
	c.index.put(c.recs, len(c.recs)-1)
	c.next = r.uid + 1
}

// find returns the last record of this name, alive or dead, or nil.
func (c *content) find(base string) *rec {
	if len(c.index.slots) == 0 {
		return nil
	}
	if at := *c.index.slot(c.recs, base); at != 0 {
		return &c.recs[at-1]
	}
	return nil
}

func (c *content) byUID(uid uint32) *rec {
	i, ok := slices.BinarySearchFunc(c.recs, uid, func(r rec, uid uint32) int { return cmp.Compare(r.uid, uid) })
	if !ok {
		return nil
	}
	return &c.recs[i]
}

// compare reports whether a UID names different messages in c and in older, and whether c lacks messages that older has.
func (c *content) compare(older *content) (contradicts, lacks bool) {
	i := 0
	for k := range older.recs {
		o := &older.recs[k]
		for i < len(c.recs) && c.recs[i].uid < o.uid {
			i++
		}
		if i == len(c.recs) || c.recs[i].uid != o.uid {
			lacks = lacks || !o.dead
		} else if c.recs[i].name() != o.name() {
			return true, lacks
		}
	}
	return false, lacks
}

// index finds records by name: a hash table of record numbers, counted from 1, with
// linear probing; it holds no names of its own.
type index struct {
	seed  maphash.Seed
	slots []uint32 // their number is a power of two
	used  int
}

// slot is where the record of this name is, or would be. There is a free slot always.
func (x *index) slot(recs []rec, base string) *uint32 {
	mask := len(x.slots) - 1
	for i := int(maphash.String(x.seed, base)) & mask; ; i = (i + 1) & mask {
		at := x.slots[i]
		if at == 0 || recs[at-1].name() == base {
			return &x.slots[i]
		}
	}
}

// put enters recs[n], in the place of an earlier record of the same name.
func (x *index) put(recs []rec, n int) {
	if x.used*4 >= len(x.slots)*3 {
		x.grow(recs, n)
	}
	slot := x.slot(recs, recs[n].name())
	if *slot == 0 {
		x.used++
	}
	*slot = uint32(n + 1)
}

// grow makes room, entering recs[:n] again.
func (x *index) grow(recs []rec, n int) {
	size := 16
	for size*3 <= cap(recs)*4 {
		size *= 2
	}
	x.seed, x.slots, x.used = maphash.MakeSeed(), make([]uint32, size), 0
	for i := range n {
		x.put(recs, i)
	}
}
