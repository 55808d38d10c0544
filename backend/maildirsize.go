package backend

import (
	"bytes"
	"errors"
	"math"
	"strconv"
	"strings"
)

// maildirsizeFile is where all programs that write a Maildir++ keep count of its mail, beside the
// subscriptions: a line with the limits, then a line for each change, octets and messages.
//
//	10485760S,1000C
//	52300 12
//	523 1
//	-1046 -2
const maildirsizeFile = "maildirsize"

// maildirsizeFull is the size in octets from which the file is to be counted anew, so that it stays
// short and what its writers missed is found.
const maildirsizeFull = 5120

// Usage is an amount of mail, or a limit of it.
type Usage struct {
	Storage  int64 // octets on disk
	Messages int64
}

func (u Usage) plus(v Usage) Usage {
	return Usage{u.Storage + v.Storage, u.Messages + v.Messages}
}

func (u Usage) negative() Usage { return Usage{-u.Storage, -u.Messages} }

// over reports whether u is more than limit allows, in which 0 is no limit.
func (u Usage) over(limit Usage) bool {
	return limit.Storage > 0 && u.Storage > limit.Storage || limit.Messages > 0 && u.Messages > limit.Messages
}

// errMaildirsize says that the file can't be trusted and has to be made anew.
var errMaildirsize = errors.New("maildirsize is damaged")

// parseMaildirsize reads the file. What does not parse, or adds up to less than nothing, is errMaildirsize; limits are what the first line
// says even then, if that is right.
// A last line without line end is being written, and counts when it is whole.
func parseMaildirsize(data []byte) (limits, used Usage, err error) {
	header, rest, ok := bytes.Cut(data, []byte{'\n'})
	if !ok {
		return limits, used, errMaildirsize
	}
	for field := range strings.SplitSeq(strings.TrimSpace(string(header)), ",") {
		if field == "" {
			continue
		}
		n, err := strconv.ParseInt(field[:len(field)-1], 10, 64)
		if err != nil || n < 0 {
			return Usage{}, used, errMaildirsize
		}
		switch field[len(field)-1] {
		case 'S':
			limits.Storage = n
		case 'C':
			limits.Messages = n
		}
	}
	for line := range bytes.Lines(rest) {
		if line[len(line)-1] != '\n' {
			break
		}
		storage, messages, _ := strings.Cut(strings.TrimSpace(string(line)), " ")
		s, err1 := strconv.ParseInt(storage, 10, 64)
		m, err2 := strconv.ParseInt(strings.TrimSpace(messages), 10, 64)
		// Small enough that no sum of 64 KiB of lines overflows.
		if err1 != nil || err2 != nil || max(s, -s, m, -m) > math.MaxInt64>>16 || s == math.MinInt64 || m == math.MinInt64 {
			return limits, used, errMaildirsize
		}
		used = used.plus(Usage{s, m})
	}
	if used.Storage < 0 || used.Messages < 0 {
		return limits, used, errMaildirsize
	}
	return limits, used, nil
}

// appendMaildirsizeHeader appends the line of limits; one that is 0 is left out.
func appendMaildirsizeHeader(b []byte, limits Usage) []byte {
	if limits.Storage > 0 {
		b = append(strconv.AppendInt(b, limits.Storage, 10), 'S')
	}
	if limits.Messages > 0 {
		if limits.Storage > 0 {
			b = append(b, ',')
		}
		b = append(strconv.AppendInt(b, limits.Messages, 10), 'C')
	}
	return append(b, '\n')
}

func appendMaildirsizeLine(b []byte, u Usage) []byte {
	b = strconv.AppendInt(b, u.Storage, 10)
	b = strconv.AppendInt(append(b, ' '), u.Messages, 10)
	return append(b, '\n')
}
