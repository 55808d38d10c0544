package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"syscall"

	"github.com/spf13/cobra"

	"maildir-imapd/auth"
)

func serveCommand() *cobra.Command {
	var path string
	var o localOptions
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve mail until SIGTERM or SIGINT",
		Long: `Serve the mail of the users that a configuration names.

Without --config: serve your own Maildir ($MAILDIR, ~/Maildir or --maildir) to
this machine only, with a password and a self-signed certificate that are made
at the first start.

SIGTERM and SIGINT end it; clients are told. SIGHUP reads the configuration again.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if path == "" {
				return serveLocal(cmd.Context(), o, cmd.OutOrStdout(), cmd.ErrOrStderr())
			}
			return serveConfig(cmd.Context(), path, cmd.ErrOrStderr())
		},
	}
	f := cmd.Flags()
	f.StringVarP(&path, "config", "c", "", "configuration `file`")
	f.StringVar(&o.maildir, "maildir", "", "`directory` (or maildir:... location) to serve without a configuration")
	f.StringVar(&o.listen, "listen", localListen, "`address` for STARTTLS, without a configuration")
	f.StringVar(&o.tlsListen, "tls-listen", localTLSListen, "`address` for TLS, without a configuration")
	f.StringVar(&o.state, "state", "", "`directory` of password and certificate, without a configuration (default below your configuration directory)")
	for _, flag := range []string{"maildir", "listen", "tls-listen", "state"} {
		cmd.MarkFlagsMutuallyExclusive("config", flag)
	}
	return cmd
}

// serveConfig serves the users of a configuration.
func serveConfig(ctx context.Context, path string, stderr io.Writer) error {
	cfg, err := loadConfig(path)
	if err != nil {
		return err
	}
	d, err := newDaemon(cfg, stderr)
	if err != nil {
		return err
	}
	d.path = path
	for _, w := range cfg.Warnings {
		d.log.Warn(w.Error())
	}
	if d.userFile, err = openUsers(cfg, d.log); err != nil {
		return err
	}
	d.users = d.userFile
	if err := d.listen(); err != nil {
		return err
	}
	if err := dropPrivileges(cfg.RunAs); err != nil {
		d.closeListeners()
		return err
	}
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	return d.run(ctx, hup)
}

// serveLocal serves the Maildir of the person who starts it.
func serveLocal(ctx context.Context, o localOptions, stdout, stderr io.Writer) error {
	l, err := newLocal(o)
	if err != nil {
		return err
	}
	d, err := newDaemon(l.config, stderr)
	if err != nil {
		return err
	}
	if os.Geteuid() == 0 {
		d.log.Warn("serving as root: this is for looking into a Maildir, not for other people's mail")
	}
	d.users = auth.Single(l.user, l.password)
	if err := d.listen(); err != nil {
		return fmt.Errorf("%w (other addresses: --listen and --tls-listen)", err)
	}
	l.hint(stdout, fingerprint(d.certificate.pair.Load().Certificate[0]), reachable(d.listeners[0]), reachable(d.listeners[1]))
	// Here SIGHUP says that the terminal is gone, which is nothing to one that was started by nohup.
	ends := slices.DeleteFunc([]os.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP}, signal.Ignored)
	ctx, stop := signal.NotifyContext(ctx, ends...)
	defer stop()
	context.AfterFunc(ctx, stop)
	err = d.run(ctx, nil)
	if err == nil {
		fmt.Fprintln(stdout, "Ended.")
	}
	return err
}
