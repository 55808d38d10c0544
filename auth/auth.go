package auth

import (
	"context"
	"errors"
	"strings"
)

// User is who logged in, as the user database describes them.
type User struct {
	Name string // after normalisation; what the log and the mail location's %u say
	// UID and GID as written in the database, -1 where empty.
	UID, GID int
	Home     string
	// Extra holds the userdb_ fields without that prefix (e.g. "mail"), and the
	// others as written.
	Extra map[string]string
	// Referral says where the user's mail is, nil: here.
	Referral *Referral
}

// Referral is another server that the user should log in to (RFC 2221). Immutable.
type Referral struct {
	Host   string // a name or an IPv4 address
	Port   uint16 // 0: the usual one
	User   string // the name to log in with there; "": the same
	Reason string // for people to read; "": none given
	// Only says that the user can't log in here.
	Only bool
}

// ErrInvalid is all that a client learns of a failed log-in: the user is
// unknown or the password is wrong.
var ErrInvalid = errors.New("user unknown or password wrong")

// Database verifies passwords. Any error but ErrInvalid means that it could not be asked
// (the client gets NO [UNAVAILABLE]).
type Database interface {
	Verify(ctx context.Context, name, password string) (*User, error)
}

// Longest user name and password that anybody has, in bytes. The cost of some
// schemes grows with the length of the password.
const (
	MaxName     = 255
	maxPassword = 1024
)

// plausible reports whether the two can be somebody's credentials at all. Nobody's
// password is empty, whatever a database says.
func plausible(name, password string) bool {
	return name != "" && len(name) <= MaxName && password != "" && len(password) <= maxPassword &&
		!strings.ContainsFunc(name, isControl) && !strings.Contains(password, "\x00")
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f }

// Normalize returns the form of a user name that is looked up and shown: ASCII
// letters in lower case, as Dovecot has it by default (auth_username_format=%Lu).
// Other letters keep their case, since folding them makes different names equal.
func Normalize(name string) string {
	lower := []byte(name)
	for i, c := range lower {
		if 'A' <= c && c <= 'Z' {
			lower[i] = c + ('a' - 'A')
		}
	}
	return string(lower)
}
