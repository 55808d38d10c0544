package e2e

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// nobody owns the mail where the tests run as root: neither Dovecot nor Postfix nor we
// serve root's mail.
const nobody = 65534

// mailUser is the name of who owns the mail, "" where that is who runs the tests.
func mailUser() string {
	if os.Getuid() == 0 {
		return "nobody"
	}
	return ""
}

// giveMail gives all below path to the owner of the mail.
func giveMail(t testing.TB, path string) {
	t.Helper()
	if os.Getuid() != 0 {
		return
	}
	err := filepath.WalkDir(path, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, nobody, nobody)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// workDir is a directory that the owner of the mail can reach, with a short path:
// that of a socket may have 107 octets.
func workDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "e2e-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// makeMaildir makes an empty Maildir.
func makeMaildir(t testing.TB, dir string) {
	t.Helper()
	for _, sub := range []string{"cur", "new", "tmp"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	giveMail(t, dir)
}

var deliveries atomic.Int64

// deliver puts a message into a Maildir as delivering programs do, and returns the name of its file.
func deliver(dir, text string) (string, error) {
	now := time.Now()
	name := fmt.Sprintf("%d.M%dP%dQ%d.e2e", now.Unix(), now.Nanosecond()/1000, os.Getpid(), deliveries.Add(1))
	tmp := filepath.Join(dir, "tmp", name)
	if err := os.WriteFile(tmp, []byte(text), 0o600); err != nil {
		return "", err
	}
	if os.Getuid() == 0 {
		if err := os.Chown(tmp, nobody, nobody); err != nil {
			return "", err
		}
	}
	return name, os.Rename(tmp, filepath.Join(dir, "new", name))
}

// mail is a small message with LF line ends.
func mail(subject, body string) string {
	return fmt.Sprintf("From: Ada <ada@example.org>\nTo: bob@example.org\nSubject: %s\nDate: Mon, 05 Jan 2026 10:00:00 +0000\nMessage-ID: <%s@e2e>\n\n%s\n",
		subject, strings.ReplaceAll(subject, " ", "."), body)
}

// crlf is text with the line ends of the wire.
func crlf(text string) string { return strings.ReplaceAll(text, "\n", "\r\n") }

// messageFiles are the paths of all mail in a folder, below it, sorted.
func messageFiles(t testing.TB, dir string) []string {
	t.Helper()
	var files []string
	for _, sub := range []string{"cur", "new"} {
		entries, err := os.ReadDir(filepath.Join(dir, sub))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			files = append(files, filepath.Join(sub, e.Name()))
		}
	}
	slices.Sort(files)
	return files
}

// tree is each file below dir, by its path there, with its contents; directories are left
// out, and the index and the mod-sequences, which the server writes whenever it likes.
func tree(t testing.TB, dir string) map[string]string {
	t.Helper()
	files := make(map[string]string)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasPrefix(d.Name(), "maildir-imapd-index") || strings.HasPrefix(d.Name(), "maildir-imapd-modseq") {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		files[name] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// sameTree compares two results of tree.
func sameTree(t testing.TB, what string, before, after map[string]string) {
	t.Helper()
	for name, text := range before {
		if now, ok := after[name]; !ok {
			t.Errorf("%s: %s is gone", what, name)
		} else if now != text {
			t.Errorf("%s: %s was\n%s\nand is\n%s", what, name, shortened(text), shortened(now))
		}
	}
	for name, text := range after {
		if _, ok := before[name]; !ok {
			t.Errorf("%s: %s is new:\n%s", what, name, shortened(text))
		}
	}
}

func shortened(text string) string {
	const most = 500
	if len(text) > most {
		return text[:most] + "..."
	}
	return text
}

// writeFile writes a file that a program is to read.
func writeFile(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
