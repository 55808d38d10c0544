package main

import (
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// idle measures what a connection costs that has selected a small folder and
// waits in IDLE: the growth of all the server's memory, divided.
func (b *bench) idle() error {
	root := filepath.Join(b.dir, "small", "Maildir")
	if err := makeMaildir(root, 100); err != nil {
		return err
	}
	var each [2]int64
	for i, s := range []server{b.ours, b.other} {
		fmt.Fprintf(os.Stderr, "%d idle connections: %s\n", b.idlers, s.name())
		if err := with(s, root, func(c *client) (err error) {
			each[i], err = b.idleCost(s, c)
			return err
		}); err != nil {
			return fmt.Errorf("%s: %w", s.name(), err)
		}
	}
	fmt.Fprintf(b.table, "memory of an idle connection\t%.1f KiB\t%.1f KiB\t%.3f\t\n",
		float64(each[0])/1024, float64(each[1])/1024, float64(each[0])/float64(each[1]))
	return nil
}

func (b *bench) idleCost(s server, first *client) (int64, error) {
	if _, err := first.do("SELECT INBOX"); err != nil {
		return 0, err
	}
	before, err := settled(s)
	if err != nil {
		return 0, err
	}
	for range b.idlers {
		c, err := connect(s)
		if err != nil {
			return 0, err
		}
		defer c.Close()
		if _, err := c.do("SELECT INBOX"); err != nil {
			return 0, err
		}
		if _, err := fmt.Fprint(c, "i IDLE\r\n"); err != nil {
			return 0, err
		}
		if _, err := c.line(); err != nil {
			return 0, err
		}
	}
	after, err := settled(s)
	return (after - before) / int64(b.idlers), err
}

// settled waits until the memory of a server stays what it is, and returns it.
func settled(s server) (int64, error) {
	last := int64(-1)
	for range 20 {
		now, err := s.rss()
		if err != nil || now == last {
			return now, err
		}
		last = now
		time.Sleep(500 * time.Millisecond) // nothing tells when a process has come to rest
	}
	return last, nil
}
