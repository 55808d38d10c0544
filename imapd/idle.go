package imapd

import (
	"context"
	"errors"
	"strings"
	"time"
)

// idle is IDLE (RFC 9051 §6.3.13).
// With NOTIFY it tells what that has asked for (RFC 5465 §4).
func (c *conn) idle(ctx context.Context) error {
	if c.view != nil {
		if err := c.view.Poll(ctx); err != nil {
			return err
		}
	}
	c.out.endLine(append(c.out.begin(), "+ idling"...))
	c.push(true) // what came before IDLE
	c.setReadDeadline(c.cfg.Limits.Idle)
	var stillHere time.Time // zero: never
	if c.cfg.IdleInterval > 0 {
		stillHere = time.Now().Add(c.cfg.IdleInterval)
	}
	for {
		switch err := c.waitFor(stillHere); {
		case err == nil:
			c.setReadDeadline(c.cfg.Limits.Command)
			line, err := c.dec.Line()
			if err != nil {
				return err
			}
			if !strings.EqualFold(string(line), "DONE") {
				return bad("Expected DONE")
			}
			return nil
		case !errors.Is(err, errWoken):
			return c.dec.Kill(err)
		}
		c.push(true)
		if !stillHere.IsZero() && !time.Now().Before(stillHere) {
			c.untagged("OK Still here")
			stillHere = time.Now().Add(c.cfg.IdleInterval)
		}
	}
}
