package imapd

import (
	"net/url"
	"strconv"
	"strings"

	"maildir-imapd/auth"

	"github.com/emersion/go-imap/v2"
)

// referral is the response code REFERRAL of a user whose mail is on another server (RFC 2221). "AUTH=*" keeps
// a client from logging in there as anonymous.
func referral(u *auth.User) imap.ResponseCode {
	name, r := u.Name, u.Referral
	if r.User != "" {
		name = r.User
	}
	// QueryEscape leaves nothing that enc-user has not (RFC 5092 §11), but for the sign that it makes of a space.
	name = strings.ReplaceAll(url.QueryEscape(name), "+", "%20")
	code := "REFERRAL imap://" + name + ";AUTH=*@" + r.Host
	if r.Port != 0 {
		code += ":" + strconv.Itoa(int(r.Port))
	}
	return imap.ResponseCode(code + "/")
}

// referAway answers a log-in, with the right password, of a user who has nothing here.
func (c *conn) referAway(mechanism string, u *auth.User) error {
	c.log.Info("login referred", "user", u.Name, "mechanism", mechanism, "tls", c.secure, "host", u.Referral.Host)
	code, text := imap.ResponseCode(""), "Your mail is on another server"
	if c.has("LOGIN-REFERRALS") {
		code = referral(u)
	}
	if u.Referral.Reason != "" {
		text = u.Referral.Reason
	}
	return no(code, text)
}
