package imapd

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"maildir-imapd/backend"

	"github.com/emersion/go-imap/v2"
)

// searchSession has ten messages; 2, 4, ... are \Seen.
func searchSession(tb testing.TB) *session {
	return newSession(tb, numbered(10, func(i int) string {
		if i%2 == 0 {
			return "S"
		}
		return ""
	}))
}

func TestSearchKeys(t *testing.T) {
	date := time.Date(1994, 2, 1, 0, 0, 0, 0, time.UTC)
	not := func(k backend.Key) backend.Key { return backend.Key{Op: backend.KeyNot, Keys: []backend.Key{k}} }
	tree := func(op backend.KeyOp, keys ...backend.Key) backend.Key { return backend.Key{Op: op, Keys: keys} }
	flag := func(f imap.Flag) backend.Key { return backend.Key{Op: backend.KeyFlag, Flag: f} }
	header := func(field, text string) backend.Key {
		return backend.Key{Op: backend.KeyHeader, Field: field, Text: text}
	}
	seqs := func(ranges ...imap.SeqRange) backend.Key {
		return backend.Key{Op: backend.KeySeq, Seq: append(imap.SeqSet{}, ranges...)}
	}
	all := backend.Key{Op: backend.KeyAll}
	recent := backend.Key{Op: backend.KeyRecent}
	seen, flagged := flag(imap.FlagSeen), flag(imap.FlagFlagged)

	tests := []struct {
		keys string
		want backend.Key
	}{
		{"ALL", all},
		{"all", all},
		{"(ALL)", all},
		{"SEEN FLAGGED", tree(backend.KeyAnd, seen, flagged)},
		{"UNSEEN", not(seen)},
		{"NEW", tree(backend.KeyAnd, recent, not(seen))},
		{"OLD", not(recent)},
		{"NOT NOT RECENT", not(not(recent))},
		{"OR SEEN FLAGGED", tree(backend.KeyOr, seen, flagged)},
		{"OR SEEN OR ALL OR RECENT FLAGGED", tree(backend.KeyOr, seen, all, recent, flagged)},
		{"OR OR SEEN ALL (RECENT FLAGGED) ALL", tree(backend.KeyAnd, tree(backend.KeyOr, tree(backend.KeyOr, seen, all), tree(backend.KeyAnd, recent, flagged)), all)},
		{"KEYWORD $Junk", flag("$Junk")},
		{"UNKEYWORD x", not(flag("x"))},
		{`FROM "a b"`, header("From", "a b")},
		{"SUBJECT {3+}\r\nabc", header("Subject", "abc")},
		{`HEADER X-Spam ""`, header("X-Spam", "")},
		{"BODY x TEXT y", tree(backend.KeyAnd, backend.Key{Op: backend.KeyBody, Text: "x"}, backend.Key{Op: backend.KeyText, Text: "y"})},
		{"CHARSET UTF-8 BODY {2+}\r\n\xc3\xbc", backend.Key{Op: backend.KeyBody, Text: "ü"}},
		{`CHARSET "iso-8859-1" BODY {1+}` + "\r\n\xfc", backend.Key{Op: backend.KeyBody, Text: "ü"}},
		{"BODY \"\xc3\xbc\"", backend.Key{Op: backend.KeyBody, Text: "ü"}},
		{"ON 1-Feb-1994", backend.Key{Op: backend.KeyOn, Date: date}},
		{`SENTBEFORE "01-feb-1994"`, backend.Key{Op: backend.KeySentBefore, Date: date}},
		{"LARGER 4294967296", backend.Key{Op: backend.KeyLarger, N: 1 << 32}},
		{"YOUNGER 3600", backend.Key{Op: backend.KeyYounger, N: 3600}},
		{"older 4294967295", backend.Key{Op: backend.KeyOlder, N: 1<<32 - 1}},
		{"SMALLER 0", backend.Key{Op: backend.KeySmaller}},
		{"UID 3:*", backend.Key{Op: backend.KeyUID, UIDs: imap.UIDSet{{Start: 3, Stop: 0}}}},
		{"2:4,7", seqs(imap.SeqRange{Start: 2, Stop: 4}, imap.SeqRange{Start: 7, Stop: 7})},
		{"*", seqs(imap.SeqRange{Start: 10, Stop: 10})},
		{"9:*", seqs(imap.SeqRange{Start: 9, Stop: 10})},
		{"1:4294967295", seqs(imap.SeqRange{Start: 1, Stop: 10})},
		{"11", seqs()},
		{"11:*", seqs()},
		{"$", backend.Key{Op: backend.KeyUID}},
	}
	s := searchSession(t)
	for _, test := range tests {
		d := s.args(test.keys)
		got := newSearch(s.conn, d, false)
		if d.End(); d.Err() != nil || got.err != nil || !reflect.DeepEqual(got.key, test.want) {
			t.Errorf("%s: %v, %v\n got %+v\nwant %+v", test.keys, d.Err(), got.err, got.key, test.want)
		}
	}
}

