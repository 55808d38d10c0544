package auth

import (
	"reflect"
	"testing"
)

func TestReferral(t *testing.T) {
	for fields, want := range map[string]*Referral{
		"nologin host=mail.example.org port=1143 destuser=m reason=moved": {Host: "mail.example.org", Port: 1143, User: "m", Reason: "moved", Only: true},
		"proxy=y host=192.0.2.1": {Host: "192.0.2.1", Only: true},
		"host=x":                 {Host: "x"},
		"userdb_host=x":          nil,
		"port=7":                 nil,
	} {
		e, _, err := parseUserLine("a:{PLAIN}x::::::" + fields)
		if err != nil || e.refusal != "" || !reflect.DeepEqual(e.user.Referral, want) {
			t.Errorf("%s: %+v, refusal %q, %v", fields, e.user.Referral, e.refusal, err)
		}
	}
	for _, fields := range []string{"host=", "host=[::1]", "host=a/b", "host=x port=70000", "nologin", "proxy"} {
		if e, _, _ := parseUserLine("a:{PLAIN}x::::::" + fields); e.refusal == "" {
			t.Errorf("%s: the user can log in", fields)
		}
	}
}
