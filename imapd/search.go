package imapd

import (
	"context"
	"errors"

	"maildir-imapd/backend"
	"maildir-imapd/imapd/wire"
	"maildir-imapd/message"

	"github.com/emersion/go-imap/v2"
)

// search is a SEARCH or UID SEARCH (RFC 9051 §6.4.4), a SORT, or a THREAD.
type search struct {
	c    *conn
	name string // "SEARCH", "SORT" or "THREAD"
	uid  bool
	key  backend.Key

	order []backend.SortCriterion // of SORT; nil: that of the mailbox

	// Of ESEARCH (RFC 7377):
	many      bool          // sequence numbers in key are as the client has sent them, since each mailbox has its own
	mailbox   *backend.View // of which the next response is
	usedSaved bool          // "$" was in a key

	extended bool       // there is RETURN: the answer is ESEARCH
	options  searchOpts // what it asks for
	fetch    *fetch     // what UPDATE tells of new messages; nil: nothing
	partial  partial    // where searchPartial is among that

	charset string // of the strings in the keys; "": UTF-8
	err     error  // why strings can't be understood; the rest is still parsed, since syntax comes first
	modSeq  bool   // there is MODSEQ: so it is in the answer,
	highest uint64 // with this value; 0: nothing was found
	keys    int    // parsed so far,
	texts   int    // and of them, those that read whole messages

	filters  []backend.Metadata // annotations of the server, once a FILTER was there
	stored   int64              // octets of those that were named; like literals they are limited
	depth    int                // of filters in filters
	checking bool               // nothing is searched: filters in filters are not looked for
}

// maxSearchKeys is the greatest number of search keys, NOT, OR and lists included, so that it bounds the depth as well;
// maxSearchTexts that of BODY and TEXT. A client that lists senders or Message-IDs writes long ORs.
const (
	maxSearchKeys  = 2000
	maxSearchTexts = 100
)

var errSearchLimit = no(imap.ResponseCodeLimit, "Too many search keys, or too large ones")

func parseSearch(uid bool) parseFunc {
	return func(c *conn, d *wire.Decoder) runFunc { return newSearch(c, d, uid).run }
}

// newSearch takes the arguments.
func newSearch(c *conn, d *wire.Decoder, uid bool) *search {
	s := &search{c: c, name: "SEARCH", uid: uid}
	d.SP()
	s.parseArguments(d)
	if c.rev2 && !s.extended { // RFC 9051 §6.4.4: there is ESEARCH only
		s.extended, s.options = true, searchAll
	}
	return s
}

// parseArguments takes result options, charset and keys.
func (s *search) parseArguments(d *wire.Decoder) {
	if s.c.has("ESEARCH") && d.TryKeyword("RETURN") {
		d.SP()
		s.parseReturn(d)
		d.SP()
	}
	if d.TryKeyword("CHARSET") {
		d.SP()
		s.setCharset(d.AString())
		d.SP()
	}
	s.key = s.parseKeys(d)
}

// setCharset notes the charset of the strings to come.
func (s *search) setCharset(name string) {
	s.charset = name
	if s.c.enabled["UTF8=ACCEPT"] && s.name == "SEARCH" { // SORT and THREAD can't do without
		s.err = bad("CHARSET is of no use after ENABLE UTF8=ACCEPT") // RFC 6855 §3
		return
	}
	_, err := message.DecodeCharset(name, nil)
	if _, ok := errors.AsType[message.UnknownCharsetError](err); ok {
		s.err = no("BADCHARSET (US-ASCII UTF-8)", "Unknown charset") // RFC 9051 §6.4.4
	}
}

// text takes a string of the command's charset and returns it in UTF-8.
func (s *search) text(d *wire.Decoder) string {
	raw := d.AString()
	if s.err != nil {
		return ""
	}
	text, err := message.DecodeCharset(s.charset, []byte(raw))
	if err != nil {
		s.err = bad("A string is not in its charset")
	}
	return text
}

// run answers the command.
func (s *search) run(ctx context.Context, c *conn) error {
	seqs, err := []uint32(nil), s.err
	if err == nil {
		err = s.checkUpdate()
	}
	if err == nil {
		seqs, err = s.find(ctx)
	}
	if err != nil {
		s.saveNothing(err)
		return err
	}
	if s.options&searchSave != 0 {
		c.saved = s.saved(seqs)
	}
	refused := s.options&searchUpdate != 0 && !s.follow(seqs)
	if s.modSeq {
		c.beCondstore()
		s.highest = s.highestOf(c.view, seqs)
	}
	if s.uid {
		for i, seq := range seqs {
			seqs[i] = uint32(c.view.UID(seq))
		}
	}
	if s.extended {
		s.respondExtended(seqs)
	} else {
		s.respond(seqs)
	}
	if refused {
		s.refuseUpdate()
	}
	return nil
}

// find runs the search.
func (s *search) find(ctx context.Context) (seqs []uint32, err error) {
	err = s.c.withProgress(s.c.view, func() error {
		seqs, err = s.c.view.Search(ctx, &s.key)
		if err == nil && s.order != nil {
			seqs, err = s.c.view.Sort(ctx, seqs, s.order)
		}
		return err
	})
	return seqs, err
}

// highestOf is the greatest mod-sequence of the messages that are told (RFC 7162 §3.1.6, RFC 4731 §3.2).
func (s *search) highestOf(v *backend.View, seqs []uint32) (n uint64) {
	told := seqs
	if opt := s.options & searchShown; len(seqs) > 0 && opt != 0 && opt&(searchAll|searchCount) == 0 {
		told = nil
		if opt&searchMin != 0 {
			told = append(told, seqs[0])
		}
		if opt&searchMax != 0 {
			told = append(told, seqs[len(seqs)-1])
		}
		if opt&searchPartial != 0 {
			told = append(told, s.partial.of(seqs)...)
		}
	}
	for _, seq := range told {
		n = max(n, v.ModSeq(seq))
	}
	return n
}

// respond writes SEARCH (RFC 3501 §7.2.5) or SORT (RFC 5256 §4), also where nothing was found.
func (s *search) respond(nums []uint32) {
	out := &s.c.out
	b := append(append(out.begin(), "* "...), s.name...)
	for _, n := range nums {
		out.end(wire.AppendUint(append(b, ' '), n))
		b = out.begin()
	}
	if s.highest > 0 {
		b = append(wire.AppendUint(append(b, " (MODSEQ "...), s.highest), ')')
	}
	out.endLine(b)
}
