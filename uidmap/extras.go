package uidmap

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maildir-imapd-keywords is a log of lines, the later of which count:
//
//	maildir-imapd-keywords 1
//	k 26 $Later             the keyword with index 26 is $Later
//	m 26,27 1700000001.M1   the message with this base name carries these keywords ("-": none)
//	courier list            the folder's UIDs are being taken over from Courier
//	courier keywords        they were, its keywords have yet to be
//	courier done            they were
//
// Lines are appended; a last line without line end is none. The log is written
// anew when less than half of it counts.
const (
	extrasFile = "maildir-imapd-keywords"
	extrasHead = extrasFile + " 1"

	courierTakesList     = "courier list"
	courierTakesKeywords = "courier keywords"
	courierDone          = "courier done"

	maxExtras = 256 << 20 // bytes
)

// extras is the content of maildir-imapd-keywords.
type extras struct {
	names   []string // from index 26 on; "" where a line is missing
	sets    map[string][]int
	courier string // the last line "courier ...", or ""

	lines int    // in the file
	torn  bool   // the last line has no end
	bad   damage // why some of it can't be understood
}

// parseExtras reads the file. Lines that it can't understand are left out and noted as bad.
func parseExtras(text string) *extras {
	x := &extras{sets: make(map[string][]int)}
	for line := range strings.Lines(text) {
		line, complete := strings.CutSuffix(line, "\n")
		if !complete {
			x.torn = true
			break
		}
		x.lines++
		if x.lines == 1 {
			if line != extrasHead {
				x.bad = damage(fmt.Sprintf("begins with %.40q", line))
			}
		} else if !x.parseLine(line) {
			x.bad = damage(fmt.Sprintf("bad line %d: %.80q", x.lines, line))
		}
	}
	return x
}

func (x *extras) parseLine(line string) bool {
	switch line {
	case courierTakesList, courierTakesKeywords, courierDone:
		x.courier = line
		return true
	}
	kind, rest, _ := strings.Cut(line, " ")
	what, name, ok := strings.Cut(rest, " ")
	switch {
	case !ok || name == "":
		return false
	case kind == "k":
		i, err := extraIndex(what)
		if err != nil || !validKeyword(name) {
			return false
		}
		for i >= Letters+len(x.names) {
			x.names = append(x.names, "")
		}
		x.names[i-Letters] = name
		return true
	case kind == "m" && what == "-":
		delete(x.sets, name)
		return true
	case kind == "m":
		var set []int
		for s := range strings.SplitSeq(what, ",") {
			i, err := extraIndex(s)
			if err != nil {
				return false
			}
			set = append(set, i)
		}
		// A keyword whose name was lost is an unknown one, not another's.
		for highest := slices.Max(set); highest >= Letters+len(x.names); {
			x.names = append(x.names, "")
		}
		x.sets[strings.Clone(name)] = set // not the whole file with it
		return true
	}
	return false
}

func extraIndex(s string) (int, error) {
	i, err := strconv.Atoi(s)
	if err == nil && (i < Letters || i >= MaxKeywords) {
		err = strconv.ErrRange
	}
	return i, err
}

// living are the lines that say all there is to say.
func (x *extras) living() []string {
	lines := []string{extrasHead}
	if x.courier != "" {
		lines = append(lines, x.courier)
	}
	for i, name := range x.names {
		if name != "" {
			lines = append(lines, fmt.Sprintf("k %d %s", Letters+i, name))
		}
	}
	for _, base := range slices.Sorted(maps.Keys(x.sets)) {
		lines = append(lines, setLine(base, x.sets[base]))
	}
	return lines
}

func setLine(base string, set []int) string {
	if len(set) == 0 {
		return "m - " + base
	}
	b := []byte("m ")
	for n, i := range set {
		if n > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, int64(i), 10)
	}
	return string(append(append(b, ' '), base...))
}

// Extra are the keywords from index Letters on that a message carries, ascending. The
// caller must not change the slice.
func (k *Keywords) Extra(base string) []int { return k.extras.sets[base] }

// SetExtra sets these messages' keywords from index Letters on, durably. An empty set removes a
// message's entry.
//
// Errors: ErrName for a base that is not a ValidBase, ErrLimit for an index that no
// keyword has, those of the lock and of the file system.
func (k *Keywords) SetExtra(ctx context.Context, sets map[string][]int) error {
	if len(sets) == 0 {
		return nil
	}
	return k.locked(ctx, func(lock *dotlock) error {
		var lines []string
		for base, set := range sets {
			set = slices.Clone(set)
			slices.Sort(set)
			set = slices.Compact(set)
			if slices.Equal(set, k.extras.sets[base]) {
				continue
			}
			if !ValidBase(base) {
				return fmt.Errorf("%w: %.80q", ErrName, base)
			}
			if len(set) > 0 && (set[0] < Letters || set[len(set)-1] >= Letters+len(k.extras.names)) {
				return fmt.Errorf("%w: no such keywords: %v", ErrLimit, set)
			}
			lines = append(lines, setLine(base, set))
		}
		return k.writeExtras(lock, lines)
	})
}

