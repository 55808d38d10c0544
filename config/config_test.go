package config

import (
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// The example has every setting, each with its default.
func TestExample(t *testing.T) {
	const path = "../config.yaml.example"
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	c, problems := parse(path, data)
	if len(problems) > 0 {
		t.Fatalf("the example has problems:\n%v", problems)
	}
	if len(c.Warnings) > 0 {
		t.Errorf("the example has warnings: %v", c.Warnings)
	}
	for _, name := range allSettings("", reflect.TypeFor[Config]()) {
		if c.lines[name] == 0 {
			t.Errorf("%s is not in the example", name)
		}
	}
	for name, field := range leaves("", reflect.ValueOf(*c)) {
		want := leaves("", reflect.ValueOf(*Default()))[name]
		if !equal(field, want) {
			t.Errorf("%s is %v in the example, %v by default", name, field, want)
		}
	}
}

// A file that says of each setting something else than the default changes all of them.
func TestEverySettingIsRead(t *testing.T) {
	c, problems := parse("f", []byte(`
listen: [{address: "[::1]:1143", tls: none}]
tls: {certificate: /c, key: /k}
allow_plaintext_auth: true
auth: {passwd_file: /p, failure_delay: 3s, cache_ttl: 0s}
mail:
  location: maildir:/srv/mail/%u
  separator: /
  prefix: Mail/
  special_use: {Gesendet: \Sent}
  create: true
  follow_symlinks: true
  quota: {storage: 1GiB, messages: 7}
  shared:
    - {prefix: Public/, location: "maildir:/srv/public:LAYOUT=fs"}
    - {prefix: Mail/Users/, location: /srv/users, kind: users}
limits:
  line: 128KiB
  literal: 70000
  literal_before_login: 2 KiB
  message: 1GB
  idle_timeout: 1h
  login_timeout: 1m30s
  messages_per_save: 5000
  bad_commands: 3
  connections: 4
  connections_per_ip: 5
  connections_per_user: 6
push: {window: 40ms, poll_interval: 1m, idle_still_here: 0s}
disabled_capabilities: [NOTIFY]
log: {format: json, level: debug}
run_as: vmail
server_id: {name: a, version: b, vendor: c, support_url: d}
`))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	defaults := leaves("", reflect.ValueOf(*Default()))
	for name, v := range leaves("", reflect.ValueOf(*c)) {
		if equal(v, defaults[name]) {
			t.Errorf("%s still has its default %v", name, v)
		}
	}
	if c.Limits.Message != 1e9 || c.Limits.LiteralBeforeLogin != 2048 || c.Limits.LoginTimeout != 90*time.Second {
		t.Errorf("units: %+v", c.Limits)
	}
}

// TestProblems: each mistake with its place, its name, and what is expected.
func TestProblems(t *testing.T) {
	for _, test := range []struct{ name, in, want string }{
		{"unknown setting", "log:\n  format: json\n  levle: info\n",
			`f:3: log.levle: unknown setting (did you mean "level"?)`},
		{"unknown group", "\n\nlimit: {}\n",
			`f:3: limit: unknown setting (did you mean "limits"?)`},
		{"unknown, the first word", "disabled: []\n",
			`f:1: disabled: unknown setting (did you mean "disabled_capabilities"?)`},
		{"unknown, nothing near", "zebra: 1\n",
			`f:1: zebra: unknown setting`},
		{"set twice", "run_as: a\nrun_as: b\n",
			`f:2: run_as: set twice, first in line 1`},
		{"no YAML", "log:\n  level: info\n level: x\n", "f:3: not valid YAML: did not find expected key"},
		{"tabs", "log:\n\tlevel: info\n", "f:2: not valid YAML: found character that cannot start any token (YAML is indented with spaces, not with tabs)"},
		{"two documents", "run_as: a\n---\nrun_as: b\n", "f:2: expected one YAML document, found a second"},
		{"a list at the top", "- a\n", "f:1: expected settings (listen, tls, allow_plaintext_auth, auth, mail, limits, push, disabled_capabilities, log, run_as, server_id), found a list"},
		{"group that is a value", "limits: 3\n", `f:1: limits: expected settings (line, literal, literal_before_login, message, messages_per_save, idle_timeout, login_timeout, bad_commands, connections, connections_per_ip, connections_per_user), found "3"`},
		{"value that is a list", "run_as: [a]\n", "f:1: run_as: expected a single value, found a list"},
		{"value that is empty", "run_as:\n", "f:1: run_as: expected a single value, found nothing"},
		{"list that is a value", "listen: \":143\"\n", `f:1: listen: expected a list ([] for none), found ":143"`},
		{"names that are a list", "mail:\n  special_use: [a]\n", "f:2: mail.special_use: expected names with values ({} for none), found a list"},
		{"yes is no bool", "mail: {create: yes}\n", `f:1: mail.create: expected true or false, found "yes"`},
		{"unclosed list", "log:\n  level: info\ndisabled_capabilities: [A,\n", "f:3: not valid YAML: did not find expected node content"},
		{"indented too far", "mail:\n  location: maildir:/m\n  prefix: \"\"\n   create: false\nlog:\n  level: info\n", "f:4: not valid YAML: did not find expected key"},
		{"unclosed quote", "run_as: a\nmail:\n  prefix: \"\n  create: true\nlog: {level: \"info\"}\n", "f:3: not valid YAML: did not find expected key"},
		{"unknown anchor", "log:\n  level: *x\n", "f:2: not valid YAML: unknown anchor 'x' referenced"},
		{"not UTF-8", "log:\n  level: info\nserver_id:\n  name: Gru\xdf\n", "f:4: not valid YAML: invalid trailing UTF-8 octet"},
		{"no bool", "allow_plaintext_auth: perhaps\n", `f:1: allow_plaintext_auth: expected true or false, found "perhaps"`},
		{"quoted bool", "mail: {create: \"true\"}\n", `f:1: mail.create: expected true or false, found "true"`},
		{"no number", "limits:\n  connections: many\n", `f:2: limits.connections: expected a whole number, found "many"`},
		{"negative number", "limits:\n  connections: -1\n", `f:2: limits.connections: expected a whole number, found "-1"`},
		{"duration without unit", "limits:\n  idle_timeout: 30\n",
			`f:2: limits.idle_timeout: expected a duration with its unit, such as 25ms, 90s, 30m or 1h30m, found "30"`},
		{"negative duration", "limits: {login_timeout: -1s}\n",
			`f:1: limits.login_timeout: expected a duration with its unit, such as 25ms, 90s, 30m or 1h30m, found "-1s"`},
		{"duration out of range", "push:\n  window: 2s\n", "f:2: push.window: expected a duration from 1ms to 1s, found 2s"},
		{"unknown unit of size", "limits:\n  line: 64K\n", `f:2: limits.line: expected a size such as 64KiB or 100MiB, found "64K"`},
		{"negative size", "limits: {message: -1MiB}\n", `f:1: limits.message: expected a size such as 64KiB or 100MiB, found "-1MiB"`},
		{"size too large", "limits: {message: 9223372036854775807KiB}\n", `f:1: limits.message: "9223372036854775807KiB" is too large for a size`},
		{"size out of range", "limits:\n  line: 1KiB\n", "f:2: limits.line: expected a size from 8KiB to 16MiB, found 1KiB"},
		{"few messages", "limits: {messages_per_save: 999}\n", "f:1: limits.messages_per_save: expected 0 or a number from 1000, found 999"},
		{"no bad commands", "limits: {bad_commands: 0}\n", "f:1: limits.bad_commands: expected a number from 1, found 0"},
		{"nowhere to listen", "listen: []\n", "f:1: listen: expected at least one address"},
		{"address without port", "listen:\n  - address: localhost\n    tls: starttls\n",
			`f:2: listen[0].address: expected host:port such as "127.0.0.1:143", "[::1]:143" or ":993", found "localhost"`},
		{"port too large", "listen:\n  - tls: starttls\n    address: :70000\n",
			`f:3: listen[0].address: expected host:port such as "127.0.0.1:143", "[::1]:143" or ":993", found ":70000"`},
		{"address without tls", "listen:\n  - address: :143\n",
			`f:2: listen[0]: expected none, starttls or implicit, found ""`},
		{"tls misspelt", "listen:\n  - address: :143\n    tls: startls\n",
			`f:3: listen[0].tls: expected none, starttls or implicit, found "startls" (did you mean "starttls"?)`},
		{"address twice", "listen:\n  - {address: \":143\", tls: starttls}\n  - {address: \":143\", tls: implicit}\n",
			"f:3: listen[1].address: :143 is already the address of listen[0]"},
		{"listener that is a value", "listen:\n  - \":143\"\n", `f:2: listen[0]: expected settings (address, tls), found ":143"`},
		{"relative certificate", "tls:\n  certificate: tls.crt\n", `f:2: tls.certificate: expected an absolute path, found "tls.crt"`},
		{"relative user file", "auth:\n  passwd_file: users\n", `f:2: auth.passwd_file: expected an absolute path, found "users"`},
		{"separator", "mail:\n  separator: ','\n", `f:2: mail.separator: expected . or /, found ","`},
		{"no Maildir", "mail:\n  location: mbox:~/mail\n", `f:2: mail.location: "mbox" is no Maildir: expected maildir:path`},
		{"unknown option of the location", "mail:\n  location: maildir:~/Maildir:LAYOUT=imapdir\n",
			`f:2: mail.location: "LAYOUT=imapdir": no such layout, expected fs or Maildir++`},
		{"prefix of the other layout", "mail:\n  location: maildir:~/Maildir:LAYOUT=fs\n  prefix: INBOX.\n",
			`f:3: mail.prefix: expected a prefix that ends in the separator, such as "INBOX/", found "INBOX."`},
		{"prefix without separator", "mail:\n  prefix: INBOX\n", `f:2: mail.prefix: expected a prefix that ends in the separator, such as "INBOX.", found "INBOX"`},
		{"special use", "mail:\n  special_use:\n    Sent Items: \\Send\n",
			`f:3: mail.special_use.Sent Items: expected \All, \Archive, \Drafts, \Flagged, \Important, \Junk, \Sent or \Trash, found "\\Send" (did you mean "\\Sent"?)`},
		{"shared without a prefix", "mail:\n  shared:\n    - location: /srv/public\n",
			`f:3: mail.shared[0]: expected a name that ends in the separator, such as "Public.", found ""`},
		{"shared without a location", "mail:\n  shared:\n    - prefix: Public.\n",
			`f:3: mail.shared[0]: "" is no Maildir: expected maildir:path`},
		{"prefix of the other separator", "mail:\n  shared:\n    - prefix: Public/\n      location: /srv/public\n",
			`f:3: mail.shared[0].prefix: expected a name that ends in the separator, such as "Public.", found "Public/"`},
		{"prefix with an empty level", "mail:\n  shared:\n    - {prefix: a..b., location: /srv/public}\n",
			`f:3: mail.shared[0].prefix: expected a name that ends in the separator, such as "Public.", found "a..b."`},
		{"prefix that takes all", "mail:\n  prefix: INBOX.\n  shared:\n    - {prefix: inbox., location: /srv/public}\n",
			`f:4: mail.shared[0].prefix: expected a prefix that leaves the user his own mailboxes, found "inbox."`},
		{"one prefix twice", "mail:\n  shared:\n    - {prefix: P., location: /a}\n    - {prefix: P., location: /b}\n",
			`f:4: mail.shared[1].prefix: "P." is already the prefix of mail.shared[0]`},
		{"one tree twice", "mail:\n  shared:\n    - {prefix: P., location: /a/%d}\n    - {prefix: Q., location: /a/example.org}\n",
			`f:4: mail.shared[1].location: /a/example.org is already that of mail.shared[0]: one tree can't have two names`},
		{"the user's own tree", "mail:\n  location: /srv/%u\n  shared:\n    - {prefix: P., location: /srv/%u}\n",
			`f:4: mail.shared[0].location: /srv/user@example.org is already that of mail.location: one tree can't have two names`},
		{"shared INBOX", "mail:\n  shared:\n    - {prefix: P., location: \"/a:INBOX=/a/b\"}\n",
			"f:3: mail.shared[0].location: INBOX=: a shared tree has no INBOX"},
		{"unknown kind", "mail:\n  shared:\n    - {prefix: P., location: /a, kind: public}\n",
			`f:3: mail.shared[0].kind: expected shared or users, found "public"`},
		{"special use twice", "mail:\n  special_use:\n    A: \\Sent\n    A: \\Junk\n", "f:4: mail.special_use.A: set twice, first in line 3"},
		{"capability", "disabled_capabilities:\n  - MOVE\n  - \"NOTIFY IDLE\"\n", `f:3: disabled_capabilities[1]: expected a capability's name such as NOTIFY, found "NOTIFY IDLE"`},
		{"the protocol itself", "disabled_capabilities: [IMAP4rev1]\n", "f:1: disabled_capabilities[0]: IMAP4rev1 can't be switched off"},
		{"log format", "log: {format: yaml}\n", `f:1: log.format: expected text or json, found "yaml"`},
		{"log level", "log:\n\n  level: loud\n", `f:3: log.level: expected debug, info, warn or error, found "loud"`},
		{"control characters", "server_id:\n  name: \"a\\nb\"\n", `f:2: server_id.name: expected text without control characters, found "a\nb"`},
		{"long id", "server_id:\n  vendor: " + strings.Repeat("x", 1025) + "\n", "f:2: server_id.vendor: expected at most 1024 octets, found 1025"},
		{"all at once", "log: {level: loud}\nlimits: {line: 1}\nauht: {}\n",
			"f:3: auht: unknown setting (did you mean \"auth\"?)\nf:2: limits.line: expected a size from 8KiB to 16MiB, found 1B\nf:1: log.level: expected debug, info, warn or error, found \"loud\""},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, problems := parse("f", []byte(test.in))
			if got := problems.Error(); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

func TestWarnings(t *testing.T) {
	for _, test := range []struct{ name, in, want string }{
		{"passwords in the open", "allow_plaintext_auth: true\nlisten:\n  - {address: \"127.0.0.1:143\", tls: none}\n  - {address: \":143\", tls: starttls}\n",
			"f:4: listen[1].address: with allow_plaintext_auth passwords cross the network at :143 as they are"},
		{"no way to log in from elsewhere", "listen: [{address: \":143\", tls: none}]\n",
			"f:1: listen[0].address: only this machine can log in at :143: it has no TLS and allow_plaintext_auth is false"},
		{"impatient", "limits:\n  idle_timeout: 5m\n",
			"f:2: limits.idle_timeout: clients expect to stay connected for 30m at least, found 5m0s"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, problems := parse("f", []byte(test.in))
			if len(problems) > 0 {
				t.Fatal(problems)
			}
			if got := Problems(c.Warnings).Error(); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

// Whatever stands in the file, parse ends, and what it lets through is in range.
func FuzzParse(f *testing.F) {
	example, err := os.ReadFile("../config.yaml.example")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(example)
	f.Add([]byte("limits: &a\n  line: *a\n"))
	f.Add([]byte("limits: *nowhere\n"))
	f.Add([]byte("a: &a [*a]\nlisten: *a\n"))
	f.Add([]byte("<<: {run_as: x}\n? [a]\n: b\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, problems := parse("f", data)
		if len(problems) == 0 && (len(c.Listen) == 0 || c.Limits.Line < 8<<10 || c.Push.Window <= 0) {
			t.Errorf("accepted: %+v", c)
		}
	})
}

func TestSize(t *testing.T) {
	for s, want := range map[string]Size{"0": 0, "1": 1, "10B": 10, "64KiB": 65536, "3 MiB": 3 << 20, "2GiB": 2 << 30, "1kB": 1000, "5MB": 5e6, "1GB": 1e9} {
		got, err := ParseSize(s)
		if err != nil || got != want {
			t.Errorf("ParseSize(%q) = %d, %v; want %d", s, got, err, want)
		}
		if back, err := ParseSize(got.String()); err != nil || back != got {
			t.Errorf("ParseSize(%q) = %d, %v; want %d", got.String(), back, err, got)
		}
	}
}

// allSettings lists the full names of all settings, groups included.
func allSettings(prefix string, t reflect.Type) []string {
	var all []string
	for f := range t.Fields() {
		tag := f.Tag.Get("yaml")
		if tag == "" || tag == "-" {
			continue
		}
		name := strings.TrimPrefix(prefix+"."+tag, ".")
		all = append(all, name)
		if f.Type.Kind() == reflect.Struct {
			all = append(all, allSettings(name, f.Type)...)
		}
	}
	return all
}

// leaves are the settings that are no groups, with their values.
func leaves(prefix string, v reflect.Value) map[string]reflect.Value {
	all := make(map[string]reflect.Value)
	for _, name := range settings(v.Type()) {
		f, _ := fieldOf(v, name)
		full := strings.TrimPrefix(prefix+"."+name, ".")
		if f.Kind() != reflect.Struct {
			all[full] = f
			continue
		}
		for k, leaf := range leaves(full, f) {
			all[k] = leaf
		}
	}
	return all
}

// equal takes an empty list for none.
func equal(a, b reflect.Value) bool {
	if k := a.Kind(); (k == reflect.Slice || k == reflect.Map) && a.Len() == 0 && b.Len() == 0 {
		return true
	}
	return reflect.DeepEqual(a.Interface(), b.Interface())
}

// didYouMean must not offer what is far away.
func TestDidYouMean(t *testing.T) {
	known := settings(reflect.TypeFor[Limits]())
	if got := didYouMean("conections_per_ip", known); !strings.Contains(got, `"connections_per_ip"`) {
		t.Errorf("got %q", got)
	}
	if got := didYouMean("x", slices.Concat(known, []string{"listen"})); got != "" {
		t.Errorf("got %q", got)
	}
}
