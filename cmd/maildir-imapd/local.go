package main

import (
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"

	"maildir-imapd/auth"
	"maildir-imapd/config"
)

// localOptions are the flags of the local mode.
type localOptions struct {
	maildir   string // --maildir: a directory or a mail location; "": $MAILDIR or ~/Maildir
	listen    string // --listen: address with STARTTLS
	tlsListen string // --tls-listen: address with TLS
	state     string // --state: where password and certificate are kept; "": below the user's configuration
}

// The addresses of the local mode: beside, not on, the ports of a system-wide server.
const (
	localListen    = "127.0.0.1:1143"
	localTLSListen = "127.0.0.1:1993"
)

// local is the local mode: one person's own Maildir, for that person.
type local struct {
	config   *config.Config
	user     auth.User
	password string
	state    string // directory of password and certificate
}

// newLocal finds the Maildir, and makes password and certificate where there are none.
func newLocal(o localOptions) (*local, error) {
	l := &local{config: config.Default()}
	var err error
	if l.config.Mail.Location, err = localLocation(o.maildir); err != nil {
		return nil, err
	}
	if l.user, err = self(); err != nil {
		return nil, err
	}
	l.config.Mail.FollowSymlinks = true // they lead nowhere that he could not read himself
	if err := checkMaildir(l.config.Mail, &l.user); err != nil {
		return nil, err
	}
	if l.state, err = stateDir(o.state); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(l.state, 0o700); err != nil {
		return nil, err
	}
	if l.password, err = ensurePassword(l.passwordFile()); err != nil {
		return nil, err
	}
	if l.config.TLS, err = ensureCertificate(l.state); err != nil {
		return nil, err
	}
	l.config.Listen = []config.Listener{
		{Address: o.listen, TLS: config.TLSStartTLS},
		{Address: o.tlsListen, TLS: config.TLSImplicit},
	}
	return l, nil
}

// localLocation is the mail location of the person who starts the server: the flag's, else
// $MAILDIR, else ~/Maildir.
func localLocation(flag string) (string, error) {
	if strings.HasPrefix(flag, "maildir:") {
		return flag, nil
	}
	dir := cmp.Or(flag, os.Getenv("MAILDIR"))
	if dir == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", fmt.Errorf("name the Maildir with --maildir: %w", err)
		}
		dir = filepath.Join(home, "Maildir")
	}
	root, err := filepath.Abs(dir)
	// In a location ':' begins an option and '%' a variable.
	return "maildir:" + strings.NewReplacer(":", "::", "%", "%%").Replace(root), err
}

// checkMaildir fails where the user would find no mail after logging in.
func checkMaildir(m config.Mail, u *auth.User) error {
	loc, err := locate(m, u)
	if err != nil {
		return err
	}
	inbox := filepath.Join(loc.Root, loc.Inbox)
	if loc.DirName != "" && loc.Inbox == "" {
		inbox = filepath.Join(loc.Root, "INBOX", loc.DirName)
	}
	if fi, err := os.Stat(filepath.Join(inbox, "cur")); err != nil || !fi.IsDir() {
		return fmt.Errorf("%s is no Maildir (it has no directory cur): name yours with --maildir", inbox)
	}
	return nil
}

// self is the person who started this process.
func self() (auth.User, error) {
	u, err := user.Current()
	if err != nil {
		return auth.User{}, fmt.Errorf("who are you? %w", err)
	}
	home, _ := os.UserHomeDir() // only a location with ~ needs it, and fails without
	return auth.User{Name: u.Username, UID: os.Getuid(), GID: os.Getgid(), Home: home}, nil
}

func stateDir(flag string) (string, error) {
	if flag != "" {
		return filepath.Abs(flag)
	}
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", fmt.Errorf("name a directory for password and certificate with --state: %w", err)
	}
	return filepath.Join(dir, "maildir-imapd"), nil
}

func (l *local) passwordFile() string { return filepath.Join(l.state, "password") }

// ensurePassword reads the password, or makes one of 80 random bits that can be typed.
func ensurePassword(path string) (string, error) {
	fi, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		t := strings.ToLower(rand.Text())
		password := strings.Join([]string{t[0:4], t[4:8], t[8:12], t[12:16]}, "-")
		return password, writeFile(path, []byte(password+"\n"), 0o600)
	case err != nil:
		return "", err
	case fi.Mode().Perm()&0o077 != 0:
		return "", fmt.Errorf("%s can be read by others (mode %04o): delete it to get a new password, or chmod 600 it", path, fi.Mode().Perm())
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	password := strings.TrimSpace(string(data))
	if password == "" {
		return "", fmt.Errorf("%s is empty: delete it to get a new password", path)
	}
	return password, nil
}

// reachable is the address of l to connect to from this machine, by a name that the certificate has.
func reachable(l net.Listener) string {
	if a, ok := l.Addr().(*net.TCPAddr); ok && a.IP.IsUnspecified() {
		return net.JoinHostPort("localhost", strconv.Itoa(a.Port))
	}
	return l.Addr().String()
}

// hint says how to connect. starttls and tls are the addresses as they are now.
func (l *local) hint(w io.Writer, fingerprint, starttls, tls string) {
	fmt.Fprintf(w, `Serving %s
  STARTTLS     %s
  TLS          %s
  user         %s
  password     %s
               (kept in %s)
  certificate  %s
               (self-signed; SHA-256 %s)

Look into it:
  curl --cacert %[7]s --user %[4]s:%[5]s 'imaps://%[3]s/INBOX?ALL'
  mutt -f imaps://%[4]s@%[3]s/
  Thunderbird: account settings by hand, this host and port, SSL/TLS, normal password;
  it asks once to accept the certificate: compare the fingerprint.

Ctrl-C ends it.
`, strings.TrimPrefix(l.config.Mail.Location, "maildir:"), starttls, tls, l.user.Name, l.password, l.passwordFile(),
		l.config.TLS.Certificate, fingerprint)
}
