// Command bench measures the gateway against a real Dovecot on the same mail,
// or against an older build of itself, and prints both figures and their ratio.
//
//	go run ./internal/bench                      against Dovecot (package dovecot-imapd)
//	go run ./internal/bench -against ./old       against another build of the gateway
//	go run ./internal/bench -only push,idle      some of the measurements
//
// Machines are noisy: the two servers take turns, and medians are printed. What
// counts is the ratio of one run.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// bench is one run of the command.
type bench struct {
	dir      string // of everything; removed at the end
	messages int
	rounds   int
	drops    int
	idlers   int
	ours     server
	other    server
	table    *tabwriter.Writer
}

// measurements by name, in the order in which they run.
var measurements = []struct {
	name string
	run  func(*bench) error
}{
	{"commands", (*bench).commands},
	{"push", (*bench).push},
	{"idle", (*bench).idle},
}

func main() {
	b := &bench{}
	flag.IntVar(&b.messages, "n", 100_000, "messages in the large folder")
	flag.IntVar(&b.rounds, "rounds", 5, "how often each command is timed")
	flag.IntVar(&b.drops, "drops", 200, "messages dropped while a client idles")
	flag.IntVar(&b.idlers, "idlers", 1000, "idle connections")
	only := flag.String("only", "", "comma-separated names of measurements: commands, push, idle")
	against := flag.String("against", "", "another build of the gateway to compare with, instead of Dovecot")
	flag.Parse()
	if err := b.all(*only, *against); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func (b *bench) all(only, against string) (err error) {
	if b.dir, err = os.MkdirTemp("", "bench-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	if err := os.Chmod(b.dir, 0o755); err != nil {
		return err
	}
	binary := filepath.Join(b.dir, "maildir-imapd")
	build := exec.Command("go", "build", "-trimpath", "-o", binary, "./cmd/maildir-imapd")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, out)
	}
	b.ours = &gateway{title: "maildir-imapd", binary: binary, dir: filepath.Join(b.dir, "ours")}
	if b.other = (&dovecotServer{}); against != "" {
		b.other = &gateway{title: "older", binary: against, dir: filepath.Join(b.dir, "older")}
	}
	b.table = tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(b.table, "\t%s\t%s\tratio\t\n", b.ours.name(), b.other.name())
	for _, m := range measurements {
		if only != "" && !slices.Contains(strings.Split(only, ","), m.name) {
			continue
		}
		if err := m.run(b); err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
		if err := b.table.Flush(); err != nil {
			return err
		}
	}
	return nil
}

// row prints a line of two durations.
func (b *bench) row(what string, ours, other time.Duration) {
	fmt.Fprintf(b.table, "%s\t%.1f ms\t%.1f ms\t%.2f\t\n", what, ms(ours), ms(other), float64(ours)/float64(other))
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// at returns the p-th percentile.
func at(d []time.Duration, p int) time.Duration {
	s := slices.Sorted(slices.Values(d))
	return s[min(len(s)*p/100, len(s)-1)]
}
