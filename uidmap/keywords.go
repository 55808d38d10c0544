package uidmap

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/bits"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	keywordsFile = "dovecot-keywords"

	// Letters is how many keywords a file name can carry: 'a' to 'z' are the indexes 0 to 25.
	Letters = 26

	// MaxKeywords is how many keywords a folder can have.
	MaxKeywords = 1000

	maxKeywordsFile = 1 << 20 // bytes
	maxKeyword      = 255     // bytes of a name
)

// Keywords are the keywords of one folder. A keyword is known by its index:
// below Letters it is a letter in file names, named in dovecot-keywords; from
// there on it lives in maildir-imapd-keywords, with the sets of the messages
// that carry it. Indexes are never freed, names are compared without case, and
// the first spelling is kept.
//
// Methods that write take dovecot-keywords.lock; Add also wants the folder's
// uidlist lock to be held, as Dovecot does. Not safe for concurrent use, except
// that any number of Index, Name, Names, Extra and CourierPending may run at once.
type Keywords struct {
	folder
	locker locker

	letters     [Letters]string // as in the file, valid or not; "": none
	lettersInfo os.FileInfo
	lettersBad  error // why the file can't be read
	seen        uint32

	extras        *extras
	extrasInfo    os.FileInfo
	extrasSuspect bool // a write failed: what we read may not be on disk

	byName map[string]int // in lower case
	news   bool           // something was read that Refresh has not told of
}

// OpenKeywords reads the keywords of the folder in dir. Missing files are empty ones.
func OpenKeywords(root *os.Root, dir string, o Options) (*Keywords, error) {
	k := newKeywords(folder{root, dir, o})
	_, err := k.Refresh()
	return k, err
}

func newKeywords(d folder) *Keywords {
	return &Keywords{
		folder: d,
		locker: newLocker(d.root, d.dir, keywordsFile, d.o),
		extras: &extras{},
	}
}

// Refresh reads what other programs changed; two stats where nothing was. changed is true also where a method that
// writes has read that before.
func (k *Keywords) Refresh() (changed bool, err error) {
	err = k.refresh()
	changed, k.news = k.news, false
	return changed, err
}

func (k *Keywords) refresh() error {
	letters, err := k.stat(keywordsFile)
	if err != nil {
		return err
	}
	if !same(letters, k.lettersInfo) {
		if err := k.loadLetters(); err != nil {
			return err
		}
		k.index()
		k.news = true
	}
	extras, err := k.stat(extrasFile)
	if err != nil {
		return err
	}
	if !same(extras, k.extrasInfo) {
		if err := k.loadExtras(); err != nil {
			return err
		}
		k.index()
		k.news = true
	}
	return nil
}

// loadLetters reads lines "<index> <name>". What is not such a line is ignored, as
// Dovecot does.
func (k *Keywords) loadLetters() error {
	data, info, err := k.read(keywordsFile, maxKeywordsFile)
	k.lettersBad = nil
	if errors.Is(err, fs.ErrNotExist) {
		info = nil
	} else if reason, ok := errors.AsType[damage](err); ok {
		if info, err = k.stat(keywordsFile); err != nil {
			return err
		}
		k.lettersBad = reason
		k.log().Error("can't read the names of keywords", "file", keywordsFile, "reason", reason)
	} else if err != nil {
		return err
	}
	k.letters, k.lettersInfo = [Letters]string{}, info
	for line := range strings.Lines(string(data)) {
		digits, name, _ := strings.Cut(strings.TrimRight(line, "\r\n"), " ")
		if i, err := strconv.Atoi(digits); err == nil && 0 <= i && i < Letters && name != "" {
			k.letters[i] = name
		}
	}
	return nil
}

func (k *Keywords) index() {
	k.byName = make(map[string]int)
	enter := func(i int, name string) {
		name = strings.ToLower(name)
		if _, ok := k.byName[name]; !ok && validKeyword(name) {
			k.byName[name] = i
		}
	}
	for i, name := range k.letters {
		enter(i, name)
	}
	for i, name := range k.extras.names {
		enter(Letters+i, name)
	}
}

// Seen says which letters file names use (bit 0 is 'a'). Such a letter without name is the keyword
// "unknown-<index>", as Dovecot has it, and never becomes another one.
func (k *Keywords) Seen(letters uint32) { k.seen |= letters & (1<<Letters - 1) }

// Nameless reports whether one of these letters has no name, and was not Seen before.
func (k *Keywords) Nameless(letters uint32) bool {
	for left := letters &^ k.seen & (1<<Letters - 1); left != 0; left &= left - 1 {
		if k.letters[bits.TrailingZeros32(left)] == "" {
			return true
		}
	}
	return false
}

// Index finds a keyword by its name.
func (k *Keywords) Index(name string) (int, bool) {
	name = strings.ToLower(name)
	if i, ok := k.byName[name]; ok {
		return i, true
	}
	digits, ok := strings.CutPrefix(name, "unknown-")
	i, err := strconv.Atoi(digits)
	if !ok || err != nil || i < 0 || i >= MaxKeywords || unknown(i) != name {
		return 0, false
	}
	names := k.Names()
	return i, i < len(names) && names[i] == name
}

