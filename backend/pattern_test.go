package backend

import (
	"strings"
	"testing"
	"time"
)

func TestPattern(t *testing.T) {
	long := strings.Repeat("ab/", 100)
	tests := []struct {
		pattern, name string
		want          bool
	}{
		{"", "", true},
		{"", "a", false},
		{"a", "a", true},
		{"a", "A", false},
		{"*", "a/b/c", true},
		{"%", "a", true},
		{"%", "a/b", false},
		{"%/%", "a/b", true},
		{"%/%", "a/b/c", false},
		{"a*", "a", true},
		{"a/%", "a/b", true},
		{"a/%", "a", false},
		{"a/%", "a/b/c", false},
		{"%b", "a/b", false},
		{"*b", "a/b", true},
		{"*%", "a/b", true},
		{"%*", "a/b", true},
		{"%%", "a/b", false},
		{"*a%b", "a/xa/yab", true},
		{"*a%b", "ab/x", false},
		{"%a*c", "xa/bc", true},
		{"%a*c", "x/abc", false},
		{"*/x%", "a/b/xyz", true},
		{"inbox", "INBOX", true},
		{"InBoX/%", "INBOX/child", true},
		{"in%", "INBOX", true},
		{"inbox/CHILD", "INBOX/child", false},
		{"inbox", "INBOXES", false},
		{"inboxes", "INBOXES", false},
		{"*x", "INBOX", true},
		{"ü%", "übung", true},
		{long + "%", long + "x", true},
		{"*" + long, "zz" + long, true},
		{long, long + "x", false},
		{"%" + strings.Repeat("a", 62) + "%b", strings.Repeat("a", 70) + "b", true}, // across words
		{strings.Repeat("a", 63) + "*b", strings.Repeat("a", 63) + "b", true},
		{strings.Repeat("a", 64) + "*b", strings.Repeat("a", 64) + "b", true},
	}
	for _, tt := range tests {
		if got := compilePattern(tt.pattern, '/').match(tt.name); got != tt.want {
			t.Errorf("%q matches %q: %v, want %v", tt.pattern, tt.name, got, tt.want)
		}
	}
}

// Many wildcards cost no more than few.
func TestPatternHostile(t *testing.T) {
	name := strings.Repeat("a", 250)
	start := time.Now()
	for _, s := range []string{
		strings.Repeat("*a", 120) + "b",
		strings.Repeat("%a", 120) + "b",
		strings.Repeat("*a%a", 60) + "b",
		strings.Repeat("*%", 30000) + "b",
		strings.Repeat("*a", 30000),
	} {
		p := compilePattern(s, '/')
		for range 1000 {
			if p.match(name) {
				t.Fatalf("%.20q matches", s)
			}
		}
	}
	if d := time.Since(start); d > 10*time.Second {
		t.Errorf("took %v", d)
	}
}

// naive is the definition of a match, tabulated so that fuzzing is quick.
func naive(pattern, name string, sep byte) bool {
	ok := make([]bool, len(name)+1) // ok[j]: what is left of the pattern matches name[j:]
	ok[len(name)] = true
	for i := len(pattern) - 1; i >= 0; i-- {
		row := make([]bool, len(name)+1)
		for j := len(name); j >= 0; j-- {
			switch pattern[i] {
			case '*':
				row[j] = ok[j] || j < len(name) && row[j+1]
			case '%':
				row[j] = ok[j] || j < len(name) && name[j] != sep && row[j+1]
			default:
				row[j] = j < len(name) && name[j] == pattern[i] && ok[j+1]
			}
		}
		ok = row
	}
	return ok[0]
}

func FuzzPattern(f *testing.F) {
	f.Add("*a%b*", "x/ab/c")
	f.Add("%*%/a", "a/a")
	f.Add(strings.Repeat("a%", 60), strings.Repeat("a", 70))
	f.Fuzz(func(t *testing.T, pattern, name string) {
		if len(pattern) > 300 || len(name) > 300 || strings.HasPrefix(strings.ToUpper(name), "INBOX") {
			return
		}
		if got, want := compilePattern(pattern, '/').match(name), naive(pattern, name, '/'); got != want {
			t.Errorf("%q matches %q: %v, want %v", pattern, name, got, want)
		}
	})
}
