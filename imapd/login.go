package imapd

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"maildir-imapd/auth"
	"maildir-imapd/imapd/wire"

	"github.com/emersion/go-imap/v2"
)

var errWrongPassword = no(imap.ResponseCodeAuthenticationFailed, "Authentication failed.")

func parseLogin(c *conn, d *wire.Decoder) runFunc {
	c.wantPrivacy(d)
	d.SP()
	user := d.AString()
	d.SP()
	password := d.AString()
	return func(ctx context.Context, c *conn) error { return c.logIn(ctx, "LOGIN command", user, password, false) }
}

// wantPrivacy refuses a command with a password where it would go over the network in clear
// (RFC 9051 §11.1), before the client is asked to send it in a literal.
func (c *conn) wantPrivacy(d *wire.Decoder) {
	if !c.passwordAllowed() {
		d.Refuse(no(imap.ResponseCodePrivacyRequired, "Log in over TLS only"))
	}
}

// logIn verifies a password, opens the user's mail and changes the state. Each attempt is one
// line in the log: "login" or "login failed", with the user as given, the address and the reason. With other set the client wants to
// act for somebody else, which is refused once the password was right.
func (c *conn) logIn(ctx context.Context, mechanism, name, password string, other bool) error {
	begin := time.Now()
	from := ctx
	if addr, err := netip.ParseAddr(c.ip); err == nil {
		from = auth.WithRemote(ctx, addr)
	}
	u, err := c.cfg.Authenticate(from, name, password)
	switch {
	case errors.Is(err, auth.ErrInvalid):
		return c.loginFailed(begin, mechanism, name, err, errWrongPassword)
	case err != nil:
		return c.loginFailed(begin, mechanism, name, err,
			no(imap.ResponseCodeUnavailable, "Authentication is not possible now, try again later"))
	case other:
		return c.loginFailed(begin, mechanism, name, errors.New("wants to act for another user"),
			no(imap.ResponseCodeAuthorizationFailed, "Nobody may act for another user"))
	}
	if u.Referral != nil && u.Referral.Only {
		return c.referAway(mechanism, u)
	}
	if !c.srv.addUser(u.Name, c.cfg.Limits.ConnsPerUser) {
		return c.loginFailed(begin, mechanism, name, errors.New("too many connections of this user"),
			no(imap.ResponseCodeLimit, "Too many connections"))
	}
	account, err := c.cfg.Open(ctx, u)
	if err != nil {
		c.srv.removeUser(u.Name)
		return c.loginFailed(begin, mechanism, name, err, no(imap.ResponseCodeUnavailable, "Mail is not available"))
	}
	c.user, c.account, c.state, c.badCount = u, account, stateAuth, 0
	c.dec.SetLimits(c.wireLimits())
	c.log.Info("login", "user", u.Name, "mechanism", mechanism, "tls", c.secure)
	c.log = c.log.With("user", u.Name)
	if u.Referral != nil && c.has("LOGIN-REFERRALS") { // a tagged OK has one response code only
		c.out.endLine(c.appendCapabilities(append(c.out.begin(), "* "...)))
		c.completed(string(referral(u)), "Logged in, but your mail is on another server")
		return nil
	}
	c.completed(string(c.appendCapabilities(nil)), "Logged in")
	return nil
}

// loginFailed logs a failed attempt, lets the client wait where it had a wrong password, and
// ends the connection when there were too many. The wait counts from begin, when the password was
// given, so that its end does not tell how long it was looked at. It returns answer.
func (c *conn) loginFailed(begin time.Time, mechanism, name string, reason error, answer *imap.Error) error {
	c.log.Warn("login failed", "user", name, "mechanism", mechanism, "tls", c.secure, "reason", reason)
	if answer == errWrongPassword {
		delay := time.NewTimer(time.Until(begin.Add(c.cfg.AuthFailureDelay)))
		defer delay.Stop()
		select {
		case <-delay.C:
		case <-c.srv.closing:
		}
	}
	if c.logins++; c.logins >= c.cfg.Limits.LoginAttempts {
		c.untagged("BYE Too many failed log-ins")
		c.bye = "too many failed log-ins"
	}
	return answer
}
