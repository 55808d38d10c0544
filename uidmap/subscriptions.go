package uidmap

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"time"
)

const (
	subscriptionsFile = "subscriptions"
	subscriptionsV2   = "V\t2\n\n"

	maxSubscriptions = 16 << 20 // bytes
)

// Subscriptions are an account's subscribed folders.
//
// Names are as in Dovecot's file: without namespace prefix, in modified UTF-7 (or whatever
// another program wrote: compare what you decode), their levels joined by the separator of the
// layout on disk ('.' for Maildir++, '/' for LAYOUT=fs). INBOX
// is "INBOX". Not safe for concurrent use, except that any number of
// Has, Names and Exists may run at once.
type Subscriptions struct {
	folder
	locker locker
	info   os.FileInfo // nil: no file
	bad    error       // why the file can't be read
	subscribed
}

// subscribed is the content of the file.
type subscribed struct {
	sep    string
	header string   // "" in version 1
	lines  []string // as in the file
	names  []string // parallel to lines; "" for what can't be shown
	set    map[string]bool
}

// OpenSubscriptions reads the file in dir. A missing one is empty.
func OpenSubscriptions(root *os.Root, dir string, separator byte, o Options) (*Subscriptions, error) {
	s := &Subscriptions{
		folder: folder{root, dir, o},
		locker: newLocker(root, dir, subscriptionsFile, o),
		// What Dovecot writes where there is no file yet, too.
		subscribed: subscribed{sep: string(rune(separator)), header: subscriptionsV2},
	}
	_, err := s.Refresh()
	return s, err
}

// Exists reports whether there is a file. Where there is none, CourierSubscriptions may have names for
// the first Add.
func (s *Subscriptions) Exists() bool { return s.info != nil }

// Names in the order of the file.
func (s *Subscriptions) Names() []string {
	return slices.DeleteFunc(slices.Clone(s.names), func(name string) bool { return name == "" })
}

// Has reports whether exactly this name is subscribed.
func (s *Subscriptions) Has(name string) bool { return s.set[name] }

// Refresh reads what other programs changed; one stat where nothing was.
func (s *Subscriptions) Refresh() (changed bool, err error) {
	info, err := s.stat(subscriptionsFile)
	if err != nil || same(info, s.info) {
		return false, err
	}
	data, info, err := s.read(subscriptionsFile, maxSubscriptions)
	reason, damaged := errors.AsType[damage](err)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		info = nil
	case damaged:
		if info, err = s.stat(subscriptionsFile); err != nil {
			return false, err
		}
		s.log().Error("can't read the subscriptions", "file", subscriptionsFile, "reason", reason)
	case err != nil:
		return false, err
	}
	if err := s.parse(string(data), info == nil || damaged); err != nil {
		return false, err
	}
	s.info, s.bad = info, nil
	if damaged {
		s.bad = reason
	}
	return true, nil
}

// parse reads version 1 (names only) or 2 ("V\t2", an empty line, names).
func (s *subscribed) parse(text string, fresh bool) error {
	header := ""
	if fresh {
		header = subscriptionsV2
	} else if rest, ok := strings.CutPrefix(text, "V\t"); ok {
		version, _, _ := strings.Cut(rest, "\n")
		if strings.TrimSpace(version) != "2" {
			return fmt.Errorf("%w: %s: %.20q", ErrVersion, subscriptionsFile, version)
		}
		// Should the empty line be missing, all is header.
		end := len(text)
		if i := strings.Index(text, "\n\n"); i >= 0 {
			end = i + 2
		}
		header, text = text[:end], text[end:]
		if !strings.HasSuffix(header, "\n\n") {
			header = strings.TrimRight(header, "\n") + "\n\n"
		}
	}
	s.header, s.lines, s.names, s.set = header, nil, nil, make(map[string]bool)
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		if line != "" && (header != "" || !strings.HasPrefix(line, "V\t")) { // at the top it would be a version
			s.enter(line, s.decode(line))
		}
	}
	return nil
}

