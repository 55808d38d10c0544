package backend

import (
	"strings"
	"testing"
)

func TestParseQuotaRule(t *testing.T) {
	for rule, want := range map[string]Usage{
		"*:storage=1G":                  {Storage: 1 << 30, Messages: 7},
		"*:storage=10":                  {Storage: 10 << 10, Messages: 7},
		"*:storage=10M:messages=1000":   {Storage: 10 << 20, Messages: 1000},
		"*:bytes=100":                   {Storage: 100, Messages: 7},
		"*:messages=0":                  {Storage: 5},
		"?:storage=2t":                  {Storage: 2 << 40, Messages: 7},
		"*:storage=9223372036854775807": {Storage: -1},
		"*:storage=":                    {Storage: -1},
		"*:storage=-1":                  {Storage: -1},
		"*:storage=+10%":                {Storage: -1},
		"*:ignore":                      {Storage: -1},
		"*":                             {Storage: -1},
		"":                              {Storage: -1},
		"Trash:storage=+100M":           {Storage: -1},
	} {
		got, err := ParseQuotaRule(rule, Usage{Storage: 5, Messages: 7})
		if want.Storage < 0 {
			if err == nil {
				t.Errorf("%q: no error", rule)
			}
		} else if err != nil || got != want {
			t.Errorf("%q: %v, %v; want %v", rule, got, err, want)
		}
	}
}

func TestParseMaildirsize(t *testing.T) {
	type result struct {
		limits, used Usage
		ok           bool
	}
	for text, want := range map[string]result{
		"10485760S,1000C\n0 0\n523 1\n523 1\n-1046 -2\n": {limits: Usage{10485760, 1000}, ok: true},
		"1000C\n   1006      6\n-995     -5\n":           {limits: Usage{0, 1000}, used: Usage{11, 1}, ok: true},
		"1000S\n5 1":                                     {limits: Usage{1000, 0}, ok: true}, // being written
		"\n7 1\n":                                        {used: Usage{7, 1}, ok: true},
		"1000S,5X\n7 1\n":                                {limits: Usage{1000, 0}, used: Usage{7, 1}, ok: true},
		"":                                               {},
		"1000S":                                          {},
		"S\n":                                            {},
		"-1S\n":                                          {},
		"1000S\n7\n":                                     {},
		"1000S\nx y\n":                                   {},
		"1000S\n-7 1\n":                                  {},
		"1000S\n7 -1\n":                                  {},
		"1S\n9223372036854775807 1\n":                    {},
		"1S\n-9223372036854775808 1\n":                   {},
		"1S\n1 -9223372036854775808\n\n":                 {},
	} {
		limits, used, err := parseMaildirsize([]byte(text))
		if (err == nil) != want.ok {
			t.Errorf("%q: error %v", text, err)
		} else if want.ok && (limits != want.limits || used != want.used) {
			t.Errorf("%q: %v, %v; want %v, %v", text, limits, used, want.limits, want.used)
		}
	}
}

// FuzzMaildirsize checks that no file makes an impossible usage, and that what we write is read as it was meant.
func FuzzMaildirsize(f *testing.F) {
	f.Add([]byte("10485760S,1000C\n0 0\n523 1\n-523 -1\n"))
	f.Add([]byte("1000S\n" + strings.Repeat("140737488355327 1\n", 3000)))
	f.Fuzz(func(t *testing.T, data []byte) {
		limits, used, err := parseMaildirsize(data[:min(len(data), maxMaildirsize)])
		if err != nil {
			return
		}
		if used.Storage < 0 || used.Messages < 0 || limits.Storage < 0 || limits.Messages < 0 {
			t.Fatalf("limits %v, used %v", limits, used)
		}
		if max(used.Storage, used.Messages) > 1<<47 {
			return // no mail is so large: it would be counted
		}
		again := appendMaildirsizeLine(appendMaildirsizeHeader(nil, limits), used)
		limits2, used2, err := parseMaildirsize(again)
		if err != nil || limits2 != limits || used2 != used {
			t.Fatalf("%q is read as %v, %v, %v", again, limits2, used2, err)
		}
	})
}
