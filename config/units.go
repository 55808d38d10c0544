package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Size is a number of octets. In the file it is a whole number with a unit (B,
// KiB, MiB, GiB, kB, MB, GB), or without one for octets.
type Size int64

// The units of sizes, longest suffix first: "B" ends all of them.
var sizeUnits = []struct {
	suffix string
	octets int64
}{
	{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30},
	{"kB", 1e3}, {"MB", 1e6}, {"GB", 1e9},
	{"B", 1}, {"", 1},
}

// ParseSize reads a size such as "100MiB".
func ParseSize(s string) (Size, error) {
	for _, u := range sizeUnits {
		digits, ok := strings.CutSuffix(s, u.suffix)
		if !ok {
			continue
		}
		n, err := strconv.ParseUint(strings.TrimSpace(digits), 10, 63)
		if err != nil {
			break
		}
		if int64(n) > math.MaxInt64/u.octets {
			return 0, fmt.Errorf("%q is too large for a size", s)
		}
		return Size(int64(n) * u.octets), nil
	}
	return 0, fmt.Errorf("expected a size such as 64KiB or 100MiB, found %q", s)
}

// String is the size in the largest binary unit that divides it.
func (s Size) String() string {
	for _, u := range []int{2, 1, 0} {
		if o := sizeUnits[u].octets; s != 0 && int64(s)%o == 0 {
			return strconv.FormatInt(int64(s)/o, 10) + sizeUnits[u].suffix
		}
	}
	return strconv.FormatInt(int64(s), 10) + "B"
}

// parseDuration reads a duration such as "30m" or "1h30m", not negative.
func parseDuration(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 {
		return 0, fmt.Errorf("expected a duration with its unit, such as 25ms, 90s, 30m or 1h30m, found %q", s)
	}
	return d, nil
}
