package config

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"maildir-imapd/internal/selfsigned"
)

// writeFile makes a file and returns its path.
func writeFile(t *testing.T, dir, name, content string, perm os.FileMode) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(content), perm); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, perm); err != nil { // whatever the umask
		t.Fatal(err)
	}
	return path
}

// writePair makes a certificate that is valid until then, and its key.
func writePair(t *testing.T, dir, name string, until time.Time, keyPerm os.FileMode) (cert, key string) {
	t.Helper()
	c, k, err := selfsigned.Make(until.Add(-time.Hour), until)
	if err != nil {
		t.Fatal(err)
	}
	return writeFile(t, dir, name+".crt", string(c), 0o644), writeFile(t, dir, name+".key", string(k), keyPerm)
}

func TestLoadFiles(t *testing.T) {
	dir := t.TempDir()
	tomorrow, yesterday := time.Now().Add(24*time.Hour), time.Now().Add(-24*time.Hour)
	cert, key := writePair(t, dir, "good", tomorrow, 0o600)
	_, otherKey := writePair(t, dir, "other", tomorrow, 0o600)
	oldCert, oldKey := writePair(t, dir, "old", yesterday, 0o644)
	users := writeFile(t, dir, "users", "", 0o600)

	for _, test := range []struct{ name, in, problems, warnings string }{
		{"all is well", fmt.Sprintf("tls: {certificate: %s, key: %s}\nauth: {passwd_file: %s}\n", cert, key, users), "", ""},
		{"no listener needs the certificate",
			fmt.Sprintf("listen: [{address: \"127.0.0.1:143\", tls: none}]\nallow_plaintext_auth: true\ntls: {certificate: %s/none, key: %[1]s/none}\nauth: {passwd_file: %s}\n", dir, users), "", ""},
		{"nothing is there",
			fmt.Sprintf("tls:\n  certificate: %[1]s/none.crt\n  key: %[1]s/none.key\nauth:\n  passwd_file: %[1]s/none\n", dir),
			"F:2: tls.certificate: can't read D/none.crt: no such file or directory\n" +
				"F:3: tls.key: can't read D/none.key: no such file or directory\n" +
				"F:5: auth.passwd_file: can't read D/none: no such file or directory", ""},
		{"a directory", fmt.Sprintf("tls: {certificate: %s, key: %s}\nauth:\n  passwd_file: %s\n", cert, key, dir),
			"F:3: auth.passwd_file: expected a file, D is none", ""},
		{"another certificate's key", fmt.Sprintf("tls:\n  certificate: %s\n  key: %s\nauth: {passwd_file: %s}\n", cert, otherKey, users),
			"F:2: tls.certificate: D/good.crt and D/other.key are no PEM certificate with its key: tls: private key does not match public key", ""},
		{"no PEM", fmt.Sprintf("tls:\n  certificate: %s\n  key: %s\nauth: {passwd_file: %s}\n", users, key, users),
			"F:2: tls.certificate: D/users and D/good.key are no PEM certificate with its key: tls: failed to find any PEM data in certificate input", ""},
		{"expired, and a key for everybody", fmt.Sprintf("tls:\n  certificate: %s\n  key: %s\nauth: {passwd_file: %s}\n", oldCert, oldKey, users), "",
			"F:2: tls.certificate: D/old.crt expired at " + yesterday.UTC().Format(time.DateTime) + "\n" +
				"F:3: tls.key: D/old.key is open to everybody on this machine (mode 0644); use chmod o= on it"},
		{"run as root", fmt.Sprintf("run_as: root\ntls: {certificate: %s, key: %s}\nauth: {passwd_file: %s}\n", cert, key, users),
			`F:1: run_as: expected the user that owns the mail, such as vmail, found "root", which is root`, ""},
		{"run as nobody knows", fmt.Sprintf("run_as: no-such-user\ntls: {certificate: %s, key: %s}\nauth: {passwd_file: %s}\n", cert, key, users),
			"F:1: run_as: user: unknown user no-such-user", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := writeFile(t, dir, "config.yaml", test.in, 0o644)
			short := strings.NewReplacer(path, "F", dir, "D")
			c, err := Load(path)
			got := ""
			if err != nil {
				got = short.Replace(err.Error())
			}
			if got != test.problems {
				t.Errorf("got  %s\nwant %s", got, test.problems)
			}
			if err != nil {
				return
			}
			if got := short.Replace(Problems(c.Warnings).Error()); got != test.warnings {
				t.Errorf("warnings %s\nwant     %s", got, test.warnings)
			}
		})
	}
}

