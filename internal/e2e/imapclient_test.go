package e2e

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
)

// letter has all that BODYSTRUCTURE can tell.
const letter = `From: =?utf-8?q?J=C3=BCrgen?= <j@example.org>
Sender: office@example.org
To: Ada <ada@example.org>, list: x@example.org, y@example.org;
Subject: =?utf-8?b?R3LDvMOfZQ==?=
Date: Mon, 05 Jan 2026 10:00:00 +0100
Message-ID: <letter@e2e>
In-Reply-To: <before@e2e>
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="outer"

--outer
Content-Type: multipart/alternative; boundary=inner

--inner
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: quoted-printable

Gr=C3=BC=C3=9Fe
--inner
Content-Type: text/html; charset=utf-8

<p>Hello</p>
--inner--
--outer
Content-Type: application/octet-stream; name="data.bin"
Content-Disposition: attachment; filename="data.bin"
Content-Transfer-Encoding: base64

AAEC/w==
--outer
Content-Type: message/rfc822

Subject: inside
Message-ID: <inside@e2e>

Deep.
--outer--
`

// go-imap's client understands all that we answer.
func TestImapClient(t *testing.T) {
	t.Parallel()
	g := newGateway(t, []string{"bob"}, "")
	pushed := make(chan string, 100)
	c := dialGoImap(t, g.Addr, &imapclient.UnilateralDataHandler{
		Mailbox: func(data *imapclient.UnilateralDataMailbox) {
			if data.NumMessages != nil {
				pushed <- fmt.Sprintf("%d messages", *data.NumMessages)
			}
		},
		Expunge: func(seq uint32) { pushed <- fmt.Sprintf("%d expunged", seq) },
		Fetch: func(msg *imapclient.FetchMessageData) {
			if data, err := msg.Collect(); err == nil {
				pushed <- fmt.Sprintf("%d %v", data.SeqNum, data.Flags)
			}
		},
	})

	// Mailboxes.
	if id := wait(t, c.ID(&imap.IDData{Name: "e2e"})); id.Name != "maildir-imapd" {
		t.Errorf("ID: %+v", id)
	}
	if ns := wait(t, c.Namespace()); len(ns.Personal) != 1 || ns.Personal[0].Delim != '.' {
		t.Errorf("NAMESPACE: %+v", ns)
	}
	end(t, c.Create("Archive.2026", nil))
	end(t, c.Create("Wichtig/Grüße", nil), true)
	end(t, c.Create("Grüße", nil))
	end(t, c.Rename("Grüße", "Wünsche", nil))
	end(t, c.Subscribe("Archive.2026"))
	if status := wait(t, c.Status("Archive.2026", &imap.StatusOptions{NumMessages: true, UIDNext: true, UIDValidity: true, NumUnseen: true, NumDeleted: true, Size: true})); *status.NumMessages != 0 || status.UIDNext != 1 || status.UIDValidity == 0 {
		t.Errorf("STATUS: %+v", status)
	}
	var names []string
	list, err := c.List("", "*", &imap.ListOptions{ReturnSubscribed: true, ReturnChildren: true, ReturnStatus: &imap.StatusOptions{NumMessages: true}}).Collect()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range list {
		names = append(names, l.Mailbox)
		if slices.Contains(l.Attrs, imap.MailboxAttrSubscribed) != (l.Mailbox == "Archive.2026") {
			t.Errorf("%s: %v", l.Mailbox, l.Attrs)
		}
	}
	slices.Sort(names)
	if want := []string{"Archive", "Archive.2026", "INBOX", "Wünsche"}; !slices.Equal(names, want) {
		t.Errorf("LIST: %q, want %q", names, want)
	}

	// Messages.
	date := time.Date(2026, 1, 5, 10, 0, 0, 0, time.FixedZone("", 3600))
	text := crlf(letter)
	appended := goAppend(t, c, text, &imap.AppendOptions{Flags: []imap.Flag{imap.FlagSeen, "$Todo"}, Time: date})
	selected := wait(t, c.Select("INBOX", nil))
	if selected.NumMessages != 1 || appended.UID != 1 || selected.UIDNext != 2 || appended.UIDValidity != selected.UIDValidity || !slices.Contains(selected.PermanentFlags, imap.FlagWildcard) {
		t.Errorf("APPEND %+v, SELECT %+v", appended, selected)
	}
	checkLetter(t, c, text, date)

	// Searches.
	found := wait(t, c.UIDSearch(&imap.SearchCriteria{Body: []string{"grüße"}, Flag: []imap.Flag{"$Todo"}, SentSince: date.AddDate(0, 0, -1),
		Not: []imap.SearchCriteria{{Header: []imap.SearchCriteriaHeaderField{{Key: "From", Value: "eve"}}}}},
		&imap.SearchOptions{ReturnAll: true, ReturnCount: true, ReturnMin: true, ReturnMax: true}))
	if found.Count != 1 || found.Min != 1 || found.Max != 1 || found.All.String() != "1" {
		t.Errorf("SEARCH: %+v", found)
	}

	// What happens while the client idles.
	idle, err := c.Idle()
	if err != nil {
		t.Fatal(err)
	}
	other := dialGoImap(t, g.Addr, nil)
	wait(t, other.Select("INBOX", nil))
	second := goAppend(t, other, crlf(mail("second", "2")), nil)
	expect(t, pushed, "2 messages")
	if _, err := other.Store(imap.SeqSetNum(1), &imap.StoreFlags{Op: imap.StoreFlagsAdd, Flags: []imap.Flag{imap.FlagFlagged}}, nil).Collect(); err != nil {
		t.Fatal(err)
	}
	expect(t, pushed, `1 [\Flagged \Seen \Recent $Todo]`)
	moved := wait(t, other.Move(imap.UIDSetNum(second.UID), "Archive.2026"))
	if moved.SourceUIDs.String() != "2" || moved.DestUIDs.String() != "1" {
		t.Errorf("MOVE: %+v", moved)
	}
	expect(t, pushed, "2 expunged")
	if err := idle.Close(); err != nil {
		t.Fatal(err)
	}
	if err := idle.Wait(); err != nil {
		t.Fatal(err)
	}

	// Copies and deletions.
	if copied := wait(t, c.Copy(imap.SeqSetNum(1), "Archive.2026")); copied.DestUIDs.String() != "2" {
		t.Errorf("COPY: %+v", copied)
	}
	if err := c.Store(imap.UIDSetNum(1), &imap.StoreFlags{Op: imap.StoreFlagsAdd, Silent: true, Flags: []imap.Flag{imap.FlagDeleted}}, nil).Close(); err != nil {
		t.Fatal(err)
	}
	if gone, err := c.UIDExpunge(imap.UIDSetNum(1)).Collect(); err != nil || !slices.Equal(gone, []uint32{1}) {
		t.Errorf("EXPUNGE: %v, %v", gone, err)
	}
	end(t, c.Unselect())
	end(t, c.Delete("Wünsche"))
	end(t, c.Logout())
}

