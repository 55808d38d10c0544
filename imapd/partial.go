package imapd

import (
	"strconv"

	"maildir-imapd/imapd/wire"
)

// partial is a range of results (RFC 9394 §3.1; RFC 5267 §4.4 has none from the end): 1 is the first,
// -1 the last. Either end may come first. Both ends have the same sign, and none is 0.
type partial struct{ from, to int64 }

// parsePartial takes a partial-range.
func (s *search) parsePartial(d *wire.Decoder) {
	if s.options&searchPartial != 0 {
		d.Fail("one PARTIAL only")
	}
	d.SP()
	s.partial = parseResultRange(d)
	if s.partial.from < 0 && !s.c.has("PARTIAL") {
		d.Fail("a number greater than 0")
	}
}

func parseResultRange(d *wire.Decoder) partial {
	sign := int64(1)
	if d.Try('-') {
		sign = -1
	}
	from := sign * int64(d.NZNumber())
	d.Expect(':')
	if sign < 0 {
		d.Expect('-')
	}
	return partial{from, sign * int64(d.NZNumber())}
}

// of returns the part of nums that is in the range.
func (p partial) of(nums []uint32) []uint32 {
	n := int64(len(nums))
	from, to := min(p.from, p.to), max(p.from, p.to)
	if from < 0 {
		from, to = from+n+1, to+n+1
	}
	if from, to = max(from, 1), min(to, n); from > to {
		return nil
	}
	return nums[from-1 : to]
}

// append appends the range as it was asked for.
func (p partial) append(b []byte) []byte {
	b = strconv.AppendInt(b, p.from, 10)
	return strconv.AppendInt(append(b, ':'), p.to, 10)
}
