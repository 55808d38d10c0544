package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"
)

// maxFile is the size in octets of a configuration that is certainly a mistake.
const maxFile = 64 << 10

// Load reads the file at path over the defaults and checks it, and that what it
// names exists. The error is of type Problems; beside it the Config is what could be read, good for
// finding out what else is wrong, or nil.
func Load(path string) (*Config, error) {
	data, err := readFile(path)
	if err != nil {
		return nil, Problems{{File: path, Text: err.Error()}}
	}
	c, problems := parse(path, data)
	if c == nil {
		return nil, problems
	}
	problems = append(problems, c.checkFiles()...)
	byLine := func(a, b Problem) int { return a.Line - b.Line }
	slices.SortStableFunc(problems, byLine)
	slices.SortStableFunc(c.Warnings, byLine)
	if len(problems) > 0 {
		return c, problems
	}
	return c, nil
}

// readFile reads the file at path. Its errors don't repeat the path.
func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("can't read the configuration: %w", cause(err))
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("can't read the configuration: %w", cause(err))
	}
	if len(data) > maxFile {
		return nil, errors.New("larger than 64KiB: not a configuration")
	}
	return data, nil
}

// parse reads data over the defaults and checks the values; it does not touch what they name.
// Without a Config, no setting could be read.
func parse(path string, data []byte) (*Config, Problems) {
	c := Default()
	c.file, c.lines = path, make(map[string]int)
	d := decoder{c: c}
	if !d.document(data) {
		return nil, d.problems
	}
	problems := d.problems
	for _, p := range c.validate() {
		// What could not be read has been told; its zero value is not worth a second line.
		if !slices.ContainsFunc(d.problems, func(q Problem) bool { return q.Setting == p.Setting }) {
			problems = append(problems, p)
		}
	}
	return c, problems
}

// decoder fills a Config from YAML nodes. It remembers the line of every
// setting and goes on after a problem.
type decoder struct {
	c        *Config
	problems Problems
}

func (d *decoder) problem(line int, setting, format string, args ...any) {
	d.problems = append(d.problems, Problem{d.c.file, line, setting, fmt.Sprintf(format, args...)})
}

// yamlLine is what yaml.v3 says of the place of a syntax error: the line where it was or where
// what it is in begins, if any, counted from 1 or from 0.
var yamlLine = regexp.MustCompile(`^yaml: (?:line \d+: )?`)

// syntax tells of a syntax error. Its line is the one after the most lines that are YAML.
func (d *decoder) syntax(data []byte, err error) {
	text := yamlLine.ReplaceAllString(err.Error(), "")
	lines := bytes.SplitAfter(data, []byte("\n"))
	n := len(lines) - 1
	for n > 0 && yaml.Unmarshal(bytes.Join(lines[:n], nil), new(yaml.Node)) != nil {
		n--
	}
	if bytes.HasPrefix(bytes.TrimLeft(lines[n], " "), []byte("\t")) {
		text += " (YAML is indented with spaces, not with tabs)"
	}
	d.problem(n+1, "", "not valid YAML: %s", text)
}

// document decodes a file. It reports whether the file has settings, or nothing.
func (d *decoder) document(data []byte) bool {
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc, second yaml.Node
	switch err := dec.Decode(&doc); {
	case err == io.EOF: // an empty file: all defaults
		return true
	case err != nil:
		d.syntax(data, err)
		return false
	}
	if dec.Decode(&second) != io.EOF {
		d.problem(second.Line, "", "expected one YAML document, found a second")
	}
	d.value("", doc.Content[0], reflect.ValueOf(d.c).Elem())
	return doc.Content[0].Kind == yaml.MappingNode || isNull(doc.Content[0])
}

// value decodes node into v, the setting called name.
func (d *decoder) value(name string, node *yaml.Node, v reflect.Value) {
	if node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	switch v.Kind() {
	case reflect.Struct:
		d.mapping(name, node, v)
	case reflect.Slice:
		d.sequence(name, node, v)
	case reflect.Map:
		d.names(name, node, v)
	default:
		d.scalar(name, node, v)
	}
}

// isNull reports whether the value was left empty.
func isNull(node *yaml.Node) bool { return node.Kind == yaml.ScalarNode && node.Tag == "!!null" }

