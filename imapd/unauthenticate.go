package imapd

import (
	"context"
	"time"
)

// unauthenticate is UNAUTHENTICATE (RFC 8437): all that belongs to the user is given back, nothing is expunged,
// and somebody else may log in. Only TLS stays.
//
// Under COMPRESS the connection ends instead, which §3 allows: what a client sends behind this command is not compressed,
// and where that begins can't be told from what it sent to end its last block.
func (c *conn) unauthenticate(context.Context) error {
	if c.inflate != nil {
		c.untagged("BYE Connect again, compression can't be ended")
		c.bye = "unauthenticated under compression"
		return nil
	}
	c.closeMail()
	c.srv.removeUser(c.user.Name)
	c.log.Info("unauthenticated")
	c.user, c.account, c.notify = nil, nil, nil
	c.state, c.badCount, c.loginBy = stateNotAuth, 0, time.Now().Add(c.cfg.Limits.Login)
	c.enabled, c.rev2, c.utf8, c.condstore, c.qresync, c.uidOnly = nil, false, false, false, false, false
	c.dec.SetUTF8(false)
	c.dec.SetLimits(c.wireLimits())
	c.log = c.cfg.Log.With("conn", c.id, "ip", c.ip)
	c.completed(string(c.appendCapabilities(nil)), "Not authenticated any more")
	return nil
}
