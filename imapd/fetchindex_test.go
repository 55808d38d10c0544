package imapd

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestFetchRemembered: a second server answers from the index what the first has read, and reads
// what the index can't know.
func TestFetchRemembered(t *testing.T) {
	known := []string{
		"RFC822.SIZE", "INTERNALDATE", "ENVELOPE", "BODY", "BODYSTRUCTURE", "FULL",
		"BODY.PEEK[HEADER.FIELDS (subject From)]", "BODY.PEEK[HEADER.FIELDS (Subject)]<3.8>", "BODY.PEEK[HEADER.FIELDS (Bcc)]",
		"(BODY ENVELOPE RFC822.SIZE BODY.PEEK[HEADER.FIELDS (Content-Type)])",
	}
	unknown := []string{
		"BODY.PEEK[HEADER.FIELDS (X-Other Subject)]", "BODY.PEEK[HEADER.FIELDS.NOT (Subject)]", "BODY.PEEK[HEADER]",
		"(ENVELOPE BODY.PEEK[TEXT] BODYSTRUCTURE)", "(BODY.PEEK[] BODY.PEEK[HEADER.FIELDS (Subject)] RFC822.SIZE)",
		"BODY.PEEK[2.HEADER.FIELDS (Subject)]", "BODY.PEEK[2.MIME]", "BINARY.SIZE[1]",
	}
	root := makeMaildir(t, map[string]string{
		"1700000001.M1P1.host:2,S": "Subject: one\nX-Other: other\n folded\nFrom: a@example.org\n\nbody\n",
		"1700000002.M2P1.host:2,S": enclosed,
		"1700000003.M3P1.host:2,S": "Subject: three\r\nX-Other: x\r\n\r\n",
	})
	// ask asks a server of its own, which writes the index when it ends.
	ask := func(name string, items []string) (answers []string) {
		t.Run(name, func(t *testing.T) {
			s := openSession(t, root)
			for _, item := range items {
				got := s.do("a FETCH 1:* " + item + "\r\n")
				answers = append(answers, strings.ReplaceAll(got, ` \Recent`, ""))
			}
		})
		return answers
	}
	all := append(known, unknown...)
	want := ask("read", all)
	same := func(name string, items []string) {
		for i, got := range ask(name, items) {
			if got != want[i] || !strings.HasSuffix(got, "a OK Fetch completed\r\n") {
				t.Errorf("%s: %s\n got %q\nwant %q", name, items[i], got, want[i])
			}
		}
	}
	same("again", all)
	files, err := filepath.Glob(filepath.Join(root, "cur", "*"))
	if err != nil || len(files) != 3 {
		t.Fatal(files, err)
	}
	for _, file := range files { // what was in them must not be needed
		fi, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, bytes.Repeat([]byte("-"), int(fi.Size())), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(file, fi.ModTime(), fi.ModTime()); err != nil {
			t.Fatal(err)
		}
	}
	same("known", known)
}
