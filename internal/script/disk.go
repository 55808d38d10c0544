package script

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// makeTree writes the sections that are files of the Maildir.
func (r *runner) makeTree() error {
	if err := r.mkdir("."); err != nil {
		return err
	}
	for _, name := range r.tree {
		if dir, ok := folder(name); ok && dir != "." {
			if err := r.mkdir(dir); err != nil {
				return err
			}
		}
		if err := r.write(name, r.sections[name]); err != nil {
			return err
		}
	}
	if r.Other != "" {
		if err := os.MkdirAll(r.path(sharedTree), 0o700); err != nil {
			return err
		}
		if err := r.chown(sharedTree); err != nil {
			return err
		}
	}
	return r.chown(".")
}

// sharedTree is where the mail lies that two users share.
const sharedTree = "../shared"

func (r *runner) path(name string) string { return filepath.Join(r.Root, name) }

// mkdir makes a folder.
func (r *runner) mkdir(dir string) error {
	for _, sub := range []string{"cur", "new", "tmp"} {
		if err := os.MkdirAll(filepath.Join(r.path(dir), sub), 0o700); err != nil {
			return err
		}
	}
	return r.chown(dir)
}

// chown gives a path, and what is below it, to the server.
func (r *runner) chown(name string) error {
	if r.Open {
		err := filepath.WalkDir(r.path(name), func(path string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case d.IsDir():
				return os.Chmod(path, 0o777)
			}
			return os.Chmod(path, 0o666)
		})
		if err != nil {
			return err
		}
	}
	if r.Chown == nil {
		return nil
	}
	return r.Chown(r.path(name))
}

// write writes a file. Its modification time is the one that its name begins
// with, so that internal dates are known.
func (r *runner) write(name, text string) error {
	path := r.path(name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		return err
	}
	digits, _, _ := strings.Cut(filepath.Base(name), ".")
	if seconds, err := strconv.ParseInt(digits, 10, 64); err == nil {
		t := time.Unix(seconds, 0)
		if err := os.Chtimes(path, t, t); err != nil {
			return err
		}
	}
	return r.chown(name)
}

// rmdir removes a folder in one step, as far as others can see; they may be
// writing into it.
func (r *runner) rmdir(dir string) error {
	const tries = 100
	aside := r.Root + ".removed"
	if err := os.Rename(r.path(dir), aside); err != nil {
		return err
	}
	var err error
	for range tries {
		if err = os.RemoveAll(aside); err == nil {
			break
		}
	}
	return err
}

// deliver writes a file as a delivering program does: it is complete when it
// appears.
func (r *runner) deliver(name, text string) error {
	dir, ok := folder(name)
	if !ok {
		return fmt.Errorf("deliver to %s: not in new or cur", name)
	}
	tmp := filepath.Join(dir, "tmp", filepath.Base(name))
	if err := r.write(tmp, text); err != nil {
		return err
	}
	return os.Rename(r.path(tmp), r.path(name))
}

// text is the value of X, or of repeat n X, with LF line ends.
func (r *runner) text(words []string) (string, error) {
	vals := r.vals
	vals.eol = "\n"
	_, text, err := vals.call(words)
	return text, err
}

// diskStep runs the steps that work on the Maildir. ran is false where verb is
// no such step.
func (r *runner) diskStep(verb string, words []string) (ran bool, err error) {
	switch verb {
	case "deliver", "write":
		text, err := r.text(words[1:])
		if err != nil {
			return true, err
		}
		if verb == "write" {
			return true, r.write(words[0], text)
		}
		return true, r.deliver(words[0], text)
	case "rename":
		return true, os.Rename(r.path(words[0]), r.path(words[1]))
	case "unlink":
		return true, os.Remove(r.path(words[0]))
	case "mkdir":
		return true, r.mkdir(words[0])
	case "rmdir":
		return true, r.rmdir(words[0])
	case "file":
		return true, r.expectFile(words)
	case "nofile":
		found, err := r.find(words[0])
		if err == nil && len(found) > 0 {
			err = fmt.Errorf("found %q", found)
		}
		return true, err
	}
	return false, nil
}

// expectFile wants one file that matches a pattern, and its contents.
func (r *runner) expectFile(words []string) error {
	found, err := r.find(words[0])
	if err != nil {
		return err
	}
	if len(found) != 1 {
		all, err := r.find("...")
		if strings.HasPrefix(words[0], sharedTree) {
			all, err = r.find(sharedTree + "...")
		}
		return fmt.Errorf("%d files match; there are\n\t%s\n\t%v", len(found), strings.Join(all, "\n\t"), err)
	}
	if len(words) == 1 {
		return nil
	}
	want, err := r.text(words[1:])
	if err != nil {
		return err
	}
	got, err := os.ReadFile(r.path(found[0]))
	if err != nil {
		return err
	}
	if string(got) != want {
		return fmt.Errorf("%s holds\n%s\nand not\n%s", found[0], got, want)
	}
	return nil
}

// find lists the files and directories whose paths match a pattern.
func (r *runner) find(pattern string) (found []string, err error) {
	re, err := r.vals.pattern(pattern)
	if err != nil {
		return nil, err
	}
	root := r.Root
	if strings.HasPrefix(pattern, sharedTree) {
		root = r.path(sharedTree)
	}
	err = filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(r.Root, path)
		if err == nil && r.match(re, filepath.ToSlash(name)) {
			found = append(found, name)
		}
		return err
	})
	return found, err
}
