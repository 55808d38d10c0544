package message

import (
	"bytes"
	"strings"
	"time"
)

// Date returns the time of the Date header; its year, month and day are those of
// the header's own zone, as SENTON wants them. ok is false where there is none
// that can be understood.
func (h *HeaderBlock) Date() (t time.Time, ok bool) {
	for v := range h.Values("Date") {
		if t, ok = ParseDate(v); ok {
			return t, true
		}
	}
	return time.Time{}, false
}

// SentDate returns the Date header's own calendar day.
func (h *HeaderBlock) SentDate() (year int, month time.Month, day int, ok bool) {
	t, ok := h.Date()
	year, month, day = t.Date()
	return year, month, day, ok
}

// maxDate is the longest value of a Date header that is looked at, in octets.
const maxDate = 1000

// ParseDate reads a date-time of RFC 5322 §3.3 in whatever shape it comes: with the obsolete
// zones and years of §4.3, with comments, without a weekday or a time, with names
// written out, or as asctime and ISO 8601 put it. It knows the day, the month and
// the year, or it fails; without a zone it is UTC.
func ParseDate(value []byte) (time.Time, bool) {
	var d dateParser
	value = value[:min(len(value), maxDate)]
	all := string(value)
	for rest := skipCFWS(value); len(rest) > 0; rest = skipCFWS(rest) {
		n := bytes.IndexAny(rest, " \t\r\n,;(/")
		if n < 0 {
			n = len(rest)
		}
		if n > 0 {
			at := len(all) - len(rest)
			d.word(all[at : at+n])
		} else if rest[0] != '(' {
			n = 1
		}
		rest = rest[n:]
	}
	return d.time()
}

// dateParser collects what the words of a date say.
type dateParser struct {
	day, month, year int // 0: not seen; of the year says hasYear
	hasYear          bool
	hour, min, sec   int
	hasTime          bool
	offset           int // seconds east of UTC
	hasZone          bool
}

// word takes the next word; what it can't be is ignored.
func (d *dateParser) word(w string) {
	if len(w) > 11 && w[4] == '-' && (w[10] == 'T' || w[10] == 't') { // 1994-02-07T21:52:25Z
		d.word(w[:10])
		w = w[11:]
	}
	switch {
	case !d.hasTime && strings.IndexByte(w, ':') > 0:
		d.clock(w)
	case w[0] == '+' || w[0] == '-':
		d.zone(w)
	case isDigit(w[0]):
		if i := strings.IndexByte(w, '-'); i > 0 { // 7-Feb-1994, 1994-02-07
			for part := range strings.SplitSeq(w, "-") {
				if part != "" {
					d.word(part)
				}
			}
			return
		}
		d.number(w)
	default:
		d.name(w)
	}
}

// number takes a day, a year, or the month of an ISO date.
func (d *dateParser) number(w string) {
	n, digits := 0, 0
	for digits < len(w) && isDigit(w[digits]) {
		if digits == 6 {
			return
		}
		n = 10*n + int(w[digits]-'0')
		digits++
	}
	switch {
	case digits > 2 && !d.hasYear:
		d.setYear(n, digits)
	case d.hasYear && d.month == 0 && d.day == 0 && 1 <= n && n <= 12: // the year came first
		d.month = n
	case d.day == 0 && 1 <= n && n <= 31:
		d.day = n
	case digits == 2 && !d.hasYear:
		d.setYear(n, digits)
	}
}

// setYear sets the year, of RFC 5322 §4.3 if it has less than four digits.
func (d *dateParser) setYear(n, digits int) {
	d.hasYear = true
	switch {
	case digits == 2 && n < 50:
		n += 2000
	case digits <= 3:
		n += 1900
	}
	d.year = n
}

// clock takes hh:mm or hh:mm:ss, with fractions of a second and a zone behind it or not.
func (d *dateParser) clock(w string) {
	var n [3]int
	i, field := 0, 0
	for i < len(w) {
		start := i
		for i < len(w) && isDigit(w[i]) && i-start < 2 {
			n[field] = 10*n[field] + int(w[i]-'0')
			i++
		}
		if i == start {
			return
		}
		if i == len(w) || w[i] != ':' || field == 2 {
			break
		}
		field++
		i++
	}
	if field == 0 || n[0] > 23 || n[1] > 59 || n[2] > 60 {
		return
	}
	d.hour, d.min, d.sec, d.hasTime = n[0], n[1], min(n[2], 59), true
	rest := w[i:]
	if rest != "" && rest[0] == '.' {
		rest = strings.TrimLeft(rest[1:], "0123456789")
	}
	if rest != "" {
		d.zone(rest)
	}
}

// name takes the name of a month or a zone. Weekdays are ignored.
func (d *dateParser) name(w string) {
	if len(w) >= 3 && d.month == 0 {
		for i := range 12 {
			if m := time.Month(i + 1).String(); strings.EqualFold(w[:3], m[:3]) {
				d.month = i + 1
				// Feb-07-1994
				if _, rest, ok := strings.Cut(w, "-"); ok && rest != "" {
					d.word(rest)
				}
				return
			}
		}
	}
	if d.hasTime {
		d.zone(w)
	}
}

// zone takes a zone as number or name (RFC 5322 §4.3). A name that is not known, military ones
// among them, is -0000.
func (d *dateParser) zone(w string) {
	if d.hasZone {
		return
	}
	upper := strings.ToUpper(w)
	for _, prefix := range []string{"GMT", "UTC"} { // GMT+0200
		if rest, ok := strings.CutPrefix(upper, prefix); ok && rest != "" {
			upper = rest
		}
	}
	if upper[0] == '+' || upper[0] == '-' {
		if !d.hasTime {
			return
		}
		n, digits := 0, 0
		for i := 1; i < len(upper) && digits < 4; i++ {
			if isDigit(upper[i]) {
				n = 10*n + int(upper[i]-'0')
				digits++
			} else if upper[i] != ':' {
				break
			}
		}
		if digits <= 2 { // +02
			n *= 100
		}
		if n/100 > 23 || n%100 > 59 {
			return
		}
		d.offset, d.hasZone = (n/100*60+n%100)*60, true
		if upper[0] == '-' {
			d.offset = -d.offset
		}
		return
	}
	switch upper {
	case "EDT":
		d.offset = -4
	case "EST", "CDT":
		d.offset = -5
	case "CST", "MDT":
		d.offset = -6
	case "MST", "PDT":
		d.offset = -7
	case "PST":
		d.offset = -8
	case "CET", "MET", "BST":
		d.offset = 1
	case "CEST", "MEST", "EET":
		d.offset = 2
	case "EEST", "MSK":
		d.offset = 3
	case "JST", "KST":
		d.offset = 9
	case "UT", "UTC", "GMT", "Z", "WET":
	default:
		return // "AM" is not a zone
	}
	d.offset, d.hasZone = d.offset*3600, true
}

// time puts it together. A day that the month does not have is no date.
func (d *dateParser) time() (time.Time, bool) {
	if d.day == 0 || d.month == 0 || !d.hasYear {
		return time.Time{}, false
	}
	zone := time.UTC
	if d.offset != 0 {
		zone = time.FixedZone("", d.offset)
	}
	t := time.Date(d.year, time.Month(d.month), d.day, d.hour, d.min, d.sec, 0, zone)
	return t, t.Day() == d.day
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
