package script

import (
	"bytes"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/tools/txtar"
)

// Script is a parsed script file. It is immutable after Load.
type Script struct {
	Name string // of the file, without .txt
	// Only is the server that the script is for, "" for all of them.
	Only string
	// Options are the name and value of each option line.
	Options map[string]string
	// Shared is set for scripts with server steps: one tree, served by both at once.
	Shared bool

	steps    []step
	sections map[string]string // with LF line ends
	tree     []string          // names of the sections that are files of the Maildir
}

// step is one line of a script.
type step struct {
	line   int    // in the file, from 1
	verb   string // "C", "S", "select", ...
	conn   int    // 1 to 9
	server string // run against this one only; "": all
	mode   string // of S: "", "!", "?", "*"
	arg    string // the rest of the line
	raw    string // the line as it stands
}

var stepRE = regexp.MustCompile(`^([A-Za-z]+)([1-9]?)(?:\[(ours|dovecot)\])?([!?*]?)(:?)(?: (.*))?$`)

// args says how many arguments the steps take that are no C or S: least and
// most; -1 is a line of text.
var args = map[string]struct{ least, most int }{
	"connect": {0, 0}, "login": {0, 1}, "hangup": {0, 0},
	"starttls": {0, 0}, "deflate": {0, 0},
	"select": {1, -1}, "examine": {1, -1}, "do": {1, -1},
	"send": {1, 1}, "settle": {0, -1},
	"deliver": {2, -1}, "write": {2, -1}, "rename": {2, 2}, "unlink": {1, 1},
	"mkdir": {1, 1}, "rmdir": {1, 1},
	"file": {1, 2}, "nofile": {1, 1}, "greater": {2, 2},
	"server": {1, 1},
	"only":   {2, -1}, "option": {2, 2},
}

// Load reads a script file and checks its grammar.
func Load(file string) (*Script, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return Parse(strings.TrimSuffix(filepath.Base(file), ".txt"), data)
}

// Parse reads a script. Errors name it and the line.
func Parse(name string, data []byte) (*Script, error) {
	archive := txtar.Parse(data)
	s := &Script{Name: name, Options: map[string]string{}, sections: map[string]string{}}
	for _, f := range archive.Files {
		if _, twice := s.sections[f.Name]; twice {
			return nil, fmt.Errorf("%s: two sections %q", name, f.Name)
		}
		s.sections[f.Name] = string(f.Data)
		if strings.Contains(f.Name, "/") {
			s.tree = append(s.tree, f.Name)
		}
	}
	if !bytes.HasPrefix(archive.Comment, []byte("# ")) {
		return nil, fmt.Errorf("%s: begins without a comment that says what is tested, and why", name)
	}
	for i, line := range strings.Split(string(archive.Comment), "\n") {
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if err := s.parseStep(i+1, line); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", name, i+1, err)
		}
	}
	if s.Shared && slices.ContainsFunc(s.steps, func(st step) bool { return st.server != "" }) {
		return nil, fmt.Errorf("%s: a script with server steps can't have steps for one server only", name)
	}
	if len(s.steps) == 0 {
		return nil, fmt.Errorf("%s: no steps", name)
	}
	return s, nil
}

func (s *Script) parseStep(line int, text string) error {
	m := stepRE.FindStringSubmatch(text)
	if m == nil {
		return fmt.Errorf("not a step: %q", text)
	}
	st := step{line: line, verb: m[1], conn: 1, server: m[3], mode: m[4], arg: m[6], raw: text}
	if m[2] != "" {
		st.conn = int(m[2][0] - '0')
	}
	isLine := st.verb == "C" || st.verb == "S"
	if colon := m[5] != ""; colon != isLine || st.mode != "" && st.verb != "S" {
		return fmt.Errorf("not a step: %q", text)
	}
	if isLine {
		if _, err := parseTemplate(st.arg); err != nil {
			return err
		}
		s.steps = append(s.steps, st)
		return nil
	}
	n, known := args[st.verb]
	if !known {
		return fmt.Errorf("unknown step %q", st.verb)
	}
	words, err := splitWords(st.arg)
	if err != nil {
		return err
	}
	if len(words) < n.least || n.most >= 0 && len(words) > n.most {
		return fmt.Errorf("%s takes %d to %d arguments, not %d", st.verb, n.least, n.most, len(words))
	}
	switch st.verb {
	case "only":
		server, why, _ := strings.Cut(st.arg, ":")
		if server != "ours" && server != "dovecot" || strings.TrimSpace(why) == "" {
			return fmt.Errorf("want \"only ours: why\", not %q", text)
		}
		s.Only = server
		return nil
	case "option":
		s.Options[words[0]] = words[1]
		return nil
	case "login":
		if len(words) == 1 && words[0] != "other" {
			return fmt.Errorf("want \"login other\", not %q", text)
		}
	case "server":
		if words[0] != "ours" && words[0] != "dovecot" {
			return fmt.Errorf("unknown server %q", words[0])
		}
		s.Shared = true
	case "deliver", "write":
		if err := checkCall(words[1:]); err != nil {
			return err
		}
	case "file", "nofile":
		if _, err := parseTemplate(words[0]); err != nil {
			return err
		}
	}
	s.steps = append(s.steps, st)
	return nil
}

// folder is the folder that a path of a section lies in: "." or ".Work" or
// "Work/Sub".
func folder(section string) (dir string, ok bool) {
	dir = path.Dir(section)
	switch path.Base(dir) {
	case "cur", "new", "tmp":
		return path.Dir(dir), true
	}
	return "", false
}
