package uidmap

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

const (
	// maxList is the size in bytes of the greatest list that we read.
	maxList = 512 << 20

	// maxLine is the length of the longest line that is no sign of damage.
	maxLine = math.MaxUint16

	// maxUID is the last UID that is given out, so that UIDNEXT always fits.
	maxUID = math.MaxUint32 - 1

	// tornGap is how many UIDs are skipped after a line that breaks off within its
	// UID. Its writer gave it the UIDNEXT that we see, too, or little more.
	tornGap = 1 << 16
)

// parseList reads a list, version 1 or 3. Its errors are damage.
func parseList(text string) (*content, error) {
	head, body, ok := strings.Cut(text, "\n")
	if !ok {
		return nil, damage("no header line")
	}
	c := &content{head: head, off: int64(len(head)) + 1}
	if err := c.parseHeader(strings.TrimSuffix(head, "\r")); err != nil {
		return nil, err
	}
	c.recs = make([]rec, 0, strings.Count(body, "\n"))
	if err := c.parseLines(body); err != nil {
		return nil, err
	}
	return c, nil
}

// parseHeader reads "3 V<uidvalidity> N<uidnext> G<guid> ..." in any order, or
// "1 <uidvalidity> <uidnext>".
func (c *content) parseHeader(head string) error {
	version, rest, _ := strings.Cut(head, " ")
	switch version {
	case "1":
		c.version = 1
		validity, next, _ := strings.Cut(rest, " ")
		c.validity, c.next = number(validity), number(next)
	case "3":
		c.version = 3
		for f := range strings.FieldsSeq(rest) {
			switch {
			case f[0] == 'V':
				c.validity = number(f[1:])
			case f[0] == 'N':
				c.next = number(f[1:])
			case f[0] == 'G' && isGUID(f[1:]):
				c.guid = f[1:]
			case f[0] != 'G':
				c.fields += " " + f
			}
		}
	default:
		return damage(fmt.Sprintf("version is %.20q", version))
	}
	if c.validity == 0 {
		return damage("no UIDVALIDITY")
	}
	if c.next == 0 {
		return damage("no next UID")
	}
	return nil
}

// parseLines reads the records that body begins with; what follows the last line end is
// torn.
func (c *content) parseLines(body string) error {
	// UIDs ascend, but N may be far above the last of them.
	last, next := uint32(0), c.next
	if n := len(c.recs); n > 0 {
		last = c.recs[n-1].uid
	}
	for {
		end := strings.IndexByte(body, '\n')
		if end < 0 {
			break
		}
		r, err := c.parseRecord(body[:end])
		if err != nil {
			return fmt.Errorf("%w at byte %d", err, c.off)
		}
		if r.uid <= last {
			return damage(fmt.Sprintf("UID %d after %d at byte %d", r.uid, last, c.off))
		}
		last = r.uid
		c.add(r)
		c.tail = end + 1
		c.off += int64(end) + 1
		body = body[end+1:]
	}
	c.next = max(next, c.next)
	c.torn = body
	c.aboveTorn = c.next
	if body != "" {
		c.aboveTorn = aboveTorn(body, c.next)
	}
	return nil
}

// parseRecord reads "UID [ext ...] :base" (version 3) or "UID base".
func (c *content) parseRecord(line string) (rec, error) {
	if len(line) > maxLine {
		return rec{}, damage("endless line")
	}
	line = strings.TrimSuffix(line, "\r")
	digits, text, ok := strings.Cut(line, " ")
	r := rec{uid: number(digits), text: text, base: 1}
	if !ok || r.uid == 0 || r.uid > maxUID {
		return rec{}, damage(fmt.Sprintf("bad line %.40q", line))
	}
	if c.version == 1 {
		r.text = ":" + text
	} else if text == "" || text[0] != ':' {
		at := strings.Index(text, " :")
		if at < 0 {
			return rec{}, damage(fmt.Sprintf("no name in %.40q", line))
		}
		r.base = uint16(at) + 2
	}
	// Old files have ":2,FLAGS" behind the base.
	if end := strings.IndexByte(r.name(), ':'); end >= 0 {
		r.text = r.text[:int(r.base)+end]
	}
	if !ValidBase(r.name()) {
		return rec{}, damage(fmt.Sprintf("bad name %.80q", r.name()))
	}
	return r, nil
}

// aboveTorn is the UIDNEXT after a torn line whose UID was next, or little
// more, or another one that can be read in full.
func aboveTorn(line string, next uint32) uint32 {
	digits, _, complete := strings.Cut(line, " ")
	uid := number(digits)
	switch {
	case !complete || uid == 0 || uid > maxUID:
		return next + min(tornGap, math.MaxUint32-next)
	case uid < next:
		return next
	}
	return uid + 1
}

// number is 0 for everything but 1 to 2^32-1 in decimal digits.
func number(s string) uint32 {
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil {
		return 0
	}
	return uint32(n)
}

func isGUID(s string) bool {
	return len(s) == 32 && strings.Trim(s, "0123456789abcdefABCDEF") == ""
}

// ValidBase reports whether a base name can stand in a list: not empty, no '/', no ':',
// no NUL and no line end. A message whose file has another name must be renamed before
// it can have a UID.
func ValidBase(base string) bool {
	return base != "" && len(base) < maxLine/2 && !strings.ContainsAny(base, "/:\n\r\x00")
}
