package backend

import (
	"slices"
	"strconv"
	"strings"

	"maildir-imapd/uidmap"

	"github.com/emersion/go-imap/v2"
)

// System flags, as bits of flags.sys.
const (
	flagSeen uint8 = 1 << iota
	flagAnswered
	flagFlagged
	flagDeleted
	flagDraft
)

// systemFlags in the order in which they are sent, with their bit and their
// letter in a file name.
var systemFlags = []struct {
	flag   imap.Flag
	bit    uint8
	letter byte
}{
	{imap.FlagAnswered, flagAnswered, 'R'},
	{imap.FlagFlagged, flagFlagged, 'F'},
	{imap.FlagDeleted, flagDeleted, 'T'},
	{imap.FlagSeen, flagSeen, 'S'},
	{imap.FlagDraft, flagDraft, 'D'},
}

// flags are a message's flags without \Recent. Comparable: the same flags are the same value.
type flags struct {
	// more holds the keywords beyond the 26 letters: their indexes, ascending,
	// two bytes each. It is a string so that flags can be compared.
	more    string
	letters uint32 // keyword with index i (letter 'a'+i) is bit i
	sys     uint8
}

// maxLetters is the number of keywords that a file name can hold.
const maxLetters = uidmap.Letters

func (f flags) has(bit uint8) bool { return f.sys&bit != 0 }

// bits are the system flags and the keywords that have letters.
func (f flags) bits() uint64 { return uint64(f.letters)<<8 | uint64(f.sys) }

func (f flags) hasKeyword(i int) bool {
	if i < maxLetters {
		return f.letters&(1<<i) != 0
	}
	_, ok := slices.BinarySearch(f.extra(), i)
	return ok
}

// extra returns the indexes of the keywords beyond the letters.
func (f flags) extra() []int {
	if f.more == "" {
		return nil
	}
	out := make([]int, 0, len(f.more)/2)
	for i := 0; i < len(f.more); i += 2 {
		out = append(out, int(f.more[i])<<8|int(f.more[i+1]))
	}
	return out
}

func (f *flags) setExtra(idx []int) {
	slices.Sort(idx)
	b := make([]byte, 0, 2*len(idx))
	for _, i := range slices.Compact(idx) {
		b = append(b, byte(i>>8), byte(i))
	}
	f.more = string(b)
}

// overlap returns what of f is in g.
func (f flags) overlap(g flags) flags {
	out := flags{sys: f.sys & g.sys, letters: f.letters & g.letters}
	if f.more != "" && g.more != "" {
		in := g.extra()
		out.setExtra(slices.DeleteFunc(f.extra(), func(i int) bool { return !slices.Contains(in, i) }))
	}
	return out
}

// apply returns f after a STORE or APPEND of g.
func (f flags) apply(op imap.StoreFlagsOp, g flags) flags {
	switch op {
	case imap.StoreFlagsSet:
		return g
	case imap.StoreFlagsDel:
		f.sys &^= g.sys
		f.letters &^= g.letters
		if g.more != "" && f.more != "" {
			drop := g.extra()
			f.setExtra(slices.DeleteFunc(f.extra(), func(i int) bool { return slices.Contains(drop, i) }))
		}
	default:
		f.sys |= g.sys
		f.letters |= g.letters
		if g.more != "" {
			f.setExtra(append(f.extra(), g.extra()...))
		}
	}
	return f
}

// baseOf cuts a file name at its first ':': what stays when flags change.
func baseOf(name string) string {
	base, _, _ := strings.Cut(name, ":")
	return base
}

// infoOf returns the flag letters of a file name and what follows them, from
// the ',' on. A name without ":2," has neither.
func infoOf(name string) (letters, ext string) {
	i := strings.LastIndexByte(name, ':')
	if i < 0 || !strings.HasPrefix(name[i:], ":2,") {
		return "", ""
	}
	letters = name[i+len(":2,"):]
	if j := strings.IndexByte(letters, ','); j >= 0 {
		return letters[:j], letters[j:]
	}
	return letters, ""
}

// parseFlags reads the flags of a file name; those beyond the letters are not in it.
func parseFlags(name string) (f flags) {
	letters, _ := infoOf(name)
	for i := range len(letters) {
		if l := letters[i]; l >= 'a' && l <= 'z' {
			f.letters |= 1 << (l - 'a')
			continue
		}
		for _, s := range systemFlags {
			if s.letter == letters[i] {
				f.sys |= s.bit
			}
		}
	}
	return f
}

// withFlags returns the name in cur/ of a message called name once it has the
// flags f. Letters that mean nothing to us stay, as does what follows them.
func withFlags(name string, f flags) string {
	old, ext := infoOf(name)
	var set [128]bool
	for i := range len(old) {
		if old[i] < 128 {
			set[old[i]] = true
		}
	}
	for _, s := range systemFlags {
		set[s.letter] = f.sys&s.bit != 0
	}
	for i := range maxLetters {
		set['a'+i] = f.letters&(1<<i) != 0
	}
	b := append(make([]byte, 0, len(name)+16), baseOf(name)...)
	b = append(b, ":2,"...)
	for l, ok := range set {
		if ok {
			b = append(b, byte(l)) // in ASCII order, as Dovecot sorts them
		}
	}
	return string(append(b, ext...))
}

// keywordNames are a folder's keywords by index. Immutable.
type keywordNames []imap.Flag

// name of the keyword with this index; one that the folder's file does not name is called as Dovecot does.
func (k keywordNames) name(i int) imap.Flag {
	if i < len(k) && k[i] != "" {
		return k[i]
	}
	return imap.Flag("unknown-" + strconv.Itoa(i))
}

// index finds a keyword, case-insensitively (RFC 9051 §2.3.2), -1 where there is none.
func (k keywordNames) index(f imap.Flag) int {
	return slices.IndexFunc(k, func(n imap.Flag) bool { return strings.EqualFold(string(n), string(f)) })
}

// systemBit returns the bit of a system flag, 0 for other flags.
func systemBit(f imap.Flag) uint8 {
	for _, s := range systemFlags {
		if strings.EqualFold(string(s.flag), string(f)) {
			return s.bit
		}
	}
	return 0
}

// names lists f, for another folder.
func (f flags) names(names keywordNames) (out []imap.Flag) {
	for _, s := range systemFlags {
		if f.has(s.bit) {
			out = append(out, s.flag)
		}
	}
	for i := 0; f.letters>>i != 0; i++ {
		if f.hasKeyword(i) {
			out = append(out, names.name(i))
		}
	}
	for _, i := range f.extra() {
		out = append(out, names.name(i))
	}
	return out
}

// append appends f as it is sent, without parentheses.
func (f flags) append(dst []byte, names keywordNames, recent bool) []byte {
	sep := len(dst)
	add := func(s string) {
		if len(dst) > sep {
			dst = append(dst, ' ')
		}
		dst = append(dst, s...)
	}
	if f.sys != 0 {
		for _, s := range systemFlags {
			if f.sys&s.bit != 0 {
				add(string(s.flag))
			}
		}
	}
	if recent {
		add(`\Recent`)
	}
	for i := 0; f.letters>>i != 0; i++ {
		if f.letters&(1<<i) != 0 {
			add(string(names.name(i)))
		}
	}
	if f.more != "" {
		for _, i := range f.extra() {
			add(string(names.name(i)))
		}
	}
	return dst
}
