package imapd

import (
	"context"
	"encoding/base64"

	"maildir-imapd/auth"
	"maildir-imapd/imapd/wire"

	"github.com/emersion/go-imap/v2"
)

func parseAuthenticate(c *conn, d *wire.Decoder) runFunc {
	d.SP()
	mechanism := d.Keyword("a SASL mechanism")
	if d.Err() == nil {
		c.wantPrivacy(d)
	}
	var initial []byte // nil: none
	if d.Try(' ') {
		initial = d.Base64()
		if !c.has("SASL-IR") {
			d.Fail("no initial response")
		}
	}
	return func(ctx context.Context, c *conn) error { return c.authenticate(ctx, mechanism, initial) }
}

// authenticate is AUTHENTICATE (RFC 9051 §6.2.2, RFC 4959).
func (c *conn) authenticate(ctx context.Context, mechanism string, response []byte) error {
	if !c.has("AUTH=" + mechanism) {
		return no(imap.ResponseCodeCannot, "Unsupported authentication mechanism")
	}
	var answer error // of logIn
	server, err := auth.NewServer(mechanism, func(user, password string, other bool) error {
		answer = c.logIn(ctx, mechanism, user, password, other)
		return answer
	})
	if err != nil {
		return err
	}
	for {
		challenge, done, err := server.Next(response)
		switch {
		case answer != nil:
			return answer
		case err != nil:
			return bad("Malformed SASL response")
		case done:
			return nil
		}
		b := append(c.out.begin(), "+ "...)
		c.out.endLine(base64.StdEncoding.AppendEncode(b, challenge))
		c.setReadDeadline(c.cfg.Limits.Command)
		line, err := c.dec.Line()
		if err != nil {
			return err
		}
		if string(line) == "*" {
			return bad("Authentication cancelled")
		}
		if response, err = wire.DecodeBase64(line); err != nil {
			return bad("Expected base64")
		}
	}
}
