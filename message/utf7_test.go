package message

import (
	"strings"
	"testing"
)

// TestUTF7 has the examples of RFC 2152, and what is wrong.
func TestUTF7(t *testing.T) {
	for in, want := range map[string]string{
		"A+ImIDkQ.":                "A≢Α.",
		"Hi Mom -+Jjo--!":          "Hi Mom -☺-!",
		"+ZeVnLIqe-":               "日本語",
		"Item 3 is +AKM-1.":        "Item 3 is £1.",
		"1 +- 1":                   "1 + 1",
		"+":                        "",
		"+ x":                      "+ x",
		"+2D3cAA-":                 "🐀",
		"+2D0-x":                   "�x",
		"+3AA-":                    "�",
		"+2D0":                     "�",
		"a\xe9b":                   "a�b",
		"+AOk":                     "é",
		"stra+AN8-e":               "straße",
		"+AOk=":                    "é=",
		strings.Repeat("+AOk-", 9): strings.Repeat("é", 9),
	} {
		e, err := charsetNamed("UTF-7")
		if err != nil {
			t.Fatal(err)
		}
		if got, err := e.NewDecoder().String(in); got != want || err != nil {
			t.Errorf("%q is %q, want %q; error %v", in, got, want, err)
		}
		// In single octets.
		d, got := e.NewDecoder(), ""
		for i := range len(in) {
			var dst [16]byte
			n, k, err := d.Transform(dst[:], []byte{in[i]}, i+1 == len(in))
			if got += string(dst[:n]); k != 1 || err != nil {
				t.Fatalf("%q: took %d octets, error %v", in, k, err)
			}
		}
		if got != want {
			t.Errorf("%q in pieces is %q, want %q", in, got, want)
		}
	}
	if got := DecodeWords([]byte("=?UTF-7?Q?=2BANw-ber?=")); got != "Über" {
		t.Errorf("an encoded word is %q", got)
	}
}
