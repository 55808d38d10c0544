package message

import (
	"bytes"
	"testing"
	"unicode/utf8"
)

func TestAppendCollated(t *testing.T) {
	for text, want := range map[string]string{
		"":               "",
		"Hello, World 9": "HELLO, WORLD 9",
		"straße":         "STRAßE", // titlecase of one character is one character
		"éclair":         "E\u0301CLAIR",
		"e\u0301clair":   "E\u0301CLAIR",
		"ΑΒγ":            "ΑΒΓ",
		"\u01c6":         "Dz\u030c", // titlecase ǅ, not upper case Ǆ
		"ﬁ":              "fi",       // has no titlecase of one character; decomposed after it
		"ı":              "I",
		"日本":             "日本",
		"\xe9":           "E\u0301", // windows-1252
		"a\xffb":         "AY\u0308B",
		"漢字かな交じり":        "漢字か\u306a交し\u3099り",
	} {
		if got := AppendCollated([]byte("x"), []byte(text)); string(got) != "x"+want {
			t.Errorf("%q: got %q, want %q", text, got[1:], want)
		}
	}
	// Larger than the table's entries, were one cut.
	for r := range rune(smallRunes) {
		if r >= utf8.RuneSelf && !bytes.Equal(AppendCollated(nil, utf8.AppendRune(nil, r)), collateRune(nil, r)) {
			t.Errorf("%U is cut in the table", r)
		}
	}
}