// checkLetter fetches all there is of message 1.
func checkLetter(t *testing.T, c *imapclient.Client, text string, date time.Time) {
	t.Helper()
	whole := &imap.FetchItemBodySection{Peek: true}
	start := &imap.FetchItemBodySection{Peek: true, Partial: &imap.SectionPartial{Offset: 6, Size: 20}}
	subject := &imap.FetchItemBodySection{Peek: true, Specifier: imap.PartSpecifierHeader, HeaderFields: []string{"Subject"}}
	plain := &imap.FetchItemBodySection{Peek: true, Part: []int{1, 1}}
	inside := &imap.FetchItemBodySection{Peek: true, Part: []int{3}, Specifier: imap.PartSpecifierText}
	data := &imap.FetchItemBinarySection{Peek: true, Part: []int{2}}
	size := &imap.FetchItemBinarySectionSize{Part: []int{2}}
	all, err := c.Fetch(imap.SeqSetNum(1), &imap.FetchOptions{
		UID: true, Flags: true, Envelope: true, InternalDate: true, RFC822Size: true,
		BodyStructure:     &imap.FetchItemBodyStructure{Extended: true},
		BodySection:       []*imap.FetchItemBodySection{whole, start, subject, plain, inside},
		BinarySection:     []*imap.FetchItemBinarySection{data},
		BinarySectionSize: []*imap.FetchItemBinarySectionSize{size},
	}).Collect()
	if err != nil || len(all) != 1 {
		t.Fatalf("FETCH: %v, %d messages", err, len(all))
	}
	m := all[0]
	if m.UID != 1 || m.RFC822Size != int64(len(text)) || !m.InternalDate.Equal(date) || !slices.Contains(m.Flags, "$Todo") {
		t.Errorf("FETCH: %+v", m)
	}
	if e := m.Envelope; e.Subject != "Grüße" || e.From[0].Name != "Jürgen" || e.Sender[0].Addr() != "office@example.org" ||
		len(e.To) != 5 || e.MessageID != "letter@e2e" || !slices.Equal(e.InReplyTo, []string{"before@e2e"}) || !e.Date.Equal(date) {
		t.Errorf("ENVELOPE: %+v", e)
	}
	var parts []string
	m.BodyStructure.Walk(func(path []int, part imap.BodyStructure) bool {
		parts = append(parts, fmt.Sprintf("%v %s", path, part.MediaType()))
		return true
	})
	if want := []string{"[] multipart/mixed", "[1] multipart/alternative", "[1 1] text/plain", "[1 2] text/html", "[2] application/octet-stream", "[3] message/rfc822"}; !slices.Equal(parts, want) {
		t.Errorf("BODYSTRUCTURE: %q, want %q", parts, want)
	}
	for _, s := range []struct {
		section *imap.FetchItemBodySection
		want    string
	}{
		{whole, text}, {start, text[6:26]}, {subject, "Subject: =?utf-8?b?R3LDvMOfZQ==?=\r\n\r\n"}, {plain, "Gr=C3=BC=C3=9Fe"}, {inside, "Deep."},
	} {
		if got := string(m.FindBodySection(s.section)); got != s.want {
			t.Errorf("section %+v: %q, want %q", s.section, got, s.want)
		}
	}
	if got := m.FindBinarySection(data); !bytes.Equal(got, []byte{0, 1, 2, 255}) {
		t.Errorf("BINARY: %q", got)
	}
	if n, ok := m.FindBinarySectionSize(size.Part); !ok || n != 4 {
		t.Errorf("BINARY.SIZE: %d", n)
	}
}

