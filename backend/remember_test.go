package backend

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"maildir-imapd/index"
	"maildir-imapd/message"
	"maildir-imapd/watcher"
)

// oddMessages have headers and structures of all kinds.
var oddMessages = []string{
	"",
	"\n",
	"\r\n\r\n",
	"no header\n",
	"Subject: no body",
	"Subject: no body\n",
	"Subject: x\n\n",
	"Subject: crlf\r\nFrom: a@example.org\r\n\r\nbody\r\n",
	"From x Mon Jan  1 00:00:00 2026\nSubject: mbox\n folded\n\tagain\n\nbody\n",
	" starts folded\nSubject: s\nX-Other: y\n its continuation\nTo: b@example.org\n\nbody\n",
	"SUBJECT: one\nsubject : two\nSubject\t: three\nX-Priority: 1\nList-Id: <l>\nReceived: from\n\tmx\n\nbody\n",
	"From: =?utf-8?q?J=C3=B6rg?= <j@example.org>\nTo: undisclosed:;\nCc: <a@b>, \"C, D\" <c@d>\nDate: Tue, 2 Jun 2026 10:00:00 +0200\nMessage-ID: <1@x>\n\n.\n",
	"Subject: nul\x00 and 8bit \xe4\nContent-Type: text/plain; charset=iso-8859-1\n\nnul \x00\n",
	"Subject: parts\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/html\n\n<p>\n--b\n" +
		"Content-Type: message/rfc822\n\nSubject: inner\nFrom: i@example.org\n\ninner\n--b--\n",
	"Subject: long\nX-Long: " + strings.Repeat("x", 100_000) + "\nFrom: l@example.org\n\nlarge\n" + strings.Repeat("line\n", 30_000),
	"Subject: too much to remember " + strings.Repeat("y ", 50_000) + "\nFrom: l@example.org\n\nx\n",
	"Subject: no end " + strings.Repeat("z", 2<<20),
}

// fields that clients ask for, in one FETCH each.
var askedFields = [][]string{
	{"Subject"}, {"SUBJECT", "from", "X-Priority"}, {"To", "Cc", "Message-ID", "References"}, {"Content-Type", "List-Id"}, {"Bcc"},
}

// answers is what a client can be told of all messages of a view without their bodies.
func (w *world) answers(v *View) (out []string) {
	w.t.Helper()
	for seq := uint32(1); seq <= v.Len(); seq++ {
		var b bytes.Buffer
		size, err := v.Size(seq)
		w.must(err)
		date, err := v.InternalDate(seq)
		w.must(err)
		fmt.Fprintln(&b, size, date.UnixNano())
		file := func() *File {
			f, err := v.Open(seq)
			w.must(err)
			return f
		}
		envelope, ok := v.Envelope(nil, seq)
		if !ok {
			f := file()
			envelope, err = f.AppendEnvelope(nil)
			w.must(err)
			w.must(f.Close())
		}
		fmt.Fprintf(&b, "%s\n", envelope)
		for _, extended := range []bool{true, false} {
			structure, ok := v.BodyStructure(nil, seq, extended)
			if !ok {
				f := file()
				structure, err = f.AppendBodyStructure(nil, extended, false)
				w.must(err)
				w.must(f.Close())
			}
			fmt.Fprintf(&b, "%s\n", structure)
		}
		for _, names := range askedFields {
			content, ok := v.HeaderFields(seq, names)
			var f *File
			if !ok {
				f = file()
				h, err := f.Header()
				w.must(err)
				content, err = h.Fields(names, false)
				w.must(err)
			}
			w.must(content.WriteRange(&b, 0, content.Len()))
			if f != nil {
				w.must(f.Close())
			}
		}
		out = append(out, b.String())
	}
	return out
}

