package message

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestDecodeWords(t *testing.T) {
	for in, want := range map[string]string{
		"plain":                                                 "plain",
		"=?ISO-8859-1?Q?a?=":                                    "a",
		"=?ISO-8859-1?Q?a?= b":                                  "a b",
		"=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?=":                 "ab",
		"=?ISO-8859-1?Q?a?=  =?ISO-8859-1?Q?b?=":                "ab",
		"=?ISO-8859-1?Q?a_b?=":                                  "a b",
		"=?ISO-8859-1?Q?a?= =?ISO-8859-2?Q?_b?=":                "a b",
		"=?US-ASCII*EN?Q?Keith_Moore?= <moore@cs.utk.edu>":      "Keith Moore <moore@cs.utk.edu>",
		"=?ISO-8859-1?Q?Andr=E9?= Pirard":                       "André Pirard",
		"=?ISO-8859-1?B?SWYgeW91IGNhbiByZWFkIHRoaXMgeW8=?=":     "If you can read this yo",
		"=?ISO-8859-2?B?dSB1bmRlcnN0YW5kIHRoZSBleGFtcGxlLg==?=": "u understand the example.",
		"=?utf-8?B?4oI=?= =?UTF-8?B?rA==?=":                     "€",
		"=?iso-2022-jp?B?GyRCRnxLXBsoQg==?=":                    "日本",
		"=?x-unknown?Q?a=41?= b":                                "aA b",
		"=?utf-8?X?abc?=":                                       "=?utf-8?X?abc?=",
		"=?utf-8?Q?no end":                                      "=?utf-8?Q?no end",
		"=?utf-8?Q?no end =?utf-8?Q?a?=":                        "=?utf-8?Q?no end a",
		"=?utf-8?Q?why??=":                                      "why?",
		"caf\xe9":                                               "café",
		"\x80 5":                                                "€ 5",
		"=?gb2312?B?xOO6ww==?=":                                 "你好",
		"=?":                                                    "=?",
		"=?=?=":                                                 "=?=?=",
		"=?utf-8?Q??=":                                          "",
		strings.Repeat("=?a?q?x", 3):                            strings.Repeat("=?a?q?x", 3),
	} {
		if got := DecodeWords([]byte(in)); got != want {
			t.Errorf("%q is %q, want %q", in, got, want)
		}
	}
}

func TestDecodeCharset(t *testing.T) {
	for _, test := range []struct{ charset, in, want string }{
		{"", "é", "é"},
		{"utf-8", "é", "é"},
		{"UTF-8", "é", "é"},
		{"us-ascii", "e", "e"},
		{"iso-8859-1", "\xe9", "é"},
		{"KOI8-R", "\xc1", "а"},
		{"ISO-8859-15", "\xa4", "€"},
		{"iso-2022-jp", "\x1b$BF|K\\\x1b(B", "日本"},
		{"big5", "\xa7A", "你"},
		{"hz-gb-2312", "~{Dc~}", "你"},
		{"ibm850", "\x82", "é"},
		{"CP932", "\x93\xfa\x96{", "日本"},
		{"cp949", "\xb3\xaa", "나"},
		{"iso-2022-jp-ms", "\x1b$BF|K\\\x1b(B", "日本"},
		{"cp858", "\xd5", "€"},
		{"UTF-16", "\xfe\xff\x00\xe9", "é"}, // the byte order mark decides (RFC 2781 §4.3)
		{"utf-16", "\xff\xfe\xe9\x00", "é"},
		{"utf-16", "\xe9\x00", "é"},
	} {
		if got, err := DecodeCharset(test.charset, []byte(test.in)); err != nil || got != test.want {
			t.Errorf("%s: %q, %v, want %q", test.charset, got, err, test.want)
		}
	}
	var unknown UnknownCharsetError
	for _, charset := range []string{"x-unknown", "utf-9", "replacement", "\x00"} {
		if _, err := DecodeCharset(charset, []byte("a")); !errors.As(err, &unknown) {
			t.Errorf("%q: %v", charset, err)
		}
	}
	for charset, in := range map[string]string{"utf-8": "\xe9", "us-ascii": "\xe9", "gb18030": "\xff"} {
		if _, err := DecodeCharset(charset, []byte(in)); err == nil || errors.As(err, &unknown) {
			t.Errorf("%s: %v", charset, err)
		}
	}
}

