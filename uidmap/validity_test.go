package uidmap

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"
	"time"
)

func TestValidity(t *testing.T) {
	a := newAccount(t)
	before := uint32(time.Now().Unix())
	first, err := a.next(t.Context())
	if err != nil || first < before {
		t.Errorf("first %d, %v", first, err)
	}
	last := first
	for range 3 {
		v, err := a.next(t.Context())
		if err != nil || v != last+1 {
			t.Errorf("%d, %v after %d", v, err, last)
		}
		last = v
	}
	if got := a.glob(validityFile + "*"); !slices.Equal(got, []string{validityFile, fmt.Sprintf("%s.%08x", validityFile, last)}) {
		t.Errorf("files %q", got)
	}
	if got := a.read(validityFile); got != fmt.Sprintf("%08x", last) {
		t.Errorf("file %q", got)
	}
	if info, _ := os.Stat(a.path + fmt.Sprintf("/%s.%08x", validityFile, last)); info.Mode() != 0o444 || info.Size() != 0 {
		t.Errorf("marker has mode %v, %d bytes", info.Mode(), info.Size())
	}
}

func TestValidityFiles(t *testing.T) {
	const now = 0 // any that is not before the clock's time
	for name, test := range map[string]struct {
		file    string
		markers []string
		want    uint32
	}{
		"Dovecot":               {"6b045e67", []string{"6b045e67"}, 0x6b045e68},
		"stale file":            {"6b045e67", []string{"6b045e6a"}, 0x6b045e6b},
		"torn file":             {"6b04", []string{"6b045e6a"}, 0x6b045e6b},
		"zeros":                 {"\x00\x00\x00\x00\x00\x00\x00\x00", []string{"6b045e6a"}, 0x6b045e6b},
		"no file":               {"", []string{"6b045e6a"}, 0x6b045e6b},
		"two markers":           {"6b045e67", []string{"6b045e67", "6b045e68"}, 0x6b045e69},
		"far markers":           {"6b045e67", []string{"6b045e67", "6b045e66"}, 0x6b045e68},
		"no marker":             {"fb045e67", nil, 0xfb045e68},
		"marker before file":    {"fb045e67", []string{"6b045e67"}, 0xfb045e68},
		"no marker, old":        {"00000001", nil, now},
		"other files":           {"", []string{"6b045e6", "6B045E6A", "+6b045e6", "xxxxxxxx", "00000000", "tmp"}, now},
		"last but one":          {"fffffffe", []string{"fffffffe"}, 0xffffffff},
		"of a file of 9 digits": {"6b045e670", []string{"6b045e67"}, 0x6b045e68},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAccount(t)
			if test.file != "" {
				a.write(validityFile, test.file)
			}
			for _, m := range test.markers {
				a.write(validityFile+"."+m, "")
			}
			start := uint32(time.Now().Unix())
			v, err := a.next(t.Context())
			if err != nil || test.want != now && v != test.want || test.want == now && v < start {
				t.Errorf("%x, %v; want %x", v, err, test.want)
			}
			if again, err := a.next(t.Context()); v != 0xffffffff && (err != nil || again != v+1) {
				t.Errorf("then %x, %v", again, err)
			}
		})
	}
}

func TestValidityErrors(t *testing.T) {
	a := newAccount(t)
	a.write(validityFile, "ffffffff")
	if _, err := a.next(t.Context()); !errors.Is(err, ErrExhausted) {
		t.Errorf("after the last: %v", err)
	}
	a.write(validityFile+".ffffffff", "")
	if _, err := a.next(t.Context()); !errors.Is(err, ErrExhausted) {
		t.Errorf("after the last: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := a.next(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if _, err := NewValidity(a.root, "missing", a.o).Next(t.Context()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no directory: %v", err)
	}
}

func TestValidityIsGivenOnce(t *testing.T) {
	a := newAccount(t)
	var mu sync.Mutex
	given := make(map[uint32]bool)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			last := uint32(0)
			for range 25 {
				v, err := a.next(t.Context())
				if err != nil || v <= last {
					t.Errorf("%d, %v after %d", v, err, last)
				}
				last = v
				mu.Lock()
				if given[v] {
					t.Errorf("%d was given twice", v)
				}
				given[v] = true
				mu.Unlock()
			}
		})
	}
	wg.Wait()
}

// Programs that give out the first one at the same time may do so in different seconds.
func TestValidityFirstIsGivenOnce(t *testing.T) {
	for range 50 {
		a := newAccount(t)
		var mu sync.Mutex
		given := make(map[uint32]bool)
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				v := NewValidity(a.root, ".", a.o)
				v.now = func() time.Time { return time.Now().Add(time.Duration(i%3) * time.Second) }
				for range 5 {
					n, err := v.Next(t.Context())
					mu.Lock()
					if err != nil || given[n] {
						t.Errorf("%d, %v, given before: %v", n, err, given[n])
					}
					given[n] = true
					mu.Unlock()
				}
			})
		}
		wg.Wait()
	}
}
