package config

import (
	"fmt"
	"strings"
)

// Problem is one thing that is wrong with a configuration, or, among
// Config.Warnings, one that is allowed and probably not meant.
type Problem struct {
	File    string // as it was given to Load
	Line    int    // from 1; 0 where the setting is not in the file
	Setting string // the setting's full name, e.g. "limits.line"; "" for the file as a whole
	Text    string // what is wrong and what is expected
}

// Error is "file:line: setting: text", the form that editors jump to.
func (p Problem) Error() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d", p.Line)
	}
	if p.Setting != "" {
		b.WriteString(": " + p.Setting)
		if p.Line == 0 {
			b.WriteString(" (not set, default)")
		}
	}
	return b.String() + ": " + p.Text
}

// Problems is the error of Load: all that is wrong, in the order of the lines.
type Problems []Problem

// Error has one line for each problem.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.Error()
	}
	return strings.Join(lines, "\n")
}

// didYouMean is ` (did you mean "x"?)` for the known name that is nearest to
// name, or "" where none is near.
func didYouMean(name string, known []string) string {
	best, least := "", min(len(name)/2, 3)+1 // further apart than this is another word
	for _, k := range known {
		if len(name) >= 4 && strings.HasPrefix(k, strings.ToLower(name)+"_") {
			best = k // the first word of it
			break
		}
		if d := distance(strings.ToLower(name), strings.ToLower(k)); d < least {
			best, least = k, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(" (did you mean %q?)", best)
}

// distance is the number of single-letter edits between two words.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
