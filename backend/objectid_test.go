package backend

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"maildir-imapd/uidmap"
)

// emailIDOf is the EMAILID of a message that is in its file as text, without CR before CRLF.
func emailIDOf(text string) string {
	sum := sha256.Sum256([]byte(strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\n", "\r\n")))
	return "M" + hex.EncodeToString(sum[:16])
}

// threadIDOf is the THREADID of the thread that begins with the message of this ID.
func threadIDOf(id string) string {
	sum := sha256.Sum256([]byte(id))
	return "T" + hex.EncodeToString(sum[:16])
}

// objectID asks for an EMAILID or THREADID as FETCH does. read tells that the message had to be opened.
func objectID(v *View, seq uint32, known func(*View, []byte, uint32) ([]byte, bool), ask func(*File, []byte) ([]byte, error)) (id string, read bool, err error) {
	b, ok := known(v, nil, seq)
	if ok {
		return string(b), false, nil
	}
	f, err := v.Open(seq)
	if err != nil {
		return "", true, err
	}
	b, err = ask(f, nil)
	return string(b), true, errors.Join(err, f.Close())
}

func (w *world) emailID(v *View, seq uint32) (id string, read bool) {
	w.t.Helper()
	id, read, err := objectID(v, seq, (*View).EmailID, (*File).AppendEmailID)
	w.must(err)
	return id, read
}

func (w *world) threadID(v *View, seq uint32) (id string, read bool) {
	w.t.Helper()
	id, read, err := objectID(v, seq, (*View).ThreadID, (*File).AppendThreadID)
	w.must(err)
	return id, read
}

// emailIDs asks for all of a mailbox, in a server of its own.
func (w *world) emailIDs(l Location, name string) (ids []string) {
	w.t.Helper()
	w.in(l, name, func(v *View) {
		for seq := range v.Len() {
			id, _ := w.emailID(v, seq+1)
			ids = append(ids, id)
		}
	})
	return ids
}

// In whatever way a message comes elsewhere, and whatever of our own files is lost: its EMAILID is that of its octets.
func TestEmailIDStays(t *testing.T) {
	l := Location{Separator: '.'}
	large := "Subject: large\n\n" + strings.Repeat("line\n", 30_000)
	texts := []string{"Subject: lf\n\nbody\n", "Subject: lf\r\n\r\nbody\r\n", "", "Subject: nul \x00\n\n\x00", "no header", large, strings.ReplaceAll(large, "\n", "\r\n")}
	w := newWorld(t, ".Work")
	var want []string
	for _, text := range texts {
		w.deliver(".", "", text)
		want = append(want, emailIDOf(text))
	}
	if want[0] != want[1] || want[5] != want[6] || want[0] == want[2] {
		t.Fatalf("got %v", want)
	}
	check := func(what, name string, want ...string) {
		t.Helper()
		if got := w.emailIDs(l, name); !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", what, got, want)
		}
	}
	check("read", "INBOX", want...)
	check("remembered", "INBOX", want...)
	w.in(l, "INBOX", func(v *View) {
		_, err := v.Copy(t.Context(), []uint32{1, 3, 7}, "Work")
		w.must(err)
		_, err = v.Move(t.Context(), []uint32{2, 4}, "Work")
		w.must(err)
	})
	check("COPY and MOVE", "Work", want[0], want[2], want[6], want[1], want[3])
	check("what stays", "INBOX", want[0], want[2], want[4], want[5], want[6])
	w.run(l, func(a *User) { w.must(a.Rename(t.Context(), "Work", "Play.ground")) })
	check("RENAME", "Play.ground", want[0], want[2], want[6], want[1], want[3])
	for _, name := range w.files(".Play.ground/cur") {
		w.rename(".Play.ground/cur/"+name, "cur/"+name)
	}
	want = []string{want[0], want[2], want[4], want[5], want[6], want[0], want[2], want[6], want[1], want[3]}
	check("moved by another program", "INBOX", want...)
	w.must(os.Remove(filepath.Join(w.root, indexName)))
	check("index lost", "INBOX", want...)
	w.must(os.Remove(filepath.Join(w.root, "dovecot-uidlist")))
	got := w.emailIDs(l, "INBOX")
	slices.Sort(got) // UIDs are in the order of file names now
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("uidlist lost: got %q, want %q", got, want)
	}
}

