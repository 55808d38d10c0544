package uidmap

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"time"
)

// settle brings memory up to date under the lock and mends what is wrong with
// the file. After it there is a file of version 3 on disk.
func (l *List) settle(ctx context.Context, k *dotlock) error {
	// Unlike stat, open asks the server on NFS.
	if f, _, err := open(l.root, l.path(listFile), os.O_RDONLY); err == nil {
		f.Close()
	}
	err := l.load()
	if c, ok := errors.AsType[*clash](err); ok {
		return l.renumber(ctx, k, c.found)
	}
	if reason, ok := errors.AsType[damage](err); ok {
		return l.startAnew(ctx, k, reason)
	}
	if errors.Is(err, errMissing) {
		return l.restore(ctx, k)
	}
	if err != nil {
		return err
	}
	if l.exhausted {
		return l.startAnew(ctx, k, ErrExhausted)
	}
	c := *l.content
	if c.torn != "" {
		c.next = max(c.next, c.aboveTorn)
	}
	if c.guid == "" {
		c.guid = newGUID()
	}
	if c.torn == "" && !l.mustMend() {
		return nil
	}
	err = l.replaceWith(k, &c, "")
	if err != nil && IsFull(err) && c.version == 3 && c.guid == l.guid {
		// Put off until there is something to add: expunges free the disk.
		l.content.next = c.next
		return nil
	}
	return err
}

// renumber takes over what another program wrote, which contradicts what we have
// told our clients, under a UIDVALIDITY of its own.
func (l *List) renumber(ctx context.Context, k *dotlock, found *content) error {
	c := *found
	var err error
	if c.validity, err = l.newValidity(ctx); err != nil {
		return err
	}
	c.guid = l.guid // it is the same folder
	l.log().Error("another program gave UIDs to other messages, taking a new UIDVALIDITY",
		"file", listFile, "before", l.validity, "now", c.validity)
	return l.replaceWith(k, &c, "")
}

// restore writes a list where there is none: from memory where another program
// deleted it, else from Courier's, else a new one.
func (l *List) restore(ctx context.Context, k *dotlock) error {
	home, err := l.root.Stat(l.dir)
	if err != nil {
		return err
	}
	if l.content != nil && os.SameFile(home, l.home) {
		l.log().Warn("writing a file again that was deleted", "file", listFile)
		return l.replaceWith(k, l.content, "")
	}
	c, err := l.courierList(ctx)
	if err != nil {
		return err
	}
	imported := c != nil
	if !imported {
		c = &content{next: 1}
		if c.validity, err = l.newValidity(ctx); err != nil {
			return err
		}
	}
	c.guid = newGUID()
	if err := l.replaceWith(k, c, ""); err != nil {
		return err
	}
	l.home = home
	if imported {
		return l.courierTaken(ctx)
	}
	return nil
}

// startAnew sets the file aside and writes an empty list with a greater UIDVALIDITY.
func (l *List) startAnew(ctx context.Context, k *dotlock, reason error) error {
	validity, err := l.newValidity(ctx)
	if err != nil {
		return err
	}
	if err := l.setAside(listFile, reason); err != nil {
		return err
	}
	c := &content{validity: validity, next: 1, guid: newGUID()}
	if l.content != nil && l.guid != "" {
		c.guid = l.guid // it is the same folder
	}
	return l.replaceWith(k, c, "")
}

// newValidity returns a UIDVALIDITY that is greater than the one in memory and
// the one in the file, as far as that can be read.
func (l *List) newValidity(ctx context.Context) (uint32, error) {
	var old uint32
	if l.content != nil {
		old = l.validity
	}
	if data, _, err := l.read(listFile, maxList); err == nil {
		head, _, _ := strings.Cut(string(data[:min(len(data), maxLine)]), "\n")
		var c content
		_ = c.parseHeader(head) // what it found before an error counts, too
		if c.validity < math.MaxUint32 {
			old = max(old, c.validity)
		}
	}
	v, err := l.fresh(ctx)
	if err != nil {
		return 0, err
	}
	if v <= old {
		if old == math.MaxUint32 {
			return 0, ErrExhausted
		}
		v = old + 1
	}
	return v, nil
}

func newGUID() string {
	var b [16]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// replaceWith replaces the file by c's living records and the given lines, and
// what is in memory by what was written. Nothing is written that could
// not be read.
func (l *List) replaceWith(k *dotlock, c *content, lines string) error {
	var w strings.Builder
	w.Grow(int(c.off) + len(lines) + 128)
	fmt.Fprintf(&w, "3 V%d N%d G%s%s\n", c.validity, max(c.next, 1), c.guid, c.fields)
	var digits [10]byte
	for i := range c.recs {
		if r := &c.recs[i]; !r.dead {
			w.Write(strconv.AppendUint(digits[:0], uint64(r.uid), 10))
			w.WriteByte(' ')
			w.WriteString(r.text)
			w.WriteByte('\n')
		}
	}
	w.WriteString(lines)
	written, err := parseList(w.String())
	if err != nil {
		return fmt.Errorf("uidmap: refusing to write a list: %w", err)
	}
	// Once renamed it is the file, known to be on disk or not.
	l.suspect, l.rewrite = true, true
	info, err := l.replace(listFile, []byte(w.String()), time.Time{}, k.still)
	if err != nil {
		return err
	}
	l.content, l.info = written, info
	l.suspect, l.rewrite, l.behind, l.exhausted = false, false, false, false
	return nil
}
