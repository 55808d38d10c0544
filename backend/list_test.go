package backend

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/emersion/go-imap/v2"
)

func (w *world) subscribe(a *User, names ...string) {
	w.t.Helper()
	for _, n := range names {
		w.must(a.Subscribe(w.t.Context(), n))
	}
}

// The examples of RFC 5258 §5.
func TestListExtended(t *testing.T) {
	sub := &imap.ListOptions{SelectSubscribed: true, ReturnChildren: true}
	recursive := &imap.ListOptions{SelectSubscribed: true, SelectRecursiveMatch: true, ReturnChildren: true}
	t.Run("2", func(t *testing.T) {
		w := newWorld(t, ".Fruit", ".Fruit.Apple", ".Fruit.Banana", ".Tofu", ".Vegetable", ".Vegetable.Broccoli", ".Vegetable.Corn")
		a := w.open(Location{Separator: '/'})
		w.subscribe(a, "inbox", "Fruit/Banana", "Fruit/Peach", "Vegetable", "Vegetable/Broccoli")
		w.wantList(a, sub, "*", "INBOX (Subscribed)", "Fruit/Banana (Subscribed)", "Fruit/Peach (NonExistent Subscribed)",
			"Vegetable (HasChildren Subscribed)", "Vegetable/Broccoli (Subscribed)")
		w.wantList(a, &imap.ListOptions{ReturnSubscribed: true}, "*", "INBOX (Subscribed)", "Fruit", "Fruit/Apple",
			"Fruit/Banana (Subscribed)", "Tofu", "Vegetable (Subscribed)", "Vegetable/Broccoli (Subscribed)", "Vegetable/Corn")
		w.wantList(a, &imap.ListOptions{ReturnChildren: true}, "%", "INBOX", "Fruit (HasChildren)", "Tofu", "Vegetable (HasChildren)")
		w.wantList(a, listAll, "INBOX Tofu Fruit/% ", "INBOX", "Fruit/Apple", "Fruit/Banana", "Tofu")
	})
	t.Run("8", func(t *testing.T) {
		w := newWorld(t, ".Foo", ".Foo.Bar", ".Foo.Baz", ".Moo")
		a := w.open(Location{Separator: '/'})
		w.wantList(a, recursive, "%")
		w.subscribe(a, "Foo/Baz")
		w.wantList(a, sub, "*", "Foo/Baz (Subscribed)")
		w.wantList(a, sub, "%")
		w.wantList(a, recursive, "%", "Foo (HasChildren) CHILDINFO")
		w.subscribe(a, "Foo", "Moo")
		w.wantList(a, recursive, "%", "Foo (HasChildren Subscribed) CHILDINFO", "Moo (Subscribed)")
		w.must(a.Unsubscribe(t.Context(), "Foo/Baz"))
		w.wantList(a, recursive, "%", "Foo (HasChildren Subscribed)", "Moo (Subscribed)")
		w.subscribe(a, "Zoo/Tiger")
		w.wantList(a, recursive, "Z%", "Zoo (NonExistent) CHILDINFO") // A2
	})
	t.Run("9", func(t *testing.T) {
		w := newWorld(t, ".foo2", ".foo2.bar1", ".foo2.bar2", ".baz2", ".baz2.bar2", ".baz2.bar22", ".baz2.bar222", ".eps2", ".eps2.mamba", ".qux2.bar2")
		a := w.open(Location{Separator: '/'})
		w.subscribe(a, "foo2/bar1", "foo2/bar2", "baz2/bar2", "baz2/bar22", "baz2/bar222", "eps2", "eps2/mamba", "qux2/bar2")
		w.wantList(a, recursive, "*2", "baz2/bar2 (Subscribed)", "baz2/bar22 (Subscribed)", "baz2/bar222 (Subscribed)",
			"eps2 (HasChildren Subscribed) CHILDINFO", "foo2 (HasChildren) CHILDINFO", "foo2/bar2 (Subscribed)", "qux2/bar2 (Subscribed)")
	})
	t.Run("10", func(t *testing.T) {
		w := newWorld(t, ".foo")
		a := w.open(Location{Separator: '/'})
		w.subscribe(a, "foo/bar")
		w.wantList(a, sub, "foo/*", "foo/bar (NonExistent Subscribed)")
		w.wantList(a, recursive, "foo", "foo CHILDINFO")
	})
}

