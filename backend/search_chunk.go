package backend

import "sort"

// extent says how many of a chunk's messages match a key.
type extent int8

const (
	some extent = iota // one has to look
	none
	all
)

// extent judges a whole chunk, whose first message has this sequence number: few have a message that is unseen or deleted, say.
func (p *plan) extent(c *chunk, first uint32) extent {
	switch p.op {
	case KeyAll:
		return all
	case KeyAnd:
		e := all
		for _, k := range p.keys {
			switch k.extent(c, first) {
			case none:
				return none
			case some:
				e = some
			}
		}
		return e
	case KeyOr:
		e := none
		for _, k := range p.keys {
			switch k.extent(c, first) {
			case all:
				return all
			case some:
				e = some
			}
		}
		return e
	case KeyNot:
		switch p.keys[0].extent(c, first) {
		case none:
			return all
		case all:
			return none
		}
	case KeySeq, KeyUID:
		end := first + uint32(len(c.msgs))
		// The first span that does not end before the chunk.
		i := sort.Search(len(p.spans), func(i int) bool { return p.spans[i].end > first })
		switch {
		case i == len(p.spans) || p.spans[i].start >= end:
			return none
		case p.spans[i].start <= first && p.spans[i].end >= end:
			return all
		}
	case KeyFlag:
		switch {
		case p.bit == 0:
		case c.any&p.bit == 0:
			return none
		case c.every&p.bit != 0:
			return all
		}
	case KeyModSeq:
		if c.modseq < uint64(p.n) {
			return none
		}
	}
	return some
}
