package imapd

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"runtime/debug"
	"sync/atomic"
	"time"

	"maildir-imapd/auth"
	"maildir-imapd/backend"
	"maildir-imapd/imapd/wire"

	"github.com/emersion/go-imap/v2"
)

// stateSet is a set of the states of RFC 9051 §3.
type stateSet uint8

const (
	stateNotAuth stateSet = 1 << iota
	stateAuth
	stateSelected
	stateLogout

	statesAny  = stateNotAuth | stateAuth | stateSelected
	statesUser = stateAuth | stateSelected
)

// conn is one client. All fields belong to its goroutine but those that say otherwise.
type conn struct {
	srv *Server
	cfg *settings // as they were when the connection began
	id  uint64
	ip  string // of the client, without port; immutable
	net string // what is counted as one client: the address, or the /64 of an IPv6 address; immutable
	log *slog.Logger

	ctx    context.Context // of all its commands; ends with the connection or a failed write
	cancel context.CancelFunc

	// Shutdown, and while it waits waitFor, act on the socket from other goroutines.
	sock  net.Conn    // the socket itself, below TLS; immutable
	woken atomic.Bool // waitFor wants the goroutine's attention

	nc       net.Conn  // sock, or TLS on it
	secure   bool      // TLS
	neverTLS bool      // not even by STARTTLS
	inflate  *inflater // what nc gives is compressed (COMPRESS); nil: it is not
	local    bool      // the client is on this host

	dec    *wire.Decoder
	out    writer
	readBy time.Time // deadline of reading
	read   int64     // octets read from nc

	state    stateSet
	loginBy  time.Time // deadline of logging in
	badCount int       // BAD answers in a row; before log-in: in all
	logins   int       // failed log-ins
	commands int64

	user    *auth.User
	account *backend.User
	enabled map[string]bool // by ENABLE, upper case
	rev2    bool            // IMAP4rev2 is: there is no \Recent, and SEARCH is answered by ESEARCH
	utf8    bool            // UTF8=ACCEPT is, or IMAP4rev2: mailbox names are in UTF-8

	condstore  bool   // FETCH responses have MODSEQ (RFC 7162 §3.1)
	qresync    bool   // VANISHED instead of EXPUNGE (RFC 7162 §3.2.3)
	uidOnly    bool   // there are no sequence numbers (RFC 9586)
	toldModSeq bool   // there were mod-sequences in what it was told since the last tagged response
	behind     bool   // the client was told a HIGHESTMODSEQ that is less than the MODSEQs it has seen
	untold     uint64 // HIGHESTMODSEQ before the first change of flags that NOTIFY kept from the client; 0: none

	notify *notify // nil: NOTIFY was not used

	view  *backend.View // set in stateSelected
	saved imap.UIDSet   // "$", the result that SEARCH RETURN (SAVE) kept (RFC 5182)

	contexts []*updated // searches with UPDATE in this view
	gone     bool       // somebody else has deleted or renamed it: BYE follows the answer of the command
	fresh    []imap.UID // new messages of which NOTIFY has asked to be told something, which is still to be done

	// Of the command that runs now.
	tag  string
	name string      // in upper case, "UID FETCH" for UID commands
	done string      // code and text of the tagged OK; "": the default
	own  imap.UIDSet // messages that it has made in the selected mailbox
	bye  string      // why the connection ends after this command; "": it goes on

	keepNumbers bool      // its answer may not hold EXPUNGE
	progressAt  time.Time // when the client is told that it still runs, see tellProgress

	// after is run when the tagged OK has been written; its error ends the connection.
	after func() error
}

func newConn(s *Server, nc net.Conn) *conn {
	c := &conn{srv: s, cfg: s.settings.Load(), sock: nc, nc: nc, state: stateNotAuth}
	_, c.secure = nc.(*tls.Conn)
	remote := nc.RemoteAddr()
	tcp, ok := remote.(*net.TCPAddr)
	if !ok { // a Unix socket, a pipe
		c.ip, c.local = remote.String(), true
		return c
	}
	addr := tcp.AddrPort().Addr().Unmap()
	c.ip, c.net, c.local = addr.WithZone("").String(), addr.String(), addr.IsLoopback()
	if addr.Is6() { // whoever has one address has 2^64 of them
		c.net = netip.PrefixFrom(addr.WithZone(""), 64).Masked().String()
	}
	return c
}

