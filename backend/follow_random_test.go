package backend

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"maildir-imapd/watcher"

	"github.com/emersion/go-imap/v2"
)

// Programs change a folder at the same time, and each asks after each change whether we know: by NOOP or a new SELECT.
// Meanwhile sessions come and go, change flags, and the mailbox leaves memory.
func TestFollowRandom(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Log("seed", seed, "(the order of what happens at the same time differs)")
	w := newWorld(t)
	a := w.startWatching(Location{Root: w.root, Separator: '.'}, watcher.Options{Window: 50 * time.Millisecond})
	end := make(chan struct{})
	var others sync.WaitGroup
	again := func(f func(r *rand.Rand)) {
		r := rand.New(rand.NewPCG(seed, 100))
		others.Go(func() {
			for {
				select {
				case <-end:
					return
				default:
					f(r)
				}
			}
		})
	}
	again(func(*rand.Rand) { a.b.idle.evict(0, 0, 0) })
	again(func(r *rand.Rand) {
		v, err := a.Select(t.Context(), "INBOX", r.IntN(2) == 0)
		if err != nil {
			t.Error(err)
			return
		}
		defer v.Close()
		if v.ReadOnly() || v.Len() == 0 {
			return
		}
		op := []imap.StoreFlagsOp{imap.StoreFlagsAdd, imap.StoreFlagsDel}[r.IntN(2)]
		_, err = v.Store(t.Context(), []uint32{1 + r.Uint32N(v.Len())}, StoreRequest{Op: op, Flags: []imap.Flag{imap.FlagAnswered}})
		if err != nil && err != ErrGone {
			t.Error(err)
		}
	})
	var programs sync.WaitGroup
	for p := range 4 {
		r := rand.New(rand.NewPCG(seed, uint64(p)))
		programs.Go(func() { (&program{w: w, a: a, r: r, p: p}).run(100) })
	}
	programs.Wait()
	close(end)
	others.Wait()
}

// program is one that has messages of its own in the folder.
type program struct {
	w    *world
	a    *User
	r    *rand.Rand
	p, n int
	base []string
}

func (x *program) run(rounds int) {
	t := x.w.t
	var v *View
	defer func() {
		if v != nil {
			v.Close()
		}
	}()
	for range rounds {
		what := x.change()
		if v != nil && x.r.IntN(3) == 0 {
			v.Close()
			v = nil
		}
		var err error
		if v == nil {
			v, err = x.a.Select(t.Context(), "INBOX", x.r.IntN(2) == 0)
		} else {
			err = v.Poll(t.Context())
			v.Sync(true)
		}
		if err != nil {
			t.Error(err)
			return
		}
		if got := x.seen(v); got != x.want() {
			t.Errorf("program %d, after %s: we say %s, there is %s", x.p, what, got, x.want())
			return
		}
	}
}

// glob finds the file of a message, which a session of ours renames.
func (x *program) glob(base string) string {
	for {
		for _, dir := range []string{"new", "cur"} {
			list, _ := filepath.Glob(filepath.Join(x.w.root, dir, base+"*"))
			if len(list) == 1 {
				return list[0]
			}
		}
	}
}

func (x *program) change() (what string) {
	t := x.w.t
	if len(x.base) == 0 || x.r.IntN(3) == 0 {
		x.n++
		base := fmt.Sprintf("1700000000.M%dP%d.test", x.n, x.p)
		to := []string{"new/" + base, "cur/" + base + ":2,"}[x.r.IntN(2)]
		tmp := filepath.Join(x.w.root, "tmp", base)
		if err := os.WriteFile(tmp, []byte("x\n"), 0o600); err != nil {
			t.Error(err)
		}
		if err := os.Rename(tmp, filepath.Join(x.w.root, to)); err != nil {
			t.Error(err)
		}
		x.base = append(x.base, base)
		return "delivery of " + to
	}
	i := x.r.IntN(len(x.base))
	for {
		from := x.glob(x.base[i])
		if x.r.IntN(3) == 0 {
			if os.Remove(from) == nil {
				base := x.base[i]
				x.base = append(x.base[:i], x.base[i+1:]...)
				if x.r.IntN(2) == 0 {
					return "removal of " + from
				}
				if err := x.w.compact(base); err != nil {
					t.Error(err)
				}
				return "removal from disk and uidlist of " + from
			}
			continue
		}
		f := parseFlags(from)
		f.sys ^= flagFlagged
		to := filepath.Join(x.w.root, "cur", withFlags(filepath.Base(from), f))
		if os.Rename(from, to) == nil {
			return fmt.Sprintf("renaming of %s to %s", from, to)
		}
	}
}

// want and seen are the program's messages, and which of them are flagged.
func (x *program) want() string {
	m := make(map[string]bool)
	for _, base := range x.base {
		m[base] = parseFlags(x.glob(base)).has(flagFlagged)
	}
	return fmt.Sprint(m)
}

func (x *program) seen(v *View) string {
	m := make(map[string]bool)
	for _, msg := range v.told.all {
		var n, p int
		if fmt.Sscanf(msg.base(), "1700000000.M%dP%d.test", &n, &p); p == x.p {
			m[msg.base()] = msg.flags.has(flagFlagged)
		}
	}
	return fmt.Sprint(m)
}