// run starts a server, and ends it after f: what is to be remembered is on disk then.
func (w *world) run(l Location, f func(*User)) {
	w.t.Helper()
	l.Root = w.root
	log := slog.New(slog.NewTextHandler(w.t.Output(), nil))
	watch := watcher.New(watcher.Options{Log: log})
	b := New(Options{Log: log, Watcher: watch})
	a, err := b.Open(w.t.Context(), "alice", l, false)
	w.must(err)
	f(a)
	w.must(a.Close())
	w.must(b.Close())
	w.must(watch.Close())
}

// in runs f with a view of a mailbox, in a server of its own.
func (w *world) in(l Location, name string, f func(*View)) {
	w.t.Helper()
	w.run(l, func(a *User) {
		v, err := a.Select(w.t.Context(), name, false)
		w.must(err)
		f(v)
		v.Close()
	})
}

// blank overwrites all messages of a folder in cur/ without that their sizes and times tell: who
// reads them finds it out.
func (w *world) blank(folder string) {
	w.t.Helper()
	for _, name := range w.files(filepath.Join(folder, "cur")) {
		path := filepath.Join(w.root, folder, "cur", name)
		fi, err := os.Stat(path)
		w.must(err)
		w.must(os.WriteFile(path, bytes.Repeat([]byte("-"), int(fi.Size())), 0o600))
		w.must(os.Chtimes(path, fi.ModTime(), fi.ModTime()))
	}
}

func TestRemembered(t *testing.T) {
	w := newWorld(t)
	for i, text := range oddMessages {
		w.deliver(".", "", text)
		at := time.Date(2026, 6, 10, 11, 12, i, 1000*i, time.UTC)
		w.must(os.Chtimes(filepath.Join(w.root, "new", w.files("new")[len(w.files("new"))-1]), at, at))
	}
	var read, again, remembered []string
	w.in(Location{Index: "MEMORY"}, "INBOX", func(v *View) { read = w.answers(v) })
	if w.exists(indexName) {
		t.Error("INDEX=MEMORY makes a file")
	}
	w.in(Location{}, "INBOX", func(v *View) { again = w.answers(v) })
	w.in(Location{}, "INBOX", func(v *View) { remembered = w.answers(v) })
	for i := range oddMessages {
		if again[i] != read[i] || remembered[i] != read[i] {
			t.Errorf("message %d\n  read %.300q\n again %.300q\nfrom index %.300q", i+1, read[i], again[i], remembered[i])
		}
	}

	// Now without the messages.
	w.blank(".")
	w.in(Location{}, "INBOX", func(v *View) {
		for seq := uint32(1); seq <= v.Len(); seq++ {
			_, head := v.Envelope(nil, seq)
			_, fields := v.HeaderFields(seq, []string{"subject"})
			_, body := v.BodyStructure(nil, seq, true)
			_, size := v.KnownSize(seq)
			large := len(oddMessages[seq-1]) > 64<<10 && !strings.HasPrefix(oddMessages[seq-1], "Subject: long")
			if !body || !size || head == large || fields == large {
				t.Errorf("message %d: envelope %v, fields %v, structure %v, size %v", seq, head, fields, body, size)
			}
		}
	})
	for i, x := range w.remembered() {
		if x != read[i] && len(oddMessages[i]) < 64<<10 {
			t.Errorf("message %d is read\n got %.300q\nwant %.300q", i+1, x, read[i])
		}
	}
	w.must(os.Remove(filepath.Join(w.root, indexName)))
	for i, x := range w.remembered() {
		if x == read[i] && len(oddMessages[i]) > 10 {
			t.Errorf("message %d is not read, though the index was removed", i+1)
		}
	}
}

func (w *world) remembered() (out []string) {
	w.in(Location{}, "INBOX", func(v *View) { out = w.answers(v) })
	return out
}