// refuse says BYE to a connection that is one too many. It does not
// wait: what does not fit into the socket's buffer at once is lost, as is a TLS handshake.
func (c *conn) refuse(reason string) {
	if !c.secure {
		c.nc.SetWriteDeadline(time.Now().Add(time.Second))
		io.WriteString(c.nc, "* BYE [LIMIT] "+reason+"\r\n")
	}
	c.nc.Close()
}

// errWoken says that a read was broken off because woken was set.
var errWoken = errors.New("woken")

// errShutdown says that the server is closing.
var errShutdown = errors.New("server is shutting down")

// Read is what the Decoder reads from. The output is flushed here, when the input has run
// dry: pipelined commands are answered with few writes.
//
// interrupt and wake set their flag first and then the deadline; Read sets the deadline
// first and then looks at the flags. Whichever comes last, the read ends.
func (c *conn) Read(p []byte) (int, error) {
	if err := c.out.flush(); err != nil {
		return 0, err
	}
	c.nc.SetReadDeadline(c.readBy)
	switch {
	case c.srv.isClosing():
		return 0, errShutdown
	case c.woken.Load():
		return 0, errWoken
	}
	receive := c.receive
	if c.inflate != nil {
		receive = c.inflate.Read
	}
	n, err := receive(p)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		switch {
		case c.srv.isClosing():
			err = errShutdown
		case c.woken.Load():
			err = errWoken
		}
	}
	return n, err
}

var past = time.Unix(1, 0)

// interrupt ends a pending read after closing was closed. Called by Shutdown.
func (c *conn) interrupt() { c.sock.SetReadDeadline(past) }

// wake ends a pending read with errWoken. Called by waitFor.
func (c *conn) wake() {
	c.woken.Store(true)
	c.sock.SetReadDeadline(past)
}

// closeSocket makes all input and output fail. Called by Shutdown.
func (c *conn) closeSocket() { c.sock.Close() }

// literal is called by the Decoder before a literal.
func (c *conn) literal(n int64, sync bool) error {
	c.setReadDeadline(c.cfg.Limits.Command + time.Duration(min(n/minRate, 1<<30))*time.Second)
	if sync {
		c.out.endLine(append(c.out.begin(), "+ OK"...))
	}
	return nil
}

// setReadDeadline gives reading d from now, but before log-in no longer than that may take.
func (c *conn) setReadDeadline(d time.Duration) {
	c.readBy = time.Now().Add(d)
	if c.state == stateNotAuth && c.loginBy.Before(c.readBy) {
		c.readBy = c.loginBy
	}
}

func (c *conn) wireLimits() wire.Limits {
	l := c.cfg.Limits
	if c.state == stateNotAuth {
		return wire.Limits{Line: min(l.Line, lineBeforeLogin), Literal: l.LiteralBeforeLogin, Skip: skipLimitBeforeLogin}
	}
	return wire.Limits{Line: l.Line, Literal: l.Literal, Skip: skipLimit}
}

// serve is the connection's goroutine.
func (c *conn) serve() {
	l := c.cfg.Limits
	start := time.Now()
	c.log = c.cfg.Log.With("conn", c.id, "ip", c.ip)
	c.ctx, c.cancel = context.WithCancel(c.srv.ctx)
	c.loginBy = start.Add(l.Login)
	c.out = writer{nc: c.nc, timeout: l.Write, failed: c.cancel}
	c.dec = wire.NewDecoder(c, c.wireLimits(), c.literal)
	c.log.Debug("connected", "tls", c.secure)

	reason := c.talk()
	c.cancel()
	c.closeMail()
	c.nc.Close()
	c.srv.remove(c)
	c.log.Info("disconnected", "reason", reason, "commands", c.commands, "read", c.read, "written", c.out.total,
		"seconds", int64(time.Since(start).Seconds()))
}

