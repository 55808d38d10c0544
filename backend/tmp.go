package backend

import (
	"errors"
	"io/fs"
	"time"
)

// tmpAge is how long a file lies in tmp/ after its last change of status until it
// is taken to be left over: the 36 hours of the Maildir specification.
const tmpAge = 36 * time.Hour

// cleanTmp removes what killed programs have left in tmp/, ours included.
func (mb *Mailbox) cleanTmp() {
	all, err := mb.d.tmp.names()
	if err != nil {
		mb.trouble("can't read tmp", err)
		return
	}
	old := time.Now().Add(-tmpAge)
	for _, name := range all {
		st, err := mb.d.tmp.stat(name)
		if err == nil && time.Unix(st.Ctim.Unix()).Before(old) {
			err = mb.d.tmp.remove(name)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			mb.trouble("can't clean tmp", err)
		}
	}
}
