package imapd

import (
	"strings"

	"maildir-imapd/backend"
	"maildir-imapd/imapd/wire"

	"github.com/emersion/go-imap/v2"
)

// searchKey is a row of the table of search keys.
type searchKey struct {
	cap string // the capability it belongs to; without that it is unknown
	// parse takes what follows the name.
	parse func(s *search, d *wire.Decoder) backend.Key
}

// searchKeys is the table of search keys (RFC 3501 §6.4.4) but sets, NOT, OR and lists, which
// parseKey knows.
var searchKeys = map[string]searchKey{
	"ALL":               {parse: plainKey(backend.Key{Op: backend.KeyAll})},
	"ANSWERED":          {parse: plainKey(flagKey(imap.FlagAnswered))},
	"BCC":               {parse: headerKey("Bcc")},
	"BEFORE":            {parse: dateKey(backend.KeyBefore)},
	"BODY":              {parse: textKey(backend.KeyBody)},
	"CC":                {parse: headerKey("Cc")},
	"DELETED":           {parse: plainKey(flagKey(imap.FlagDeleted))},
	"DRAFT":             {parse: plainKey(flagKey(imap.FlagDraft))},
	"EMAILID":           {cap: "OBJECTID", parse: objectIDKey(backend.KeyEmailID)},
	"THREADID":          {cap: "OBJECTID", parse: objectIDKey(backend.KeyThreadID)},
	"FLAGGED":           {parse: plainKey(flagKey(imap.FlagFlagged))},
	"FROM":              {parse: headerKey("From")},
	"HEADER":            {parse: (*search).parseHeader},
	"KEYWORD":           {parse: (*search).parseKeyword},
	"LARGER":            {parse: sizeKey(backend.KeyLarger)},
	"MODSEQ":            {cap: "CONDSTORE", parse: (*search).parseModSeq},
	"NEW":               {parse: plainKey(newKey)},
	"OLD":               {parse: plainKey(notKey(recentKey))},
	"OLDER":             {cap: "WITHIN", parse: intervalKey(backend.KeyOlder)},
	"ON":                {parse: dateKey(backend.KeyOn)},
	"RECENT":            {parse: plainKey(recentKey)},
	"SAVEDATESUPPORTED": {cap: "SAVEDATE", parse: plainKey(backend.Key{Op: backend.KeyAll})},
	"SAVEDBEFORE":       {cap: "SAVEDATE", parse: savedKey(backend.KeyBefore)},
	"SAVEDON":           {cap: "SAVEDATE", parse: savedKey(backend.KeyOn)},
	"SAVEDSINCE":        {cap: "SAVEDATE", parse: savedKey(backend.KeySince)},
	"SEEN":              {parse: plainKey(flagKey(imap.FlagSeen))},
	"SENTBEFORE":        {parse: dateKey(backend.KeySentBefore)},
	"SENTON":            {parse: dateKey(backend.KeySentOn)},
	"SENTSINCE":         {parse: dateKey(backend.KeySentSince)},
	"SINCE":             {parse: dateKey(backend.KeySince)},
	"SMALLER":           {parse: sizeKey(backend.KeySmaller)},
	"SUBJECT":           {parse: headerKey("Subject")},
	"TEXT":              {parse: textKey(backend.KeyText)},
	"TO":                {parse: headerKey("To")},
	"UID":               {parse: (*search).parseUID},
	"UNANSWERED":        {parse: plainKey(notKey(flagKey(imap.FlagAnswered)))},
	"UNDELETED":         {parse: plainKey(notKey(flagKey(imap.FlagDeleted)))},
	"UNDRAFT":           {parse: plainKey(notKey(flagKey(imap.FlagDraft)))},
	"UNFLAGGED":         {parse: plainKey(notKey(flagKey(imap.FlagFlagged)))},
	"UNKEYWORD":         {parse: (*search).parseUnkeyword},
	"UNSEEN":            {parse: plainKey(notKey(flagKey(imap.FlagSeen)))},
	"YOUNGER":           {cap: "WITHIN", parse: intervalKey(backend.KeyYounger)},
}

