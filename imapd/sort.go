package imapd

import (
	"maildir-imapd/backend"
	"maildir-imapd/imapd/wire"
)

func parseSort(uid bool) parseFunc {
	return func(c *conn, d *wire.Decoder) runFunc { return newSort(c, d, uid).run }
}

// newSort takes the arguments of SORT and UID SORT (RFC 5256 §3, with RETURN RFC 5267 §3): a search whose results are told
// in another order.
func newSort(c *conn, d *wire.Decoder, uid bool) *search {
	s := &search{c: c, name: "SORT", uid: uid}
	d.SP()
	if c.has("ESORT") && d.TryKeyword("RETURN") {
		d.SP()
		s.parseReturn(d)
		d.SP()
	}
	d.List(func() { s.parseCriterion(d) })
	d.SP()
	s.parseCriteria(d)
	return s
}

// parseCriteria takes what SORT and THREAD call search-criteria: the charset must be there.
func (s *search) parseCriteria(d *wire.Decoder) {
	s.setCharset(d.AString())
	d.SP()
	s.key = s.parseKeys(d)
}

// sortKeys is the table of sort keys.
var sortKeys = map[string]struct {
	cap string // the capability it belongs to
	key backend.SortKey
}{
	"ARRIVAL":     {"SORT", backend.SortArrival},
	"CC":          {"SORT", backend.SortCc},
	"DATE":        {"SORT", backend.SortDate},
	"FROM":        {"SORT", backend.SortFrom},
	"SIZE":        {"SORT", backend.SortSize},
	"SUBJECT":     {"SORT", backend.SortSubject},
	"TO":          {"SORT", backend.SortTo},
	"DISPLAYFROM": {"SORT=DISPLAY", backend.SortDisplayFrom},
	"DISPLAYTO":   {"SORT=DISPLAY", backend.SortDisplayTo},
}

// parseCriterion takes an element of the sort program. A key that was there before decides nothing any more and is dropped, so
// that there are few, however long the line is.
func (s *search) parseCriterion(d *wire.Decoder) {
	name := d.Keyword("a sort key")
	reverse := name == "REVERSE"
	if reverse {
		d.SP()
		name = d.Keyword("a sort key")
	}
	k, ok := sortKeys[name]
	if !ok || !s.c.has(k.cap) {
		d.Fail("a known sort key")
		return
	}
	for _, c := range s.order {
		if c.Key == k.key {
			return
		}
	}
	s.order = append(s.order, backend.SortCriterion{Key: k.key, Reverse: reverse})
}