func TestListSeparator(t *testing.T) {
	w := newWorld(t, ".a")
	a := w.open(Location{Separator: '/'})
	// The empty pattern means nothing (RFC 5258 §3).
	w.wantList(a, &imap.ListOptions{ReturnChildren: true}, "")
	list, err := a.List(t.Context(), "", []string{"", "a"}, listAll)
	if w.must(err); len(list) != 1 || list[0].Mailbox != "a" {
		t.Errorf("got %+v", list)
	}
	list, err = a.List(t.Context(), "IN", []string{"BOX"}, listAll) // the reference is put in front
	if w.must(err); len(list) != 1 || list[0].Mailbox != "INBOX" {
		t.Errorf("got %+v", list)
	}
}

func TestLsub(t *testing.T) {
	w := newWorld(t, ".Sent", ".mail.a", ".news")
	a := w.open(Location{})
	w.subscribe(a, "Inbox", "Sent", "news.comp.mail.mime", "news.comp.mail.misc", "mail", "mail.a", "gone", "trailing.")
	for pattern, want := range map[string][]string{
		"*": {"INBOX", "Sent (Sent)", "gone", "mail (HasChildren)", "mail.a", "news.comp.mail.mime",
			"news.comp.mail.misc", "trailing"},
		"%":                {"INBOX", "Sent (Sent)", "gone", "mail (HasChildren)", "news (Noselect HasChildren)", "trailing"},
		"news.comp.%":      {"news.comp.mail (Noselect HasChildren)"}, // RFC 3501 §6.3.9
		"news.comp.mail.*": {"news.comp.mail.mime", "news.comp.mail.misc"},
		"news":             nil,
		"inbox":            {"INBOX"},
	} {
		list, err := a.Lsub(t.Context(), "", pattern)
		w.must(err)
		if got := show(list); !slices.Equal(got, want) {
			t.Errorf("LSUB %q:\n got %q\nwant %q", pattern, got, want)
		}
	}
	w.must(a.Unsubscribe(t.Context(), "INBOX"))
	w.must(a.Unsubscribe(t.Context(), "never"))
	list, err := a.Lsub(t.Context(), "", "INBOX")
	if w.must(err); len(list) != 0 {
		t.Errorf("INBOX is still subscribed")
	}
	wantCode(t, a.Subscribe(t.Context(), "a/../b"), "CANNOT")
}

// A file that is full, and a name that is longer than any folder's, are no failures of the server.
func TestSubscriptionsLimit(t *testing.T) {
	w := newWorld(t)
	var file bytes.Buffer
	for i := 0; file.Len() < 16<<20-2048; i++ {
		fmt.Fprintf(&file, "%02000d\n", i)
	}
	w.must(os.WriteFile(filepath.Join(w.root, "subscriptions"), file.Bytes(), 0o600))
	a := w.open(Location{})
	wantCode(t, a.Subscribe(t.Context(), strings.Repeat("x", 2047)), "LIMIT")
	wantCode(t, a.Subscribe(t.Context(), strings.Repeat("x", 2049)), "CANNOT")
	w.must(a.Unsubscribe(t.Context(), fmt.Sprintf("%02000d", 7)))
	w.must(a.Subscribe(t.Context(), "x"))
}

