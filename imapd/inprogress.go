package imapd

import (
	"errors"
	"strconv"
	"strings"
	"sync"
	"time"

	"maildir-imapd/backend"
)

// errPanic ends the output of a connection.
var errPanic = errors.New("panic")

// withProgress runs what may take long, and tells the client every so often that it still runs: one that waits then does not
// give up, and one that is gone is noticed, because the write fails and ends the command's context. v knows how far it
// is; nil: nobody does. run must write nothing to the client.
func (c *conn) withProgress(v *backend.View, run func() error) error {
	defer c.tellProgress(v)()
	return run()
}

// tellProgress starts to tell the client of its command, until stop. A command may do so many times: when it is told next does not begin
// anew each time.
func (c *conn) tellProgress(v *backend.View) (stop func()) {
	if v != nil {
		v.ResetProgress()
	}
	var mu sync.Mutex // guards the connection's output, too
	var timer *time.Timer
	stopped := false
	mu.Lock()
	defer mu.Unlock()
	timer = time.AfterFunc(time.Until(c.progressAt), func() {
		mu.Lock()
		defer mu.Unlock()
		if stopped {
			return
		}
		defer func() { // talk's is of another goroutine
			if p := recover(); p != nil {
				c.logPanic(p)
				c.out.abort(errPanic)
			}
		}()
		c.untagged("OK " + c.inProgress(v) + "Still working")
		c.out.flush()
		c.progressAt = time.Now().Add(c.cfg.ProgressInterval)
		timer.Reset(c.cfg.ProgressInterval)
	})
	return func() {
		mu.Lock()
		defer mu.Unlock()
		stopped = true
		timer.Stop()
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
		// What has been done is less than what there is to do for as long as the command runs: clients disregard all else (§6).
		if n, all := v.Progress(); all > 0 {
			progress = strconv.Itoa(int(min(n, all-1))) + " " + strconv.Itoa(int(all))
		}
	}
	return "[INPROGRESS (" + tag + " " + progress + ")] "
}