// SEARCH in the header asks the index, where that can know.
func TestSearchRemembered(t *testing.T) {
	w, _ := searchWorld(t)
	keys := []Key{
		head("From", "ALICE"), head("subject", "GRÜ"), head("X-Empty", ""), not(head("Subject", "two")),
		{Op: KeySentOn, Date: date(2026, 6, 1)}, {Op: KeySentSince, Date: date(2026, 6, 2)}, {Op: KeyLarger, N: 1000}, {Op: KeyBefore, Date: date(2026, 6, 12)},
		and(head("Subject", "o"), head("X-Empty", "")),
	}
	var want [][]uint32
	search := func() (found [][]uint32) {
		w.in(Location{}, "INBOX", func(v *View) {
			for _, k := range keys {
				got, err := v.Search(t.Context(), &k)
				w.must(err)
				found = append(found, got)
			}
		})
		return found
	}
	want = search()
	w.blank(".")
	for i, got := range search() {
		if i == 2 || i == len(keys)-1 { // X-Empty is not in the index
			if len(got) > 0 {
				t.Errorf("key %d: got %v of a field that nobody remembers", i, got)
			}
		} else if !slices.Equal(got, want[i]) {
			t.Errorf("key %d: got %v, want %v", i, got, want[i])
		}
	}
}

// A message whose file has another size or time than it had is read again.
func TestChangedFile(t *testing.T) {
	w := newWorld(t)
	for range 3 {
		w.deliver(".", "", "Subject: before\n\n"+strings.Repeat("text\n", 10))
	}
	w.in(Location{}, "INBOX", func(v *View) { w.answers(v) })
	path := filepath.Join(w.root, "cur", w.files("cur")[1])
	w.must(os.WriteFile(path, []byte("Subject: after\n\nlonger than that\n"), 0o600))
	subject := func(v *View, seq uint32) string {
		f, err := v.Open(seq)
		w.must(err)
		w.must(f.Close())
		if b, ok := v.Envelope(nil, seq); ok {
			return string(b)
		}
		return "read again"
	}
	w.in(Location{}, "INBOX", func(v *View) {
		if got := subject(v, 1); !strings.Contains(got, "before") {
			t.Errorf("message 1: %s", got)
		}
		if got := subject(v, 2); got != "read again" {
			t.Errorf("message 2: %s", got)
		}
	})
	w.in(Location{}, "INBOX", func(v *View) {
		if _, ok := v.BodyStructure(nil, 2, true); ok {
			t.Error("what is outdated has come back")
		}
		for i, x := range w.answers(v) {
			if want := []string{"before", "after", "before"}[i]; !strings.Contains(x, want) {
				t.Errorf("message %d: %s", i+1, x)
			}
		}
	})
}

// A record of another file is none of this message's.
func TestForeignRecord(t *testing.T) {
	w := newWorld(t)
	w.deliver(".", "", "Subject: s\n\n")
	w.in(Location{}, "INBOX", func(v *View) {
		v.mb.index.Put(index.Head, 1, &index.Record{Base: index.BaseHash("another"), Second: []byte("Subject: another's\n\n")})
	})
	w.in(Location{}, "INBOX", func(v *View) {
		if b, ok := v.Envelope(nil, 1); ok {
			t.Errorf("got %s", b)
		}
		if got := w.answers(v)[0]; !strings.Contains(got, `"s"`) {
			t.Errorf("got %s", got)
		}
	})
	w.in(Location{}, "INBOX", func(v *View) {
		if _, ok := v.Envelope(nil, 1); !ok {
			t.Error("it stays in the way of the right one")
		}
	})
}