// dialGoImap connects and logs in.
func dialGoImap(t *testing.T, addr string, h *imapclient.UnilateralDataHandler) *imapclient.Client {
	t.Helper()
	c, err := imapclient.DialInsecure(addr, &imapclient.Options{UnilateralDataHandler: h})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	end(t, c.Login("bob", password))
	return c
}

// wait returns the data of a command that must succeed.
func wait[T any](t *testing.T, command interface{ Wait() (T, error) }) T {
	t.Helper()
	data, err := command.Wait()
	if err != nil {
		t.Fatalf("%T: %v", command, err)
	}
	return data
}

// end waits for a command that must succeed, or else must not.
func end(t *testing.T, command *imapclient.Command, fails ...bool) {
	t.Helper()
	if err := command.Wait(); (err != nil) != (len(fails) > 0) {
		t.Fatal(err)
	}
}

func goAppend(t *testing.T, c *imapclient.Client, text string, o *imap.AppendOptions) *imap.AppendData {
	t.Helper()
	a := c.Append("INBOX", int64(len(text)), o)
	if _, err := a.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	return wait(t, a)
}

// expect waits for a push, and passes over others.
func expect(t *testing.T, pushed <-chan string, want string) {
	t.Helper()
	var others []string
	limit := time.After(patience)
	for {
		select {
		case got := <-pushed:
			if got == want {
				return
			}
			others = append(others, got)
		case <-limit:
			t.Fatalf("%s was not pushed, but: %s", want, strings.Join(others, ", "))
		}
	}
}
