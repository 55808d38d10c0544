package imapd

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const enclosed = `From: a@example.org
Subject: outer
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=b

--b
Content-Transfer-Encoding: base64

AGFi
--b
Content-Type: message/rfc822

Subject: inner

text
--b
Content-Transfer-Encoding: x-odd

?
--b--
`

func fetchSession(tb testing.TB) *session {
	return newSession(tb, map[string]string{
		"1700000001.M1P1.host:2,S": "Subject: one\n\nbody\n",
		"1700000002.M2P1.host:2,":  enclosed,
		"1700000003.M3P1.host:2,F": "Subject: three\n\n",
	})
}

func TestFetchItems(t *testing.T) {
	tests := []struct{ items, want string }{
		{"FLAGS", `FLAGS (\Seen \Recent)`},
		{"flags", `FLAGS (\Seen \Recent)`},
		{"(UID FLAGS)", `UID 1 FLAGS (\Seen \Recent)`},
		{"(FLAGS FLAGS flags)", `FLAGS (\Seen \Recent)`},
		{"RFC822.SIZE", "RFC822.SIZE 22"},
		{"ENVELOPE", `ENVELOPE (NIL "one" NIL NIL NIL NIL NIL NIL NIL NIL)`},
		{"(BODY.PEEK[HEADER.FIELDS (subject X-y)] ENVELOPE)", "BODY[HEADER.FIELDS (SUBJECT X-Y)] {16}\r\nSubject: one\r\n\r\n ENVELOPE (NIL \"one\" NIL NIL NIL NIL NIL NIL NIL NIL)"},
		{"BODY[header.fields.not (subject)]", "BODY[HEADER.FIELDS.NOT (SUBJECT)] {2}\r\n\r\n"},
		{`BODY[HEADER.FIELDS ("nil" {1+}` + "\r\n&)]", "BODY[HEADER.FIELDS (\"NIL\" &)] {2}\r\n\r\n"},
		{"BODY[HEADER]", "BODY[HEADER] {16}\r\nSubject: one\r\n\r\n"},
		{"RFC822.HEADER", "RFC822.HEADER {16}\r\nSubject: one\r\n\r\n"},
		{"RFC822", "RFC822 {22}\r\nSubject: one\r\n\r\nbody\r\n"},
		{"RFC822.TEXT", "RFC822.TEXT {6}\r\nbody\r\n"},
		{"BODY[TEXT]<1.2>", "BODY[TEXT]<1> {2}\r\nod"},
		{"BODY[TEXT]<0.4294967295>", "BODY[TEXT]<0> {6}\r\nbody\r\n"},
		{"BODY[TEXT]<9223372036854775807.9223372036854775807>", "BODY[TEXT]<9223372036854775807> {0}\r\n"},
		{"(BODY[]<0.1> BODY.PEEK[]<0.2> BODY[]<0.1>)", "BODY[]<0> {1}\r\nS BODY[]<0> {2}\r\nSu"},
		{"BODY[1]", "BODY[1] {6}\r\nbody\r\n"},
		{"BODY[1.1]", "BODY[1.1] NIL"},
		{"BODY[7.MIME]", "BODY[7.MIME] NIL"},
		{"BODY[1.HEADER.FIELDS (a)]", "BODY[1.HEADER.FIELDS (A)] NIL"},
		{"BINARY[1]<1.2>", "BINARY[1]<1> {2}\r\nod"},
		{"(BINARY[9] BINARY.SIZE[9] BINARY.SIZE[1])", "BINARY[9] NIL BINARY.SIZE[9] 0 BINARY.SIZE[1] 6"},
		{"BODY", `BODY ("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 6 1)`},
	}
	s := fetchSession(t)
	for _, test := range tests {
		want := "* 1 FETCH (" + test.want + ")\r\na OK Fetch completed\r\n"
		if got := s.do("a FETCH 1 " + test.items + "\r\n"); got != want {
			t.Errorf("%s\n got %q\nwant %q", test.items, got, want)
		}
	}
}

func TestFetchParts(t *testing.T) {
	tests := []struct{ items, want string }{
		{"(BINARY.PEEK[1] BINARY.SIZE[1])", "* 2 FETCH (BINARY[1] ~{3}\r\n\x00ab BINARY.SIZE[1] 3)\r\na OK Fetch completed\r\n"},
		{"BODY.PEEK[2.HEADER]", "* 2 FETCH (BODY[2.HEADER] {18}\r\nSubject: inner\r\n\r\n)\r\na OK Fetch completed\r\n"},
		{"BODY.PEEK[2.HEADER.FIELDS (Subject)]<0.7>", "* 2 FETCH (BODY[2.HEADER.FIELDS (SUBJECT)]<0> {7}\r\nSubject)\r\na OK Fetch completed\r\n"},
		// RFC 3516 §4.3: the request fails; what can be told is.
		{"(UID BINARY.PEEK[3] BODY.PEEK[3])", "* 2 FETCH (UID 2 BODY[3] {1}\r\n?)\r\na NO [UNKNOWN-CTE] Unknown Content-Transfer-Encoding\r\n"},
		{"BINARY.SIZE[3]", "a NO [UNKNOWN-CTE] Unknown Content-Transfer-Encoding\r\n"},
	}
	s := fetchSession(t)
	for _, test := range tests {
		if got := s.do("a FETCH 2 " + test.items + "\r\n"); got != test.want {
			t.Errorf("%s\n got %q\nwant %q", test.items, got, test.want)
		}
	}
}