// The file is Dovecot's, and what Courier had is taken over.
func TestSubscriptionsFile(t *testing.T) {
	w := newWorld(t)
	file := filepath.Join(w.root, "subscriptions")
	w.must(os.WriteFile(file, []byte("V\t2\n\nWork\tSub\nEntw&APw-rfe\nINBOX\n"), 0o600))
	a := w.open(Location{Separator: '/', Prefix: "INBOX/"})
	list, err := a.Lsub(t.Context(), "", "*")
	w.must(err)
	if got, want := show(list), []string{"INBOX", "INBOX/Entwürfe", "INBOX/Work/Sub"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	w.subscribe(a, "INBOX/Größe/x", "INBOX/Work/Sub", "INBOX")
	w.must(a.Unsubscribe(t.Context(), "INBOX/Entwürfe"))
	if data, err := os.ReadFile(file); err != nil || string(data) != "V\t2\n\nWork\tSub\nINBOX\nGr&APYA3w-e\tx\n" {
		t.Errorf("the file is %q, %v", data, err)
	}

	w = newWorld(t)
	w.must(os.WriteFile(filepath.Join(w.root, "courierimapsubscribed"), []byte("INBOX.Sent\nINBOX.Entwürfe\nINBOX\n"), 0o600))
	a = w.open(Location{})
	want := []string{"INBOX", "Entwürfe", "Sent"}
	for range 2 {
		list, err := a.Lsub(t.Context(), "", "*")
		if w.must(err); !slices.Equal(show(list), []string{"INBOX", "Entwürfe", "Sent (Sent)"}) && !slices.Equal(show(list), want) {
			t.Errorf("got %q, want %q", show(list), want)
		}
		w.subscribe(a, "Work")
		want = []string{"INBOX", "Entwürfe", "Sent", "Work"}
	}
	w.must(a.Unsubscribe(t.Context(), "Entwürfe"))
	if list, err = a.Lsub(t.Context(), "", "E*"); len(list) != 0 || err != nil {
		t.Errorf("got %q, %v", show(list), err)
	}
}

func TestSpecialUse(t *testing.T) {
	w := newWorld(t, ".Sent", ".Sent Messages", ".INBOX.Drafts", ".Spam", ".Gesendet", ".deep.Trash", ".archives", ".Work")
	a := w.open(Location{})
	special := &imap.ListOptions{SelectSpecialUse: true}
	w.wantList(a, special, "*", "INBOX.Drafts (Drafts)", "Sent (Sent)", "Spam (Junk)", "archives (Archive)")
	w.wantList(a, listAll, "S*", "Sent (Sent)", "Sent Messages", "Spam (Junk)")

	b := w.open(Location{SpecialUse: map[string]imap.MailboxAttr{"Gesendet": imap.MailboxAttrSent, "None": imap.MailboxAttrTrash}})
	w.wantList(b, special, "*", "INBOX.Drafts (Drafts)", "Gesendet (Sent)", "Spam (Junk)", "archives (Archive)")

	// CREATE-SPECIAL-USE is stored, and stronger.
	ctx := t.Context()
	w.must(b.Create(ctx, "Ausgang", []imap.MailboxAttr{imap.MailboxAttrSent, "\\trash"}))
	w.must(b.Create(ctx, "Müll.x", []imap.MailboxAttr{imap.MailboxAttrJunk}))
	wantCode(t, b.Create(ctx, "Everything", []imap.MailboxAttr{imap.MailboxAttrAll}), "USEATTR")
	wantCode(t, b.Create(ctx, "Work", []imap.MailboxAttr{imap.MailboxAttrArchive}), "ALREADYEXISTS")
	want := []string{"INBOX.Drafts (Drafts)", "Ausgang (Sent Trash)", "Müll.x (Junk)", "archives (Archive)"}
	w.wantList(b, special, "*", want...)
	w.wantList(w.open(Location{}), special, "*", want...)
	w.must(b.Rename(ctx, "Müll", "Ende"))
	w.must(b.Delete(ctx, "Ausgang"))
	w.must(b.Create(ctx, "Ausgang", nil))
	w.wantList(b, special, "*", "INBOX.Drafts (Drafts)", "Ende.x (Junk)", "Gesendet (Sent)", "archives (Archive)")
	if data, err := os.ReadFile(filepath.Join(w.root, specialUseFile)); err != nil || string(data) != "\\Junk Ende.x\n" {
		t.Errorf("the file is %q, %v", data, err)
	}
	w.must(os.WriteFile(filepath.Join(w.root, specialUseFile), []byte("garbage\n\\Sent\n\\Sent &bad\n\\SENT Work\r\n\\All Work\n"), 0o600))
	w.wantList(b, special, "Work Gesendet", "Work (Sent)")
}

// The root of a reference is the prefix of the namespace in which it lies.
func TestRoot(t *testing.T) {
	w := newWorld(t)
	u := w.open(Location{Separator: '.', Prefix: "INBOX."})
	for ref, want := range map[string]string{"": "", "INBOX": "", "inbox.x": "INBOX.", "INBOX.": "INBOX.", "x": ""} {
		if got := u.Root(ref); got != want {
			t.Errorf("Root(%q) = %q, want %q", ref, got, want)
		}
	}
}
