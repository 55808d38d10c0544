package imapd

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"maildir-imapd/backend"
	"maildir-imapd/imapd/wire"

	"github.com/emersion/go-imap/v2"
)

// command is a row of the table of commands.
type command struct {
	states stateSet // in which it is allowed
	cap    string   // the capability it belongs to; without that it is unknown

	// parse takes the arguments, the space before them included. On a syntax error, which the
	// Decoder keeps, its result is not used.
	parse parseFunc

	// numbers says that there are sequence numbers in its arguments or its answer.
	numbers bool
	// keepNumbers forbids EXPUNGE in its answer (RFC 9051 §7.5.1).
	keepNumbers bool
	// readsOn says that run takes the end of the command from the Decoder itself.
	readsOn bool
}

type parseFunc func(c *conn, d *wire.Decoder) runFunc

// runFunc runs a command and writes its untagged responses. nil means OK, with the text that
// completed set. The context ends when the client is gone.
type runFunc func(ctx context.Context, c *conn) error

// commands is the table of commands by name.
var commands = map[string]command{
	"CAPABILITY": {states: statesAny, parse: noArguments((*conn).capability)},
	"NOOP":       {states: statesAny, parse: noArguments((*conn).noop)},
	"LOGOUT":     {states: statesAny, parse: noArguments((*conn).logout)},
	"ID":         {states: statesAny, cap: "ID", parse: parseID},
	"LANGUAGE":   {states: statesAny, cap: "LANGUAGE", parse: parseLanguage},

	"STARTTLS":     {states: stateNotAuth, cap: "STARTTLS", parse: noArguments((*conn).startTLS)},
	"AUTHENTICATE": {states: stateNotAuth, parse: parseAuthenticate},
	"LOGIN":        {states: stateNotAuth, parse: parseLogin},

	"UNAUTHENTICATE": {states: statesUser, cap: "UNAUTHENTICATE", parse: noArguments((*conn).unauthenticate)},
	"COMPRESS":       {states: statesUser, cap: "COMPRESS=DEFLATE", parse: parseCompress},
	"ENABLE":         {states: statesUser, cap: "ENABLE", parse: parseEnable},
	"SELECT":         {states: statesUser, parse: parseSelect(false)},
	"EXAMINE":        {states: statesUser, parse: parseSelect(true)},
	"CREATE":         {states: statesUser, parse: parseCreate},
	"DELETE":         {states: statesUser, parse: parseDelete},
	"RENAME":         {states: statesUser, parse: parseRename},
	"SUBSCRIBE":      {states: statesUser, parse: parseSubscribe},
	"UNSUBSCRIBE":    {states: statesUser, parse: parseUnsubscribe},
	"LIST":           {states: statesUser, parse: parseList},
	"LSUB":           {states: statesUser, parse: parseLsub},
	"NAMESPACE":      {states: statesUser, cap: "NAMESPACE", parse: noArguments((*conn).namespace)},
	"STATUS":         {states: statesUser, parse: parseStatus},
	"APPEND":         {states: statesUser, parse: parseAppend, readsOn: true},
	"NOTIFY":         {states: statesUser, cap: "NOTIFY", parse: parseNotify},
	"IDLE":           {states: statesUser, cap: "IDLE", parse: noArguments((*conn).idle)},

	"CHECK":       {states: stateSelected, parse: noArguments((*conn).noop)},
	"CLOSE":       {states: stateSelected, parse: noArguments((*conn).close)},
	"UNSELECT":    {states: stateSelected, cap: "UNSELECT", parse: noArguments((*conn).unselect)},
	"EXPUNGE":     {states: stateSelected, parse: noArguments((*conn).expunge)},
	"REPLACE":     {states: stateSelected, cap: "REPLACE", numbers: true, parse: parseReplace(false), readsOn: true},
	"UID REPLACE": {states: stateSelected, cap: "REPLACE", parse: parseReplace(true), readsOn: true},
	"UID EXPUNGE": {states: stateSelected, cap: "UIDPLUS", parse: parseUIDExpunge},
	"FETCH":       {states: stateSelected, numbers: true, parse: parseFetch(false), keepNumbers: true},
	"UID FETCH":   {states: stateSelected, parse: parseFetch(true)},
	"SEARCH":      {states: stateSelected, numbers: true, parse: parseSearch(false), keepNumbers: true},
	"UID SEARCH":  {states: stateSelected, parse: parseSearch(true)},
	"SORT":        {states: stateSelected, cap: "SORT", numbers: true, parse: parseSort(false), keepNumbers: true},
	"UID SORT":    {states: stateSelected, cap: "SORT", parse: parseSort(true)},
	"THREAD":      {states: stateSelected, numbers: true, parse: parseThread(false), keepNumbers: true},
	"UID THREAD":  {states: stateSelected, parse: parseThread(true)},
	"STORE":       {states: stateSelected, numbers: true, parse: parseStore(false), keepNumbers: true},
	"UID STORE":   {states: stateSelected, parse: parseStore(true)},
	"COPY":        {states: stateSelected, numbers: true, parse: parseCopy(false)},
	"UID COPY":    {states: stateSelected, parse: parseCopy(true)},
	"MOVE":        {states: stateSelected, cap: "MOVE", numbers: true, parse: parseMove(false)},
	"UID MOVE":    {states: stateSelected, cap: "MOVE", parse: parseMove(true)},

	"GETQUOTA":     {states: statesUser, cap: "QUOTA", parse: parseGetQuota},
	"GETQUOTAROOT": {states: statesUser, cap: "QUOTA", parse: parseGetQuotaRoot},
	"SETQUOTA":     {states: statesUser, cap: "QUOTA", parse: parseSetQuota},
	"ESEARCH":      {states: statesUser, cap: "MULTISEARCH", parse: parseMultiSearch},
	"UID ESEARCH":  {states: statesUser, cap: "MULTISEARCH", parse: parseMultiSearch}, // of the example in RFC 7377 §2
	"CANCELUPDATE": {states: stateSelected, cap: "CONTEXT=SEARCH", parse: parseCancelUpdate},
	"GETMETADATA":  {states: statesUser, cap: "METADATA", parse: parseGetMetadata},
	"SETMETADATA":  {states: statesUser, cap: "METADATA", parse: parseSetMetadata},
	"GETACL":       {states: statesUser, cap: "ACL", parse: parseGetACL},
	"SETACL":       {states: statesUser, cap: "ACL", parse: parseSetACL},
	"DELETEACL":    {states: statesUser, cap: "ACL", parse: parseDeleteACL},
	"LISTRIGHTS":   {states: statesUser, cap: "ACL", parse: parseListRights},
	"MYRIGHTS":     {states: statesUser, cap: "ACL", parse: parseMyRights},
}

