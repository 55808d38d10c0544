package e2e

import (
	"path/filepath"
	"strings"
	"testing"
)

// curl reads, searches, appends and runs commands of its caller's choice.
func TestCurl(t *testing.T) {
	t.Parallel()
	path := program(t, "curl", "curl")
	g := newGateway(t, []string{"bob@example.org"}, "")
	home := workDir(t)
	const parts = `From: Ada <ada@example.org>
Subject: two parts
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="b"

--b
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: quoted-printable

Gr=C3=BC=C3=9Fe
--b
Content-Type: application/octet-stream
Content-Transfer-Encoding: base64

AAEC/w==
--b--
`
	// curl appends a file's line ends as they are; they come back as CRLF.
	writeFile(t, filepath.Join(home, "parts.eml"), parts)
	writeFile(t, filepath.Join(home, "plain.eml"), crlf(mail("plain", "hello")))
	multipart := crlf(parts)
	first := multipart[strings.Index(multipart, "Gr=C3"):strings.Index(multipart, "\r\n--b\r\nContent-Type: app")]

	for _, step := range []struct {
		name string
		args []string // PATH is the server's URL
		want string   // output; "..." is anything
	}{
		{"list", []string{"PATH/"}, "* LIST (\\HasNoChildren) \".\" INBOX\r\n"},
		{"append", []string{"-T", "parts.eml", "PATH/INBOX"}, ""},
		{"append another", []string{"-T", "plain.eml", "PATH/INBOX"}, ""},
		{"message", []string{"PATH/INBOX;UID=1"}, multipart},
		{"by number", []string{"PATH/INBOX;MAILINDEX=2"}, crlf(mail("plain", "hello"))},
		{"section", []string{"PATH/INBOX;UID=1;SECTION=1"}, first},
		{"section MIME", []string{"PATH/INBOX;UID=1;SECTION=2.MIME"}, "Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n"},
		{"header fields", []string{"PATH/INBOX;UID=1;SECTION=HEADER.FIELDS%20(SUBJECT)"}, "Subject: two parts\r\n\r\n"},
		{"partial", []string{"PATH/INBOX;UID=1;SECTION=1;PARTIAL=0.5"}, first[:5]},
		{"search", []string{"PATH/INBOX?SUBJECT%20plain"}, "* SEARCH 2\r\n"},
		{"search decoded", []string{"PATH/INBOX?CHARSET%20UTF-8%20TEXT%20%22gr%C3%BC%C3%9Fe%22"}, "* SEARCH 1\r\n"},
		{"search nothing", []string{"PATH/INBOX?FROM%20eve"}, "* SEARCH\r\n"},
		{"create", []string{"-X", "CREATE Work.Sub", "PATH/"}, ""},
		{"store", []string{"-X", `STORE 2 +FLAGS.SILENT (\Flagged $Todo)`, "PATH/INBOX"}, ""},
		{"fetch", []string{"-X", "UID FETCH 2 (FLAGS)", "PATH/INBOX"}, "* 2 FETCH (UID 2 FLAGS (\\Flagged \\Seen $Todo))\r\n"},
		{"move", []string{"-X", "UID MOVE 2 Work.Sub", "PATH/INBOX"}, "* OK [COPYUID ... 2 1] ...\r\n* 2 EXPUNGE\r\n..."},
		{"moved", []string{"PATH/Work.Sub;UID=1"}, crlf(mail("plain", "hello"))},
		{"status", []string{"-X", "STATUS Work.Sub (MESSAGES UNSEEN)", "PATH/"}, "* STATUS Work.Sub (MESSAGES 1 UNSEEN 0)\r\n"},
	} {
		args := append([]string{"-sS", "--user", "bob@example.org:" + password}, step.args...)
		last := len(args) - 1
		args[last] = strings.Replace(args[last], "PATH", "imap://"+g.Addr, 1)
		got, err := try(t, home, path, args...)
		if err != nil || !likePattern(got, step.want) {
			t.Errorf("%s: curl %q: %v\ngot  %q\nwant %q", step.name, step.args, err, got, step.want)
		}
	}

	// What is not there is curl's error, not an empty message.
	for _, url := range []string{"/INBOX;UID=77", "/Nowhere;UID=1"} {
		if out, err := try(t, home, path, "-sS", "--user", "bob@example.org:"+password, "imap://"+g.Addr+url); err == nil {
			t.Errorf("%s: no error and %q", url, out)
		}
	}
	if out, err := try(t, home, path, "-sS", "--user", "bob@example.org:wrong", "imap://"+g.Addr+"/"); err == nil || !strings.Contains(out, "Login denied") {
		t.Errorf("a wrong password: %v, %q", err, out)
	}
}

// likePattern compares with a pattern in which "..." is anything.
func likePattern(text, pattern string) bool {
	parts := strings.Split(pattern, "...")
	text, ok := strings.CutPrefix(text, parts[0])
	if len(parts) == 1 {
		return ok && text == ""
	}
	for _, part := range parts[1 : len(parts)-1] {
		_, after, found := strings.Cut(text, part)
		text, ok = after, ok && found
	}
	return ok && strings.HasSuffix(text, parts[len(parts)-1])
}
