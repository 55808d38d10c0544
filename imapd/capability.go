package imapd

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"maildir-imapd/auth"
)

// capability is a row of the table of capabilities.
type capability struct {
	name   string
	states stateSet // in which it is announced
	// needs are the capabilities that it builds on: it is not there without each of them.
	needs []string
	// on says whether it is there for this connection; nil: always.
	on func(c *conn) bool
	// enable makes it known to ENABLE (RFC 5161).
	enable bool
}

// capabilities is the table of capabilities, in the order in which they are announced. What is not here
// can't be announced, and what is switched off in the configuration is not there: commands and
// parameters ask has.
var capabilities = append([]capability{
	{name: "IMAP4rev1", states: statesAny},
	{name: "IMAP4rev2", states: statesAny, enable: true, needs: []string{"ENABLE"}},
	{name: "SASL-IR", states: statesAny},
	{name: "LOGIN-REFERRALS", states: statesAny},
	{name: "ID", states: statesAny},
	{name: "LANGUAGE", states: statesAny, needs: []string{"NAMESPACE"}}, // RFC 5255 §3.1
	{name: "ENABLE", states: statesAny},
	{name: "IDLE", states: statesAny},
	{name: "SORT", states: statesUser},
	{name: "SORT=DISPLAY", states: statesUser, needs: []string{"SORT"}},
	{name: "THREAD=REFERENCES", states: statesUser},
	{name: "THREAD=REFS", states: statesUser},
	{name: "THREAD=ORDEREDSUBJECT", states: statesUser},
	{name: "MULTIAPPEND", states: statesUser},
	{name: "URL-PARTIAL", states: statesUser, needs: []string{"CATENATE"}},
	{name: "CATENATE", states: statesUser},
	{name: "UNSELECT", states: statesUser},
	{name: "CHILDREN", states: statesUser},
	{name: "NAMESPACE", states: statesUser},
	{name: "UIDPLUS", states: statesUser},
	{name: "LIST-EXTENDED", states: statesUser},
	{name: "I18NLEVEL=1", states: statesUser},
	{name: "CONDSTORE", states: statesUser, enable: true},
	{name: "QRESYNC", states: statesUser, enable: true, needs: []string{"CONDSTORE", "ENABLE"}},
	{name: "UIDONLY", states: statesUser, enable: true, needs: []string{"ENABLE"}},
	{name: "ESEARCH", states: statesUser},
	{name: "ESORT", states: statesUser, needs: []string{"SORT", "ESEARCH"}},
	{name: "SEARCHRES", states: statesUser, needs: []string{"ESEARCH"}}, // RFC 5182 §2.1
	{name: "WITHIN", states: statesUser},
	{name: "CONTEXT=SEARCH", states: statesUser, needs: []string{"ESEARCH"}},
	{name: "CONTEXT=SORT", states: statesUser, needs: []string{"ESORT"}},
	{name: "PARTIAL", states: statesUser, needs: []string{"ESEARCH"}},
	{name: "MULTISEARCH", states: statesUser, needs: []string{"ESEARCH"}},
	{name: "LIST-STATUS", states: statesUser, needs: []string{"LIST-EXTENDED"}},
	{name: "BINARY", states: statesUser},
	{name: "MOVE", states: statesUser},
	{name: "NOTIFY", states: statesUser},
	{name: "SNIPPET=FUZZY", states: statesUser},
	{name: "PREVIEW=FUZZY", states: statesUser, needs: []string{"PREVIEW"}},
	{name: "PREVIEW", states: statesUser},
	{name: "UTF8=ACCEPT", states: statesUser, enable: true, needs: []string{"ENABLE"}},
	{name: "STATUS=SIZE", states: statesUser},
	{name: "COMPRESS=DEFLATE", states: statesUser},
	{name: "SAVEDATE", states: statesUser},
	{name: "OBJECTID", states: statesUser},
	{name: "INPROGRESS", states: statesUser},
	{name: "UNAUTHENTICATE", states: statesUser},
	{name: "REPLACE", states: statesUser},
	{name: "LITERAL+", states: statesAny},
	{name: "SPECIAL-USE", states: statesUser},
	{name: "CREATE-SPECIAL-USE", states: statesUser, needs: []string{"SPECIAL-USE"}},
	{name: "APPENDLIMIT", states: statesUser},
	{name: "SAVELIMIT", states: statesUser, on: func(c *conn) bool { return c.cfg.Limits.Save > 0 }},
	{name: "QUOTA", states: statesUser},
	{name: "QUOTA=RES-STORAGE", states: statesUser, needs: []string{"QUOTA"}},
	{name: "QUOTA=RES-MESSAGE", states: statesUser, needs: []string{"QUOTA"}},
	{name: "METADATA", states: statesUser},
	{name: "LIST-METADATA", states: statesUser, needs: []string{"LIST-EXTENDED", "METADATA"}},
	{name: "FILTERS", states: statesUser, needs: []string{"METADATA"}},
	{name: "ACL", states: statesUser, on: (*conn).sharesMail},
	{name: "RIGHTS=texk", states: statesUser, needs: []string{"ACL"}},
	{name: "LIST-MYRIGHTS", states: statesUser, needs: []string{"ACL", "LIST-EXTENDED"}},
	{name: "STARTTLS", states: stateNotAuth, on: (*conn).canStartTLS},
	{name: "LOGINDISABLED", states: stateNotAuth, on: func(c *conn) bool { return !c.passwordAllowed() }},
}, mechanisms()...)

