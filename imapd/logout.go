package imapd

import "context"

// logout is LOGOUT (RFC 9051 §6.1.3).
func (c *conn) logout(context.Context) error {
	c.closeView()
	c.state = stateLogout
	c.untagged("BYE Logging out")
	c.bye = "logged out"
	return nil
}
