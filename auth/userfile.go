package auth

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os/user"
	"strconv"
	"strings"
	"unicode/utf8"
)

const (
	maxUserLine = 16 << 10 // bytes of a line of the user file
	maxProblems = 100      // kept of one file: another kind of file has one per line
)

// userTable is what a user file said. It is not written to once it is in use.
type userTable struct {
	users    map[string]*entry // by normalised name
	problems []error
	// dummy is the password of somebody whose scheme and cost is the most common in
	// the file: what unknown users' passwords are compared with.
	dummy string
	stamp stamp
}

// entry is one user.
type entry struct {
	line     int // of the file
	user     User
	password string
	refusal  string         // why the user can't log in whatever the password, or ""
	nets     []netip.Prefix // where the user may log in from; nil: from everywhere
}

// parseUserFile reads a user file. path is for the messages. Its error is r's.
func parseUserFile(path string, r io.Reader) (*userTable, error) {
	t := &userTable{users: make(map[string]*entry)}
	problem := func(line int, err error) {
		if len(t.problems) < maxProblems {
			t.problems = append(t.problems, fmt.Errorf("%s:%d: %w", path, line, err))
		}
	}
	type class struct {
		n       int
		example string
	}
	costs := make(map[string]class)
	common := 0
	b := bufio.NewReaderSize(r, maxUserLine)
	for n := 1; ; n++ {
		raw, err := b.ReadSlice('\n')
		if err == bufio.ErrBufferFull {
			problem(n, fmt.Errorf("line of more than %d bytes", maxUserLine))
			for err == bufio.ErrBufferFull {
				_, err = b.ReadSlice('\n')
			}
			raw = nil
		}
		if err != nil && err != io.EOF {
			return nil, err
		}
		if line := strings.TrimRight(string(raw), "\r\n"); strings.TrimSpace(line) != "" && line[0] != '#' {
			e, cost, perr := parseUserLine(line)
			switch {
			case e == nil:
				problem(n, perr)
			case t.users[e.user.Name] != nil:
				problem(n, fmt.Errorf("user %s is in the file already: this line does not count", e.user.Name))
			default:
				if perr != nil {
					problem(n, fmt.Errorf("user %s can't log in: %w", e.user.Name, perr))
				}
				e.line = n
				t.users[e.user.Name] = e
			}
			if cost != "" {
				c := costs[cost]
				if c.n++; c.n == 1 {
					c.example = e.password
				}
				costs[cost] = c
				if c.n > common {
					common, t.dummy = c.n, c.example
				}
			}
		}
		if err == io.EOF {
			return t, nil
		}
	}
}

// parseUserLine reads user:password:uid:gid:gecos:home:shell:extra, of which all but
// the first field may be missing. uid and gid are numbers or names of the system's
// users and groups. extra are fields key=value with spaces between. Of Dovecot's
// fields that restrict who may log in, allow_nets and nologin are obeyed. With host (and port, destuser, reason) the
// user is referred to another server; proxy does the same as nologin, since we are no proxy.
//
// Without an entry, err says what is wrong with the line; with one, why the user can't
// log in, if that is not on purpose. cost is that of a password to log in with.
func parseUserLine(line string) (e *entry, cost string, err error) {
	if !utf8.ValidString(line) {
		return nil, "", errors.New("the line is not UTF-8")
	}
	if strings.ContainsFunc(line, func(r rune) bool { return r != '\t' && isControl(r) }) {
		return nil, "", errors.New("the line has control characters")
	}
	var f [8]string
	copy(f[:], strings.SplitN(line, ":", len(f)))
	name := Normalize(f[0])
	if name == "" || len(name) > MaxName || strings.ContainsAny(name, " \t") {
		return nil, "", fmt.Errorf("expected a user's name of up to %d bytes without spaces, then ':'", MaxName)
	}
	e = &entry{user: User{Name: name, Home: f[5]}, password: f[1]}
	if e.user.UID, err = id(f[2], userID); err != nil {
		return nil, "", fmt.Errorf("user %s: uid: %w", name, err)
	}
	if e.user.GID, err = id(f[3], groupID); err != nil {
		return nil, "", fmt.Errorf("user %s: gid: %w", name, err)
	}
	err = e.parseExtra(f[7])
	if err != nil {
		e.refusal = "the user's line in the user file is not usable"
		return e, "", err
	}
	if e.password == "" {
		e.refusal = "no password is set"
		return e, "", nil
	}
	s, err := parseStored(e.password)
	switch {
	case errors.Is(err, errLocked):
		e.refusal, err = "the password is locked", nil
	case err != nil:
		e.refusal = "the stored password is not usable"
	case e.refusal == "":
		cost = s.cost
	}
	return e, cost, err
}

// parseExtra reads the last field into e.
func (e *entry) parseExtra(s string) error {
	var to Referral
	for field := range strings.FieldsSeq(s) {
		key, value, _ := strings.Cut(field, "=")
		var err error
		switch key {
		case "nologin", "proxy":
			to.Only = true
		case "host":
			if to.Host = value; !isHost(value) {
				err = errors.New("expected a host name or an IPv4 address")
			}
		case "port":
			var n uint64
			n, err = strconv.ParseUint(value, 10, 16)
			to.Port = uint16(n)
		case "destuser":
			to.User = value
		case "reason":
			to.Reason = value
		case "allow_nets":
			e.nets, err = parseNets(value)
		case "userdb_uid":
			e.user.UID, err = id(value, userID)
		case "userdb_gid":
			e.user.GID, err = id(value, groupID)
		case "userdb_home":
			e.user.Home = value
		}
		if err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
		if e.user.Extra == nil {
			e.user.Extra = make(map[string]string)
		}
		e.user.Extra[strings.TrimPrefix(key, "userdb_")] = value
	}
	switch {
	case to.Host != "":
		e.user.Referral = &to
	case to.Only:
		e.refusal = "the user may not log in (nologin)"
	}
	return nil
}

// isHost reports whether s can be the host of an IMAP URL within a response code, where an IPv6
// address, in brackets, can't be.
func isHost(s string) bool {
	for _, c := range s {
		if c != '-' && c != '.' && (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') {
			return false
		}
	}
	return s != "" && len(s) <= 253
}

// id reads a uid or gid: a number, a name that lookup knows, or nothing for -1.
func id(s string, lookup func(name string) (string, error)) (int, error) {
	if s == "" {
		return -1, nil
	}
	if !strings.ContainsAny(s[:1], "-0123456789") {
		number, err := lookup(s)
		if err != nil {
			return 0, err
		}
		s = number
	}
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil || n >= 1<<32-1 { // the largest means "no change" to the kernel
		return 0, fmt.Errorf("expected a number or a name, found %.40q", s)
	}
	return int(n), nil
}

func userID(name string) (string, error) {
	u, err := user.Lookup(name)
	if err != nil {
		return "", err
	}
	return u.Uid, nil
}

func groupID(name string) (string, error) {
	g, err := user.LookupGroup(name)
	if err != nil {
		return "", err
	}
	return g.Gid, nil
}
