package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"math"
	"net"
	"net/netip"
	"os"
	"sync/atomic"
	"time"

	systemd "github.com/coreos/go-systemd/v22/daemon"
	"golang.org/x/sync/errgroup"

	"maildir-imapd/auth"
	"maildir-imapd/backend"
	"maildir-imapd/config"
	"maildir-imapd/imapd"
	"maildir-imapd/watcher"
)

const (
	// patience is how long commands may go on once the server is told to end.
	patience = 10 * time.Second
	// lastMoment is when the process ends whatever still goes on.
	lastMoment = 20 * time.Second
)

// daemon is a running server.
type daemon struct {
	log         *slog.Logger
	level       slog.LevelVar
	path        string                        // of the configuration; "" in local mode
	cfg         atomic.Pointer[config.Config] // the one in force; replaced by reload
	certificate certificate
	users       auth.Database
	userFile    *auth.PasswdFile // users, where they come from a file; nil in local mode
	listeners   []net.Listener   // as in cfg.Listen

	// From run on.
	backend *backend.Backend
	imap    *imapd.Server
}

// newDaemon reads the certificate. Nothing runs yet.
func newDaemon(cfg *config.Config, stderr io.Writer) (*daemon, error) {
	d := &daemon{}
	d.log = newLog(stderr, cfg.Log, &d.level)
	d.cfg.Store(cfg)
	pair, err := loadPair(cfg)
	if err != nil {
		return nil, err
	}
	d.certificate.pair.Store(pair)
	return d, nil
}

// listen binds all addresses, which may need root, and logs what they are.
func (d *daemon) listen() error {
	cfg := d.cfg.Load()
	for i, l := range cfg.Listen {
		ln, err := net.Listen(network(l.Address), l.Address)
		if err != nil {
			d.closeListeners()
			if errors.Is(err, fs.ErrPermission) {
				err = fmt.Errorf("%w (ports below 1024 are for root, with run_as, and for the systemd unit in contrib)", err)
			}
			if d.path == "" {
				return err
			}
			return cfg.Problem(fmt.Sprintf("listen[%d]", i), err.Error())
		}
		d.log.Info("listening", "address", ln.Addr().String(), "tls", l.TLS)
		switch l.TLS {
		case config.TLSImplicit:
			ln = tls.NewListener(ln, d.certificate.config())
		case config.TLSNone:
			ln = imapd.NeverTLS(ln)
		}
		d.listeners = append(d.listeners, ln)
	}
	return nil
}

// network is the one to listen on at address. For "tcp", 0.0.0.0 would be IPv6 as well.
func network(address string) string {
	host, err := netip.ParseAddrPort(address)
	switch {
	case err != nil: // no host, or a name
		return "tcp"
	case host.Addr().Unmap().Is4():
		return "tcp4"
	}
	return "tcp6"
}

func (d *daemon) closeListeners() {
	for _, l := range d.listeners {
		l.Close()
	}
}

// run serves until ctx ends, which is no error. A value from hup reloads the configuration.
func (d *daemon) run(ctx context.Context, hup <-chan os.Signal) error {
	cfg := d.cfg.Load()
	w := watcher.New(watcher.Options{Log: d.log, Window: cfg.Push.Window, PollInterval: cfg.Push.PollInterval})
	d.backend = backend.New(backend.Options{Log: d.log, Watcher: w, AppendLimit: int64(cfg.Limits.Message)})
	d.imap = imapd.New(d.imapConfig(cfg))

	g, ctx := errgroup.WithContext(ctx)
	for _, l := range d.listeners {
		g.Go(func() error {
			if err := d.imap.Serve(l); !errors.Is(err, imapd.ErrServerClosed) {
				return fmt.Errorf("listener %s: %w", l.Addr(), err)
			}
			return nil
		})
	}
	d.log.Info("serving", "version", version())
	d.notify(systemd.SdNotifyReady)
	g.Go(func() error {
		for {
			select {
			case <-hup:
				d.reload()
			case <-ctx.Done():
				return d.shutdown(ctx)
			}
		}
	})
	err := g.Wait()
	return errors.Join(err, d.backend.Close(), w.Close())
}

// shutdown tells clients BYE. ctx has ended.
func (d *daemon) shutdown(ctx context.Context) error {
	d.log.Info("ending", "reason", context.Cause(ctx).Error())
	d.notify(systemd.SdNotifyStopping)
	// A disk that does not answer must not keep the process for ever.
	time.AfterFunc(lastMoment, func() {
		d.log.Error("could not end in time", "limit", lastMoment)
		os.Exit(1)
	})
	patient, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	if err := d.imap.Shutdown(patient); err != nil {
		d.log.Warn("commands were cut off", "limit", patience)
	}
	return nil
}

// notify tells systemd, where it started us.
func (d *daemon) notify(state string) {
	if _, err := systemd.SdNotify(false, state); err != nil {
		d.log.Warn("systemd can't be told", "state", state, "error", err)
	}
}

// imapConfig is the protocol's part of a configuration.
func (d *daemon) imapConfig(cfg *config.Config) imapd.Config {
	c := imapd.Config{
		Log:            d.log,
		Authenticate:   d.users.Verify,
		Open:           d.open,
		AllowPlaintext: cfg.AllowPlaintextAuth,
		Limits: imapd.Limits{
			Line:               int(cfg.Limits.Line),
			Literal:            int64(cfg.Limits.Literal),
			LiteralBeforeLogin: int64(cfg.Limits.LiteralBeforeLogin),
			Save:               cfg.Limits.MessagesPerSave,
			Idle:               cfg.Limits.IdleTimeout,
			Login:              cfg.Limits.LoginTimeout,
			BadCommands:        cfg.Limits.BadCommands,
			Conns:              noneIsMax(cfg.Limits.Connections),
			ConnsPerIP:         noneIsMax(cfg.Limits.ConnectionsPerIP),
			ConnsPerUser:       noneIsMax(cfg.Limits.ConnectionsPerUser),
		},
		DisabledCapabilities: cfg.DisabledCapabilities,
		ServerID:             make(map[string]string),
		IdleInterval:         cfg.Push.IdleStillHere,
		AuthFailureDelay:     cfg.Auth.FailureDelay,
	}
	if d.certificate.pair.Load() != nil {
		c.TLS = d.certificate.config
	}
	if c.IdleInterval == 0 {
		c.IdleInterval = -1 // never
	}
	id := cfg.ServerID
	for field, value := range map[string]string{"name": id.Name, "version": id.Version, "vendor": id.Vendor, "support-url": id.SupportURL} {
		if value != "" {
			c.ServerID[field] = value
		}
	}
	return c
}

// noneIsMax reads a limit of 0 as no limit.
func noneIsMax(n int) int {
	if n == 0 {
		return math.MaxInt
	}
	return n
}
