package config

import (
	"log/slog"
	"time"
)

// Config is a whole configuration. config.yaml.example explains every setting
// to those who write one; the yaml tags are the settings' names.
type Config struct {
	Listen               []Listener `yaml:"listen"`
	TLS                  TLS        `yaml:"tls"`
	AllowPlaintextAuth   bool       `yaml:"allow_plaintext_auth"`
	Auth                 Auth       `yaml:"auth"`
	Mail                 Mail       `yaml:"mail"`
	Limits               Limits     `yaml:"limits"`
	Push                 Push       `yaml:"push"`
	DisabledCapabilities []string   `yaml:"disabled_capabilities"`
	Log                  Log        `yaml:"log"`
	RunAs                string     `yaml:"run_as"`
	ServerID             ServerID   `yaml:"server_id"`

	// Warnings are what Load found that is allowed and probably not meant.
	Warnings []Problem `yaml:"-"`

	file  string         // as given to Load
	lines map[string]int // of the settings that the file has, by full name
}

// Listener is an address to listen on.
type Listener struct {
	Address string  `yaml:"address"` // host:port; an empty host is all interfaces
	TLS     TLSMode `yaml:"tls"`
}

// TLSMode says how a listener's connections are encrypted.
type TLSMode string

// The modes of a listener.
const (
	TLSNone     TLSMode = "none"     // never
	TLSStartTLS TLSMode = "starttls" // after STARTTLS
	TLSImplicit TLSMode = "implicit" // from the first octet
)

// TLS names the PEM files of the certificate (with its chain) and its key.
type TLS struct {
	Certificate string `yaml:"certificate"`
	Key         string `yaml:"key"`
}

// Auth says who may log in.
type Auth struct {
	PasswdFile   string        `yaml:"passwd_file"`
	FailureDelay time.Duration `yaml:"failure_delay"`
	CacheTTL     time.Duration `yaml:"cache_ttl"`
}

// Mail says where a user's mail lies and how it is shown.
type Mail struct {
	Location       string            `yaml:"location"`
	Separator      string            `yaml:"separator"`
	Prefix         string            `yaml:"prefix"`
	SpecialUse     map[string]string `yaml:"special_use"` // mailbox name to attribute
	Create         bool              `yaml:"create"`
	FollowSymlinks bool              `yaml:"follow_symlinks"`
	Quota          Quota             `yaml:"quota"`
	Shared         []Share           `yaml:"shared"`
}

// Share is a namespace that several users see.
type Share struct {
	Prefix   string    `yaml:"prefix"`
	Location string    `yaml:"location"`
	Kind     ShareKind `yaml:"kind"`
}

// ShareKind says as what NAMESPACE shows a share.
type ShareKind string

// The kinds of a share.
const (
	ShareShared ShareKind = "shared" // of all; also where nothing is set
	ShareUsers  ShareKind = "users"  // other users' mail
)

// Quota limits each user's mail; 0 is no limit.
type Quota struct {
	Storage  Size `yaml:"storage"`
	Messages int  `yaml:"messages"`
}

// Limits bound what a client may cost.
type Limits struct {
	Line               Size          `yaml:"line"`
	Literal            Size          `yaml:"literal"`
	LiteralBeforeLogin Size          `yaml:"literal_before_login"`
	Message            Size          `yaml:"message"`
	MessagesPerSave    int           `yaml:"messages_per_save"`
	IdleTimeout        time.Duration `yaml:"idle_timeout"`
	LoginTimeout       time.Duration `yaml:"login_timeout"`
	BadCommands        int           `yaml:"bad_commands"`
	Connections        int           `yaml:"connections"`
	ConnectionsPerIP   int           `yaml:"connections_per_ip"`
	ConnectionsPerUser int           `yaml:"connections_per_user"`
}

// Push says how soon changes are seen and told.
type Push struct {
	Window        time.Duration `yaml:"window"`
	PollInterval  time.Duration `yaml:"poll_interval"`
	IdleStillHere time.Duration `yaml:"idle_still_here"`
}

// Log says how the log is written; it goes to standard error.
type Log struct {
	Format string `yaml:"format"`
	Level  string `yaml:"level"`
}

// ServerID is what ID (RFC 2971) answers; empty fields are left out.
type ServerID struct {
	Name       string `yaml:"name"`
	Version    string `yaml:"version"`
	Vendor     string `yaml:"vendor"`
	SupportURL string `yaml:"support_url"`
}

// Default is the configuration of an empty file.
func Default() *Config {
	return &Config{
		Listen: []Listener{
			{Address: ":143", TLS: TLSStartTLS},
			{Address: ":993", TLS: TLSImplicit},
		},
		TLS: TLS{
			Certificate: "/etc/maildir-imapd/tls.crt",
			Key:         "/etc/maildir-imapd/tls.key",
		},
		Auth: Auth{
			PasswdFile:   "/etc/maildir-imapd/users",
			FailureDelay: 2 * time.Second,
			CacheTTL:     time.Hour,
		},
		Mail: Mail{Location: "maildir:~/Maildir"},
		Limits: Limits{
			Line:               64 << 10,
			Literal:            1 << 20,
			LiteralBeforeLogin: 8 << 10,
			Message:            100 << 20,
			IdleTimeout:        30 * time.Minute,
			LoginTimeout:       time.Minute,
			BadCommands:        10,
			Connections:        10000,
			ConnectionsPerIP:   100,
			ConnectionsPerUser: 50,
		},
		Push: Push{
			Window:        25 * time.Millisecond,
			PollInterval:  10 * time.Second,
			IdleStillHere: 2 * time.Minute,
		},
		Log:      Log{Format: "text", Level: "info"},
		ServerID: ServerID{Name: "maildir-imapd"},
	}
}

// SlogLevel is the level as log/slog has it.
func (l Log) SlogLevel() slog.Level {
	var level slog.Level
	// Load has refused what does not parse; a Config made by hand means info.
	_ = level.UnmarshalText([]byte(l.Level))
	return level
}

// NeedsTLS reports whether a listener needs the certificate.
func (c *Config) NeedsTLS() bool {
	for _, l := range c.Listen {
		if l.TLS != TLSNone {
			return true
		}
	}
	return false
}

// Problem is a problem with a setting of this configuration that only its user can
// see, such as a user file that does not parse, with the setting's file and line.
func (c *Config) Problem(setting, text string) Problem {
	return Problem{File: c.file, Line: c.lines[setting], Setting: setting, Text: text}
}