func (s *subscribed) enter(line, name string) {
	s.lines = append(s.lines, line)
	s.names = append(s.names, name)
	if name != "" {
		s.set[name] = true
	}
}

// decode is "" for what is no name here: a level that has the separator in it, line ends.
func (s *subscribed) decode(line string) string {
	if s.header == "" {
		return line
	}
	levels := strings.Split(line, "\t")
	for i, level := range levels {
		levels[i] = tabUnescape.Replace(level)
		if strings.Contains(levels[i], s.sep) || strings.ContainsAny(levels[i], "\r\n\x00") {
			return ""
		}
	}
	return strings.Join(levels, s.sep)
}

func (s *subscribed) encode(name string) string {
	if s.header == "" {
		return name
	}
	levels := strings.Split(name, s.sep)
	for i, level := range levels {
		levels[i] = tabEscape.Replace(level)
	}
	return strings.Join(levels, "\t")
}

// Dovecot's way to write names between TABs.
var (
	tabEscape   = strings.NewReplacer("\x01", "\x011", "\t", "\x01t", "\n", "\x01n", "\r", "\x01r", "\x00", "\x010")
	tabUnescape = strings.NewReplacer("\x011", "\x01", "\x01t", "\t", "\x01n", "\n", "\x01r", "\r", "\x010", "\x00")
)

// Add subscribes these names, those that aren't yet, in one step.
//
// Errors: ErrName for an empty name or one with line ends or NUL, ErrLimit where the file would
// grow beyond 16 MiB, those of the lock and of the file system.
func (s *Subscriptions) Add(ctx context.Context, names ...string) error {
	return s.update(ctx, func(s *subscribed) (changed bool, err error) {
		for _, name := range names {
			if name == "" || strings.ContainsAny(name, "\r\n\x00") || s.header == "" && strings.HasPrefix(name, "V\t") {
				return false, fmt.Errorf("%w: subscription %.80q", ErrName, name)
			}
			if !s.set[name] {
				s.enter(s.encode(name), name)
				changed = true
			}
		}
		return changed, nil
	})
}

// Remove unsubscribes these names; it is no error where one isn't subscribed.
func (s *Subscriptions) Remove(ctx context.Context, names ...string) error {
	return s.update(ctx, func(s *subscribed) (changed bool, err error) {
		for _, name := range names {
			if !s.set[name] {
				continue
			}
			changed = true
			delete(s.set, name)
		}
		n := 0
		for i, name := range s.names {
			if name == "" || s.set[name] {
				s.names[n], s.lines[n] = name, s.lines[i]
				n++
			}
		}
		s.names, s.lines = s.names[:n], s.lines[:n]
		return changed, nil
	})
}

// update makes a change to the content under the lock: on disk, then in memory.
func (s *Subscriptions) update(ctx context.Context, change func(*subscribed) (bool, error)) error {
	lock, err := s.locker.lock(ctx)
	if err != nil {
		return err
	}
	if _, err = s.Refresh(); err == nil {
		next := s.subscribed
		next.lines, next.names, next.set = slices.Clone(s.lines), slices.Clone(s.names), make(map[string]bool)
		maps.Copy(next.set, s.set)
		var changed bool
		if changed, err = change(&next); changed && err == nil {
			err = s.store(lock, &next)
		}
	}
	return errors.Join(err, lock.release())
}

func (s *Subscriptions) store(lock *dotlock, next *subscribed) error {
	text := next.header
	if len(next.lines) > 0 {
		text += strings.Join(next.lines, "\n") + "\n"
	}
	if len(text) > maxSubscriptions {
		return fmt.Errorf("%w: %s", ErrLimit, subscriptionsFile)
	}
	if s.bad != nil {
		if err := s.setAside(subscriptionsFile, s.bad); err != nil {
			return err
		}
	}
	info, err := s.replace(subscriptionsFile, []byte(text), time.Time{}, lock.still)
	if err != nil {
		return err
	}
	s.subscribed, s.info, s.bad = *next, info, nil
	return nil
}
