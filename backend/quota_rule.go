package backend

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// storageUnits are the units of sizes in Dovecot's quota rules; without one it is k.
var storageUnits = map[byte]int64{'b': 1, 'k': 1 << 10, 'm': 1 << 20, 'g': 1 << 30, 't': 1 << 40}

// ParseQuotaRule applies a quota rule as Dovecot writes it to limits: "*:storage=1G",
// "*:messages=1000", "*:storage=1G:messages=1000", "*:bytes=1000". 0 is no limit. Rules for single
// mailboxes, relative ones (+10%) and ignore are not known; the error says so.
func ParseQuotaRule(rule string, limits Usage) (Usage, error) {
	mailbox, rest, _ := strings.Cut(rule, ":")
	if mailbox != "*" && mailbox != "?" {
		return limits, fmt.Errorf("quota rule %q: only rules for all mailboxes (*) are known", rule)
	}
	for limit := range strings.SplitSeq(rest, ":") {
		name, value, _ := strings.Cut(limit, "=")
		var err error
		switch name {
		case "storage":
			limits.Storage, err = parseStorage(value, 1<<10)
		case "bytes":
			limits.Storage, err = parseStorage(value, 1)
		case "messages":
			limits.Messages, err = parseStorage(value, 1)
		default:
			err = fmt.Errorf("no such limit as %q", name)
		}
		if err != nil {
			return limits, fmt.Errorf("quota rule %q: %w", rule, err)
		}
	}
	return limits, nil
}

// parseStorage reads a number with a unit, which is unit where there is none.
func parseStorage(s string, unit int64) (int64, error) {
	digits := s
	if n := len(s); n > 0 {
		if u, ok := storageUnits[s[n-1]|0x20]; ok {
			unit, digits = u, s[:n-1]
		}
	}
	n, err := strconv.ParseUint(digits, 10, 63)
	if err != nil || int64(n) > math.MaxInt64/unit {
		return 0, fmt.Errorf("%q is no number that can be a limit", s)
	}
	return int64(n) * unit, nil
}