func TestSearchBad(t *testing.T) {
	s := searchSession(t)
	s.do("a SEARCH RETURN (SAVE) 2\r\n")
	for _, args := range []string{
		"", " ", " FROB", " ()", " (SEEN", " SEEN)", " SEEN  SEEN", " OR SEEN", " OR SEEN ", " OR SEEN OR SEEN", " NOT", " SUBJECT", " SUBJECT ", " HEADER x",
		" KEYWORD", ` KEYWORD \Seen`, " KEYWORD (a)", " LARGER -1", " LARGER x", " LARGER 9223372036854775808", " ON yesterday", " ON 32-Jan-2000", " 0", " 1:", " 1,$",
		" UID x", " CHARSET UTF-8", " RETURN (MIN)", " RETURN MIN ALL", " RETURN (FROB) ALL", " RETURN (MIN) RETURN (MAX) ALL", " CHARSET UTF-8 RETURN () ALL",
		" CHARSET US-ASCII TEXT \"\xfc\"", " CHARSET UTF-8 TEXT \"\xfc\"", " RETURN (SAVE) FROB", " RETURN (SAVE) CHARSET UTF-8 TEXT \"\xfc\"",
	} {
		if got := s.do("a SEARCH" + args + "\r\n"); !strings.HasPrefix(got, "a BAD ") {
			t.Errorf("SEARCH%.100s: %q", args, got)
		}
	}
	for _, args := range []string{
		" " + strings.Repeat("(", 5000) + "ALL" + strings.Repeat(")", 5000), " " + strings.Repeat("NOT ", 5000) + "ALL",
		" " + strings.Repeat("OR ALL ", 5000) + "ALL", " ALL" + strings.Repeat(" ALL", 5000), " " + strings.Repeat("OR ", 3000) + "ALL",
		" " + strings.Repeat("OR BODY x ", 100) + "TEXT y",
	} {
		if got := s.do("a SEARCH" + args + "\r\n"); !strings.HasPrefix(got, "a NO [LIMIT] ") {
			t.Errorf("SEARCH%.100s: %q", args, got)
		}
	}
	if got := s.do("a SEARCH $\r\n"); got != "* SEARCH 2\r\na OK Search completed\r\n" {
		t.Errorf("after them $ is %q", got)
	}
	s.do("a SEARCH RETURN (SAVE)" + strings.Repeat(" 1", 5000) + "\r\n")
	if got := s.do("a SEARCH $\r\n"); got != "* SEARCH\r\na OK Search completed\r\n" {
		t.Errorf("after NO to SAVE $ is %q", got)
	}
}

func TestSearchAnswers(t *testing.T) {
	s := searchSession(t)
	steps := []struct{ command, want string }{
		{"SEARCH SEEN", "* SEARCH 2 4 6 8 10\r\n"},
		{"SEARCH DRAFT", "* SEARCH\r\n"},
		{"SEARCH 9,99", "* SEARCH 9\r\n"},
		{"SEARCH SUBJECT 1", "* SEARCH 1 10\r\n"},
		{"STORE 1 +FLAGS.SILENT (\\Deleted)", ""},
		{"EXPUNGE", "* 1 EXPUNGE\r\n* 9 RECENT\r\n"},
		{"SEARCH SEEN", "* SEARCH 1 3 5 7 9\r\n"},
		{"UID SEARCH SEEN", "* SEARCH 2 4 6 8 10\r\n"},
		{"UID SEARCH RETURN (MIN MAX COUNT ALL) 1:5,7:9", "* ESEARCH (TAG \"a\") UID MIN 2 MAX 10 ALL 2:6,8:10 COUNT 8\r\n"},
		{"SEARCH RETURN () 1:5,7:9", "* ESEARCH (TAG \"a\") ALL 1:5,7:9\r\n"},
		{"SEARCH RETURN (MIN MAX ALL) DRAFT", "* ESEARCH (TAG \"a\")\r\n"},
		{"SEARCH RETURN (COUNT COUNT) DRAFT", "* ESEARCH (TAG \"a\") COUNT 0\r\n"},
	}
	for _, step := range steps {
		name, _, _ := strings.Cut(strings.TrimPrefix(step.command, "UID "), " ")
		want := step.want + "a OK " + completedText(name) + "\r\n"
		if got := s.do("a " + step.command + "\r\n"); got != want {
			t.Errorf("%s\n got %q\nwant %q", step.command, got, want)
		}
	}
}