// A digest is made when somebody asks for it, and then never again.
func TestEmailIDRemembered(t *testing.T) {
	for name, l := range map[string]Location{"index": {}, "memory": {Index: "MEMORY"}} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			var want []string
			for i := range 300 { // more than the index reads at once
				text := fmt.Sprintf("Subject: %d\n\nbody\n", i)
				if i%100 == 99 {
					text += strings.Repeat("line\n", 20_000)
				}
				w.deliver(".", "", text)
				want = append(want, emailIDOf(text))
			}
			w.in(l, "INBOX", func(v *View) {
				w.answers(v)
				if _, ok := v.EmailID(nil, 1); ok {
					t.Error("messages are hashed though nobody has asked for that")
				}
				for round := range 2 {
					for seq := range v.Len() {
						if id, read := w.emailID(v, seq+1); id != want[seq] || read != (round == 0) {
							t.Fatalf("message %d, round %d: got %s (read: %v), want %s", seq+1, round, id, read, want[seq])
						}
					}
				}
			})
			w.in(l, "INBOX", func(v *View) {
				for seq := range v.Len() {
					if id, read := w.emailID(v, seq+1); id != want[seq] || read != (name == "memory") {
						t.Fatalf("message %d after a restart: got %s (read: %v), want %s", seq+1, id, read, want[seq])
					}
				}
			})
		})
	}
}

// A file that another program has changed is another email.
func TestEmailIDOfChangedFile(t *testing.T) {
	for _, restart := range []bool{false, true} {
		t.Run(fmt.Sprintf("restart=%v", restart), func(t *testing.T) {
			w := newWorld(t)
			w.deliver(".", "", "Subject: before\n\n")
			after := "Subject: after\n\nlonger than that\n"
			change := func() {
				w.must(os.WriteFile(filepath.Join(w.root, "cur", w.files("cur")[0]), []byte(after), 0o600))
			}
			check := func(v *View) {
				f, err := v.Open(1) // a client reads it: that is when we know
				w.must(err)
				w.must(f.Close())
				if id, read := w.emailID(v, 1); id != emailIDOf(after) || !read {
					t.Errorf("got %s (read: %v), want %s", id, read, emailIDOf(after))
				}
			}
			w.in(Location{}, "INBOX", func(v *View) {
				w.emailID(v, 1)
				if !restart {
					change()
					check(v)
				}
			})
			if restart {
				change()
				w.in(Location{}, "INBOX", check)
			}
			if got := w.emailIDs(Location{}, "INBOX"); got[0] != emailIDOf(after) {
				t.Errorf("after a restart: got %s", got[0])
			}
		})
	}
}