func TestParseDate(t *testing.T) {
	for in, want := range map[string]string{
		"Mon, 7 Feb 1994 21:52:25 -0800 (PST)":        "1994-02-07T21:52:25-08:00",
		"7 Feb 1994 21:52:25 -0800":                   "1994-02-07T21:52:25-08:00",
		"Mon, 07 Feb 94 21:52 PST":                    "1994-02-07T21:52:00-08:00",
		"7 Feb 05 21:52:25 GMT":                       "2005-02-07T21:52:25Z",
		"7 Feb 49":                                    "2049-02-07T00:00:00Z",
		"7 Feb 50":                                    "1950-02-07T00:00:00Z",
		"7 Feb 105 21:52:25 UT":                       "2005-02-07T21:52:25Z",
		"Thu,\n\t13 Feb 1969 23:32 -0330 (Newf (x))":  "1969-02-13T23:32:00-03:30",
		"Thu (comment), 13 Feb(c)1969 23:32:54 +0000": "1969-02-13T23:32:54Z",
		"Mon Feb  7 21:52:25 1994":                    "1994-02-07T21:52:25Z",
		"Mon Feb  7 21:52:25 CET 1994":                "1994-02-07T21:52:25+01:00",
		"Monday, 7 February 1994":                     "1994-02-07T00:00:00Z",
		"7-Feb-1994 10:00:00 +0100":                   "1994-02-07T10:00:00+01:00",
		"1994-02-07T21:52:25Z":                        "1994-02-07T21:52:25Z",
		"1994-02-07T21:52:25.123+02:00":               "1994-02-07T21:52:25+02:00",
		"1994-02-07 21:52:25 +0200":                   "1994-02-07T21:52:25+02:00",
		"Mon, 7 Feb 1994 21:52:25 GMT+0200":           "1994-02-07T21:52:25+02:00",
		"Mon, 7 Feb 1994 21:52:60 +0000":              "1994-02-07T21:52:59Z",
		"Mon, 7 Feb 1994 21:52:25 X":                  "1994-02-07T21:52:25Z",
		"Mon, 7 Feb 1994 21:52:25 +9999":              "1994-02-07T21:52:25Z",
		"Wed, 31 Dec 1969 23:59:59 -1200":             "1969-12-31T23:59:59-12:00",
		"29 Feb 2000 00:00 +1400":                     "2000-02-29T00:00:00+14:00",

		"":                                  "",
		"yesterday":                         "",
		"Mon, 30 Feb 1994 21:52:25 -0800":   "",
		"Feb 1994":                          "",
		"7 1994":                            "",
		"99 Feb 1994":                       "",
		"(7 Feb 1994":                       "",
		"7 Feb 99999999999999999999":        "",
		strings.Repeat("(", 2000) + "7 Feb": "",
	} {
		got := ""
		if d, ok := ParseDate([]byte(in)); ok {
			got = d.Format(time.RFC3339)
		}
		if got != want {
			t.Errorf("%q is %q, want %q", in, got, want)
		}
	}
}

func TestParams(t *testing.T) {
	for in, want := range map[string]string{
		"; a=b":              `("a" "b")`,
		"; a=b; C=\"d e\"":   `("a" "b" "C" "d e")`,
		";a=\"q\\\"q\\\\\";": `("a" "q\"q\\")`,
		"; a*=us-ascii'en-us'This%20is%20%2A%2A%2Afun%2A%2A%2A":                                                              `("a*" "us-ascii'en-us'This%20is%20%2A%2A%2Afun%2A%2A%2A")`,
		"; URL*0=\"ftp://\";\n URL*1=\"cs.utk.edu/pub/moore/bulk-mailer/bulk-mailer.tar\"":                                   `("URL" "ftp://cs.utk.edu/pub/moore/bulk-mailer/bulk-mailer.tar")`,
		"; title*0*=us-ascii'en'This%20is%20even%20more%20\n; title*1*=%2A%2A%2Afun%2A%2A%2A%20; title*2=\"isn't it!\"; x=y": `("title*" "us-ascii'en'This%20is%20even%20more%20%2A%2A%2Afun%2A%2A%2A%20isn%27t%20it!" "x" "y")`,
		"; b*1=two; b*0=one; b*3=four":           `("b" "onetwo")`,
		"; a*b=c; *=d; a*99999999999999999999=x": `("a*b" "c" "*" "d" "a*99999999999999999999" "x")`,
		"; name=a b c.txt ; x=(comment)y(z)":     `("name" "a b c.txt" "x" "y")`,
		"; a; b=c; ==; =; d = (x) \"e\" f; g":    `("b" "c" "d" "e")`,
		";;;":                                    "NIL",
		"; a=\"unclosed":                         `("a" "unclosed")`,
	} {
		if got := string(appendParams(nil, parseParams([]byte(in)))); got != want {
			t.Errorf("%q is %s, want %s", in, got, want)
		}
	}
	params := parseParams([]byte("; boundary*0=ab; boundary*1=cd; charset*=''utf-8; name*=iso-8859-1'de'%E9%zz"))
	for name, want := range map[string]string{"Boundary": "abcd", "charset": "utf-8", "name": "\xe9%zz"} {
		if got, ok := get(params, name); !ok || got != want {
			t.Errorf("%s is %q, %v, want %q", name, got, ok, want)
		}
	}
}