// TestSearchSave: what "$" is after each (RFC 5182 §2.1, §2.4). The commands build on each other.
func TestSearchSave(t *testing.T) {
	s := searchSession(t)
	steps := []struct{ command, answer, saved string }{
		{"NOOP", "", ""}, // nothing saved yet
		{"SEARCH RETURN (SAVE) 2:4,6", "", "2 3 4 6"},
		{"SEARCH RETURN (COUNT) ALL", "* ESEARCH (TAG \"a\") COUNT 10\r\n", "2 3 4 6"},
		{"SEARCH RETURN (SAVE MIN) $", "* ESEARCH (TAG \"a\") MIN 2\r\n", "2"},
		{"SEARCH RETURN (SAVE MAX) 2:4", "* ESEARCH (TAG \"a\") MAX 4\r\n", "4"},
		{"UID SEARCH RETURN (MAX SAVE MIN) 2:4", "* ESEARCH (TAG \"a\") UID MIN 2 MAX 4\r\n", "2 4"},
		{"SEARCH RETURN (MAX SAVE MIN) 3", "* ESEARCH (TAG \"a\") MIN 3 MAX 3\r\n", "3"},
		{"SEARCH RETURN (MAX SAVE COUNT) 2:4", "* ESEARCH (TAG \"a\") MAX 4 COUNT 3\r\n", "2 3 4"},
		{"STORE 3 +FLAGS.SILENT (\\Deleted)", "", "2 3 4"},
		{"EXPUNGE", "* 3 EXPUNGE\r\n* 9 RECENT\r\n", "2 3"},
		{"SEARCH RETURN (SAVE MIN) DRAFT", "* ESEARCH (TAG \"a\")\r\n", ""},
		{"SEARCH RETURN (SAVE) ALL", "", "1 2 3 4 5 6 7 8 9"},
	}
	for _, step := range steps {
		got := s.do("a " + step.command + "\r\n")
		if answer, _, ok := strings.Cut(got, "a OK "); !ok || answer != step.answer {
			t.Errorf("%s: %q", step.command, got)
		}
		want := strings.TrimRight("* SEARCH "+step.saved, " ") + "\r\na OK Search completed\r\n"
		if got := s.do("a SEARCH $\r\n"); got != want {
			t.Errorf("after %s $ is %q", step.command, got)
		}
	}
	if got := s.do("a SEARCH RETURN (SAVE) CHARSET X-NONE TEXT x\r\n"); !strings.HasPrefix(got, "a NO [BADCHARSET (US-ASCII UTF-8)] ") {
		t.Errorf("got %q", got)
	}
	if got := s.do("a FETCH $ UID\r\nb UID FETCH $ FLAGS\r\n"); got != "a OK Fetch completed\r\nb OK Fetch completed\r\n" {
		t.Errorf("after NO: %q", got)
	}
	if got := s.do("a SEARCH RETURN (SAVE) ALL\r\nb SELECT INBOX\r\nc FETCH $ UID\r\n"); !strings.HasSuffix(got, "\r\nc OK Fetch completed\r\n") || strings.Contains(got, "FETCH (") {
		t.Errorf("after SELECT: %q", got)
	}
}

// TestSearchSaveCompact: a result of many messages is few ranges.
func TestSearchSaveCompact(t *testing.T) {
	s := searchSession(t)
	s.do("a STORE 5 +FLAGS.SILENT (\\Deleted)\r\na EXPUNGE\r\na SEARCH RETURN (SAVE) ALL\r\n")
	if len(s.saved) != 1 || s.saved[0] != (imap.UIDRange{Start: 1, Stop: 10}) {
		t.Errorf("saved %v", s.saved)
	}
}

func FuzzSearch(f *testing.F) {
	for _, seed := range []string{
		"ALL", "RETURN (MIN MAX) UNSEEN", "CHARSET UTF-8 OR (FROM x NOT TO \"y\") 1:3,$", "UID 4:* LARGER 5 ON 1-Feb-1994", "HEADER {1+}\r\na \"\"",
		"RETURN (SAVE) KEYWORD a OLD", "NOT NOT NOT (((ALL)))", "OR OR OR 1 2 3 4", "CHARSET koi8-r TEXT {1+}\r\n\xd0",
	} {
		f.Add(seed)
	}
	s := searchSession(f)
	s.do("a EXAMINE INBOX\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		d := s.args(text)
		run := parseSearch(true)(s.conn, d)
		if d.End(); d.Err() != nil {
			return
		}
		s.sent.Reset()
		s.progressAt = time.Now().Add(time.Hour) // else it is said to last since the command before
		err := run(s.ctx, s.conn)
		s.out.flush()
		switch got := s.sent.String(); {
		case err == nil && (got == "" || strings.HasPrefix(got, "* SEARCH") || strings.HasPrefix(got, "* ESEARCH (TAG ")):
		case got == "" && isTold(err):
		default:
			t.Fatalf("%q: %v, %q", text, err, got)
		}
	})
}
