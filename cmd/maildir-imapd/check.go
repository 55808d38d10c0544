package main

import (
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"maildir-imapd/auth"
	"maildir-imapd/config"
)

func checkCommand() *cobra.Command {
	var path string
	cmd := &cobra.Command{
		Use:   "check --config FILE",
		Short: "Tell all that is wrong with a configuration, or what it says",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return check(path, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cmd.Flags().StringVarP(&path, "config", "c", "/etc/maildir-imapd/config.yaml", "configuration `file`")
	return cmd
}

// check loads a configuration as serve does, and changes nothing.
func check(path string, stdout, stderr io.Writer) error {
	cfg, err := loadConfig(path)
	if err != nil {
		fmt.Fprintln(stderr, err)
	}
	if cfg == nil {
		return errTold
	}
	for _, w := range cfg.Warnings {
		fmt.Fprintln(stderr, "warning: "+w.Error())
	}
	users, usersErr := openUsers(cfg, slog.New(slog.DiscardHandler))
	switch {
	case usersErr != nil && err != nil: // which says so as well
		return errTold
	case usersErr != nil:
		return usersErr
	}
	ok := err == nil
	for _, p := range users.Problems() {
		fmt.Fprintln(stderr, p)
		ok = false
	}
	// A location of the configuration that is wrong is wrong for all.
	if err == nil && !checkMail(cfg, users, stderr) || !ok {
		return errTold
	}
	fmt.Fprintf(stdout, "%s is well-formed\n", path)
	for _, l := range cfg.Listen {
		fmt.Fprintf(stdout, "  listens on   %s, TLS: %s\n", l.Address, l.TLS)
	}
	if pair, err := loadPair(cfg); err != nil {
		return err
	} else if pair != nil {
		fmt.Fprintf(stdout, "  certificate  for %s, until %s\n", strings.Join(names(pair), ", "), pair.Leaf.NotAfter.Format(time.DateOnly))
	}
	fmt.Fprintf(stdout, "  users        %s, %d users\n", cfg.Auth.PasswdFile, users.Len())
	fmt.Fprintf(stdout, "  mail         %s\n", cfg.Mail.Location)
	return nil
}

// checkMail tells whose mail could not be found, if anybody's, and warns of quota rules that are not obeyed.
func checkMail(cfg *config.Config, users *auth.PasswdFile, stderr io.Writer) (ok bool) {
	ok = true
	for line, u := range users.All() {
		where := fmt.Sprintf("%s:%d: user %s", cfg.Auth.PasswdFile, line, u.Name)
		if _, err := locate(cfg.Mail, u); err != nil {
			fmt.Fprintf(stderr, "%s: %v\n", where, err)
			ok = false
		}
		if _, err := quota(cfg.Mail.Quota, u); err != nil {
			fmt.Fprintf(stderr, "warning: %s: %v\n", where, err)
		}
	}
	return ok
}

// names are the hosts that a certificate is for.
func names(pair *tls.Certificate) []string {
	all := pair.Leaf.DNSNames
	for _, ip := range pair.Leaf.IPAddresses {
		all = append(all, ip.String())
	}
	if len(all) == 0 {
		return []string{pair.Leaf.Subject.String()}
	}
	return all
}
