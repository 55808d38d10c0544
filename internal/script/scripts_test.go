package script

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"maildir-imapd/internal/dovecot"
	"maildir-imapd/internal/selfsigned"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	// Internal dates are shown in the server's zone, and scripts say them.
	os.Setenv("TZ", "UTC")
	time.Local = time.UTC
	// Scripts wait for servers, most of the time: more at once than processors.
	flag.Parse()
	if f := flag.Lookup("test.parallel"); f.Value.String() == strconv.Itoa(runtime.GOMAXPROCS(0)) {
		if err := f.Value.Set("16"); err != nil {
			panic(err)
		}
	}
	goleak.VerifyTestMain(m)
}

// TestScripts runs each script of testdata against our server and against
// Dovecot. The options that scripts may set are:
//
//	option password P     log in with this password
//	option passdb F,G     fields of the user in the password database, as "nologin,host=x"
//	option idle 1s        how often IDLE says "* OK Still here"
//	option separator /    of mailbox names
//	option shared P       mailboxes behind the prefix P, which two users share
//	option layout fs      of the shared mailboxes; else Maildir++
//	option kind users     of the shared mailboxes: other users'; else shared
//	option groups G,H     that the first user belongs to
//	option quota R        a quota rule, e.g. *:storage=10k:messages=3
//	option appendlimit N  ours only: the greatest message in octets
//	option savelimit N    ours only: the most messages of one COPY or APPEND
//	option line N         ours only: the longest command line in octets
//	option literal N      ours only: the greatest literal of a command
//	option timeout 200ms  ours only: how long a client that has logged in may be silent
//	option tls yes        STARTTLS is to be had
//	option progress 1ms   ours only: how often a client hears that its command still runs
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	plain, sharing, secure := dovecot.Start(t, settings), dovecot.Start(t, settings+sharingSettings), dovecot.Start(t, settings+tlsSettings(t))
	of := func(s *Script) *dovecot.Server {
		switch {
		case s.Options["shared"] != "":
			return sharing
		case s.Options["tls"] != "":
			return secure
		}
		return plain
	}
	targets := map[string]func(t *testing.T, s *Script) Account{
		"ours":    newOurs,
		"dovecot": func(t *testing.T, s *Script) Account { return newDovecot(t, of(s), s) },
	}
	for _, file := range files {
		s, err := Load(file)
		if err != nil {
			t.Error(err)
			continue
		}
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			if s.Shared {
				runScript(t, s, newShared(t, of(s), s))
				return
			}
			for server, account := range targets {
				if s.Only != "" && s.Only != server {
					continue
				}
				t.Run(server, func(t *testing.T) {
					t.Parallel()
					runScript(t, s, account(t, s))
				})
			}
		})
	}
}

// settings are Dovecot's plugins for the capabilities that it has them for.
const settings = `
mail_plugins = quota
protocol imap {
  mail_plugins = quota imap_quota imap_zlib
  imap_metadata = yes
}
mail_attribute_dict = file:%h/dovecot-attributes
`

// sharingSettings are for users who share mail. Each has the namespace elsewhere, see newDovecot.
const sharingSettings = `
mail_plugins = $mail_plugins acl
protocol imap {
  mail_plugins = quota imap_quota acl imap_acl
}
plugin {
  acl = vfile::cache_secs=0
  acl_anyone = allow
}
namespace shared {
  type = public
  subscriptions = no
  list = yes
}
`

// certificate is what servers of scripts show, and its key, in PEM.
var certificate = sync.OnceValues(func() (cert, key []byte) {
	cert, key, err := selfsigned.Make(time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
	if err != nil {
		panic(err)
	}
	return cert, key
})

// tlsSettings are Dovecot's for STARTTLS.
func tlsSettings(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "crt"), filepath.Join(dir, "key")
	cert, key := certificate()
	if err := errors.Join(os.WriteFile(certFile, cert, 0o600), os.WriteFile(keyFile, key, 0o600)); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("ssl = yes\nssl_cert = <%s\nssl_key = <%s\n", certFile, keyFile)
}

func runScript(t *testing.T, s *Script, a Account) {
	t.Helper()
	transcript, err := s.Run(a)
	if err != nil {
		t.Errorf("%v\n\ntranscript (with the lines of the script):\n%s", err, transcript)
	} else if testing.Verbose() {
		t.Logf("\n%s", transcript)
	}
}

// checkOptions fails where the script sets an option that the server has not.
func checkOptions(t *testing.T, s *Script, known ...string) {
	t.Helper()
	for name := range s.Options {
		if !slices.Contains(known, name) {
			t.Fatalf("%s: unknown option %q", s.Name, name)
		}
	}
}

// newShared makes a user of both servers.
func newShared(t *testing.T, d *dovecot.Server, s *Script) Account {
	t.Helper()
	a := newDovecot(t, d, s)
	a.Addrs = map[string]string{"dovecot": a.Addr, "ours": startOurs(t, s, a.Root).Addr}
	a.Server, a.Addr, a.Open = "", a.Addrs["ours"], true
	return a
}

// newDovecot makes a user of Dovecot, named like the script.
func newDovecot(t *testing.T, d *dovecot.Server, s *Script) Account {
	t.Helper()
	checkOptions(t, s, "password", "passdb", "idle", "separator", "quota", "shared", "layout", "kind", "groups", "tls")
	a := Account{Server: "dovecot", Addr: d.Addr, User: s.Name, Password: "secret", Chown: d.Chown}
	// Dovecot says "Still here" to all clients at one moment, which may come as soon as a script is in IDLE: never, but where it is asked for.
	userdb := []string{"imap_idle_notify_interval=" + cmp.Or(s.Options["idle"], "0")}
	for name, value := range s.Options {
		switch name {
		case "password":
			a.Password = value
		case "passdb":
			for field := range strings.SplitSeq(value, ",") {
				userdb = append(userdb, "passdb_"+field)
			}
		case "separator":
			userdb = append(userdb, fmt.Sprintf("namespace/inbox/separator=%s", value))
		case "quota":
			userdb = append(userdb, "quota=maildir:User", "quota_rule="+value)
		}
	}
	if prefix := s.Options["shared"]; prefix != "" {
		// AddUser puts the home of the first user where the shared tree lies.
		location := "maildir:" + filepath.Join(d.Home(a.User), "shared")
		if s.Options["layout"] != "" {
			location += ":LAYOUT=" + s.Options["layout"]
		}
		userdb = append(userdb, "namespace/shared/prefix="+prefix, "namespace/shared/location="+location,
			"namespace/shared/separator="+prefix[len(prefix)-1:], "namespace/inbox/separator="+prefix[len(prefix)-1:])
		a.Other = a.User + "_2"
		if _, err := d.AddUser(a.Other, a.Password, userdb...); err != nil {
			t.Fatal(err)
		}
		if groups := s.Options["groups"]; groups != "" {
			userdb = append(userdb, "acl_groups="+groups)
		}
	}
	var err error
	if a.Root, err = d.AddUser(a.User, a.Password, userdb...); err != nil {
		t.Fatal(err)
	}
	return a
}
