package imapd

import (
	"strconv"

	"github.com/emersion/go-imap/v2"
)

// saveLimit is how many messages one COPY or APPEND may save (SAVELIMIT, RFC 9738 §3); 0: any number. Both save all
// or nothing, so that a client which knows nothing of the limit loses nothing by it.
//
// MESSAGELIMIT is left out on purpose: that a FETCH or SEARCH was cut is told in a response code only, and a client that
// does not know it takes the messages that are missing for deleted.
func (c *conn) saveLimit() int {
	if !c.has("SAVELIMIT") {
		return 0
	}
	return c.cfg.Limits.Save
}

// errSaveLimit refuses a command with too many messages. first is the UID from which on as many as may be saved remain; 0:
// they have no UIDs yet (RFC 9738 §3.1).
func errSaveLimit(limit int, first imap.UID) error {
	code := "MESSAGELIMIT " + strconv.Itoa(limit)
	if first > 0 {
		code += " " + strconv.FormatUint(uint64(first), 10)
	}
	return no(imap.ResponseCode(code), "Too many messages for one command")
}
