package imapd

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io/fs"
	"syscall"

	"maildir-imapd/backend"
	"maildir-imapd/imapd/wire"

	"github.com/emersion/go-imap/v2"
)

// explain is the one funnel of errors: what the client is told of err. What is our fault, or the
// machine's, is logged here; neither a path nor an error's own text gets out.
func (c *conn) explain(err error) (imap.StatusResponseType, imap.ResponseCode, string) {
	const (
		no  = imap.StatusResponseTypeNo
		bad = imap.StatusResponseTypeBad
	)
	if e, ok := errors.AsType[*imap.Error](err); ok {
		return e.Type, e.Code, e.Text
	}
	if e, ok := errors.AsType[*wire.SyntaxError](err); ok {
		return bad, "", "Expected " + e.Expected
	}
	switch {
	case errors.Is(err, wire.ErrTooBig):
		return no, imap.ResponseCodeTooBig, "Literal too big"
	case errors.Is(err, context.DeadlineExceeded):
		return no, imap.ResponseCodeUnavailable, "Took too long"
	case errors.Is(err, context.Canceled):
		return no, imap.ResponseCodeUnavailable, "Interrupted"
	}

	id := errorID()
	c.log.Error("command failed", "command", c.name, "error", err, "error_id", id)
	switch {
	case errors.Is(err, backend.ErrLocked):
		return no, imap.ResponseCodeInUse, "Another program has locked the mailbox [" + id + "]"
	case errors.Is(err, syscall.EDQUOT):
		return no, imap.ResponseCodeOverQuota, "Disk quota exceeded [" + id + "]"
	case errors.Is(err, syscall.ENOSPC):
		// Not OVERQUOTA: deleting mail need not help this user (RFC 5530 §3).
		return no, imap.ResponseCodeUnavailable, "No space left on the server [" + id + "]"
	case errors.Is(err, syscall.EROFS), errors.Is(err, fs.ErrPermission):
		return no, imap.ResponseCodeNoPerm, "Permission denied [" + id + "]"
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE), errors.Is(err, syscall.ENOMEM):
		return no, imap.ResponseCodeUnavailable, "Server is out of resources [" + id + "]"
	}
	return no, imap.ResponseCodeServerBug, "Internal error [" + id + "]"
}

// errorID names one error in the answer and in the log.
func errorID() string {
	var b [4]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}