// Name of the keyword with this index, a valid flag keyword always.
func (k *Keywords) Name(i int) string {
	name := ""
	switch {
	case i < Letters:
		name = k.letters[i]
	case i-Letters < len(k.extras.names):
		name = k.extras.names[i-Letters]
	}
	if !validKeyword(name) {
		return unknown(i)
	}
	return name
}

func unknown(i int) string { return "unknown-" + strconv.Itoa(i) }

// Names are the folder's keywords by index, "" where an index is not in use.
func (k *Keywords) Names() []string {
	names := make([]string, Letters+len(k.extras.names))
	for i := range names {
		if i >= Letters || k.letters[i] != "" || k.seen&(1<<i) != 0 {
			names[i] = k.Name(i)
		}
	}
	if len(k.extras.names) == 0 {
		for len(names) > 0 && names[len(names)-1] == "" {
			names = names[:len(names)-1]
		}
	}
	return names
}

// validKeyword reports whether name is a flag-keyword, that is an atom (RFC 9051 §9);
// ']' is let pass, as other servers do.
func validKeyword(name string) bool {
	return name != "" && len(name) <= maxKeyword && !strings.ContainsFunc(name, func(c rune) bool {
		return c <= ' ' || c >= 0x7f || strings.ContainsRune(`(){%*"\`, c)
	})
}

// Add gives an index to each name that has none, durably, and returns the indexes of all.
// The caller holds the uidlist lock and has said which letters are Seen.
//
// Errors: ErrName for what is no flag keyword, ErrLimit beyond MaxKeywords, those of the
// lock and of the file system.
func (k *Keywords) Add(ctx context.Context, names ...string) ([]int, error) {
	if i := slices.IndexFunc(names, func(s string) bool { return !validKeyword(s) }); i >= 0 {
		return nil, fmt.Errorf("%w: keyword %.80q", ErrName, names[i])
	}
	if err := k.refresh(); err != nil {
		return nil, err
	}
	indexes := make([]int, len(names))
	missing := false
	for n, name := range names {
		i, ok := k.Index(name)
		indexes[n], missing = i, missing || !ok
	}
	if !missing {
		return indexes, nil
	}
	err := k.locked(ctx, func(lock *dotlock) error {
		letters, first := k.letters, Letters+len(k.extras.names)
		var beyond []string
		added := make(map[string]int)
		for n, name := range names {
			i, ok := k.Index(name)
			if !ok {
				i, ok = added[strings.ToLower(name)]
			}
			if !ok {
				if i = free(&letters, k.seen); i < Letters {
					letters[i] = name
				} else if i = first + len(beyond); i < MaxKeywords {
					beyond = append(beyond, fmt.Sprintf("k %d %s", i, name))
				} else {
					return fmt.Errorf("%w: %d keywords", ErrLimit, MaxKeywords)
				}
				added[strings.ToLower(name)] = i
			}
			indexes[n] = i
		}
		if letters != k.letters {
			if err := k.writeLetters(lock, letters); err != nil {
				return err
			}
		}
		return k.writeExtras(lock, beyond)
	})
	if err != nil {
		return nil, err
	}
	return indexes, nil
}

// free is the lowest index without name that no file name uses, or Letters.
func free(letters *[Letters]string, seen uint32) int {
	for i, name := range letters {
		if name != "" {
			seen |= 1 << i
		}
	}
	return bits.TrailingZeros32(^seen | 1<<Letters)
}

// locked calls f with the lock held and everything read.
func (k *Keywords) locked(ctx context.Context, f func(*dotlock) error) error {
	lock, err := k.locker.lock(ctx)
	if err != nil {
		return err
	}
	if err = k.refresh(); err == nil {
		err = f(lock)
		k.index()
	}
	return errors.Join(err, lock.release())
}

// writeLetters replaces dovecot-keywords. Its readers look at the mtime's whole
// seconds only: it grows by one at least.
func (k *Keywords) writeLetters(lock *dotlock, letters [Letters]string) error {
	if k.lettersBad != nil {
		if err := k.setAside(keywordsFile, k.lettersBad); err != nil {
			return err
		}
	}
	var b []byte
	for i, name := range letters {
		if name == "" && k.seen&(1<<i) != 0 {
			letters[i] = unknown(i)
			name = letters[i]
		}
		if name != "" {
			b = fmt.Appendf(b, "%d %s\n", i, name)
		}
	}
	mtime := time.Now()
	if k.lettersInfo != nil {
		if old := k.lettersInfo.ModTime(); mtime.Unix() <= old.Unix() {
			mtime = old.Truncate(time.Second).Add(time.Second)
		}
	}
	info, err := k.replace(keywordsFile, b, mtime, lock.still)
	if err != nil {
		return err
	}
	k.letters, k.lettersInfo, k.lettersBad = letters, info, nil
	return nil
}
