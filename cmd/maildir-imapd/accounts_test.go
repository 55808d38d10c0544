package main

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/emersion/go-imap/v2"

	"maildir-imapd/auth"
	"maildir-imapd/backend"
	"maildir-imapd/config"
)

func TestLocate(t *testing.T) {
	ada := &auth.User{Name: "ada@example.org", Home: "/home/ada"}
	moved := &auth.User{Name: "bob@example.org", Extra: map[string]string{"mail": "maildir:/new/%n:LAYOUT=fs"}}
	none := map[string]imap.MailboxAttr{}
	for _, test := range []struct {
		name string
		mail config.Mail
		user *auth.User
		want backend.Location
		err  string
	}{
		{"by the configuration", config.Mail{Location: "maildir:~/Maildir"}, ada,
			backend.Location{Root: "/home/ada/Maildir", SpecialUse: none}, ""},
		{"by the user file", config.Mail{Location: "maildir:~/Maildir"}, moved,
			backend.Location{Root: "/new/bob", Layout: backend.FS, SpecialUse: none}, ""},
		{"as the configuration shows it",
			config.Mail{Location: "maildir:/m/%d/%n", Separator: "/", Prefix: "Mail/", FollowSymlinks: true, SpecialUse: map[string]string{"Gesendet": `\Sent`}}, ada,
			backend.Location{Root: "/m/example.org/ada", Separator: '/', Prefix: "Mail/", FollowSymlinks: true,
				SpecialUse: map[string]imap.MailboxAttr{"Gesendet": imap.MailboxAttrSent}}, ""},
		{"a user without home", config.Mail{Location: "maildir:~/Maildir"}, &auth.User{Name: "bob"},
			backend.Location{}, "the user has no home"},
		{"a user named like a way out", config.Mail{Location: "maildir:/m/%u"}, &auth.User{Name: "../ada"},
			backend.Location{}, "can't be part of a path"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := locate(test.mail, test.user)
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Errorf("got error %v, want %s", err, test.err)
				}
				return
			}
			if err != nil || !reflect.DeepEqual(got, test.want) {
				t.Errorf("got  %+v, %v\nwant %+v", got, err, test.want)
			}
		})
	}
}

// A directory's name is taken as it is, though a location gives ':' and '%' a meaning.
func TestLocalLocation(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "50%:off")
	if err := os.MkdirAll(filepath.Join(dir, "cur"), 0o700); err != nil {
		t.Fatal(err)
	}
	u := &auth.User{Name: "ada"}
	for _, where := range []string{"flag", "MAILDIR", "HOME"} {
		flag := ""
		t.Setenv("MAILDIR", "")
		t.Setenv("HOME", "/nowhere")
		switch where {
		case "flag":
			flag = dir
		case "MAILDIR":
			t.Setenv("MAILDIR", dir)
		case "HOME":
			home := t.TempDir()
			if err := os.Symlink(dir, filepath.Join(home, "Maildir")); err != nil {
				t.Fatal(err)
			}
			t.Setenv("HOME", home)
		}
		location, err := localLocation(flag)
		if err != nil {
			t.Fatal(err)
		}
		if err := checkMaildir(config.Mail{Location: location}, u); err != nil {
			t.Errorf("by %s: %v", where, err)
		}
	}
	if location, err := localLocation("maildir:/a/%n"); err != nil || location != "maildir:/a/%n" {
		t.Errorf("got %q, %v", location, err)
	}
}

// What needs a restart is put back and named; nothing else is.
func TestKeepFixed(t *testing.T) {
	old, cfg := config.Default(), config.Default()
	cfg.Listen = cfg.Listen[:1]
	cfg.Limits.Line = 1 << 20
	cfg.Limits.Message = 1
	cfg.RunAs = "vmail"
	changed := keepFixed(old, cfg)
	if want := []string{"listen", "limits.message", "run_as"}; !reflect.DeepEqual(changed, want) {
		t.Errorf("got %v, want %v", changed, want)
	}
	want := config.Default()
	want.Limits.Line = 1 << 20
	if !reflect.DeepEqual(cfg, want) {
		t.Errorf("got  %+v\nwant %+v", cfg, want)
	}
	if changed := keepFixed(old, config.Default()); changed != nil {
		t.Errorf("got %v for the same", changed)
	}
}
