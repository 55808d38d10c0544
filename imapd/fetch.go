package imapd

import (
	"context"
	"errors"
	"slices"

	"maildir-imapd/backend"
	"maildir-imapd/imapd/wire"

	"github.com/emersion/go-imap/v2"
)

// fetch is a FETCH or UID FETCH (RFC 9051 §6.4.5).
type fetch struct {
	c     *conn
	set   imap.NumSet
	items []fetchItem // in the order in which they are answered, no two the same
	known map[string]bool

	partial partial // of the messages, those that are wanted (RFC 9394 §3.3); zero: all
	// Its modifiers (RFC 7162 §3.1.4.1, §3.2.6). changedSince nil: none.
	changedSince *uint64
	vanished     bool

	setsSeen bool // an item sets \Seen

	// Of the message that is answered now.
	seq     uint32
	file    *backend.File // nil until an item needs it, and where it could not be opened
	fileErr error         // why

	// Of all messages.
	gone bool  // some are expunged and can't be read any more
	err  error // the first other error; items that fail are left out, the rest goes on
}

// fetchItem is a data item of a FETCH.
type fetchItem struct {
	name string // as the response has it: "BODY[TEXT]<0>"
	key  string // tells it apart from others of this name; "": there are none

	// write appends the item's value for message f.seq to b, which is the output buffer
	// as begin lent it, and returns what takes its place. On an error it has written nothing, and
	// the item is left out, but for one case: a literal that can't be finished, see fetch.literal.
	write func(f *fetch, b []byte) ([]byte, error)
}

func parseFetch(uid bool) parseFunc {
	return func(c *conn, d *wire.Decoder) runFunc {
		f := &fetch{c: c, known: make(map[string]bool)}
		d.SP()
		f.set = d.NumSet(uid)
		d.SP()
		if uid { // RFC 9051 §6.4.9: in every answer, asked for or not
			f.addUID()
		}
		f.parseItems(d)
		if d.Try(' ') { // fetch-modifiers of RFC 4466 §2.4
			d.List(func() { f.parseModifier(d, uid) })
			if f.vanished && f.changedSince == nil {
				d.Fail("CHANGEDSINCE with VANISHED")
			}
		}
		return f.run
	}
}

func (f *fetch) parseModifier(d *wire.Decoder, uid bool) {
	switch name := d.Keyword("a modifier of FETCH"); {
	case name == "CHANGEDSINCE" && f.c.has("CONDSTORE") && f.changedSince == nil:
		d.SP()
		// RFC 7162 §7 has no 0 here. Thunderbird sends it of a mailbox that it knew before it used CONDSTORE.
		f.changedSince = new(uint64(d.Number64()))
		f.add(fetchItem{name: "MODSEQ", write: (*fetch).modSeq})
	case name == "PARTIAL" && f.c.has("PARTIAL") && uid && f.partial == (partial{}):
		d.SP()
		f.partial = parseResultRange(d)
	case name == "VANISHED" && f.c.qresync && uid && !f.vanished:
		f.vanished = true
	default:
		d.Fail("a known modifier of FETCH that is allowed here, once")
	}
}

// run answers the command. Messages that are gone are left out, and told of by the
// response code of the OK.
func (f *fetch) run(ctx context.Context, c *conn) error {
	seqs, err := c.seqs(f.set)
	if err != nil {
		return err
	}
	if f.known["MODSEQ"] {
		c.beCondstore()
	} else if f.known["FLAGS"] && c.condstore {
		f.items = append(slices.Clip(f.items), fetchItem{name: "MODSEQ", write: (*fetch).modSeq})
	}
	if f.vanished {
		c.vanished("(EARLIER) ", c.view.Vanished(*f.changedSince, c.knownUIDs(f.set)))
	}
	if f.partial != (partial{}) {
		seqs = f.partial.of(seqs)
	}
	if f.changedSince != nil {
		seqs = c.view.ChangedSince(seqs, *f.changedSince)
	}
	var marked []uint32                                                             // are \Seen by this command: their flags are told
	if f.setsSeen && !c.view.ReadOnly() && c.view.Rights().Has(backend.RightSeen) { // RFC 4314 §4
		if marked, err = f.markSeen(ctx, seqs); err != nil {
			return err
		}
	}
	withFlags := f.items
	if len(marked) > 0 {
		withFlags = f.itemsWithFlags()
	}
	for _, seq := range seqs {
		if err := ctx.Err(); err != nil {
			return err
		}
		items := f.items
		if len(marked) > 0 && marked[0] == seq {
			items, marked = withFlags, marked[1:]
		}
		if err := f.message(seq, items); err != nil {
			return err
		}
	}
	if f.gone {
		c.completed("EXPUNGEISSUED", "Some messages were already expunged") // as Dovecot has it
	}
	return f.err
}

