package script

import (
	"encoding/base64"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// token is a part of a C or S line: plain text, or what stands in {{ }}.
type token struct {
	text string // plain text, where the others are zero

	re   string // {{/re/}}, {{name=/re/}}
	name string // of the capture

	words []string // {{name}}, {{function X...}}, as they are written
}

var captureRE = regexp.MustCompile(`^(?:([a-z][a-z0-9]*)=)?/(.*)/$`)

// functions of a template. The number is of the arguments that are not X...
var functions = map[string]int{
	"literal": 0, "literal+": 0, "literal8": 0, "literal8+": 0,
	"string": 0, "base64": 0, "size": 0, "repeat": 1,
}

// parseTemplate splits the text of a line.
func parseTemplate(text string) ([]token, error) {
	var out []token
	for text != "" {
		before, rest, found := strings.Cut(text, "{{")
		if before != "" {
			out = append(out, token{text: before})
		}
		if !found {
			break
		}
		inside, after, found := strings.Cut(rest, "}}")
		if !found {
			return nil, fmt.Errorf("{{ without }} in %q", text)
		}
		text = after
		if m := captureRE.FindStringSubmatch(inside); m != nil {
			if _, err := regexp.Compile(m[2]); err != nil {
				return nil, err
			}
			out = append(out, token{name: m[1], re: m[2]})
			continue
		}
		words, err := splitWords(inside)
		if err != nil {
			return nil, err
		}
		if err := checkCall(words); err != nil {
			return nil, err
		}
		out = append(out, token{words: words})
	}
	return out, nil
}

// checkCall says what is wrong with what call is to give the octets of.
func checkCall(words []string) error {
	switch {
	case len(words) == 0:
		return fmt.Errorf("empty {{}}")
	case len(words) > 1:
		if n, known := functions[words[0]]; !known {
			return fmt.Errorf("unknown function %q", words[0])
		} else if len(words) < n+2 {
			return fmt.Errorf("%s needs more arguments", words[0])
		}
	}
	return nil
}

// splitWords splits at spaces; a string in double quotes is one word, and keeps them.
func splitWords(s string) ([]string, error) {
	var words []string
	for s = strings.TrimLeft(s, " "); s != ""; s = strings.TrimLeft(s, " ") {
		if s[0] == '"' {
			quoted, err := strconv.QuotedPrefix(s)
			if err != nil {
				return nil, fmt.Errorf("string %s: %w", s, err)
			}
			words, s = append(words, quoted), s[len(quoted):]
			continue
		}
		n := strings.IndexByte(s, ' ')
		if n < 0 {
			n = len(s)
		}
		words, s = append(words, s[:n]), s[n:]
	}
	return words, nil
}

// values are what a script's words stand for while it runs.
type values struct {
	sections map[string]string
	captured map[string]string
	eol      string // of sections
}

// get is the value of X: a quoted string, a section with its line ends, or
// what was captured.
func (v values) get(word string) (string, error) {
	if text, ok := v.sections[word]; ok {
		return strings.ReplaceAll(text, "\n", v.eol), nil
	}
	if text, ok := v.captured[word]; ok {
		return text, nil
	}
	if strings.HasPrefix(word, `"`) {
		return strconv.Unquote(word)
	}
	return "", fmt.Errorf("no section and no capture is named %q", word)
}

// join is the value of X...
func (v values) join(words []string) (string, error) {
	var b strings.Builder
	for _, word := range words {
		text, err := v.get(word)
		if err != nil {
			return "", err
		}
		b.WriteString(text)
	}
	return b.String(), nil
}

// call gives the octets of a {{ }}, and for literals also what announces them.
func (v values) call(words []string) (announce, text string, err error) {
	if len(words) == 1 {
		text, err = v.get(words[0])
		return "", text, err
	}
	name, words := words[0], words[1:]
	n := 1
	if name == "repeat" {
		if n, err = strconv.Atoi(words[0]); err != nil {
			return "", "", err
		}
		words = words[1:]
	}
	if text, err = v.join(words); err != nil {
		return "", "", err
	}
	switch name {
	case "literal":
		announce = fmt.Sprintf("{%d}", len(text))
	case "literal+":
		announce = fmt.Sprintf("{%d+}", len(text))
	case "literal8":
		announce = fmt.Sprintf("~{%d}", len(text))
	case "literal8+":
		announce = fmt.Sprintf("~{%d+}", len(text))
	case "base64":
		text = base64.StdEncoding.EncodeToString([]byte(text))
	case "size":
		text = strconv.Itoa(len(text))
	case "repeat":
		text = strings.Repeat(text, n)
	}
	return announce, text, nil
}

// piece is a part of what a C line sends.
type piece struct {
	octets string
	wait   bool // for a continuation request, before the next piece
}

// expand gives what a C line sends, with its CRLF.
func (v values) expand(text string) ([]piece, error) {
	tokens, err := parseTemplate(text)
	if err != nil {
		return nil, err
	}
	var pieces []piece
	var b strings.Builder
	for _, t := range tokens {
		switch {
		case t.re != "" || t.words != nil && t.words[0] == "string":
			return nil, fmt.Errorf("%q: a client line can't have a pattern", text)
		case t.words == nil:
			b.WriteString(t.text)
			continue
		}
		announce, octets, err := v.call(t.words)
		if err != nil {
			return nil, err
		}
		if announce != "" {
			b.WriteString(announce + "\r\n")
			if !strings.HasSuffix(announce, "+}") {
				pieces = append(pieces, piece{b.String(), true})
				b.Reset()
			}
		}
		b.WriteString(octets)
	}
	b.WriteString("\r\n")
	return append(pieces, piece{b.String(), false}), nil
}

// pattern gives the regular expression of an S line. It is for texts that
// octetsAsRunes made.
func (v values) pattern(text string) (*regexp.Regexp, error) {
	tokens, err := parseTemplate(text)
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	b.WriteString(`(?s)^`)
	for _, t := range tokens {
		switch {
		case t.re != "" && t.name != "":
			fmt.Fprintf(&b, "(?P<%s>%s)", t.name, t.re)
		case t.re != "":
			fmt.Fprintf(&b, "(?:%s)", t.re)
		case t.words == nil:
			b.WriteString(strings.ReplaceAll(quote(t.text), `\.\.\.`, `.*`))
		default:
			announce, octets, err := v.call(t.words)
			if err != nil {
				return nil, err
			}
			switch {
			case t.words[0] == "string":
				b.WriteString(eitherString(octets))
				continue
			case announce != "":
				b.WriteString(quote(announce + "\r\n"))
			}
			b.WriteString(quote(octets))
		}
	}
	b.WriteString(`$`)
	return regexp.Compile(b.String())
}

// eitherString matches s as a quoted string and as a literal.
func eitherString(s string) string {
	quoted := `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
	literal := fmt.Sprintf("{%d}\r\n%s", len(s), s)
	return "(?:" + quote(quoted) + "|" + quote(literal) + ")"
}

// quote is a regular expression that matches the octets s, in a text that
// octetsAsRunes made.
func quote(s string) string { return regexp.QuoteMeta(octetsAsRunes(s)) }

// octetsAsRunes makes each octet the rune of the same number: package regexp
// wants UTF-8, and mail has any octets.
func octetsAsRunes(s string) string {
	runes := make([]rune, len(s))
	for i := range len(s) {
		runes[i] = rune(s[i])
	}
	return string(runes)
}

// runesAsOctets undoes octetsAsRunes.
func runesAsOctets(s string) string {
	octets := make([]byte, 0, len(s))
	for _, r := range s {
		octets = append(octets, byte(r))
	}
	return string(octets)
}
