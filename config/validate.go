package config

import (
	"fmt"
	"log/slog"
	"maps"
	"net"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"maildir-imapd/backend"
)

// validate finds values that are well-formed and still wrong. It looks at the
// values alone, not at the files they name.
func (c *Config) validate() Problems {
	v := validator{c: c}
	v.listen()
	v.auth()
	v.mail()
	v.ranges()
	v.capabilities()
	v.oneOf("log.format", c.Log.Format, "text", "json")
	var level slog.Level
	if level.UnmarshalText([]byte(c.Log.Level)) != nil {
		v.problem("log.level", "expected debug, info, warn or error, found %q", c.Log.Level)
	}
	v.serverID()
	return v.problems
}

// validator collects problems and warnings of a Config.
type validator struct {
	c        *Config
	problems Problems
}

func (v *validator) problem(setting, format string, args ...any) {
	v.problems = append(v.problems, v.c.Problem(setting, fmt.Sprintf(format, args...)))
}

func (v *validator) warn(setting, format string, args ...any) {
	v.c.Warnings = append(v.c.Warnings, v.c.Problem(setting, fmt.Sprintf(format, args...)))
}

func (v *validator) oneOf(setting, value string, allowed ...string) {
	if !slices.Contains(allowed, value) {
		v.problem(setting, "expected %s, found %q%s",
			strings.Join(allowed[:len(allowed)-1], ", ")+" or "+allowed[len(allowed)-1], value, didYouMean(value, allowed))
	}
}

// absolute complains about a file name that would depend on where the server is started.
func (v *validator) absolute(setting, path string) {
	if !filepath.IsAbs(path) {
		v.problem(setting, "expected an absolute path, found %q", path)
	}
}

func (v *validator) listen() {
	c := v.c
	if len(c.Listen) == 0 {
		v.problem("listen", "expected at least one address")
	}
	seen := make(map[string]string)
	for i, l := range c.Listen {
		name := fmt.Sprintf("listen[%d]", i)
		v.oneOf(v.nearest(name+".tls", name), string(l.TLS), string(TLSNone), string(TLSStartTLS), string(TLSImplicit))
		address := v.nearest(name+".address", name)
		host, port, err := net.SplitHostPort(l.Address)
		if n, e := strconv.ParseUint(port, 10, 16); err != nil || e != nil {
			v.problem(address, `expected host:port such as "127.0.0.1:143", "[::1]:143" or ":993", found %q`, l.Address)
			continue
		} else if first, ok := seen[l.Address]; ok && n != 0 {
			v.problem(address, "%s is already the address of %s", l.Address, first)
		}
		seen[l.Address] = name
		if l.TLS != TLSImplicit && c.AllowPlaintextAuth && !loopback(host) {
			v.warn(address, "with allow_plaintext_auth passwords cross the network at %s as they are", l.Address)
		}
		if l.TLS == TLSNone && !c.AllowPlaintextAuth && !loopback(host) {
			v.warn(address, "only this machine can log in at %s: it has no TLS and allow_plaintext_auth is false", l.Address)
		}
	}
	if c.NeedsTLS() {
		v.absolute("tls.certificate", c.TLS.Certificate)
		v.absolute("tls.key", c.TLS.Key)
	}
}

// nearest is setting where the file has it, else the group that lacks it.
func (v *validator) nearest(setting, group string) string {
	if _, ok := v.c.lines[setting]; ok {
		return setting
	}
	return group
}

// loopback reports whether a listener on host is reachable from this machine only.
func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func (v *validator) auth() {
	v.absolute("auth.passwd_file", v.c.Auth.PasswdFile)
}

// specialUses are the attributes of RFC 6154 §2 and RFC 8457.
var specialUses = []string{`\All`, `\Archive`, `\Drafts`, `\Flagged`, `\Important`, `\Junk`, `\Sent`, `\Trash`}

func (v *validator) mail() {
	m := v.c.Mail
	// Any user will do: what is asked is whether the location makes sense at all.
	loc, err := backend.ParseLocation(m.Location, "user@example.org", "/home/user")
	if err != nil {
		v.problem("mail.location", "%s", strings.TrimPrefix(err.Error(), "mail location: "))
	}
	separator := m.Separator
	switch {
	case separator == "" && loc.Layout == backend.FS:
		separator = "/"
	case separator == "":
		separator = "."
	default:
		v.oneOf("mail.separator", separator, ".", "/")
	}
	if m.Prefix != "" && !strings.HasSuffix(m.Prefix, separator) {
		v.problem("mail.prefix", "expected a prefix that ends in the separator, such as %q, found %q", "INBOX"+separator, m.Prefix)
	}
	for _, mailbox := range slices.Sorted(maps.Keys(m.SpecialUse)) {
		v.oneOf("mail.special_use."+mailbox, m.SpecialUse[mailbox], specialUses...)
	}
	v.shared(loc, separator)
}

