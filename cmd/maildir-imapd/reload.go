package main

import (
	"errors"
	"reflect"

	"maildir-imapd/config"
)

// reload reads the configuration again. What is wrong is logged, and then the old one stays,
// as a whole.
func (d *daemon) reload() {
	cfg, err := loadConfig(d.path)
	if err == nil {
		err = d.apply(cfg)
	}
	if err != nil {
		problems, ok := errors.AsType[config.Problems](err)
		if !ok {
			d.log.Error("reload failed", "reason", err)
		}
		for _, p := range problems {
			d.log.Error("reload failed", "reason", p)
		}
		d.log.Error("the old configuration stays")
		return
	}
	d.log.Info("reloaded", "config", d.path)
}

// apply puts cfg in force. What can fail comes first.
func (d *daemon) apply(cfg *config.Config) error {
	for _, w := range cfg.Warnings {
		d.log.Warn(w.Error())
	}
	for _, setting := range keepFixed(d.cfg.Load(), cfg) {
		d.log.Warn("a changed setting needs a restart", "setting", setting)
	}
	pair, err := loadPair(cfg)
	if err != nil {
		return err
	}
	if err := d.userFile.Reload(cfg.Auth.PasswdFile); err != nil {
		return err
	}
	d.certificate.pair.Store(pair)
	d.level.Set(cfg.Log.SlogLevel())
	d.cfg.Store(cfg)
	d.imap.Reload(d.imapConfig(cfg))
	return nil
}

// keepFixed puts the settings that only a start can change back to what they are, and returns
// the names of those that differed.
func keepFixed(old, cfg *config.Config) []string {
	var changed []string
	for _, f := range []struct {
		setting  string
		old, new any // pointers to one type
	}{
		{"listen", &old.Listen, &cfg.Listen},
		{"auth.cache_ttl", &old.Auth.CacheTTL, &cfg.Auth.CacheTTL},
		{"limits.message", &old.Limits.Message, &cfg.Limits.Message},
		{"push.window", &old.Push.Window, &cfg.Push.Window},
		{"push.poll_interval", &old.Push.PollInterval, &cfg.Push.PollInterval},
		{"log.format", &old.Log.Format, &cfg.Log.Format},
		{"run_as", &old.RunAs, &cfg.RunAs},
	} {
		if was, is := reflect.ValueOf(f.old).Elem(), reflect.ValueOf(f.new).Elem(); !reflect.DeepEqual(was.Interface(), is.Interface()) {
			is.Set(was)
			changed = append(changed, f.setting)
		}
	}
	return changed
}