// itemsWithFlags is items with FLAGS, where RFC 9051 §6.4.5 wants it told that \Seen was set, and with UID and MODSEQ where
// RFC 7162 §3.2.4 does.
func (f *fetch) itemsWithFlags() []fetchItem {
	items := append(f.unasked(), f.items...)
	if !f.known["FLAGS"] {
		items = append([]fetchItem{{name: "FLAGS", write: (*fetch).flags}}, items...)
	}
	return items
}

// unasked are UID and MODSEQ for a CONDSTORE-aware client, where they are not among the items.
func (f *fetch) unasked() (items []fetchItem) {
	has := func(name string) bool {
		return slices.ContainsFunc(f.items, func(i fetchItem) bool { return i.name == name })
	}
	if f.c.condstore && !f.c.uidOnly && !has("UID") {
		items = append(items, fetchItem{name: "UID", write: (*fetch).uid})
	}
	if f.c.condstore && !has("MODSEQ") && !has("FLAGS") { // with FLAGS it comes anyway
		items = append(items, fetchItem{name: "MODSEQ", write: (*fetch).modSeq})
	}
	return items
}

// markSeen sets \Seen on all messages of seqs at once and returns those that did not have it. A disk
// that can't be written does not keep anybody from reading mail.
func (f *fetch) markSeen(ctx context.Context, seqs []uint32) ([]uint32, error) {
	v := f.c.view
	var unseen []uint32
	for _, seq := range seqs {
		if !v.Has(seq, imap.FlagSeen) {
			unseen = append(unseen, seq)
		}
	}
	if len(unseen) == 0 {
		return nil, nil
	}
	switch _, err := v.Store(ctx, unseen, backend.StoreRequest{Op: imap.StoreFlagsAdd, Flags: []imap.Flag{imap.FlagSeen}}); {
	case err == nil:
		return unseen, nil
	case errors.Is(err, backend.ErrGone):
		f.gone = true
		return unseen, nil
	case ctx.Err() != nil:
		return nil, err
	default:
		f.c.log.Error(`setting \Seen failed`, "command", f.c.name, "error", err)
		return nil, nil
	}
}

// message writes the FETCH response of one message. Its error ends the command.
func (f *fetch) message(seq uint32, items []fetchItem) error {
	f.seq = seq
	defer f.close()
	out := &f.c.out
	line := out.begin()
	b := f.c.appendFetch(line, seq, false)
	empty := true
	for i := range items {
		next := b
		if !empty {
			next = append(next, ' ')
		}
		next = append(append(next, items[i].name...), ' ')
		next, err := items[i].write(f, next)
		if gone := f.c.ctx.Err(); gone != nil { // one line can ask for thousands of pieces of a large message
			return gone
		}
		switch {
		case err == nil:
			b, empty = next, false
		case out.err != nil:
			return err
		case errors.Is(err, backend.ErrGone):
			f.gone = true
		case f.err == nil:
			f.err = err
		}
	}
	if empty {
		out.end(line)
	} else {
		out.endLine(append(b, ')'))
	}
	return nil
}

// open opens the message's file, once.
func (f *fetch) open() (*backend.File, error) {
	if f.file == nil && f.fileErr == nil {
		f.file, f.fileErr = f.c.view.Open(f.seq)
	}
	return f.file, f.fileErr
}

// close closes the message's file. What is lost when that fails was only read.
func (f *fetch) close() {
	if f.file != nil {
		_ = f.file.Close()
	}
	f.file, f.fileErr = nil, nil
}
