package script

import (
	"fmt"
	"strings"
)

// maxShown is how many octets of one packet or response a transcript shows.
const maxShown = 4000

// transcript collects what was said, by both sides, with the script's lines.
type transcript struct {
	b    strings.Builder
	line int // of the script, that is being run
}

func (t *transcript) add(who, octets string) {
	if n := len(octets); n > maxShown {
		octets = fmt.Sprintf("%s[... %d octets in all]", octets[:maxShown], n)
	}
	for line := range strings.SplitAfterSeq(octets, "\n") {
		if line == "" {
			continue
		}
		fmt.Fprintf(&t.b, "%4d %s: %s\n", t.line, who, visible(line))
	}
}

// visible is a line as it can be shown: without its CRLF, and all that is not
// printable, and a CR or LF alone, escaped.
func visible(line string) string {
	line, crlf := strings.CutSuffix(line, "\r\n")
	quoted := fmt.Sprintf("%+q", line)
	line = strings.NewReplacer(`\\`, `\`, `\"`, `"`).Replace(quoted[1 : len(quoted)-1])
	if !crlf {
		line += " (no CRLF)"
	}
	return line
}
