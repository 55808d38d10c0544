package uidmap

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"
)

// maxAnnotations is the greatest size in bytes of a file of annotations.
const maxAnnotations = 4 << 20

// annotationsHeader is the first line: the version.
const annotationsHeader = "1\n"

// Annotation is a named value of a mailbox or an account.
type Annotation struct{ Name, Value string }

// Annotations are a file of annotations. It is our own, for Dovecot has no format for them
// that others could write: a line with the version, then a line for each, name and value quoted as Go does.
//
//	1
//	"/private/comment" "My own comment"
//
// Safe for concurrent use: each call reads the file.
type Annotations struct {
	folder
	name string
}

// NewAnnotations reads nothing yet. A file that is missing is empty.
func NewAnnotations(root *os.Root, dir, name string, o Options) *Annotations {
	return &Annotations{folder{root, dir, o}, name}
}

// All returns the annotations in the order of the file. What can't be understood is logged, and left out.
func (a *Annotations) All() ([]Annotation, error) {
	list, err := a.load()
	if reason, damaged := errors.AsType[damage](err); damaged {
		a.log().Error("can't read all annotations", "file", a.name, "reason", reason)
		err = nil
	}
	return list, err
}

// load returns a damage for a file that can't be understood, with those that can.
func (a *Annotations) load() ([]Annotation, error) {
	data, _, err := a.read(a.name, maxAnnotations)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	text, ok := strings.CutPrefix(string(data), annotationsHeader)
	if !ok {
		return nil, fmt.Errorf("%w: %s", ErrVersion, a.name)
	}
	var list []Annotation
	n := 1
	for line := range strings.Lines(text) {
		n++
		x, ok := parseAnnotation(line)
		if !ok {
			err = damage(fmt.Sprintf("line %d", n))
			continue
		}
		list = append(list, x)
	}
	return list, err
}

func parseAnnotation(line string) (x Annotation, ok bool) {
	name, err := strconv.QuotedPrefix(line)
	if err != nil {
		return x, false
	}
	rest, ok := strings.CutPrefix(line[len(name):], " ")
	value, ended := strings.CutSuffix(rest, "\n")
	if !ok || !ended {
		return x, false
	}
	if x.Name, err = strconv.Unquote(name); err != nil {
		return x, false
	}
	x.Value, err = strconv.Unquote(value)
	return x, err == nil
}

// Update replaces the annotations by what change makes of them, under the file's lock. It is on disk when
// Update returns; an error of change leaves all as it was.
//
// Errors: ErrLimit where the file would grow beyond 4 MiB, those of the lock, of the file system and of change.
func (a *Annotations) Update(ctx context.Context, change func([]Annotation) ([]Annotation, error)) error {
	l := newLocker(a.root, a.dir, a.name, a.o)
	lock, err := l.lock(ctx)
	if err != nil {
		return err
	}
	return errors.Join(a.update(lock, change), lock.release())
}

func (a *Annotations) update(lock *dotlock, change func([]Annotation) ([]Annotation, error)) error {
	list, err := a.load()
	reason, damaged := errors.AsType[damage](err)
	if err != nil && !damaged {
		return err
	}
	if list, err = change(list); err != nil {
		return err
	}
	text := []byte(annotationsHeader)
	for _, x := range list {
		text = append(strconv.AppendQuote(text, x.Name), ' ')
		text = append(strconv.AppendQuote(text, x.Value), '\n')
	}
	if len(text) > maxAnnotations {
		return fmt.Errorf("%w: %s", ErrLimit, a.name)
	}
	if damaged {
		if err := a.setAside(a.name, reason); err != nil {
			return err
		}
	}
	_, err = a.replace(a.name, text, time.Time{}, lock.still)
	return err
}
