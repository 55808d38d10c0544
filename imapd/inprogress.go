package imapd

import (
	"fmt"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"maildir-imapd/backend"
)

// progressInterval is how often a client hears that its command is still running. RFC 9585 §4 recommends 10 to 15 seconds.
const progressInterval = 10 * time.Second

// manyMessages is from how many messages on a change of them may last; fewer are changed before anybody wonders, and
// without a goroutine for it.
const manyMessages = 256

// besideMany runs a change of n messages in the selected mailbox.
func (c *conn) besideMany(n int, run func() error) error {
	if n < manyMessages {
		return run()
	}
	return c.beside(c.view, run)
}

// beside runs what may take long beside this goroutine, which has to talk to the client meanwhile. v knows how far it is; nil:
// nobody does.
func (c *conn) beside(v *backend.View, run func() error) (err error) {
	if v != nil {
		v.ResetProgress()
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			if p := recover(); p != nil {
				err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
			}
		}()
		err = run()
	}()
	c.await(done, v, progressInterval)
	return err
}

// await waits for done to be closed and writes a line every so often: a client that waits then does not
// give up, and one that is gone is noticed, because the write fails and ends the command's context.
func (c *conn) await(done <-chan struct{}, v *backend.View, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-done:
			return
		case <-tick.C:
			c.untagged("OK " + c.inProgress(v) + "Still working")
			c.out.flush()
		}
	}
}

// inProgress is the response code INPROGRESS of the command that runs (RFC 9585 §4), and a space.
func (c *conn) inProgress(v *backend.View) string {
	if !c.has("INPROGRESS") {
		return ""
	}
	tag := `"` + c.tag + `"`
	if strings.Contains(tag, "]") { // which may stand in a tag, and would end the code for many a client
		tag = "NIL"
	}
	progress := "NIL NIL"
	if v != nil {
		// What has been done is less than what there is to do for as long as the command runs.
		if n, all := v.Progress(); all > 0 {
			progress = strconv.Itoa(int(min(n, all-1))) + " " + strconv.Itoa(int(all))
		}
	}
	return "[INPROGRESS (" + tag + " " + progress + ")] "
}
