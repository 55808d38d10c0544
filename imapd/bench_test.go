package imapd

import (
	"fmt"
	"strings"
	"testing"
)

// benchMessages is a large folder.
const benchMessages = 100_000

func benchSession(b *testing.B) *session {
	b.Helper()
	s := newSession(b, numbered(benchMessages, func(i int) string {
		if i%3 == 0 {
			return ""
		}
		return "S"
	}))
	b.ResetTimer()
	return s
}

// benchCommand runs a command; an operation is one message of the folder.
func benchCommand(b *testing.B, s *session, command string) {
	b.Helper()
	b.ReportAllocs()
	for b.Loop() {
		s.do(command)
	}
	b.SetBytes(int64(s.sent.Len()))
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchMessages, "ns/message")
}

// BenchmarkFetchFlags is what Thunderbird does at every start.
func BenchmarkFetchFlags(b *testing.B) {
	benchCommand(b, benchSession(b), "a UID fetch 1:* (FLAGS)\r\n")
}

// BenchmarkFetchList is what clients list a folder with.
func BenchmarkFetchList(b *testing.B) {
	benchCommand(b, benchSession(b), "a FETCH 1:* (UID RFC822.SIZE FLAGS INTERNALDATE ENVELOPE BODY.PEEK[HEADER.FIELDS (From To Cc Subject Date Message-ID References)])\r\n")
}

func BenchmarkSearchFlags(b *testing.B) {
	benchCommand(b, benchSession(b), "a UID SEARCH UNSEEN UNDELETED\r\n")
}

// BenchmarkSortSubject is SORT when what counts of the headers is in memory: but for the first time.
func BenchmarkSortSubject(b *testing.B) {
	benchCommand(b, benchSession(b), "a SORT (SUBJECT) UTF-8 ALL\r\n")
}

func BenchmarkHeaderFields(b *testing.B) {
	benchCommand(b, benchSession(b), "a FETCH 1:* BODY.PEEK[HEADER.FIELDS (Subject From Date)]\r\n")
}

// BenchmarkStore changes the flags of 1,000 messages, twice.
func BenchmarkStore(b *testing.B) {
	benchCommand(b, benchSession(b), "a STORE 1:1000 +FLAGS.SILENT (\\Flagged)\r\na STORE 1:1000 -FLAGS.SILENT (\\Flagged)\r\n")
}

// BenchmarkQResync is a client that comes back after few changes.
func BenchmarkQResync(b *testing.B) {
	s := benchSession(b)
	s.do("a ENABLE QRESYNC\r\n")
	since := s.view.HighestModSeq()
	s.do("a STORE 5,50000 +FLAGS.SILENT (\\Deleted)\r\na UID EXPUNGE 5\r\n")
	benchCommand(b, s, fmt.Sprintf("a SELECT INBOX (QRESYNC (%d %d))\r\n", s.view.UIDValidity(), since))
}

// BenchmarkFetchEmailID is FETCH 1:* (EMAILID) over 20,000 messages of 2 KB: when nobody has asked before, again, and from the
// index after a restart.
func BenchmarkFetchEmailID(b *testing.B) {
	const many = 20_000
	messages := numbered(many, func(int) string { return "S" })
	for name := range messages {
		messages[name] += strings.Repeat("Some words, as many as a line has in most messages.\n", 40)
	}
	fetch := func(s *session) {
		if got := strings.Count(s.do("a FETCH 1:* (EMAILID)\r\n"), "(EMAILID (M"); got != many {
			b.Fatalf("%d messages", got)
		}
	}
	report := func(b *testing.B) {
		b.ReportAllocs()
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/many, "ns/message")
	}
	b.Run("first", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			s := newSession(b, messages)
			b.StartTimer()
			fetch(s)
		}
		report(b)
	})
	root := makeMaildir(b, messages)
	b.Run("again", func(b *testing.B) {
		s := openSession(b, root)
		fetch(s)
		for b.Loop() {
			fetch(s)
		}
		report(b)
	})
	b.Run("restart", func(b *testing.B) {
		s := openSession(b, root)
		for b.Loop() {
			fetch(s)
		}
		report(b)
	})
}