var (
	recentKey = backend.Key{Op: backend.KeyRecent}
	newKey    = backend.Key{Op: backend.KeyAnd, Keys: []backend.Key{recentKey, notKey(flagKey(imap.FlagSeen))}}
)

func flagKey(f imap.Flag) backend.Key { return backend.Key{Op: backend.KeyFlag, Flag: f} }

func notKey(k backend.Key) backend.Key {
	return backend.Key{Op: backend.KeyNot, Keys: []backend.Key{k}}
}

// parseKeys takes one or more keys, all of which must match.
func (s *search) parseKeys(d *wire.Decoder) backend.Key {
	keys := []backend.Key{s.parseKey(d)}
	for d.Try(' ') {
		keys = append(keys, s.parseKey(d))
	}
	if len(keys) == 1 {
		return keys[0]
	}
	return backend.Key{Op: backend.KeyAnd, Keys: keys}
}

func (s *search) parseKey(d *wire.Decoder) (k backend.Key) {
	if s.keys++; s.keys > maxSearchKeys {
		s.refuse(d)
		return k
	}
	switch c := d.Peek(); {
	case c == '(':
		d.Expect('(')
		k = s.parseKeys(d)
		d.Expect(')')
		return k
	case c == '*', c == '$', '0' <= c && c <= '9':
		set := d.SeqSet()
		if s.c.uidOnly && !imap.IsSearchRes(set) && !s.checking { // RFC 9586 §3.5
			d.Refuse(errUIDRequired)
		}
		return s.setKey(set)
	}
	switch name := d.Keyword("a search key"); name {
	case "NOT":
		d.SP()
		return notKey(s.parseKey(d))
	case "OR":
		return s.parseOr(d)
	case "FILTER":
		if !s.c.has("FILTERS") {
			d.Fail("a known search key")
			return k
		}
		return s.parseFilter(d)
	default:
		key, ok := searchKeys[name]
		if !ok || key.cap != "" && !s.c.has(key.cap) {
			d.Fail("a known search key")
			return k
		}
		return key.parse(s, d)
	}
}

// parseOr takes the two keys of OR. Where the second is an OR again, as in lists that clients write, it becomes part of
// this one, so that the tree is flat.
func (s *search) parseOr(d *wire.Decoder) backend.Key {
	var keys []backend.Key
	for {
		d.SP()
		keys = append(keys, s.parseKey(d))
		d.SP()
		if !d.TryKeyword("OR") {
			return backend.Key{Op: backend.KeyOr, Keys: append(keys, s.parseKey(d))}
		}
	}
}

func (s *search) parseUID(d *wire.Decoder) backend.Key {
	d.SP()
	return s.setKey(d.UIDSet())
}

// setKey matches the messages of a set. Sequence numbers that do not exist match nothing; in other commands they are
// BAD, but Dovecot is lenient here, and clients know it.
func (s *search) setKey(set imap.NumSet) backend.Key {
	if imap.IsSearchRes(set) {
		s.usedSaved = true
		return backend.Key{Op: backend.KeyUID, UIDs: s.c.saved}
	}
	if uids, ok := set.(imap.UIDSet); ok {
		return backend.Key{Op: backend.KeyUID, UIDs: uids}
	}
	// Those that wait for the answer know the numbers of now (RFC 7162 §3.2.10.2).
	s.c.keepNumbers = true
	seqs, _ := set.(imap.SeqSet)
	if s.many {
		return backend.Key{Op: backend.KeySeq, Seq: seqs}
	}
	last := uint32(0)
	if s.c.view != nil { // else a filter is checked with no mailbox selected
		last = s.c.view.Len()
	}
	return backend.Key{Op: backend.KeySeq, Seq: validSeqs(seqs, last)}
}