// KnowsCapability reports whether there is a capability of this name, in any case, to switch off.
func KnowsCapability(name string) bool {
	return slices.ContainsFunc(capabilities, func(e capability) bool { return strings.EqualFold(e.name, name) })
}

// mechanisms are the capabilities that announce the ways to AUTHENTICATE.
func mechanisms() (rows []capability) {
	for _, name := range auth.Mechanisms() {
		rows = append(rows, capability{name: "AUTH=" + name, states: stateNotAuth, on: (*conn).passwordAllowed})
	}
	return rows
}

// has reports whether the capability is there, in any state.
func (c *conn) has(name string) bool {
	if c.cfg.disabled[strings.ToUpper(name)] {
		return false
	}
	for _, e := range capabilities {
		if e.name == name {
			return (e.on == nil || e.on(c)) && !slices.ContainsFunc(e.needs, func(other string) bool { return !c.has(other) })
		}
	}
	return false
}

// appendCapabilities appends "CAPABILITY" and what is announced in the present state.
func (c *conn) appendCapabilities(b []byte) []byte {
	b = append(b, "CAPABILITY"...)
	for _, e := range capabilities {
		if e.states&c.state == 0 || !c.has(e.name) {
			continue
		}
		b = append(b, ' ')
		b = append(b, e.name...)
		switch e.name {
		case "APPENDLIMIT": // RFC 7889 §2
			if n := c.announcedLimit(); n > 0 {
				b = strconv.AppendInt(append(b, '='), n, 10)
			}
		case "SAVELIMIT":
			b = strconv.AppendInt(append(b, '='), int64(c.cfg.Limits.Save), 10)
		}
	}
	return b
}

// capability answers CAPABILITY (RFC 9051 §6.1.1).
func (c *conn) capability(context.Context) error {
	c.out.endLine(c.appendCapabilities(append(c.out.begin(), "* "...)))
	return nil
}

// greet writes the greeting (RFC 9051 §7.1).
func (c *conn) greet() {
	b := c.appendCapabilities(append(c.out.begin(), "* OK ["...))
	c.out.endLine(append(b, "] ready."...))
}

// canStartTLS reports whether STARTTLS is of use.
func (c *conn) canStartTLS() bool { return !c.secure && !c.neverTLS && c.cfg.TLS != nil }

// passwordAllowed reports whether a password may be sent on this connection.
func (c *conn) passwordAllowed() bool {
	return c.secure || c.local || c.cfg.AllowPlaintext
}
