package imapd

import (
	"context"
	"errors"

	"maildir-imapd/backend"
	"maildir-imapd/imapd/wire"

	"github.com/emersion/go-imap/v2"
)

// storeArgs are the arguments of STORE and UID STORE.
type storeArgs struct {
	set    imap.NumSet
	uid    bool
	req    backend.StoreRequest
	silent bool
}

func parseStore(uid bool) parseFunc {
	return func(c *conn, d *wire.Decoder) runFunc {
		a := storeArgs{uid: uid}
		d.SP()
		a.set = d.NumSet(uid)
		d.SP()
		if d.Peek() == '(' { // store-modifiers of RFC 4466 §2.5
			d.List(func() {
				if d.Keyword("a modifier of STORE") != "UNCHANGEDSINCE" || !c.has("CONDSTORE") || a.req.UnchangedSince != nil {
					d.Fail("a known modifier of STORE, once")
				}
				d.SP()
				a.req.UnchangedSince = new(uint64(d.Number64()))
			})
			d.SP()
		}
		switch {
		case d.Try('+'):
			a.req.Op = imap.StoreFlagsAdd
		case d.Try('-'):
			a.req.Op = imap.StoreFlagsDel
		}
		switch d.ItemName() {
		case "FLAGS":
		case "FLAGS.SILENT":
			a.silent = true
		default:
			d.Fail("FLAGS or FLAGS.SILENT")
		}
		d.SP()
		a.req.Flags = d.Flags()
		return func(ctx context.Context, c *conn) error { return c.store(ctx, a) }
	}
}

// store is STORE and UID STORE (RFC 9051 §6.4.6). Messages that are gone are passed over, and told of by the
// response code of the OK: the others have their flags.
func (c *conn) store(ctx context.Context, a storeArgs) error {
	if c.view.ReadOnly() {
		return errReadOnly
	}
	seqs, err := c.seqs(a.set)
	if err != nil {
		return err
	}
	if a.req.UnchangedSince != nil {
		c.beCondstore()
	}
	if len(seqs) == 0 {
		return nil
	}
	var res backend.StoreResult
	err = c.withProgress(c.view, func() (err error) {
		res, err = c.view.Store(ctx, seqs, a.req)
		return err
	})
	gone := errors.Is(err, backend.ErrGone)
	// New keywords are announced before a FETCH names them; seqs stay as they are.
	c.update(false)
	if err == nil || gone {
		c.tellStored(a, res)
	}
	switch {
	case gone && len(res.Modified) > 0: // RFC 7162 §3.1.3, example 11
		return no(imap.ResponseCode(c.modified(a, res)), "Some messages were already expunged")
	case gone:
		c.completed("EXPUNGEISSUED", "Some messages were already expunged")
		return nil
	case err == nil && len(res.Modified) > 0:
		c.completed(c.modified(a, res), "Some messages have changed")
	}
	return err
}

// tellStored writes FETCH for the messages of a STORE. What .SILENT leaves out are flags, not mod-sequences: a
// CONDSTORE-aware client needs those that are new, and with UNCHANGEDSINCE all (RFC 7162 §3.1.3). The messages that have
// changed are told as they are, so that the client need not ask.
func (c *conn) tellStored(a storeArgs, res backend.StoreResult) {
	full, modSeq, uid := res.Stored, []uint32(nil), a.uid
	if a.silent {
		full, uid = res.Unexpected, c.uidUnasked()
		switch {
		case a.req.UnchangedSince != nil:
			modSeq = res.Stored
		case c.condstore:
			modSeq = res.Changed
		}
	}
	for _, seq := range full {
		c.fetchFlags(seq, uid)
	}
	for _, seq := range modSeq {
		if len(full) > 0 && full[0] == seq {
			full = full[1:]
		} else {
			c.fetchModSeq(seq)
		}
	}
	for _, seq := range res.Modified {
		c.fetchFlags(seq, a.uid)
	}
}

// modified is the MODIFIED response code: the messages that UNCHANGEDSINCE left out (RFC 7162 §3.1.3).
func (c *conn) modified(a storeArgs, res backend.StoreResult) string {
	nums := res.Modified
	if a.uid {
		nums = make([]uint32, len(res.Modified))
		for i, seq := range res.Modified {
			nums[i] = uint32(c.view.UID(seq))
		}
	}
	return string(wire.AppendNumbers([]byte("MODIFIED "), nums))
}
