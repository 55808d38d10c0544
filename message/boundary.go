package message

import "bytes"

// boundary is the boundary parameter of a multipart, without dashes.
type boundary string

// findBoundary tells which of the open multiparts (the outermost first) a line
// delimits, -1 for none. The line is without its leading dashes and line end.
//
// RFC 2046 §5.1.1 lets a boundary be followed by anything, so that a line can
// begin with the boundaries of several multiparts. A line that is one of
// them, up to white space, is that, the innermost first; else the
// longest counts.
func findBoundary(open []boundary, line []byte) (level int, closing bool) {
	trimmed := bytes.TrimRight(line, " \t")
	level = -1
	for i := len(open) - 1; i >= 0; i-- {
		b := string(open[i])
		if len(trimmed) < len(b) || string(trimmed[:len(b)]) != b {
			continue
		}
		rest := trimmed[len(b):]
		if len(rest) == 0 || string(rest) == "--" {
			return i, len(rest) > 0
		}
		if level < 0 || len(b) > len(open[level]) {
			level, closing = i, bytes.HasPrefix(rest, dashes)
		}
	}
	return level, closing
}
