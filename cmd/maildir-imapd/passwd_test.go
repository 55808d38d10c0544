package main

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"maildir-imapd/auth"
)

// A name that passwd takes is one that the user file can have, and no other is.
func TestCheckUserName(t *testing.T) {
	for _, name := range []string{"bob", "Bob@Example.ORG", "b\u00f6b", "{x}", strings.Repeat("a", 255),
		"", "#bob", "a:b", "a b", "a\tb", "a\nb", "a\x7f", "b\xf6b", strings.Repeat("a", 256)} {
		file := filepath.Join(t.TempDir(), "users")
		if err := os.WriteFile(file, []byte(name+":{PLAIN}secret::::::\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		users, err := auth.OpenPasswdFile(file, auth.Options{Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		_, err = users.Lookup(name)
		if got := checkUserName(name); (got == nil) != (err == nil) {
			t.Errorf("%.20q: %v, and in the user file: %v", name, got, err)
		}
	}
}
