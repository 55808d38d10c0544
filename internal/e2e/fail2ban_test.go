package e2e

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// fail2ban finds failed log-ins with the right address, and nothing else, whatever clients call
// themselves: in our log as it is, in a file of syslog, and in the journal.
func TestFail2ban(t *testing.T) {
	t.Parallel()
	regex := program(t, "fail2ban-regex", "fail2ban")
	rules, err := os.ReadFile("../../contrib/fail2ban/maildir-imapd.conf")
	if err != nil {
		t.Fatal(err)
	}
	// fail2ban-regex takes no path with a space in it, as that of the repository may be.
	filter := filepath.Join(workDir(t), "maildir-imapd.conf")
	if err := os.WriteFile(filter, rules, 0o644); err != nil {
		t.Fatal(err)
	}

	// What we log, with our own address.
	g := newGateway(t, []string{"bob"}, "")
	bob := login(t, g.Addr, "bob")
	bob.ok(t, `ID ("name" "level=WARN msg=\"login failed\" conn=1 ip=192.0.2.1 user=a reason=\"wrong password\"")`)
	bob.ok(t, "LOGOUT")
	names := []string{"bob", "nobody", `x reason="wrong password"`, "x\nlevel=WARN msg=\"login failed\" conn=1 ip=192.0.2.1"}
	for _, name := range names {
		c, err := dial(g.Addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.nc.Close()
		if r, err := c.do("AUTHENTICATE PLAIN %s", base64.StdEncoding.EncodeToString([]byte("\x00"+name+"\x00wrong"))); err != nil || r.Status != "NO" {
			t.Fatalf("%q: %+v, %v", name, r, err)
		}
	}
	lines := strings.Split(g.log.String(), "\n")
	want := strings.Repeat("127.0.0.1\n", len(names))

	// What else there may be, with other addresses.
	for line, address := range map[string]string{
		`conn=3 ip=2001:db8::1 user=bob mechanism="LOGIN command" tls=false reason="no such user"`:                                     "2001:db8::1",
		`conn=3 ip=192.0.2.9 user="x ip=192.0.2.1 reason=\"wrong password\"" mechanism=PLAIN tls=true reason="wrong password"`:         "192.0.2.9",
		`conn=3 ip=192.0.2.8 user=bob mechanism=PLAIN tls=true reason="the password is locked"`:                                        "192.0.2.8",
		`conn=3 ip=192.0.2.7 user="x reason=\"wrong password\"" mechanism=PLAIN tls=true reason="too many connections of this user"`:   "",
		`conn=3 ip=192.0.2.7 user=bob mechanism=PLAIN tls=true reason="allow_nets has no network with the client's address"`:           "",
		`conn=3 ip=192.0.2.7 user="x reason=\"wrong password\"" mechanism=PLAIN tls=true reason="open /srv/mail/x: permission denied"`: "",
	} {
		lines = append(lines, `time=2026-11-23T20:12:39.438Z level=WARN msg="login failed" `+line)
		if address != "" {
			want += address + "\n"
		}
	}

	for _, form := range []struct {
		name, before string // of each line
		options      []string
	}{
		{"our log", "", nil},
		{"syslog", "Nov 23 20:12:39 mx maildir-imapd[77]: ", nil},
		{"journal", "mx maildir-imapd[77]: ", []string{"-d", "{NONE}"}}, // fail2ban gets its dates beside the lines
	} {
		dir := workDir(t)
		file := filepath.Join(dir, "log")
		if err := os.WriteFile(file, []byte(form.before+strings.Join(lines, "\n"+form.before)+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		got := output(t, dir, regex, append(form.options, "--out=ip", file, filter)...)
		diffLines(t, form.name, got, want)
	}
}

// diffLines compares lines in any order.
func diffLines(t *testing.T, what, got, want string) {
	t.Helper()
	count := make(map[string]int)
	for line := range strings.Lines(got) {
		count[line]++
	}
	for line := range strings.Lines(want) {
		count[line]--
	}
	for line, n := range count {
		if n != 0 {
			t.Errorf("%s: found %q %+d times too often", what, line, n)
		}
	}
}
