package backend

import "testing"

func TestNameTime(t *testing.T) {
	for name, want := range map[string]int64{
		"1420138253.M1P1.host:2,S": 1420138253,
		"999999999.x":              999999999,
		"nameless":                 -1,
		"1420138253":               -1,
		"14201382530.x":            -1,
		"12.x":                     -1,
		"+420138253.x":             -1,
		".x":                       -1,
	} {
		at, ok := nameTime(name)
		if ok != (want >= 0) || ok && at.Unix() != want {
			t.Errorf("%s: %v, %v", name, at, ok)
		}
	}
}
