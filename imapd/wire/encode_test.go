package wire

import (
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
)

func TestEncode(t *testing.T) {
	zone := time.FixedZone("", -7*3600)
	for _, test := range []struct {
		name, got, want string
	}{
		{"quoted", string(AppendQuoted(nil, `a"\b`)), `"a\"\\b"`},
		{"string", string(AppendString(nil, []byte("a b"))), `"a b"`},
		{"empty string", string(AppendString(nil, "")), `""`},
		{"string with CR", string(AppendString(nil, "a\rb")), "{3}\r\na\rb"},
		{"8-bit string", string(AppendString(nil, "ü")), "{2}\r\nü"},
		{"string with NUL", string(AppendString(nil, "a\x00b")), `"ab"`},
		{"long string", string(AppendString(nil, strings.Repeat("x", 1025)))[:9], "{1025}\r\nx"},
		{"nstring", string(AppendNString(nil, "", true)), `""`},
		{"absent nstring", string(AppendNString(nil, "x", false)), "NIL"},
		{"astring", string(AppendAString(nil, "a]b")), "a]b"},
		{"astring with a star", string(AppendAString(nil, "a*")), `"a*"`},
		{"astring nil", string(AppendAString(nil, "nIl")), `"nIl"`},
		{"empty astring", string(AppendAString(nil, "")), `""`},
		{"delimiter", string(AppendDelim(nil, '\\')), `"\\"`},
		{"no delimiter", string(AppendDelim(nil, 0)), "NIL"},
		{"literal8", string(AppendLiteral8(nil, 7)), "~{7}\r\n"},
		{"numbers", string(AppendNumbers(nil, []imap.UID{1, 2, 3, 7, 9, 10})), "1:3,7,9:10"},
		{"no numbers", string(AppendNumbers(nil, []uint32{})), ""},
		{"set", string(AppendNumSet(nil, imap.UIDSet{{Start: 1, Stop: 1}, {Start: 3, Stop: 0}})), "1,3:*"},
		{"$", string(AppendNumSet(nil, imap.SearchRes())), "$"},
		{"date-time", string(AppendDateTime(nil, time.Date(1996, 7, 7, 2, 44, 25, 0, zone))), `"07-Jul-1996 02:44:25 -0700"`},
		{"date-time out of range", string(AppendDateTime(nil, time.Date(12345, 1, 1, 0, 0, 0, 0, zone))), `"01-Jan-1970 00:00:00 +0000"`},
		{"flags", string(AppendFlags(nil, []imap.Flag{imap.FlagSeen, "a"})), `(\Seen a)`},
		{"text", string(AppendText(nil, "a\r\nü")), "a???"},
		{"no text", string(AppendText(nil, " ")), "-"},
	} {
		if test.got != test.want {
			t.Errorf("%s: %q, want %q", test.name, test.got, test.want)
		}
	}
}