// Forget removes the entries of messages that are gone for good. Where none of them has one,
// nothing is written.
func (k *Keywords) Forget(ctx context.Context, bases []string) error {
	sets := make(map[string][]int)
	for _, base := range bases {
		if _, ok := k.extras.sets[base]; ok {
			sets[base] = nil
		}
	}
	return k.SetExtra(ctx, sets)
}

// CourierPending reports whether the folder was taken over from Courier and its
// keywords (ImportCourierKeywords) have yet to be put into file names and extras. It stays so until
// CourierDone, however often the import is interrupted.
func (k *Keywords) CourierPending() bool {
	return k.extras.courier == courierTakesList || k.extras.courier == courierTakesKeywords
}

// CourierDone notes that all that ImportCourierKeywords returned has been stored.
func (k *Keywords) CourierDone(ctx context.Context) error { return k.setCourier(ctx, courierDone) }

func (k *Keywords) setCourier(ctx context.Context, line string) error {
	return k.locked(ctx, func(lock *dotlock) error {
		if k.extras.courier == line {
			return nil
		}
		return k.writeExtras(lock, []string{line})
	})
}

func (k *Keywords) loadExtras() error {
	data, info, err := k.read(extrasFile, maxExtras)
	bad, damaged := errors.AsType[damage](err)
	if errors.Is(err, fs.ErrNotExist) {
		info = nil
	} else if damaged {
		if info, err = k.stat(extrasFile); err != nil {
			return err
		}
	} else if err != nil {
		return err
	}
	x := parseExtras(string(data))
	if damaged {
		x.bad = bad
	}
	if x.bad != "" {
		k.log().Error("can't read all keywords of messages", "file", extrasFile, "reason", x.bad)
	}
	k.extras, k.extrasInfo = x, info
	return nil
}

// writeExtras makes lines count: it appends them, or writes the file anew.
func (k *Keywords) writeExtras(lock *dotlock, lines []string) error {
	if len(lines) == 0 {
		return nil
	}
	x := k.extras
	if k.extrasInfo == nil || k.extrasSuspect || x.torn || x.bad != "" || x.lines+len(lines) > 2*(len(x.sets)+len(x.names))+100 {
		return k.rewriteExtras(lock, lines)
	}
	text := strings.Join(lines, "\n") + "\n"
	if k.extrasInfo.Size()+int64(len(text)) > maxExtras {
		return fmt.Errorf("%w: %s", ErrLimit, extrasFile)
	}
	f, info, err := open(k.root, k.path(extrasFile), os.O_WRONLY|os.O_APPEND)
	if err != nil {
		return err
	}
	defer f.Close()
	if !same(info, k.extrasInfo) {
		return fmt.Errorf("%w: %s has changed", ErrLockLost, extrasFile)
	}
	if err := lock.still(); err != nil {
		return err
	}
	// Should it fail half-way, the next Refresh reads what is there, and the
	// next write puts all of it on disk.
	k.extrasInfo, k.extrasSuspect = nil, true
	reached("extras: before")
	if _, err := f.WriteString(text); err != nil {
		return err
	}
	reached("extras: written")
	if err := datasync(f); err != nil {
		return err
	}
	if info, err = f.Stat(); err != nil {
		return err
	}
	for _, line := range lines {
		x.parseLine(line)
	}
	x.lines += len(lines)
	k.extrasInfo, k.extrasSuspect = info, false
	return nil
}

// rewriteExtras writes a new file, with lines at its end.
func (k *Keywords) rewriteExtras(lock *dotlock, lines []string) error {
	if k.extras.bad != "" {
		if err := k.setAside(extrasFile, k.extras.bad); err != nil {
			return err
		}
	}
	// What lines say anew is written once.
	all := *k.extras
	all.names, all.sets = slices.Clone(all.names), make(map[string][]int, len(all.sets))
	maps.Copy(all.sets, k.extras.sets)
	for _, line := range lines {
		all.parseLine(line)
	}
	text := strings.Join(all.living(), "\n") + "\n"
	if len(text) > maxExtras {
		return fmt.Errorf("%w: %s", ErrLimit, extrasFile)
	}
	k.extrasSuspect = true
	info, err := k.replace(extrasFile, []byte(text), time.Time{}, lock.still)
	if err != nil {
		return err
	}
	k.extras, k.extrasInfo, k.extrasSuspect = parseExtras(text), info, false
	return nil
}
