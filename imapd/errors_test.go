package imapd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"
	"syscall"
	"testing"

	"maildir-imapd/backend"
	"maildir-imapd/imapd/wire"
)

func TestExplain(t *testing.T) {
	at := func(err error) error { return &fs.PathError{Op: "open", Path: "/srv/mail/alice", Err: err} }
	for _, test := range []struct {
		err    error
		want   string
		logged bool // as our fault
	}{
		{no("TRYCREATE", "No such mailbox"), "NO [TRYCREATE] No such mailbox", false},
		{fmt.Errorf("in /srv: %w", bad("Wrong")), "BAD [] Wrong", false},
		{&wire.SyntaxError{Expected: "an atom"}, "BAD [] Expected an atom", false},
		{wire.ErrTooBig, "NO [TOOBIG] ", false},
		{context.Canceled, "NO [UNAVAILABLE] ", false},
		{context.DeadlineExceeded, "NO [UNAVAILABLE] ", false},
		{fmt.Errorf("%w: /srv/mail/alice/dovecot-uidlist.lock", backend.ErrLocked), "NO [INUSE] ", true},
		{at(syscall.ENOSPC), "NO [UNAVAILABLE] ", true},
		{at(syscall.EDQUOT), "NO [OVERQUOTA] ", true},
		{at(syscall.EROFS), "NO [NOPERM] ", true},
		{at(syscall.EACCES), "NO [NOPERM] ", true},
		{at(syscall.EMFILE), "NO [UNAVAILABLE] ", true},
		{at(syscall.EIO), "NO [SERVERBUG] Internal error [", true},
		{errors.New("/srv/mail"), "NO [SERVERBUG] Internal error [", true},
	} {
		var log logBuffer
		c := &conn{log: slog.New(slog.NewTextHandler(&log, nil))}
		status, code, text := c.explain(test.err)
		got := fmt.Sprintf("%s [%s] %s", status, code, text)
		if !strings.HasPrefix(got, test.want) || strings.Contains(got, "/srv") {
			t.Errorf("%v: %q, want %q", test.err, got, test.want)
		}
		if logged := log.String() != ""; logged != test.logged {
			t.Errorf("%v: logged: %v, want %v", test.err, logged, test.logged)
		}
		if test.logged {
			id := text[strings.LastIndexByte(text, '[')+1 : len(text)-1]
			if !strings.Contains(log.String(), "error_id="+id) || !strings.Contains(log.String(), "/srv") {
				t.Errorf("%v: id %q, log %q", test.err, id, log.String())
			}
		}
	}
}