// mapping decodes the settings of a group. A group without any keeps its defaults.
func (d *decoder) mapping(name string, node *yaml.Node, v reflect.Value) {
	if isNull(node) {
		return
	}
	if node.Kind != yaml.MappingNode {
		d.problem(node.Line, name, "expected settings (%s), found %s", strings.Join(settings(v.Type()), ", "), kind(node))
		return
	}
	seen := make(map[string]int)
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, val := node.Content[i], node.Content[i+1]
		full := strings.TrimPrefix(name+"."+key.Value, ".")
		if line, ok := seen[key.Value]; ok {
			d.problem(key.Line, full, "set twice, first in line %d", line)
			continue
		}
		seen[key.Value] = key.Line
		field, ok := fieldOf(v, key.Value)
		if !ok {
			d.problem(key.Line, full, "unknown setting%s", didYouMean(key.Value, settings(v.Type())))
			continue
		}
		d.c.lines[full] = key.Line
		d.value(full, val, field)
	}
}

// sequence decodes a list, which takes the place of the default.
func (d *decoder) sequence(name string, node *yaml.Node, v reflect.Value) {
	if node.Kind != yaml.SequenceNode {
		d.problem(node.Line, name, "expected a list ([] for none), found %s", kind(node))
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), len(node.Content), len(node.Content)))
	for i, item := range node.Content {
		full := fmt.Sprintf("%s[%d]", name, i)
		d.c.lines[full] = item.Line
		d.value(full, item, v.Index(i))
	}
}

// names decodes a map from free names to strings, which takes the place of the default.
func (d *decoder) names(name string, node *yaml.Node, v reflect.Value) {
	if node.Kind != yaml.MappingNode {
		d.problem(node.Line, name, "expected names with values ({} for none), found %s", kind(node))
		return
	}
	m := make(map[string]string)
	for i := 0; i+1 < len(node.Content); i += 2 {
		key := node.Content[i]
		full := name + "." + key.Value
		if _, ok := m[key.Value]; ok {
			d.problem(key.Line, full, "set twice, first in line %d", d.c.lines[full])
			continue
		}
		d.c.lines[full] = key.Line
		var s string
		d.value(full, node.Content[i+1], reflect.ValueOf(&s).Elem())
		m[key.Value] = s
	}
	v.Set(reflect.ValueOf(m))
}

// scalar decodes a single value.
func (d *decoder) scalar(name string, node *yaml.Node, v reflect.Value) {
	if node.Kind != yaml.ScalarNode || isNull(node) {
		d.problem(node.Line, name, "expected a single value, found %s", kind(node))
		return
	}
	var err error
	switch p := v.Addr().Interface().(type) {
	case *bool:
		if *p, err = strconv.ParseBool(node.Value); err != nil || node.Tag != "!!bool" {
			err = fmt.Errorf("expected true or false, found %q", node.Value)
		}
	case *int:
		if *p, err = strconv.Atoi(node.Value); err != nil || *p < 0 {
			err = fmt.Errorf("expected a whole number, found %q", node.Value)
		}
	case *Size:
		*p, err = ParseSize(node.Value)
	case *time.Duration:
		*p, err = parseDuration(node.Value)
	default: // string, and types made of it
		if strings.ContainsFunc(node.Value, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			err = fmt.Errorf("expected text without control characters, found %q", node.Value)
		}
		v.SetString(node.Value)
	}
	if err != nil {
		d.problem(node.Line, name, "%s", err)
	}
}

// fieldOf finds the field of the struct v with this setting's name.
func fieldOf(v reflect.Value, setting string) (reflect.Value, bool) {
	for f := range v.Type().Fields() {
		if tag := f.Tag.Get("yaml"); tag == setting && tag != "-" && tag != "" {
			return v.FieldByIndex(f.Index), true
		}
	}
	return reflect.Value{}, false
}

// settings lists the names of the settings of a struct, in its order.
func settings(t reflect.Type) []string {
	var names []string
	for f := range t.Fields() {
		if tag := f.Tag.Get("yaml"); tag != "-" && tag != "" {
			names = append(names, tag)
		}
	}
	return names
}

// kind names what stands in the file, for people.
func kind(node *yaml.Node) string {
	switch node.Kind {
	case yaml.MappingNode:
		return "settings"
	case yaml.SequenceNode:
		return "a list"
	}
	if isNull(node) {
		return "nothing"
	}
	return strconv.Quote(node.Value)
}
