package e2e

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

var (
	killSeed   = flag.Uint64("kill.seed", 0, "seed of TestKill; 0: another each time")
	killRounds = flag.Int("kill.rounds", 50, "how often TestKill kills the server")
)

// The server is killed in the middle of a storm of commands and deliveries, again
// and again. After each time nothing that was acknowledged is lost, and no UID that was
// shown names another message.
func TestKill(t *testing.T) {
	t.Parallel()
	seed := *killSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("to repeat: -run TestKill -kill.seed=%d (the order of what happens at the same time differs)", seed)
	g := newGateway(t, []string{"bob"}, "push: {window: 5ms}\n")
	rec := newRecord()
	c := login(t, g.Addr, "bob")
	for _, mailbox := range rec.mailboxes[1:] {
		c.ok(t, "CREATE %s", mailbox)
	}
	random := rand.New(rand.NewPCG(seed, 0))
	storm := newStorm(rec, g.Maildir("bob"), seed)
	for round := range *killRounds {
		// Half of the rounds end before much has happened: all is new then.
		length := time.Duration(5+random.IntN(60)) * time.Millisecond
		if random.IntN(2) == 0 {
			length *= 16
		}
		storm.rage(t, g, length)
		rec.checkFiles(t, g.Maildir("bob"))
		if round%10 != 0 {
			ageLocks(t, g.Maildir("bob"))
		}
		g.start()
		rec.checkServer(t, g.Addr)
		if t.Failed() {
			t.Fatalf("in round %d of seed %d, after a storm of %v", round+1, seed, length)
		}
	}
	t.Log(storm)
}

// ageLocks makes the locks that the killed server left as old as if it was started again
// ten seconds later. Fresh ones it overrides only after it has watched them for some time.
func ageLocks(t *testing.T, maildir string) {
	t.Helper()
	long := time.Now().Add(-time.Minute)
	for name := range tree(t, maildir) {
		if strings.HasSuffix(name, ".lock") {
			if err := os.Chtimes(filepath.Join(maildir, name), long, long); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// storm is clients and other programs that work on a Maildir at the same time.
type storm struct {
	rec      *record
	maildir  string
	clients  []*stormClient
	renamer  *renamer
	randoms  []*rand.Rand // of the other programs
	commands map[string]int
}

func newStorm(rec *record, maildir string, seed uint64) *storm {
	const clients, programs = 4, 3
	s := &storm{rec: rec, maildir: maildir, commands: make(map[string]int)}
	for i := range clients + programs {
		r := rand.New(rand.NewPCG(seed, uint64(1+i)))
		if i < clients {
			s.clients = append(s.clients, &stormClient{rec: rec, random: r, done: make(map[string]int)})
		} else {
			s.randoms = append(s.randoms, r)
		}
	}
	s.renamer = &renamer{rec: rec, random: rand.New(rand.NewPCG(seed, clients+programs+1))}
	return s
}

// String tells how much was done.
func (s *storm) String() string {
	return fmt.Sprintf("commands that were answered: %v; %d RENAMEs", s.commands, s.renamer.last)
}

// rage lets all of them work for some time, then kills the server.
func (s *storm) rage(t *testing.T, g *gateway, length time.Duration) {
	t.Helper()
	killed := make(chan struct{}) // closed just before
	var wg sync.WaitGroup
	problem := func(err error) {
		select {
		case <-killed:
		default:
			t.Errorf("before the server was killed: %v", err)
		}
	}
	for _, c := range s.clients {
		wg.Go(func() {
			if err := c.work(g.Addr); err != nil {
				problem(err)
			}
		})
	}
	wg.Go(func() {
		if err := s.renamer.work(g.Addr); err != nil {
			problem(err)
		}
	})
	for i, program := range []func(r *rand.Rand) error{s.deliver, s.deliver, s.rename} {
		wg.Go(func() {
			for {
				if err := program(s.randoms[i]); err != nil {
					t.Error(err)
					return
				}
				select {
				case <-killed:
					return
				case <-time.After(time.Duration(s.randoms[i].IntN(20)) * time.Millisecond):
				}
			}
		})
	}
	time.Sleep(length)
	close(killed)
	g.kill()
	wg.Wait()
	if text := g.log.String(); strings.Contains(text, "level=ERROR") || strings.Contains(text, "panic") || strings.Contains(text, "DATA RACE") {
		t.Errorf("log of the server:\n%s", text)
	}
	for _, c := range s.clients {
		for command, n := range c.done {
			s.commands[command] += n
		}
		clear(c.done)
	}
}
