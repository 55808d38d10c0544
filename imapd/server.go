package imapd

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"maildir-imapd/auth"
	"maildir-imapd/backend"
)

// Config is what a Server is made of. Log, Authenticate and Open are required;
// the zero value of the others is explained at each.
type Config struct {
	Log *slog.Logger

	// Authenticate verifies a password. auth.ErrInvalid says that it is wrong; any other
	// error that it could not be verified now. Called by many goroutines.
	Authenticate func(ctx context.Context, user, password string) (*auth.User, error)

	// Open opens the mail of a user who logged in. Called by many goroutines.
	Open func(ctx context.Context, u *auth.User) (*backend.User, error)

	// TLS returns the configuration for STARTTLS, anew for each handshake, so that
	// certificates can be replaced. nil: no STARTTLS.
	TLS func() *tls.Config

	// AllowPlaintext allows passwords without TLS from other hosts than this one.
	AllowPlaintext bool

	Limits Limits

	// DisabledCapabilities are not announced, and their commands are unknown. In any case.
	DisabledCapabilities []string

	// ServerID is the answer to ID (RFC 2971), e.g. "name" and "version"; empty: NIL.
	ServerID map[string]string

	// IdleInterval is how often an idling client hears "* OK Still here", so that
	// firewalls on the way keep the connection; 0: 2 minutes, negative: never.
	IdleInterval time.Duration

	// ProgressInterval is how often a client hears that its command still runs; 0: 10 seconds. RFC 9585 §4 recommends 10 to 15.
	ProgressInterval time.Duration

	// AuthFailureDelay is how long a wrong password waits for its answer at least.
	AuthFailureDelay time.Duration
}

// Server serves IMAP on any number of listeners. Safe for concurrent use.
type Server struct {
	settings atomic.Pointer[settings]

	ctx    context.Context // that of all commands; ends when Shutdown loses patience
	cancel context.CancelFunc
	wg     sync.WaitGroup // connections' goroutines

	closing chan struct{} // closed when Shutdown begins

	mu        sync.Mutex // guards what follows
	closed    bool
	listeners map[net.Listener]struct{}
	conns     map[*conn]struct{}
	perNet    map[string]int // by conn.net
	perUser   map[string]int
	lastID    uint64
}

// ErrServerClosed is what Serve returns after Shutdown was called.
var ErrServerClosed = errors.New("imapd: server closed")

// settings is a Config with its defaults. Immutable.
type settings struct {
	Config
	disabled map[string]bool // capabilities, upper case
}

func newSettings(cfg Config) *settings {
	cfg.Limits.setDefaults()
	setDefault(&cfg.IdleInterval, 2*time.Minute)
	setDefault(&cfg.ProgressInterval, 10*time.Second)
	disabled := make(map[string]bool)
	for _, name := range cfg.DisabledCapabilities {
		disabled[strings.ToUpper(name)] = true
	}
	return &settings{Config: cfg, disabled: disabled}
}

// New returns a Server that does nothing until Serve.
func New(cfg Config) *Server {
	s := &Server{
		closing:   make(chan struct{}),
		listeners: make(map[net.Listener]struct{}),
		conns:     make(map[*conn]struct{}),
		perNet:    make(map[string]int),
		perUser:   make(map[string]int),
	}
	s.settings.Store(newSettings(cfg))
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

// Reload makes cfg count for all connections that begin from now on; those that are there
// keep what they have.
func (s *Server) Reload(cfg Config) { s.settings.Store(newSettings(cfg)) }

// plainListener is a listener on which STARTTLS is not offered.
type plainListener struct{ net.Listener }

// NeverTLS makes l a listener for connections that stay as they are, whatever Config.TLS says.
func NeverTLS(l net.Listener) net.Listener { return plainListener{l} }

// Serve accepts connections until Shutdown, and then returns ErrServerClosed, or until l fails.
// The listener may be one of crypto/tls or of NeverTLS. Serve closes l.
func (s *Server) Serve(l net.Listener) error {
	defer l.Close()
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return ErrServerClosed
	}
	s.listeners[l] = struct{}{}
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.listeners, l)
		s.mu.Unlock()
	}()

	_, neverTLS := l.(plainListener)
	const minPause, maxPause = 5 * time.Millisecond, time.Second
	pause := minPause
	for {
		nc, err := l.Accept()
		if err == nil {
			pause = minPause
			s.start(nc, neverTLS)
			continue
		}
		select {
		case <-s.closing:
			return ErrServerClosed
		default:
		}
		if errors.Is(err, net.ErrClosed) {
			return err
		}
		// Out of file descriptors, most likely: wait until some connection ends.
		s.settings.Load().Log.Error("accept failed", "listener", l.Addr().String(), "error", err)
		select {
		case <-time.After(pause):
			pause = min(2*pause, maxPause)
		case <-s.closing:
			return ErrServerClosed
		}
	}
}

// start registers a connection and gives it its goroutine.
func (s *Server) start(nc net.Conn, neverTLS bool) {
	c := newConn(s, nc)
	c.neverTLS = neverTLS
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		nc.Close()
		return
	}
	refuse := ""
	switch l := c.cfg.Limits; {
	case len(s.conns) >= l.Conns:
		refuse = "Too many connections"
	case !c.local && s.perNet[c.net] >= l.ConnsPerIP:
		refuse = "Too many connections from your address"
	default:
		s.lastID++
		c.id = s.lastID
		s.conns[c] = struct{}{}
		s.perNet[c.net]++
		s.wg.Add(1)
	}
	s.mu.Unlock()
	if refuse != "" {
		c.cfg.Log.Warn("connection refused", "ip", c.ip, "reason", refuse)
		c.refuse(refuse)
		return
	}
	go func() {
		defer s.wg.Done()
		c.serve()
	}()
}

// remove forgets a connection that has ended.
func (s *Server) remove(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
	countDown(s.perNet, c.net)
	if c.user != nil {
		countDown(s.perUser, c.user.Name)
	}
}

func countDown(m map[string]int, key string) {
	if m[key]--; m[key] <= 0 {
		delete(m, key)
	}
}

// addUser counts one more log-in of a user, unless there are too many.
func (s *Server) addUser(name string, limit int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.perUser[name] >= limit {
		return false
	}
	s.perUser[name]++
	return true
}

// removeUser takes back what addUser counted.
func (s *Server) removeUser(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	countDown(s.perUser, name)
}

func (s *Server) isClosing() bool {
	select {
	case <-s.closing:
		return true
	default:
		return false
	}
}

// Shutdown stops listening, lets each connection finish its command, says BYE
// and closes it. When ctx ends first, commands are cancelled and sockets closed, and ctx's error is
// returned. No goroutine of the server is left when Shutdown returns.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	if !s.closed {
		s.closed = true
		close(s.closing)
	}
	for l := range s.listeners {
		l.Close()
	}
	for c := range s.conns {
		c.interrupt()
	}
	s.mu.Unlock()

	done := make(chan struct{})
	go func() {
		s.wg.Wait()
		close(done)
	}()
	var err error
	select {
	case <-done:
	case <-ctx.Done():
		err = ctx.Err()
		s.cancel()
		s.mu.Lock()
		for c := range s.conns {
			c.closeSocket()
		}
		s.mu.Unlock()
		<-done
	}
	s.cancel()
	return err
}
