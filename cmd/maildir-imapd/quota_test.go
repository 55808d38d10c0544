package main

import (
	"strings"
	"testing"

	"maildir-imapd/auth"
	"maildir-imapd/backend"
	"maildir-imapd/config"
)

func TestQuota(t *testing.T) {
	for _, test := range []struct {
		name  string
		extra map[string]string
		want  backend.Usage
		err   string
	}{
		{"of the configuration", nil, backend.Usage{Storage: 1000, Messages: 10}, ""},
		{"of the user", map[string]string{"quota_rule": "*:storage=1k"}, backend.Usage{Storage: 1024, Messages: 10}, ""},
		{"several rules", map[string]string{"quota_rule": "*:storage=1k", "quota_rule2": "*:messages=0", "quota_rule4": "*:messages=7"},
			backend.Usage{Storage: 1024}, ""},
		{"one that is not known", map[string]string{"quota_rule": "Trash:storage=+10%", "quota_rule2": "*:messages=3"},
			backend.Usage{Storage: 1000, Messages: 3}, "Trash:storage"},
	} {
		got, err := quota(config.Quota{Storage: 1000, Messages: 10}, &auth.User{Extra: test.extra})
		if got != test.want || (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
			t.Errorf("%s: %v, %v; want %v, %s", test.name, got, err, test.want, test.err)
		}
	}
}
