package imapd

import (
	"context"
	"regexp"
	"strings"

	"maildir-imapd/imapd/wire"
)

// languages are what our texts are in, the preferred one first. "i-default" is what a client hears that has not asked
// (RFC 5255 §3.1), and that is English too: so there is nothing to remember of what was chosen, and nothing of NAMESPACE to translate.
var languages = []string{"en", "i-default"}

// languageRange is RFC 4647 §2.1.
var languageRange = regexp.MustCompile(`^([A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*|\*)$`)

func parseLanguage(_ *conn, d *wire.Decoder) runFunc {
	var ranges []string
	for d.More() {
		d.SP()
		r := d.AString()
		if !languageRange.MatchString(r) {
			d.Fail("a language range")
		}
		ranges = append(ranges, r)
	}
	return func(_ context.Context, c *conn) error { return c.language(ranges) }
}

// language is LANGUAGE (RFC 5255 §3.2): without arguments it tells the languages, otherwise it takes the first that we have.
func (c *conn) language(ranges []string) error {
	if len(ranges) == 0 {
		c.untagged("LANGUAGE (" + strings.Join(languages, " ") + ")")
		return nil
	}
	for _, r := range ranges {
		if found := findLanguage(r); found != "" {
			c.untagged("LANGUAGE (" + found + ")")
			return nil
		}
	}
	return no("", "Unsupported language")
}

// findLanguage returns the language for a range, or "". As in the examples of RFC 5255 §3.2, "en-CA" finds "en" (RFC 4647
// §3.4).
func findLanguage(r string) string {
	if r == "*" || strings.EqualFold(r, "default") {
		return languages[0]
	}
	for {
		for _, l := range languages {
			if strings.EqualFold(l, r) {
				return l
			}
		}
		last := strings.LastIndexByte(r, '-')
		if last < 0 {
			return ""
		}
		r = r[:last]
	}
}
