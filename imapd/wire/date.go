package wire

import (
	"strings"
	"time"
)

// Date takes a date, quoted or not: 1-Feb-1994. The result is midnight UTC.
func (d *Decoder) Date() time.Time {
	var text string
	if d.Peek() == '"' {
		text = d.Quoted()
	} else {
		text = d.take(classAtom, "a date")
	}
	return d.parseTime("2-Jan-2006", text, "a date like 1-Feb-1994")
}

// DateTime takes a date-time, which is quoted: "17-Jul-1996 02:44:25 -0700".
// The result has that zone.
func (d *Decoder) DateTime() time.Time {
	return d.parseTime("2-Jan-2006 15:04:05 -0700", strings.TrimPrefix(d.Quoted(), " "),
		`a date like "17-Jul-1996 02:44:25 -0700"`)
}

func (d *Decoder) parseTime(layout, text, expected string) time.Time {
	if d.err != nil {
		return time.Time{}
	}
	t, err := time.Parse(layout, text)
	if err != nil {
		d.Fail(expected)
	}
	return t
}