// The lines of an error come in the order of the file.
func TestLoadSorts(t *testing.T) {
	path := writeFile(t, t.TempDir(), "c.yaml", "listen: [{address: \"[::1]:1\", tls: none}]\nlog: {level: loud}\nauth: {passwd_file: /none}\nzebra: 1\n", 0o644)
	_, err := Load(path)
	problems, ok := err.(Problems)
	if !ok || len(problems) != 3 || problems[0].Line != 2 || problems[1].Line != 3 || problems[2].Line != 4 {
		t.Errorf("got %v", err)
	}
}

// A setting that the file does not have is named as such.
func TestDefaultNamed(t *testing.T) {
	path := writeFile(t, t.TempDir(), "c.yaml", "listen: [{address: \"[::1]:1\", tls: none}]\n", 0o644)
	c, problems := parse(path, nil)
	c.Auth.PasswdFile = "/nowhere/users"
	c.Listen = nil
	problems = append(problems, c.checkFiles()...)
	if got, want := problems.Error(), path+": auth.passwd_file (not set, default): can't read /nowhere/users: no such file or directory"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestLoadUnreadable(t *testing.T) {
	dir := t.TempDir()
	// Nothing is said of settings that could not be read.
	tabs := writeFile(t, dir, "tabs", "run_as: a\ntls:\n\tkey: b\n", 0o644)
	list := writeFile(t, dir, "list", "- a\n", 0o644)
	big := writeFile(t, dir, "big", strings.Repeat("#\n", maxFile), 0o644)
	for path, want := range map[string]string{
		dir + "/none": dir + "/none: can't read the configuration: no such file or directory",
		dir:           dir + ": can't read the configuration: is a directory",
		tabs:          tabs + ":3: not valid YAML: found character that cannot start any token (YAML is indented with spaces, not with tabs)",
		list:          list + ":1: expected settings (" + strings.Join(settings(reflect.TypeFor[Config]()), ", ") + "), found a list",
		big:           big + ": larger than 64KiB: not a configuration",
	} {
		if _, err := Load(path); err == nil || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
}

func TestMayRead(t *testing.T) {
	fi := func(perm os.FileMode) os.FileInfo {
		fi, err := os.Stat(writeFile(t, t.TempDir(), "f", "", perm))
		if err != nil {
			t.Fatal(err)
		}
		return fi
	}
	uid, gid := owner(fi(0o600))
	for _, test := range []struct {
		id   Identity
		perm os.FileMode
		want bool
	}{
		{Identity{UID: uid, GID: gid}, 0o600, true},
		{Identity{UID: uid, GID: gid}, 0o044, false},
		{Identity{UID: uid + 1, GID: gid}, 0o640, true},
		{Identity{UID: uid + 1, GID: gid}, 0o604, false},
		{Identity{UID: uid + 1, GID: gid + 1, Groups: []int{gid}}, 0o640, true},
		{Identity{UID: uid + 1, GID: gid + 1}, 0o640, false},
		{Identity{UID: uid + 1, GID: gid + 1}, 0o604, true},
	} {
		if got := test.id.mayRead(fi(test.perm)); got != test.want {
			t.Errorf("%+v may read %04o: %v", test.id, test.perm, got)
		}
	}
}
