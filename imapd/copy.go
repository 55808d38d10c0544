package imapd

import (
	"context"

	"maildir-imapd/imapd/wire"

	"github.com/emersion/go-imap/v2"
)

func parseCopy(uid bool) parseFunc {
	return func(c *conn, d *wire.Decoder) runFunc {
		set, dest := parseSetAndMailbox(d, uid)
		return func(ctx context.Context, c *conn) error { return c.copy(ctx, set, dest) }
	}
}

func parseMove(uid bool) parseFunc {
	return func(c *conn, d *wire.Decoder) runFunc {
		set, dest := parseSetAndMailbox(d, uid)
		return func(ctx context.Context, c *conn) error { return c.move(ctx, set, dest) }
	}
}

func parseSetAndMailbox(d *wire.Decoder, uid bool) (imap.NumSet, string) {
	d.SP()
	set := d.NumSet(uid)
	d.SP()
	return set, d.Mailbox()
}

// copy is COPY and UID COPY (RFC 9051 §6.4.7). COPYUID comes with the tagged OK.
func (c *conn) copy(ctx context.Context, set imap.NumSet, dest string) error {
	seqs, err := c.seqs(set)
	if err != nil {
		return err
	}
	if len(seqs) == 0 {
		c.completed("", "No messages copied")
		return nil
	}
	if limit := c.saveLimit(); limit > 0 && len(seqs) > limit {
		return errSaveLimit(limit, c.view.UID(seqs[len(seqs)-limit]))
	}
	var data *imap.CopyData
	err = c.withProgress(c.view, func() (err error) {
		data, err = c.view.Copy(ctx, seqs, dest)
		return err
	})
	if err != nil {
		return err
	}
	c.created(dest, data.UIDValidity, data.DestUIDs)
	if c.has("UIDPLUS") && len(data.DestUIDs) > 0 {
		c.completed(copyUID(data), completedText(c.name))
	}
	return nil
}

// move is MOVE and UID MOVE (RFC 6851). COPYUID comes in an untagged OK before the EXPUNGE responses, which
// are written with all other changes after the command.
func (c *conn) move(ctx context.Context, set imap.NumSet, dest string) error {
	if c.view.ReadOnly() {
		return errReadOnly
	}
	seqs, err := c.seqs(set)
	if err != nil {
		return err
	}
	if len(seqs) == 0 {
		c.completed("", "No messages moved")
		return nil
	}
	var data *imap.CopyData
	err = c.withProgress(c.view, func() (err error) {
		data, err = c.view.Move(ctx, seqs, dest)
		return err
	})
	if err != nil {
		return err
	}
	c.created(dest, data.UIDValidity, data.DestUIDs)
	if c.has("UIDPLUS") && len(data.DestUIDs) > 0 {
		c.untagged("OK [" + copyUID(data) + "] Moved UIDs.")
	}
	return nil
}

// copyUID is the COPYUID response code (RFC 4315 §3).
func copyUID(data *imap.CopyData) string {
	b := wire.AppendUint([]byte("COPYUID "), data.UIDValidity)
	b = wire.AppendNumSet(append(b, ' '), data.SourceUIDs)
	return string(wire.AppendNumSet(append(b, ' '), data.DestUIDs))
}
