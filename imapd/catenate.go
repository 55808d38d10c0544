package imapd

import (
	"context"
	"errors"
	"io"
	"math"
	"strings"

	"maildir-imapd/backend"
	"maildir-imapd/imapd/wire"
	"maildir-imapd/message"

	"github.com/emersion/go-imap/v2"
)

// catenation is a message that APPEND CATENATE puts together (RFC 4469) from literals and from parts
// of messages. Its parts go from the network or from file to file in small pieces.
type catenation struct {
	c    *conn
	w    io.Writer
	size int64 // octets so far
	max  int64 // and at most

	// The mailbox that the last URL named: mostly the next names it too.
	source *backend.View
}

// messageLimit is the greatest size of a message in octets where no other limit is set (RFC 4469 §4.2).
const messageLimit = math.MaxUint32

var errCatenateTooBig = no(imap.ResponseCodeTooBig, "Message too big")

// catenate takes the parts up to the closing parenthesis and writes them to w. It stops at the first
// that is wrong, before the client is asked for the literals that follow.
func (c *conn) catenate(ctx context.Context, w io.Writer) error {
	x := catenation{c: c, w: w, max: messageLimit}
	if limit := c.account.AppendLimit(); limit > 0 {
		x.max = limit
	}
	defer x.close()
	d := c.dec
	d.SP()
	var err error
	d.List(func() {
		if err == nil {
			err = x.part(ctx, d)
		}
		if err != nil {
			d.Refuse(err)
		}
	})
	if d.Err() == nil && x.size == 0 {
		d.Refuse(errEmptyMessage)
	}
	return d.Err()
}

// part takes TEXT, UTF8 or URL and what belongs to it.
func (x *catenation) part(ctx context.Context, d *wire.Decoder) error {
	switch {
	case d.TryKeyword("TEXT"):
		d.SP()
		return x.text(d)
	case d.TryKeyword("URL"):
		d.SP()
		s := d.AString()
		if d.Err() != nil {
			return d.Err()
		}
		return x.url(ctx, s)
	}
	if lit, ok := x.c.tryUTF8(d); ok { // RFC 6855 §4
		if err := x.literal(d, lit); err != nil {
			return err
		}
		d.Expect(')')
		return d.Err()
	}
	d.Fail("TEXT or URL")
	return d.Err()
}

// text takes a literal.
func (x *catenation) text(d *wire.Decoder) error {
	lit := d.Literal()
	if lit.Binary {
		d.Fail("a literal, not a literal8")
	}
	return x.literal(d, lit)
}

// literal copies a literal that was announced.
func (x *catenation) literal(d *wire.Decoder, lit wire.Literal) error {
	switch {
	case d.Err() != nil:
		return d.Err()
	case lit.Size > x.max-x.size:
		return errCatenateTooBig
	}
	x.size += lit.Size
	if _, err := io.CopyN(x.w, d.Stream(lit), lit.Size); err != nil {
		return err
	}
	d.EndStream()
	return d.Err()
}

// url copies what a URL names. \Seen is not set.
func (x *catenation) url(ctx context.Context, s string) error {
	u, ok := parseMessageURL(s)
	if !ok {
		return badURL(s, "Not the URL of a message")
	}
	if err := x.open(ctx, s, u); err != nil {
		return err
	}
	seqs, err := x.source.Seqs(imap.UIDSetNum(u.uid))
	if err != nil {
		return err
	}
	if len(seqs) == 0 {
		return badURL(s, "No such message")
	}
	f, err := x.source.Open(seqs[0])
	if errors.Is(err, backend.ErrGone) {
		return badURL(s, "No such message")
	} else if err != nil {
		return err
	}
	defer f.Close()
	structure, err := f.Structure()
	if err != nil {
		return err
	}
	content, ok, err := structure.Lookup(f, message.Section{
		Path: u.section.Path, Specifier: specifiers[u.section.Text], Fields: u.section.Fields,
	})
	if err != nil {
		return err
	}
	if !ok {
		return badURL(s, "No such part")
	}
	off := min(u.partial.Offset, content.Len())
	n := min(u.partial.Count, content.Len()-off)
	if n > x.max-x.size {
		return errCatenateTooBig
	}
	x.size += n
	return errors.Join(content.WriteRange(x.w, off, n), ctx.Err())
}

// open makes source the mailbox of a URL. That the mailbox is seen takes no \Recent.
func (x *catenation) open(ctx context.Context, s string, u messageURL) error {
	name := u.mailbox
	if name == "" {
		if x.c.view == nil {
			return badURL(s, "No mailbox selected")
		}
		name = x.c.view.Name()
	}
	if x.source == nil || x.source.Name() != name {
		x.close()
		v, err := x.c.account.Select(ctx, name, true)
		if _, ok := errors.AsType[*imap.Error](err); ok {
			return badURL(s, "No such mailbox")
		} else if err != nil {
			return err
		}
		x.source = v
	}
	if u.validity != 0 && u.validity != x.source.UIDValidity() {
		return badURL(s, "Another UIDVALIDITY")
	}
	return nil
}

func (x *catenation) close() {
	if x.source != nil {
		x.source.Close()
		x.source = nil
	}
}

// badURL is NO [BADURL url] (RFC 4469 §4.1). What can't stand in a response code is percent-encoded.
func badURL(s, text string) error {
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; 0x20 < c && c < 0x7f && c != ']' && c != '\\' {
			b.WriteByte(c)
		} else {
			const hex = "0123456789ABCDEF"
			b.Write([]byte{'%', hex[c>>4], hex[c&15]})
		}
	}
	if b.Len() == 0 {
		b.WriteByte('-')
	}
	return no(imap.ResponseCode("BADURL "+b.String()), text)
}