func TestThreadID(t *testing.T) {
	w := newWorld(t, ".Work")
	plain := "Subject: no ID\n\n"
	for _, x := range []struct{ text, want string }{
		{"Message-ID: <a@x>\n\nfirst\n", threadIDOf("a@x")},
		{"Message-ID: <b@x>\nIn-Reply-To: <a@x>\n\nreply\n", threadIDOf("a@x")},
		{"Message-ID: <c@x>\nReferences: <\"a\"@x> <b@x>\nIn-Reply-To: <b@x>\n\n" + strings.Repeat("large\n", 20_000), threadIDOf("a@x")},
		{"Message-ID: <d@x>\n\nanother\n", threadIDOf("d@x")},
		{plain, "T" + emailIDOf(plain)[1:]},
		{strings.ReplaceAll(plain, "\n", "\r\n"), "T" + emailIDOf(plain)[1:]},
		{"", "T" + emailIDOf("")[1:]},
	} {
		for _, folder := range []string{".", ".Work"} { // each thread is one in all folders
			w.deliver(folder, "", x.text)
			w.in(Location{}, map[string]string{".": "INBOX", ".Work": "Work"}[folder], func(v *View) {
				if id, _ := w.threadID(v, v.Len()); id != x.want {
					t.Errorf("%.50q: got %s, want %s", x.text, id, x.want)
				}
			})
		}
	}
	w.in(Location{}, "INBOX", func(v *View) {
		for seq := range v.Len() {
			if _, read := w.threadID(v, seq+1); read {
				t.Errorf("message %d is read again", seq+1)
			}
		}
		var got []string
		for _, k := range []Key{
			{Op: KeyThreadID, Text: threadIDOf("a@x")}, not(Key{Op: KeyThreadID, Text: threadIDOf("a@x")}), {Op: KeyThreadID, Text: "T" + emailIDOf(plain)[1:]},
			{Op: KeyEmailID, Text: emailIDOf(plain)}, {Op: KeyEmailID, Text: strings.ToUpper(emailIDOf(plain))}, not(Key{Op: KeyEmailID, Text: "M"}),
			{Op: KeyEmailID, Text: "T" + emailIDOf(plain)[1:]}, or(Key{Op: KeyEmailID, Text: emailIDOf("")}, Key{Op: KeyThreadID, Text: threadIDOf("d@x")}),
		} {
			found, err := v.Search(t.Context(), &k)
			w.must(err)
			got = append(got, fmt.Sprint(found))
		}
		if want := []string{"[1 2 3]", "[4 5 6 7]", "[5 6]", "[5 6]", "[]", "[1 2 3 4 5 6 7]", "[]", "[4 7]"}; !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
}

// A session that has not been told of an expunge yet may ask.
func TestObjectIDOfExpunged(t *testing.T) {
	w := newWorld(t)
	text := "Subject: s\n\n"
	w.deliver(".", "cur/1700000001.M1P1.test:2,T", text)
	a := w.start()
	v, other := w.sel(a, "INBOX", false), w.sel(a, "INBOX", false)
	w.must(other.Expunge(t.Context(), nil))
	if id, _ := w.emailID(v, 1); id != emailIDOf(text) {
		t.Errorf("got %s", id)
	}
	v.Sync(true)

	w.deliver(".", "cur/1700000002.M2P1.test:2,", text)
	w.must(v.Poll(t.Context()))
	v.Sync(true)
	w.must(os.Remove(filepath.Join(w.root, "cur/1700000002.M2P1.test:2,")))
	if _, _, err := objectID(v, 1, (*View).EmailID, (*File).AppendEmailID); !errors.Is(err, ErrGone) {
		t.Errorf("got %v, want ErrGone", err)
	}
	v.Sync(true)
}

// COPY and MOVE keep the GUID that Dovecot knows a message by, in the G of its line.
func TestCopyKeepsGUID(t *testing.T) {
	w := newWorld(t, ".Work", ".Play")
	w.deliver(".", "cur/1700000001.M1P1.test:2,", "Subject: one\n\n")
	w.deliver(".", "cur/with space:2,", "Subject: two\n\n") // no G can hold that
	l := Location{Separator: '.'}
	var copied []string
	w.in(l, "INBOX", func(v *View) {
		_, err := v.Copy(t.Context(), []uint32{1, 2}, "Work")
		w.must(err)
	})
	w.in(l, "Work", func(v *View) {
		for seq := range v.Len() {
			copied = append(copied, v.told.at(seq+1).base())
		}
		_, err := v.Move(t.Context(), []uint32{1, 2}, "Play")
		w.must(err)
	})
	var guids []string
	w.in(l, "Play", func(v *View) {
		w.must(v.mb.enter(t.Context()))
		defer v.mb.leave()
		for _, m := range v.told.all {
			rec, ok := v.mb.list.Lookup(m.base())
			if !ok {
				rec = uidmap.Record{GUID: "no record"}
			}
			guids = append(guids, rec.GUID)
		}
	})
	// UIDs are in the order of names: the one without a time comes first.
	if want := []string{copied[0], "1700000001.M1P1.test"}; !slices.Equal(guids, want) {
		t.Errorf("got %q, want %q", guids, want)
	}
}

// No two mailboxes have one MAILBOXID, also not one after the other under one name; a mailbox keeps its own through RENAME, but
// that of INBOX makes a mailbox (RFC 8474 §4).
func TestMailboxID(t *testing.T) {
	w := newWorld(t, ".foo", ".bar")
	a := w.start()
	id := func(name string) string {
		t.Helper()
		id, err := a.MailboxID(t.Context(), name)
		w.must(err)
		return id
	}
	inbox, foo, bar := id("INBOX"), id("foo"), id("bar")
	w.must(a.Rename(t.Context(), "foo", "renamed"))
	w.must(a.Delete(t.Context(), "bar"))
	w.must(a.Create(t.Context(), "bar", nil))
	w.must(a.Create(t.Context(), "foo", nil))
	w.must(a.Rename(t.Context(), "INBOX", "old"))
	if id("renamed") != foo || id("INBOX") != inbox {
		t.Error("RENAME has changed it")
	}
	all := []string{inbox, foo, bar, id("bar"), id("foo"), id("old")}
	slices.Sort(all)
	if n := len(all); len(slices.Compact(all)) != n {
		t.Errorf("two have the same: %v", all)
	}
	if _, err := a.MailboxID(t.Context(), "nowhere"); err == nil {
		t.Error("there is one of no mailbox")
	}
}

// A folder that was copied with all its files has a MAILBOXID of its own from the time on that both are known, and the same UIDs. One that is
// reached under two names, or has another name now, is no copy.
func TestMailboxIDOfACopy(t *testing.T) {
	w := newWorld(t, ".foo")
	w.deliver(".foo", "cur/1.x:2,", "x\n")
	a := w.start()
	id := func(a *User, name string) string {
		t.Helper()
		id, err := a.MailboxID(t.Context(), name)
		w.must(err)
		return id
	}
	foo := id(a, "foo")
	validity, _ := w.peek(a, "foo")
	w.must(os.CopyFS(filepath.Join(w.root, ".bar"), os.DirFS(filepath.Join(w.root, ".foo"))))
	bar := id(a, "bar")
	if bar == foo {
		t.Error("two mailboxes have one MAILBOXID")
	}
	if v, n := w.peek(a, "bar"); v != validity || n != 1 {
		t.Errorf("the copy has UIDVALIDITY %d and %d messages", v, n)
	}
	w.must(os.Rename(filepath.Join(w.root, ".foo"), filepath.Join(w.root, ".renamed")))
	w.must(os.Symlink(".renamed", filepath.Join(w.root, ".link")))
	if id(a, "renamed") != foo || id(a, "link") != foo {
		t.Error("a new name has changed it")
	}
	if a := w.start(); id(a, "bar") != bar || id(a, "link") != foo || id(a, "renamed") != foo {
		t.Error("it has changed at a start")
	}
}
