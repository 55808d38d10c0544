package backend

import (
	"strconv"
	"strings"
	"time"
)

// SaveDate is when the message came into this mailbox (RFC 8514). It is the time with which the name of a
// Maildir file begins: whoever delivers, appends, copies or moves a message makes a new name at
// that moment, and it stays as long as the message does; the file's ctime moves with each change of
// flags. Where a program moves files under their old names, this is the time of delivery; where a name
// has no time, it is INTERNALDATE. ErrGone where that is asked for in vain.
func (v *View) SaveDate(seq uint32) (time.Time, error) {
	if t, ok := nameTime(v.told.at(seq).name); ok {
		return t, nil
	}
	return v.InternalDate(seq)
}

// nameTime returns the time of a file name: seconds since 1970, then a dot.
func nameTime(name string) (time.Time, bool) {
	digits, _, ok := strings.Cut(name, ".")
	if !ok || len(digits) < 9 || len(digits) > 10 {
		return time.Time{}, false
	}
	n, err := strconv.ParseUint(digits, 10, 64)
	return time.Unix(int64(n), 0), err == nil
}