// validSeqs returns those numbers that a mailbox of so many messages has.
func validSeqs(seqs imap.SeqSet, last uint32) imap.SeqSet {
	valid := imap.SeqSet{}
	for _, r := range seqs {
		if r.Start == 0 {
			r.Start = last
		}
		if r.Stop == 0 || r.Stop > last {
			r.Stop = last
		}
		if 0 < r.Start && r.Start <= r.Stop {
			valid = append(valid, r)
		}
	}
	return valid
}

// refuse refuses what has too many keys.
func (s *search) refuse(d *wire.Decoder) {
	d.Refuse(errSearchLimit)
	s.saveNothing(errSearchLimit)
}

// plainKey is a key that nothing follows.
func plainKey(k backend.Key) func(*search, *wire.Decoder) backend.Key {
	return func(*search, *wire.Decoder) backend.Key { return k }
}

func dateKey(op backend.KeyOp) func(*search, *wire.Decoder) backend.Key {
	return func(_ *search, d *wire.Decoder) backend.Key {
		d.SP()
		return backend.Key{Op: op, Date: d.Date()}
	}
}

// intervalKey compares with a number of seconds before now (RFC 5032 §3).
func intervalKey(op backend.KeyOp) func(*search, *wire.Decoder) backend.Key {
	return func(_ *search, d *wire.Decoder) backend.Key {
		d.SP()
		return backend.Key{Op: op, N: int64(d.NZNumber())}
	}
}

// savedKey compares the save date (RFC 8514 §4.3).
func savedKey(op backend.KeyOp) func(*search, *wire.Decoder) backend.Key {
	return func(_ *search, d *wire.Decoder) backend.Key {
		d.SP()
		return backend.Key{Op: op, Date: d.Date(), Saved: true}
	}
}

// sizeKey compares with a number of octets, which RFC 9051 has made 63 bits long.
func sizeKey(op backend.KeyOp) func(*search, *wire.Decoder) backend.Key {
	return func(_ *search, d *wire.Decoder) backend.Key {
		d.SP()
		return backend.Key{Op: op, N: d.Number64()}
	}
}

func textKey(op backend.KeyOp) func(*search, *wire.Decoder) backend.Key {
	return func(s *search, d *wire.Decoder) backend.Key {
		if s.texts++; s.texts > maxSearchTexts {
			s.refuse(d)
		}
		d.SP()
		return backend.Key{Op: op, Text: s.text(d)}
	}
}

func headerKey(field string) func(*search, *wire.Decoder) backend.Key {
	return func(s *search, d *wire.Decoder) backend.Key {
		d.SP()
		return backend.Key{Op: backend.KeyHeader, Field: field, Text: s.text(d)}
	}
}

// parseModSeq is MODSEQ (RFC 7162 §3.1.5). A message has one mod-sequence for all its flags, so the name of one is of no use.
func (s *search) parseModSeq(d *wire.Decoder) backend.Key {
	s.modSeq = true
	d.SP()
	if d.Peek() == '"' {
		if flag, ok := strings.CutPrefix(d.Quoted(), "/flags/"); !ok || flag == "" {
			d.Fail(`"/flags/ and the name of a flag`)
		}
		d.SP()
		switch d.Keyword("priv, shared or all") {
		case "PRIV", "SHARED", "ALL":
		default:
			d.Fail("priv, shared or all")
		}
		d.SP()
	}
	return backend.Key{Op: backend.KeyModSeq, N: d.Number64()}
}

func (s *search) parseHeader(d *wire.Decoder) backend.Key {
	d.SP()
	field := d.AString()
	return headerKey(field)(s, d)
}

func (s *search) parseKeyword(d *wire.Decoder) backend.Key {
	d.SP()
	return flagKey(imap.Flag(d.Atom()))
}

func (s *search) parseUnkeyword(d *wire.Decoder) backend.Key { return notKey(s.parseKeyword(d)) }