// shared checks the namespaces beside the user's own.
func (v *validator) shared(own backend.Location, separator string) {
	prefixes, roots := make(map[string]string), map[string]string{own.Root: "mail.location"}
	for i, s := range v.c.Mail.Shared {
		name := fmt.Sprintf("mail.shared[%d]", i)
		prefix, location := v.nearest(name+".prefix", name), v.nearest(name+".location", name)
		levels, ends := strings.CutSuffix(s.Prefix, separator)
		switch first := prefixes[s.Prefix]; {
		case !ends || slices.Contains(strings.Split(levels, separator), "") || strings.ContainsAny(levels, "*%") || levels[0] == '~':
			v.problem(prefix, "expected a name that ends in the separator, such as %q, found %q", "Public"+separator, s.Prefix)
		case strings.EqualFold(levels, "INBOX"), v.c.Mail.Prefix != "" && strings.HasPrefix(v.c.Mail.Prefix, s.Prefix):
			v.problem(prefix, "expected a prefix that leaves the user his own mailboxes, found %q", s.Prefix)
		case first != "":
			v.problem(prefix, "%q is already the prefix of %s", s.Prefix, first)
		default:
			prefixes[s.Prefix] = name
		}
		if s.Kind != "" {
			v.oneOf(name+".kind", string(s.Kind), string(ShareShared), string(ShareUsers))
		}
		loc, err := backend.ParseLocation(s.Location, "user@example.org", "/home/user")
		switch first := roots[loc.Root]; {
		case err != nil:
			v.problem(location, "%s", strings.TrimPrefix(err.Error(), "mail location: "))
		case loc.Inbox != "":
			v.problem(location, "INBOX=: a shared tree has no INBOX")
		case first != "":
			v.problem(location, "%s is already that of %s: one tree can't have two names", loc.Root, first)
		default:
			roots[loc.Root] = name
		}
	}
}

// ranges checks every number that has bounds.
func (v *validator) ranges() {
	l, p := v.c.Limits, v.c.Push
	sizes := []struct {
		setting    string
		value      Size
		least, max Size
	}{
		// RFC 7162 §4: clients send lines of up to about 8192 octets.
		{"limits.line", l.Line, 8 << 10, 16 << 20},
		{"limits.literal", l.Literal, 1 << 10, 64 << 20},
		{"limits.literal_before_login", l.LiteralBeforeLogin, 256, 64 << 10},
	}
	for _, s := range sizes {
		if s.value < s.least || s.value > s.max {
			v.problem(s.setting, "expected a size from %s to %s, found %s", s.least, s.max, s.value)
		}
	}
	durations := []struct {
		setting    string
		value      time.Duration
		least, max time.Duration
	}{
		{"auth.failure_delay", v.c.Auth.FailureDelay, 0, time.Minute},
		{"auth.cache_ttl", v.c.Auth.CacheTTL, 0, 24 * time.Hour},
		{"limits.idle_timeout", l.IdleTimeout, time.Minute, 24 * time.Hour},
		{"limits.login_timeout", l.LoginTimeout, time.Second, time.Hour},
		{"push.window", p.Window, time.Millisecond, time.Second},
		{"push.poll_interval", p.PollInterval, time.Second, time.Hour},
		{"push.idle_still_here", p.IdleStillHere, 0, 30 * time.Minute},
	}
	for _, d := range durations {
		if d.value < d.least || d.value > d.max {
			v.problem(d.setting, "expected a duration from %s to %s, found %s", d.least, d.max, d.value)
		}
	}
	if l.BadCommands == 0 {
		v.problem("limits.bad_commands", "expected a number from 1, found 0")
	}
	if n := l.MessagesPerSave; n > 0 && n < 1000 { // RFC 9738 §3
		v.problem("limits.messages_per_save", "expected 0 or a number from 1000, found %d", n)
	}
	// RFC 9051 §5.4.
	if l.IdleTimeout < 30*time.Minute {
		v.warn("limits.idle_timeout", "clients expect to stay connected for 30m at least, found %s", l.IdleTimeout)
	}
}

// atom is what a capability's name is made of.
var atom = regexp.MustCompile(`^[A-Za-z0-9+=_.\-]+$`)

func (v *validator) capabilities() {
	for i, name := range v.c.DisabledCapabilities {
		setting := fmt.Sprintf("disabled_capabilities[%d]", i)
		switch {
		case !atom.MatchString(name):
			v.problem(setting, "expected a capability's name such as NOTIFY, found %q", name)
		case strings.HasPrefix(strings.ToUpper(name), "IMAP4"):
			v.problem(setting, "%s can't be switched off", name)
		}
	}
}

func (v *validator) serverID() {
	id := v.c.ServerID
	for _, f := range []struct{ setting, value string }{
		{"server_id.name", id.Name},
		{"server_id.version", id.Version},
		{"server_id.vendor", id.Vendor},
		{"server_id.support_url", id.SupportURL},
	} {
		// RFC 2971 §3.3: a value has at most 1024 octets.
		if len(f.value) > 1024 {
			v.problem(f.setting, "expected at most 1024 octets, found %d", len(f.value))
		}
	}
}