func TestHeaderBlock(t *testing.T) {
	const msg = "From x\r\nSubject: one\r\n two \r\nX: y\r\nsubject : =?utf-8?q?=C3=A9?=\r\nDate: nonsense\r\nDate: 7 Feb 1994 23:00 -0800\r\n\r\nSubject: body\r\n"
	h, err := ReadHeader(strings.NewReader(msg), int64(len(msg)))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for v := range h.Values("SUBJECT") {
		got = append(got, string(v))
	}
	if want := "one two|=?utf-8?q?=C3=A9?="; strings.Join(got, "|") != want {
		t.Errorf("subjects %q, want %q", got, want)
	}
	if y, m, d, ok := h.SentDate(); y != 1994 || m != time.February || d != 7 || !ok {
		t.Errorf("sent on %d-%d-%d, %v", y, m, d, ok)
	}

	// The end of the header at each place around the first read.
	for _, end := range []string{"\n\n", "\r\n\r\n", "\n\r\n", "\r\n\n"} {
		for n := firstRead - 8; n < firstRead+8; n++ {
			head := "X: " + strings.Repeat("x", n-3) + end
			h, err := ReadHeader(strings.NewReader(head+"body\n\n"), int64(len(head)+6))
			if err != nil || string(h.raw) != head {
				t.Fatalf("%q after %d octets: %d octets of header, %v", end, n, len(h.raw), err)
			}
		}
	}
}

// FuzzText gives the parsers of text any text.
func FuzzText(f *testing.F) {
	for _, seed := range []string{
		"Ann <@a,@b:ann@example.org>, g: x@y, \"q\" <z>;, (c) a@b (d)", "=?utf-8?q?=C3=A9?= =?utf-8?b?w6k=?=",
		"Mon, 7 Feb 1994 21:52:25 -0800 (PST)", "; a*0*=utf-8''x%20; a*1=y; b=\"c\\\"d\"", "\xf0\x9f\x98\x80é\xffﬁK",
	} {
		f.Add([]byte(seed), uint(3))
	}
	f.Fuzz(func(t *testing.T, b []byte, size uint) {
		if s := DecodeWords(b); !utf8.ValidString(s) {
			t.Fatalf("%q is %q", b, s)
		}
		ParseDate(b)
		var fs fieldSet
		fs.begin(true)
		fs.add(append([]byte("To:"), bytes.ReplaceAll(b, lfOctet, nil)...), true)
		fs.add(append([]byte("Content-Disposition: x"), bytes.ReplaceAll(b, lfOctet, nil)...), true)
		checkList(t, fs.appendEnvelope(nil, maxKept))
		checkList(t, fs.appendDisposition(nil))

		whole := fold(nil, b)
		if !utf8.Valid(whole) || !bytes.Equal(whole, fold(nil, whole)) {
			t.Fatalf("%q is folded to %q, and that to %q", b, whole, fold(nil, whole))
		}
		for _, e := range []cte{cteBase64, cteQuotedPrintable} {
			one, many := transferDecoder{encoding: e}, transferDecoder{encoding: e}
			var folder folder
			var inPieces, folded []byte
			for rest := b; len(rest) > 0; {
				n := min(int(size%100)+1, len(rest))
				inPieces = many.append(inPieces, rest[:n])
				folded = folder.append(folded, rest[:n])
				rest = rest[n:]
			}
			if folded = folder.finish(folded); !bytes.Equal(folded, whole) {
				t.Fatalf("%q is folded to %q, in pieces to %q", b, whole, folded)
			}
			inPieces, at := many.finish(inPieces), one.append(nil, b)
			if at = one.finish(at); !bytes.Equal(at, inPieces) {
				t.Fatalf("%q is decoded to %q, in pieces to %q", b, at, inPieces)
			}
		}
		NewMatcher(string(b)).needle.in(b)
	})
}
