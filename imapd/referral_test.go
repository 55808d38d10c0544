package imapd

import (
	"testing"

	"maildir-imapd/auth"

	"github.com/emersion/go-imap/v2"
)

// Names are percent-encoded as an IMAP URL wants them, where '+' stands for itself (RFC 5092 §11).
func TestReferral(t *testing.T) {
	u := &auth.User{Name: "a b+c@d;e/f", Referral: &auth.Referral{Host: "mail2.example.org", Port: 1143}}
	if got, want := referral(u), imap.ResponseCode("REFERRAL imap://a%20b%2Bc%40d%3Be%2Ff;AUTH=*@mail2.example.org:1143/"); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