func TestFetchBad(t *testing.T) {
	s := fetchSession(t)
	for _, args := range []string{
		"", " 1", " 1 ", " 1 ()", " 1 (FAST)", " 1 (FLAGS ALL)", " 1 ALL FLAGS", " 1 FROB", " 1 FLAGS UID", " 1 (FLAGS  UID)", " 1 (FLAGS",
		" 1 BODY[MIME]", " 1 BODY[0]", " 1 BODY[1.0]", " 1 BODY[", " 1 BODY[1.]", " 1 BODY[.1]", " 1 BODY[TEXT.1]", " 1 BODY.PEEK", " 1 BODY[2147483648]",
		" 1 BODY[HEADER.FIELDS]", " 1 BODY[HEADER.FIELDS ()]", " 1 BODY[HEADER.FIELDS (a:)]", " 1 BODY[HEADER.FIELDS (a b]",
		" 1 BODY[]<0>", " 1 BODY[]<0.0>", " 1 BODY[]<-1.1>", " 1 BODY[]<0.9223372036854775808>", " 1 RFC822.SIZE<0.1>", " 1 BODY<0.1>",
		" 1 BINARY", " 1 BINARY[HEADER]", " 1 BINARY.SIZE[1]<0.1>",
		" 1 FLAGS (CHANGEDSINCE 1 CHANGEDSINCE 0)", " 1 FLAGS (CHANGEDSINCE 0 CHANGEDSINCE 1)", " 1 FLAGS (CHANGEDSINCE 1 VANISHED)", " 1 FLAGS (OTHER 1)", " 1 FLAGS ()", " 0 FLAGS", " 4 FLAGS", " 4:* FLAGS", " x FLAGS", " 1,$ FLAGS",
	} {
		if got := s.do("a FETCH" + args + "\r\n"); !strings.HasPrefix(got, "a BAD ") {
			t.Errorf("FETCH%s: %q", args, got)
		}
	}
	if got := s.do("a UID FETCH 1 UID\r\n"); got != "* 1 FETCH (UID 1)\r\na OK Fetch completed\r\n" {
		t.Errorf("after them: %q", got)
	}
}

// TestFetchSeen: what is read becomes \Seen, which is told; what is looked at does not.
func TestFetchSeen(t *testing.T) {
	s := fetchSession(t)
	steps := []struct{ command, want string }{
		{"FETCH 1:3 (BODY.PEEK[TEXT]<0.1> RFC822.HEADER BINARY.SIZE[1])", ""},
		{"UID FETCH 1:3 (BODY[TEXT]<0.1>)", "* 1 FETCH (UID 1 BODY[TEXT]<0> {1}\r\nb)\r\n" +
			"* 2 FETCH (FLAGS (\\Seen \\Recent) UID 2 BODY[TEXT]<0> {1}\r\n-)\r\n" +
			"* 3 FETCH (FLAGS (\\Flagged \\Seen \\Recent) UID 3 BODY[TEXT]<0> {0}\r\n)\r\na OK Fetch completed\r\n"},
		{"UID FETCH 2 (BODY[TEXT]<0.1>)", "* 2 FETCH (UID 2 BODY[TEXT]<0> {1}\r\n-)\r\na OK Fetch completed\r\n"},
		{"STORE 3 -FLAGS.SILENT (\\Seen)", "a OK Store completed\r\n"},
		{"FETCH 3 (FLAGS BINARY[1])", "* 3 FETCH (FLAGS (\\Flagged \\Seen \\Recent) BINARY[1] {0}\r\n)\r\na OK Fetch completed\r\n"},
	}
	for _, step := range steps {
		if got := s.do("a " + step.command + "\r\n"); step.want != "" && got != step.want {
			t.Errorf("%s\n got %q\nwant %q", step.command, got, step.want)
		}
		if step.want == "" {
			if got := s.do("a FETCH 2 FLAGS\r\n"); strings.Contains(got, "Seen") {
				t.Errorf("%s set \\Seen: %q", step.command, got)
			}
		}
	}
}