// talk holds the conversation and returns why it ended. A panic in it ends
// this connection only.
func (c *conn) talk() (reason string) {
	defer func() {
		if p := recover(); p != nil {
			c.logPanic(p)
			c.sayBye("[SERVERBUG] Internal error")
			reason = "panic"
		}
	}()
	if err := c.handshake(); err != nil {
		return "TLS handshake failed: " + err.Error()
	}
	c.greet()
	for c.bye == "" {
		if err := c.next(); err != nil {
			return c.ended(err)
		}
		c.command()
	}
	c.out.flush()
	// Behind LOGOUT comes nothing, but for what ends a compressed block.
	if c.state != stateLogout || c.inflate != nil {
		c.linger()
	}
	return c.bye
}

func (c *conn) logPanic(p any) {
	c.log.Error("panic", "command", c.name, "panic", p, "stack", string(debug.Stack()))
}

// closeMail gives back what the user had open. After a panic within the backend that may
// panic again, which must not end the others.
func (c *conn) closeMail() {
	defer func() {
		if p := recover(); p != nil {
			c.logPanic(p)
		}
	}()
	c.closeView()
	c.notify.close()
	if c.account == nil {
		return
	}
	if err := c.account.Close(); err != nil {
		c.log.Error("closing the account failed", "error", err)
	}
}

// next waits for a command and reads its first line. The time for a command that has begun is
// shorter than that between commands.
func (c *conn) next() error {
	if c.dec.Buffered() == 0 {
		c.setReadDeadline(c.cfg.Limits.Idle)
		if err := c.listen(); err != nil {
			return err
		}
	}
	if c.srv.isClosing() {
		return errShutdown
	}
	c.setReadDeadline(c.cfg.Limits.Command)
	return c.dec.Next()
}

// ended tells the client why the connection ends, if it can still hear it, and returns the reason
// for the log.
func (c *conn) ended(err error) string {
	if c.view != nil {
		c.tellHighest() // as in closeView
	}
	switch {
	case errors.Is(err, errShutdown):
		c.sayBye("[UNAVAILABLE] Server is shutting down")
		return "shutdown"
	case errors.Is(err, errMailboxGone):
		c.sayBye("[UNAVAILABLE] Selected mailbox is gone")
	case errors.Is(err, wire.ErrLineTooLong):
		c.sayBye("[TOOBIG] Command line too long")
		c.linger()
	case errors.Is(err, wire.ErrSkipTooBig):
		c.sayBye("[TOOBIG] Literal too big")
		c.linger()
	case c.out.err != nil:
		if errors.Is(c.out.err, os.ErrDeadlineExceeded) {
			return "client does not read"
		}
		return "connection lost"
	case errors.Is(err, os.ErrDeadlineExceeded):
		if c.state == stateNotAuth {
			c.sayBye("Too long without log-in") // RFC 9051 §5.4
			return "log-in time-out"
		}
		c.sayBye("Autologout; idle for too long")
		return "idle time-out"
	case errors.Is(err, io.EOF), errors.Is(err, net.ErrClosed), errors.Is(err, io.ErrUnexpectedEOF):
		return "connection closed by client"
	}
	return err.Error()
}

// sayBye writes an untagged BYE and all that is still in the buffer.
func (c *conn) sayBye(text string) {
	c.untagged("BYE " + text)
	c.out.flush()
}

// closeView leaves the selected mailbox, if there is one. What is told of HIGHESTMODSEQ is what the client will come back with.
func (c *conn) closeView() {
	if c.view == nil {
		return
	}
	if c.ctx.Err() == nil { // else nobody hears it
		c.tellHighest()
	}
	c.view.Close()
	c.view, c.saved, c.contexts, c.fresh = nil, nil, nil, nil
	c.toldModSeq, c.behind, c.untold = false, false, 0
	if c.state == stateSelected {
		c.state = stateAuth
	}
}
