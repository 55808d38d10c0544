package imapd

import (
	"errors"
	"slices"
	"strings"

	"maildir-imapd/backend"
	"maildir-imapd/imapd/wire"

	"github.com/emersion/go-imap/v2"
)

// privateFilters and sharedFilters are above the annotations of the server that hold filters; the first is looked at
// first (RFC 5466 §3.2).
const (
	privateFilters = "/private/filters/values/"
	sharedFilters  = "/shared/filters/values/"
)

// maxFilterDepth is how deep filters may name filters; RFC 5466 §3.1 wants 3 at least. It ends loops as well, and
// the number of keys bounds the whole.
const maxFilterDepth = 5

// parseFilter takes the name of a filter, and then the filter's search keys in the place of it (RFC 5466 §3.1).
func (s *search) parseFilter(d *wire.Decoder) backend.Key {
	d.SP()
	name := d.Atom()
	if strings.Contains(name, "/") {
		d.Fail("a filter's name without /")
	}
	if d.Err() != nil || s.checking {
		return backend.Key{}
	}
	if s.charset != "" && !strings.EqualFold(s.charset, "UTF-8") && !strings.EqualFold(s.charset, "US-ASCII") {
		s.err = newError(imap.StatusResponseTypeBad, "BADCHARSET (US-ASCII UTF-8)", "FILTER means CHARSET UTF-8")
	}
	if s.err == nil && s.filters == nil {
		s.filters, s.err = s.c.account.Metadata("")
	}
	if s.err != nil {
		return backend.Key{}
	}
	text := findFilter(s.filters, name)
	if text == nil || s.depth == maxFilterDepth {
		s.err = no(imap.ResponseCode("UNDEFINED-FILTER "+name), "No such filter")
		return backend.Key{}
	}
	if s.stored += int64(len(*text)); s.stored > s.c.cfg.Limits.Literal {
		s.err = errSearchLimit
		return backend.Key{}
	}
	outside := s.charset
	s.charset = "UTF-8"
	s.depth++
	k, err := s.parseStored(*text)
	s.depth--
	s.charset = outside
	if err != nil && s.err == nil {
		s.err = err
	}
	return k
}

// findFilter returns nil for a filter that is not there.
func findFilter(all []backend.Metadata, name string) *string {
	for _, root := range []string{privateFilters, sharedFilters} {
		i := slices.IndexFunc(all, func(m backend.Metadata) bool { return strings.EqualFold(m.Name, root+name) })
		if i >= 0 {
			return all[i].Value
		}
	}
	return nil
}

// parseStored reads search keys that are stored as text, literals included.
func (s *search) parseStored(text string) (backend.Key, error) {
	src := strings.NewReader(text + "\r\n")
	here := func(int64, bool) error { return nil } // nobody has to be asked to send a literal
	d := wire.NewDecoder(src, wire.Limits{Line: len(text) + 2, Literal: int64(len(text)), Skip: int64(len(text))}, here)
	if err := d.Next(); err != nil {
		return backend.Key{}, errBadFilter
	}
	k := s.parseKeys(d)
	d.End()
	switch err := d.Err(); {
	case errors.Is(err, errSearchLimit), errors.Is(err, errUIDRequired):
		return k, err
	case err != nil || d.Buffered() > 0 || src.Len() > 0:
		return k, errBadFilter
	}
	return k, nil
}

var errBadFilter = no(imap.ResponseCodeCannot, "The filter is no valid search")

// checkFilter refuses to store what no search can be made of (RFC 5466 §3.2). It may name filters that are not there yet.
func (c *conn) checkFilter(m backend.Metadata) error {
	name := strings.ToLower(m.Name)
	filter, ok := strings.CutPrefix(name, privateFilters)
	if !ok || m.Value == nil || !c.has("FILTERS") {
		return nil
	}
	s := &search{c: c, charset: "UTF-8", checking: true}
	if k, err := s.parseStored("KEYWORD " + filter); err != nil || strings.Contains(filter, "/") || k.Op != backend.KeyFlag {
		return no(imap.ResponseCodeCannot, "No name of a filter")
	}
	_, err := s.parseStored(*m.Value)
	if err == nil {
		err = s.err
	}
	return err
}
