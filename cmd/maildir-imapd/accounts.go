package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"

	"github.com/emersion/go-imap/v2"

	"maildir-imapd/auth"
	"maildir-imapd/backend"
	"maildir-imapd/config"
	"maildir-imapd/imapd"
)

// loadConfig reads the configuration at path. Beside what config.Load warns of are capabilities that can't be
// switched off, since there are none of these names.
func loadConfig(path string) (*config.Config, error) {
	cfg, err := config.Load(path)
	if err != nil {
		return cfg, err
	}
	for i, name := range cfg.DisabledCapabilities {
		if !imapd.KnowsCapability(name) {
			cfg.Warnings = append(cfg.Warnings, cfg.Problem(fmt.Sprintf("disabled_capabilities[%d]", i), name+" is no capability of this server"))
		}
	}
	return cfg, nil
}

// openUsers reads the user file. Its error names the setting, and where that stands.
func openUsers(cfg *config.Config, log *slog.Logger) (*auth.PasswdFile, error) {
	users, err := auth.OpenPasswdFile(cfg.Auth.PasswdFile, auth.Options{Log: log, CacheTTL: cfg.Auth.CacheTTL})
	if err != nil {
		return nil, cfg.Problem("auth.passwd_file", err.Error())
	}
	return users, nil
}

// open opens the mail of a user who logged in.
func (d *daemon) open(ctx context.Context, u *auth.User) (*backend.User, error) {
	m := d.cfg.Load().Mail
	loc, err := locate(m, u)
	if err != nil {
		return nil, fmt.Errorf("user %s: %w", u.Name, err)
	}
	if loc.Quota, err = quota(m.Quota, u); err != nil {
		// A rule that can't be obeyed keeps nobody from his mail.
		d.log.Warn("a quota rule of the user database is not obeyed", "user", u.Name, "err", err)
	}
	user, err := d.backend.Open(ctx, u.Name, loc, m.Create)
	if err != nil || len(m.Shared) == 0 {
		return user, err
	}
	shared, err := shares(m, u)
	if err = errors.Join(err, user.Share(ctx, groups(u), shared)); err != nil {
		// His own mail he has.
		d.log.Warn("some shared mailboxes are not available", "user", u.Name, "err", err)
	}
	return user, nil
}

// shares says where the shared namespaces of a user lie. Those that can't be located are left out, and returned as the error.
func shares(m config.Mail, u *auth.User) (list []backend.Share, err error) {
	for _, s := range m.Shared {
		loc, err2 := backend.ParseLocation(s.Location, u.Name, u.Home)
		if err2 != nil {
			err = errors.Join(err, fmt.Errorf("%s: %w", s.Prefix, err2))
			continue
		}
		loc.Prefix, loc.FollowSymlinks = s.Prefix, m.FollowSymlinks
		list = append(list, backend.Share{Location: loc, Others: s.Kind == config.ShareUsers})
	}
	return list, err
}

// groups are those that access control lists mean by group=NAME, as Dovecot has them.
func groups(u *auth.User) []string {
	return strings.FieldsFunc(u.Extra["acl_groups"], func(c rune) bool { return c == ',' })
}

// quota is what a user may have: as the configuration says, and on top of that the rules of the user database. Rules
// that are not understood are left out, and returned as the error.
func quota(q config.Quota, u *auth.User) (limits backend.Usage, err error) {
	limits = backend.Usage{Storage: int64(q.Storage), Messages: int64(q.Messages)}
	for i := 1; ; i++ {
		name := "quota_rule"
		if i > 1 {
			name += strconv.Itoa(i)
		}
		rule, ok := u.Extra[name]
		if !ok {
			return limits, err
		}
		changed, err2 := backend.ParseQuotaRule(rule, limits)
		if err2 == nil {
			limits = changed
		}
		err = errors.Join(err, err2)
	}
}

// locate says where a user's mail lies: as the user database has it, else the configuration.
func locate(m config.Mail, u *auth.User) (backend.Location, error) {
	loc, err := backend.ParseLocation(cmp.Or(u.Extra["mail"], m.Location), u.Name, u.Home)
	if err != nil {
		return loc, err
	}
	if m.Separator != "" {
		loc.Separator = m.Separator[0]
	}
	loc.Prefix = m.Prefix
	loc.FollowSymlinks = m.FollowSymlinks
	loc.SpecialUse = make(map[string]imap.MailboxAttr, len(m.SpecialUse))
	for mailbox, use := range m.SpecialUse {
		loc.SpecialUse[mailbox] = imap.MailboxAttr(use)
	}
	return loc, nil
}
