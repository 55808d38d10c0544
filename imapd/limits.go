package imapd

import "time"

// Limits bound what a client may cost. A field that is 0 has its default.
type Limits struct {
	// Line is the greatest length of a command in octets, without its literals; 0: 64 KiB. Before log-in
	// it is 8 KiB at most.
	Line int
	// Literal is the greatest size in octets of the literals of one command's arguments
	// together; 0: 1 MiB. Messages of APPEND have the account's limit instead; what stands between them counts, where it is more
	// than Line.
	Literal int64
	// LiteralBeforeLogin is Literal for those who have not logged in; 0: 8 KiB.
	LiteralBeforeLogin int64

	// Save is how many messages one COPY or APPEND may save; 0: any number.
	Save int

	// Idle is how long a client that has logged in may send nothing; 0: 30 minutes, which
	// is the least that RFC 9051 §5.4 allows.
	Idle time.Duration
	// Login is how long a client may take from connecting to being logged in; 0: 60 seconds.
	Login time.Duration
	// Command is how long a command's line may take to arrive once it has begun; 0: 60 seconds.
	// Literals have more time, see minRate.
	Command time.Duration
	// Write is how long a client may take to read 32 KiB; 0: 60 seconds.
	Write time.Duration

	// BadCommands is how many BAD answers in a row end a connection, and BadBeforeLogin how
	// many in all before log-in; 0: 10 and 3.
	BadCommands, BadBeforeLogin int
	// LoginAttempts is how many failed log-ins end a connection; 0: 5.
	LoginAttempts int

	// Conns, ConnsPerIP and ConnsPerUser are the greatest numbers of connections in all, from one
	// address (IPv6: one /64 network) and of one user; 0: 20000, 100, 50. Webmail on this host
	// comes from one address for all its users: loopback is not counted.
	Conns, ConnsPerIP, ConnsPerUser int
}

func (l *Limits) setDefaults() {
	setDefault(&l.Line, 64<<10)
	setDefault(&l.Literal, 1<<20)
	setDefault(&l.LiteralBeforeLogin, 8<<10)
	setDefault(&l.Idle, 30*time.Minute)
	setDefault(&l.Login, time.Minute)
	setDefault(&l.Command, time.Minute)
	setDefault(&l.Write, time.Minute)
	setDefault(&l.BadCommands, 10)
	setDefault(&l.BadBeforeLogin, 3)
	setDefault(&l.LoginAttempts, 5)
	setDefault(&l.Conns, 20000)
	setDefault(&l.ConnsPerIP, 100)
	setDefault(&l.ConnsPerUser, 50)
}

func setDefault[T comparable](p *T, v T) {
	var zero T
	if *p == zero {
		*p = v
	}
}

// lineBeforeLogin is the longest line of those who have not logged in.
const lineBeforeLogin = 8 << 10

// minRate is the least rate in octets per second at which a literal must arrive
// on the whole.
const minRate = 1 << 10

// Refused non-synchronizing literals up to these sizes are read and dropped;
// greater ones end the connection.
const (
	skipLimit            = 1 << 30
	skipLimitBeforeLogin = 64 << 10
)
