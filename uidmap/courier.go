package uidmap

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Courier's files are read once, when its folders are taken over, and never changed.
const (
	courierList          = "courierimapuiddb"
	courierKeywords      = "courierimapkeywords"
	courierSubscriptions = "courierimapsubscribed"

	maxCourierFile = 64 << 20 // bytes
)

// courier is where Courier's files of the folder lie.
func (d folder) courier() folder {
	if d.o.Mail != nil {
		d.root = d.o.Mail
	}
	return d
}

// courierList reads courierimapuiddb, which is a list of version 1; nil where
// there is none of use. It is taken over once: were it read again after the list that it became was
// lost, UIDs that were given out since would be given out again.
//
// What it returns must be written and then acknowledged by courierTaken.
func (l *List) courierList(ctx context.Context) (*content, error) {
	data, _, err := l.courier().read(courierList, maxList)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var c *content
	if err == nil {
		c, err = parseList(string(data))
	}
	if reason, ok := errors.AsType[damage](err); ok {
		l.log().Error("can't take over the UIDs of Courier", "file", courierList, "reason", reason)
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	k := newKeywords(l.folder)
	if _, err := k.Refresh(); err != nil {
		return nil, err
	}
	if was := k.extras.courier; was != "" && was != courierTakesList {
		l.log().Warn("not taking over the UIDs of Courier a second time", "file", courierList)
		return nil, nil
	}
	return c, k.setCourier(ctx, courierTakesList)
}

// courierTaken notes that the list is on disk. The keywords, if there are any, are next.
func (l *List) courierTaken(ctx context.Context) error {
	info, err := l.courier().stat(courierKeywords)
	if err != nil {
		return err
	}
	next := courierDone
	if info != nil {
		next = courierTakesKeywords
	}
	return newKeywords(l.folder).setCourier(ctx, next)
}

// ImportCourierKeywords reads the keywords that Courier keeps in
// courierimapkeywords: their names by base. Files that can't be understood are left out.
func ImportCourierKeywords(root *os.Root, dir string) (map[string][]string, error) {
	dir = path.Join(dir, courierKeywords)
	d, err := root.Open(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer d.Close()
	files, err := d.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	keywords := make(map[string][]string)
	if err := courierKeywordList(root, path.Join(dir, ":list"), keywords); err != nil {
		return nil, err
	}
	// A file per message overrides the list; of several the one with the
	// greatest number ".N.", which counts time, is the newest.
	newest := make(map[string]int64)
	for _, name := range files {
		base, number := name, int64(0)
		if rest, ok := strings.CutPrefix(name, "."); ok {
			digits, rest, _ := strings.Cut(rest, ".")
			n, err := strconv.ParseInt(digits, 10, 64)
			if err != nil {
				continue
			}
			base, number = rest, n
		}
		if base, _, _ = strings.Cut(base, ":"); base == "" {
			continue
		}
		if n, ok := newest[base]; ok && n > number {
			continue
		}
		data, _, err := readFile(root, path.Join(dir, name), 1<<20)
		if _, damaged := errors.AsType[damage](err); damaged || errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		newest[base] = number
		keywords[base] = words(strings.Split(string(data), "\n"))
	}
	return keywords, nil
}

// courierKeywordList reads ":list": a line per name, an empty line, then lines
// "base:index index ...".
func courierKeywordList(root *os.Root, name string, into map[string][]string) error {
	data, _, err := readFile(root, name, maxCourierFile)
	if _, damaged := errors.AsType[damage](err); damaged || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	head, body, _ := strings.Cut(string(data), "\n\n")
	names := strings.Split(head, "\n")
	for line := range strings.SplitSeq(body, "\n") {
		base, indexes, ok := strings.Cut(line, ":")
		if !ok || base == "" {
			continue
		}
		var set []string
		for i := range strings.FieldsSeq(indexes) {
			if n, err := strconv.Atoi(i); err == nil && n >= 0 && n < len(names) {
				set = append(set, names[n])
			}
		}
		into[base] = words(set)
	}
	return nil
}

// words leaves out what is no keyword, and what is there twice.
func words(names []string) []string {
	slices.Sort(names)
	return slices.DeleteFunc(slices.Compact(names), func(s string) bool { return !validKeyword(s) })
}

// CourierSubscriptions reads the names in courierimapsubscribed, without the prefix "INBOX.",
// in Courier's spelling: UTF-8 since version 5, modified UTF-7 before, with '.' between
// levels. It returns none where the file is missing.
func CourierSubscriptions(root *os.Root, dir string) ([]string, error) {
	data, _, err := readFile(root, path.Join(dir, courierSubscriptions), maxSubscriptions)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var names []string
	for line := range strings.Lines(string(data)) {
		if name := strings.TrimPrefix(strings.TrimRight(line, "\r\n"), "INBOX."); name != "" {
			names = append(names, name)
		}
	}
	return names, nil
}