// noArguments is the parse function of a command that has none.
func noArguments(run func(*conn, context.Context) error) parseFunc {
	return func(*conn, *wire.Decoder) runFunc {
		return func(ctx context.Context, c *conn) error { return run(c, ctx) }
	}
}

// command parses the command whose first line was read, runs it and answers it.
func (c *conn) command() {
	c.tag, c.name, c.done, c.own, c.after = "", "", "", nil, nil
	c.commands++
	err := c.parseAndRun()
	if c.state == stateSelected {
		c.tellHighest()
	}
	// What a command has done it is told, an APPEND above all, before it is told that its mailbox is gone.
	answered := c.gone && !errors.Is(err, errMailboxGone)
	if c.dec.Skip() != nil && !answered {
		return // the next read fails in the same way, and says why
	}
	if err == nil {
		if c.state != stateNotAuth {
			c.badCount = 0
		}
		text := c.done
		if text == "" {
			text = completedText(c.name)
		}
		b := append(c.out.begin(), c.tag...)
		b = append(b, " OK "...)
		c.out.endLine(append(b, text...))
		if c.after != nil {
			if err := c.after(); err != nil {
				c.bye = err.Error()
			}
		}
		return
	}
	status, code, text := c.explain(err)
	c.tagged(status, code, text)
	if status != imap.StatusResponseTypeBad {
		return
	}
	limit := c.cfg.Limits.BadCommands
	if c.state == stateNotAuth {
		limit = c.cfg.Limits.BadBeforeLogin
	}
	if c.badCount++; c.badCount >= limit {
		c.untagged("BYE Too many bad commands")
		c.bye = "too many bad commands"
	}
}

func (c *conn) parseAndRun() error {
	d := c.dec
	tag := d.Tag()
	if next := d.Peek(); d.Err() == nil && (next == ' ' || next == 0) { // else it is none, as in "a+b NOOP"
		c.tag = tag
	}
	d.SP()
	name := d.Keyword("a command's name")
	if name == "UID" {
		d.SP()
		name += " " + d.Keyword("a command's name")
	}
	if err := d.Err(); err != nil {
		return err
	}
	c.name = name
	cmd, ok := commands[name]
	if !ok || cmd.cap != "" && !c.has(cmd.cap) {
		return bad("Unknown command")
	}
	if cmd.states&c.state == 0 {
		return bad(wrongState(cmd.states, c.state))
	}
	if cmd.numbers && c.uidOnly { // RFC 9586 §3.2, §3.8
		return errUIDRequired
	}
	c.keepNumbers = cmd.keepNumbers
	run := cmd.parse(c, d)
	if !cmd.readsOn {
		d.End()
	}
	if err := d.Err(); err != nil {
		return err
	}
	if c.state == stateSelected && !leavesMailbox[name] && !c.view.Rights().Has(backend.RightRead) { // RFC 4314 §5.1.1
		return c.dec.Kill(errMailboxGone)
	}
	c.progressAt = time.Now().Add(c.cfg.ProgressInterval)
	err := run(c.ctx, c)
	if c.state == stateSelected {
		u := c.update(!c.keepNumbers)
		if err == nil && c.qresync && len(u.Expunged) > 0 && removesMail[name] { // RFC 7162 §3.2.7
			c.completed("HIGHESTMODSEQ "+strconv.FormatUint(c.highest(), 10), completedText(name))
		}
		c.tellResults()
	}
	return err
}

// leavesMailbox are the commands that read nothing of the selected mailbox, and after which it is not selected any more.
var leavesMailbox = map[string]bool{"SELECT": true, "EXAMINE": true, "CLOSE": true, "UNSELECT": true, "UNAUTHENTICATE": true, "LOGOUT": true}

// completedText is the text of OK: "Fetch completed" for UID FETCH. Clients show it to nobody, but it
// is what people expect to see in a log.
func completedText(name string) string {
	name = strings.TrimPrefix(name, "UID ")
	if len(name) > len("NOOP") {
		name = name[:1] + strings.ToLower(name[1:])
	}
	return name + " completed"
}

func wrongState(allowed, is stateSet) string {
	switch {
	case is == stateNotAuth:
		return "Log in first"
	case allowed == stateSelected:
		return "No mailbox selected"
	}
	return "Already logged in"
}
