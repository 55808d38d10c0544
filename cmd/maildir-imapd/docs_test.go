package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Files that the documents name are there.
func TestDocumentsNameFiles(t *testing.T) {
	const root = "../.."
	for _, doc := range []string{"README.md", "ARCHITECTURE.md"} {
		text := readDoc(t, doc)
		for _, m := range regexp.MustCompile(`\]\(([^):#]+)\)`).FindAllStringSubmatch(text, -1) {
			if _, err := os.Stat(filepath.Join(root, m[1])); err != nil {
				t.Errorf("%s: %v", doc, err)
			}
		}
	}
	// Each package has its row in the table of folders.
	architecture := readDoc(t, "ARCHITECTURE.md")
	packages, err := filepath.Glob(root + "/*/doc.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, pattern := range []string{"/*/*/doc.go", "/*/*/*/doc.go"} {
		more, err := filepath.Glob(root + pattern)
		if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, more...)
	}
	for _, doc := range packages {
		dir := filepath.Dir(strings.TrimPrefix(doc, root+"/"))
		if !strings.Contains(architecture, "| `"+dir+"` |") {
			t.Errorf("ARCHITECTURE.md has no row for %s", dir)
		}
	}
	// Each direct dependency has its reason.
	for _, m := range regexp.MustCompile(`(?m)^\t(?:require )?(\S+) v\S+$`).FindAllStringSubmatch(readDoc(t, "go.mod"), -1) {
		if !strings.Contains(architecture, "`"+m[1]+"`") {
			t.Errorf("ARCHITECTURE.md has no reason for %s", m[1])
		}
	}
}

// The filter for fail2ban finds failed log-ins, with the right address, and nothing else.
func TestFail2banFilter(t *testing.T) {
	m := regexp.MustCompile(`(?m)^failregex = (.*)$`).FindStringSubmatch(readDoc(t, "contrib/fail2ban/maildir-imapd.conf"))
	if m == nil {
		t.Fatal("no failregex")
	}
	re := regexp.MustCompile(strings.ReplaceAll(m[1], "<HOST>", `(\S+)`))
	for line, want := range map[string]string{
		`time=2026-11-23T20:12:39.438Z level=WARN msg="login failed" conn=3 ip=192.0.2.9 user=bob mechanism=PLAIN tls=true reason="wrong password"`:                "192.0.2.9",
		`level=WARN msg="login failed" conn=3 ip=2001:db8::1 user=bob mechanism="LOGIN command" tls=false reason="no such user"`:                                   "2001:db8::1",
		`level=WARN msg="login failed" conn=3 ip=192.0.2.9 user="x ip=192.0.2.1 reason=\"wrong password\"" mechanism=PLAIN tls=true reason="wrong password"`:       "192.0.2.9",
		`level=WARN msg="login failed" conn=3 ip=192.0.2.9 user="x reason=\"wrong password\"" mechanism=PLAIN tls=true reason="too many connections of this user"`: "",
		`level=INFO msg=login conn=3 ip=192.0.2.9 user=bob mechanism=PLAIN tls=true`:                                                                               "",
		`level=INFO msg=ID conn=3 ip=192.0.2.9 name="level=WARN msg=\"login failed\" conn=1 ip=192.0.2.1 user=a reason=\"wrong password\""`:                        "",
	} {
		got := ""
		if m := re.FindStringSubmatch(line); m != nil {
			got = m[1]
		}
		if got != want {
			t.Errorf("found %q in %s", got, line)
		}
	}
}

func readDoc(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("../..", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
