package backend

import (
	"slices"
	"strings"
	"time"

	"maildir-imapd/message"
)

// cost says what must be looked at to decide a search key.
type cost uint8

const (
	costMemory cost = iota // the snapshot
	costMeta               // size and dates, from memory, file name or stat
	costHeader             // the file is opened, its header read
	costBody               // the whole file is read
)

// plan is a Key made ready: sets resolved, texts folded, keys that cost
// less before those that cost more. Immutable, and shared by the goroutines of a search.
type plan struct {
	op      KeyOp
	cost    cost // of the dearest key in it
	keys    []*plan
	spans   []span // KeySeq and KeyUID, as sequence numbers
	flag    func(*msg) bool
	bit     uint64    // the same in flags.bits; 0: it is not there
	at      time.Time // KeyYounger: internal date is not before this; KeyOlder: it is
	saved   bool      // save date in its place
	n       int64
	day     day // KeyBefore, KeySentBefore and their like: the day that is asked for
	field   string
	text    string // of KeyEmailID and KeyThreadID
	indexed bool   // the index may know the header fields that are looked at
	matcher *message.Matcher
}

// day is a calendar day, in such a form that days compare as numbers.
type day int

func dayOf(year int, month time.Month, mday int) day { return day((year*16+int(month))*32 + mday) }

// planSearch makes a key ready. It fails with BAD where a sequence number is greater than Len.
func (v *View) planSearch(key *Key) (_ *plan, err error) {
	p := &plan{op: key.Op, n: key.N, field: key.Field}
	switch key.Op {
	case KeyAnd, KeyOr, KeyNot:
		p.keys = make([]*plan, len(key.Keys))
		for i := range key.Keys {
			if p.keys[i], err = v.planSearch(&key.Keys[i]); err != nil {
				return nil, err
			}
			p.cost = max(p.cost, p.keys[i].cost)
		}
		slices.SortStableFunc(p.keys, func(a, b *plan) int { return int(a.cost) - int(b.cost) })
	case KeySeq:
		p.spans, err = v.spans(key.Seq)
	case KeyUID:
		p.spans, err = v.spans(key.UIDs)
	case KeyEmailID, KeyThreadID:
		p.text = key.Text
		switch {
		case len(p.text) != objectIDLen:
			p.op = KeyOr // of nothing: it is none of ours, and no message need be read
		case key.Op == KeyEmailID:
			p.cost = costBody
		default:
			p.cost = costHeader
		}
	case KeyFlag:
		p.planFlag(v, key)
	case KeyBefore, KeyOn, KeySince:
		p.saved = key.Saved
		p.cost = costMeta
		p.day = dayOf(key.Date.Date())
	case KeyYounger, KeyOlder:
		// Seconds are compared: the internal date has no fraction where a client sees it.
		p.cost = costMeta
		p.at = time.Now().Truncate(time.Second).Add(-time.Duration(key.N) * time.Second)
		if key.Op == KeyOlder {
			p.at = p.at.Add(time.Second)
		}
	case KeyLarger, KeySmaller:
		p.cost = costMeta
	case KeySentBefore, KeySentOn, KeySentSince:
		p.cost, p.indexed = costHeader, true
		p.day = dayOf(key.Date.Date())
	case KeyHeader:
		p.cost, p.indexed = costHeader, Indexed(key.Field)
		p.matcher = message.NewMatcher(key.Text)
	case KeyBody, KeyText:
		if key.Text == "" { // it is everywhere
			p.op = KeyAll
			break
		}
		p.cost = costBody
		p.matcher = message.NewMatcher(key.Text)
	}
	return p, err
}

// planFlag finds out once which bit a flag is.
func (p *plan) planFlag(v *View, key *Key) {
	bit, index := systemBit(key.Flag), v.told.names.index(key.Flag)
	switch {
	case bit != 0:
		p.bit = flags{sys: bit}.bits()
		p.flag = func(m *msg) bool { return m.flags.has(bit) }
	case strings.EqualFold(string(key.Flag), `\Recent`):
		p.op = KeyRecent
	case index >= 0:
		if index < maxLetters {
			p.bit = flags{letters: 1 << index}.bits()
		}
		p.flag = func(m *msg) bool { return m.flags.hasKeyword(index) }
	default:
		p.op = KeyOr // of nothing
	}
}
