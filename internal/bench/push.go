package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// push measures how long it takes from the rename of a new message into a large folder until
// an idle client has been told.
func (b *bench) push() error {
	root := filepath.Join(b.dir, "large", "Maildir")
	if _, err := os.Stat(root); err != nil {
		if err := makeMaildir(root, b.messages); err != nil {
			return err
		}
	}
	var times [2][]time.Duration
	for i, s := range []server{b.ours, b.other} {
		fmt.Fprintf(os.Stderr, "%d drops: %s\n", b.drops, s.name())
		if err := with(s, root, func(c *client) (err error) {
			times[i], err = b.drop(c, root)
			return err
		}); err != nil {
			return fmt.Errorf("%s: %w", s.name(), err)
		}
	}
	for _, p := range []int{50, 99, 100} {
		b.row(fmt.Sprintf("delivery to push, %d%% within", p), at(times[0], p), at(times[1], p))
	}
	return nil
}

// drop drops messages one after the other while c idles.
func (b *bench) drop(c *client, root string) (times []time.Duration, err error) {
	if _, err := c.do("SELECT INBOX"); err != nil {
		return nil, err
	}
	if _, err := fmt.Fprint(c, "i IDLE\r\n"); err != nil {
		return nil, err
	}
	if _, err := c.line(); err != nil {
		return nil, err
	}
	for i := range b.drops {
		name := fmt.Sprintf("%d.M%dP%d.drop", time.Now().Unix(), i, os.Getpid())
		tmp := filepath.Join(root, "tmp", name)
		if err := os.WriteFile(tmp, message(i), 0o600); err != nil {
			return nil, err
		}
		if os.Getuid() == 0 {
			if err := os.Chown(tmp, owner, owner); err != nil {
				return nil, err
			}
		}
		start := time.Now()
		if err := os.Rename(tmp, filepath.Join(root, "new", name)); err != nil {
			return nil, err
		}
		if err := c.waitFor(" EXISTS"); err != nil {
			return nil, err
		}
		times = append(times, time.Since(start))
		if err := c.waitFor(" RECENT"); err != nil {
			return nil, err
		}
	}
	return times, nil
}

// waitFor reads lines until one has this end.
func (c *client) waitFor(end string) error {
	for {
		b, err := c.line()
		if err != nil {
			return err
		}
		if strings.HasSuffix(strings.TrimRight(string(b), "\r\n"), end) {
			return nil
		}
	}
}