// TestFetchReadOnly: EXAMINE changes nothing.
func TestFetchReadOnly(t *testing.T) {
	s := fetchSession(t)
	s.do("a EXAMINE INBOX\r\n")
	want := "* 2 FETCH (BODY[TEXT]<0> {1}\r\n-)\r\na OK Fetch completed\r\n"
	if got := s.do("a FETCH 2 BODY[TEXT]<0.1>\r\n"); got != want {
		t.Errorf("got %q", got)
	}
	if _, err := os.Stat(filepath.Join(s.root, "cur/1700000002.M2P1.host:2,")); err != nil {
		t.Error(err)
	}
}

// TestFetchGone: a message whose file has vanished does not disturb the others.
func TestFetchGone(t *testing.T) {
	s := fetchSession(t)
	if err := os.Remove(filepath.Join(s.root, "cur/1700000002.M2P1.host:2,")); err != nil {
		t.Fatal(err)
	}
	want := "* 1 FETCH (RFC822.SIZE 22 BODY[TEXT]<0> {1}\r\nb)\r\n* 2 FETCH (BODY[TEXT]<0> NIL)\r\n* 3 FETCH (RFC822.SIZE 18 BODY[TEXT]<0> {0}\r\n)\r\n" +
		"a OK [EXPUNGEISSUED] Some messages were already expunged\r\n"
	if got := s.do("a FETCH 1:3 (RFC822.SIZE BODY.PEEK[TEXT]<0.1>)\r\n"); got != want {
		t.Errorf("got %q\nwant %q", got, want)
	}
	want = "a OK [EXPUNGEISSUED] Some messages were already expunged\r\n"
	if got := s.do("a FETCH 2 ENVELOPE\r\n"); got != want {
		t.Errorf("got %q\nwant %q", got, want)
	}
	want = "* 2 FETCH (UID 2 BODY[TEXT] NIL)\r\n* 2 EXPUNGE\r\n* 2 RECENT\r\na OK [EXPUNGEISSUED] Some messages were already expunged\r\n"
	if got := s.do("a UID FETCH 2 BODY.PEEK[TEXT]\r\n"); got != want {
		t.Errorf("got %q\nwant %q", got, want)
	}
}

// TestFetchShorter: a file that shrinks while it is read ends the connection in the
// middle of the literal; nothing that follows may be taken for its octets.
func TestFetchShorter(t *testing.T) {
	s := fetchSession(t)
	f := &fetch{c: s.conn, seq: 1}
	if _, err := f.literal(s.out.begin(), shrinking{}, wholeContent); err == nil {
		t.Fatal("no error")
	}
	s.tagged("OK", "", "must not be sent")
	s.out.flush()
	if got := s.sent.String(); strings.Contains(got, "must not") {
		t.Errorf("sent %q", got)
	}
	if s.ctx.Err() == nil {
		t.Error("the connection goes on")
	}
}

// shrinking has promised 100 octets.
type shrinking struct{}

func (shrinking) Len() int64 { return 100 }

func (shrinking) WriteRange(w io.Writer, _, _ int64) error {
	io.WriteString(w, "some")
	return io.ErrUnexpectedEOF
}

func FuzzFetchAtts(f *testing.F) {
	for _, seed := range []string{
		"FULL", "(FLAGS UID)", "BODY.PEEK[1.2.HEADER.FIELDS.NOT (a \"b\")]<0.1>", "(BINARY[1]<2.3> BINARY.SIZE[] RFC822)", "BODY[1.MIME]",
		"(BODY[] BODY[TEXT]<9223372036854775807.1>)", "BODY[HEADER.FIELDS ({1+}\r\na)]", "ALL (CHANGEDSINCE 1)", "((", "BODY[1.1.1.1.1.1.1.1.1.1]",
	} {
		f.Add(seed)
	}
	s := fetchSession(f)
	s.do("a EXAMINE INBOX (CONDSTORE)\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		d := s.args("2 " + text)
		run := parseFetch(false)(s.conn, d)
		if d.End(); d.Err() != nil {
			return
		}
		s.sent.Reset()
		err := run(s.ctx, s.conn)
		s.out.flush()
		switch got := s.sent.String(); {
		case err == nil && strings.HasPrefix(got, "* 2 FETCH (") && strings.HasSuffix(got, ")\r\n"):
		case err == error(errUnknownCTE):
		default:
			t.Fatalf("%q: %v, %q", text, err, got)
		}
	})
}

// TestFetchEnds ends the connection while one message is answered: no further item is looked at.
func TestFetchEnds(t *testing.T) {
	s := newSession(t, numbered(1, func(int) string { return "" }))
	f := &fetch{c: s.conn}
	written := 0
	item := fetchItem{name: "X", write: func(_ *fetch, b []byte) ([]byte, error) {
		written++
		s.cancel()
		return append(b, "NIL"...), nil
	}}
	if err := f.message(1, []fetchItem{item, item, item}); err == nil || written != 1 {
		t.Errorf("%d items written, error %v", written, err)
	}
}