// The index goes with its folder; the one of INDEX= stays where it is and belongs to it all the same.
func TestIndexOfRenamedAndDeleted(t *testing.T) {
	for _, dir := range []string{"", "index"} {
		t.Run(dir, func(t *testing.T) {
			w := newWorld(t, ".old")
			l := Location{}
			if dir != "" {
				l.Index = filepath.Join(t.TempDir(), dir)
			}
			w.deliver(".old", "", "Subject: s\n\n")
			w.in(l, "old", func(v *View) { w.answers(v) })
			w.run(l, func(a *User) {
				v, err := a.Select(t.Context(), "old", false)
				w.must(err)
				if _, ok := v.Envelope(nil, 1); !ok {
					t.Error("not known")
				}
				w.must(a.Rename(t.Context(), "old", "new"))
				renamed, err := a.Select(t.Context(), "new", false)
				w.must(err)
				if _, ok := renamed.Envelope(nil, 1); !ok {
					t.Error("not known after RENAME")
				}
				w.deliver(".new", "", "Subject: t\n\n")
				w.must(renamed.Poll(t.Context()))
				renamed.Sync(true)
				w.answers(renamed)
				v.Close()
				renamed.Close()
			})
			w.in(l, "new", func(v *View) {
				if _, ok := v.Envelope(nil, 2); !ok {
					t.Error("after RENAME, nothing is remembered")
				}
			})
			if w.exists(".new/"+indexName) == (dir != "") || w.exists(indexName) {
				t.Errorf("INDEX=%s: it lies elsewhere", dir)
			}
			w.run(l, func(a *User) {
				v, err := a.Select(t.Context(), "new", false)
				w.must(err)
				v.Close()
				w.must(a.Delete(t.Context(), "new"))
			})
			if dir == "" {
				return
			}
			if list, err := os.ReadDir(l.Index); err != nil || len(list) != 0 {
				t.Errorf("left in INDEX=: %v, %v", list, err)
			}
			old := filepath.Join(l.Index, indexName+".0123")
			w.must(os.WriteFile(old, nil, 0o600))
			w.must(os.WriteFile(old+"x", nil, 0o600))
			past := time.Now().Add(-indexUnused - time.Hour)
			w.must(os.Chtimes(old, past, past))
			w.run(l, func(*User) {})
			if list, err := os.ReadDir(l.Index); err != nil || len(list) != 1 {
				t.Errorf("left in INDEX= after a long time: %v, %v", list, err)
			}
		})
	}
}

// A view holds nothing of it between commands.
func TestRecallEnds(t *testing.T) {
	w := newWorld(t)
	for range 10 {
		w.deliver(".", "", "Subject: s\n\n")
	}
	w.in(Location{}, "INBOX", func(v *View) { w.answers(v) })
	w.in(Location{}, "INBOX", func(v *View) {
		w.answers(v)
		if v.recalled == nil {
			t.Error("nothing was asked for")
		}
		v.Sync(false)
		if v.recalled != nil {
			t.Error("the view keeps what it has read")
		}
	})
}

// What the index remembers of a header answers for its fields as the header does.
func FuzzIndexedFields(f *testing.F) {
	for _, text := range oddMessages[:13] {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		h, err := message.ReadHeader(bytes.NewReader(text), int64(len(text)))
		if err != nil {
			t.Fatal(err)
		}
		raw, ok := h.AppendFields(nil, indexedFields)
		if !ok {
			return
		}
		known := message.HeaderOf(raw)
		for i, names := range append(askedFields, index.Fields) {
			var got, want bytes.Buffer
			for _, x := range []struct {
				h   *message.HeaderBlock
				out *bytes.Buffer
			}{{h, &want}, {&known, &got}} {
				c, err := x.h.Fields(names, false)
				if err != nil {
					t.Fatal(err)
				}
				if err := c.WriteRange(x.out, 0, c.Len()); err != nil {
					t.Fatal(err)
				}
				for _, name := range names {
					for v := range x.h.Values(name) {
						fmt.Fprintf(x.out, "%s=%q", name, v)
					}
				}
			}
			if got.String() != want.String() {
				t.Errorf("fields %d: got %q, want %q", i, &got, &want)
			}
		}
		if got, want := known.AppendEnvelope(nil), h.AppendEnvelope(nil); !bytes.Equal(got, want) {
			t.Errorf("got %s, want %s", got, want)
		}
		if got, want := known.AppendThreadRoot(nil), h.AppendThreadRoot(nil); !bytes.Equal(got, want) {
			t.Errorf("thread root: got %s, want %s", got, want)
		}
	})
}
