package message

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

func sortKeys(t *testing.T, k *SortKeys, header string) *SortKeys {
	t.Helper()
	header = strings.ReplaceAll(header, "\n", "\r\n")
	h, err := ReadHeader(strings.NewReader(header), int64(len(header)))
	if err != nil {
		t.Fatal(err)
	}
	k.ReadSortKeys(h)
	return k
}

func id(t *testing.T, text string) ID {
	t.Helper()
	id, _ := cutID([]byte(text))
	if id == nil {
		t.Fatalf("%s is no ID", text)
	}
	return idOf(id)
}

func TestSortKeys(t *testing.T) {
	k := sortKeys(t, new(SortKeys), `Date: Mon, 31 Dec 2000 16:01:33 -0800
Date: Mon, 1 Jan 2001 16:01:33 -0800
Subject: Re:
 =?utf-8?q?=5Blist=5D_Gr=C3=BC=C3=9Fe?=
 =?utf-8?q?_(fwd)?=
From: =?iso-8859-1?q?Ren=E9?= (x) <rene.x@Example.org>, bob@x
To: friends: bob@x, carol@x;
Cc: <@a,@b:"John Doe"@x>
Message-ID: (comment) <"a b"@x.org>
In-Reply-To: <3@x>
References: <1@x> text <@x> <"1"@x>
 <2@x><4 @x

`)
	if want := time.Date(2001, 1, 1, 0, 1, 33, 0, time.UTC).Unix(); k.Sent != want || !k.HasSent {
		t.Errorf("sent %v, %v", time.Unix(k.Sent, 0), k.HasSent)
	}
	if !k.Reply {
		t.Error("no reply")
	}
	for _, x := range []struct{ name, got, want string }{
		{"subject", string(k.Subject), "GRU\u0308ßE"},
		{"from", string(k.From), "RENE.X"},
		{"display from", string(k.DisplayFrom), "RENE\u0301"},
		{"to", string(k.To), "FRIENDS"},
		{"display to", string(k.DisplayTo), "FRIENDS"},
		{"cc", string(k.Cc), "JOHN DOE"},
	} {
		if x.got != x.want {
			t.Errorf("%s is %q, want %q", x.name, x.got, x.want)
		}
	}
	if k.MessageID != id(t, `<"a b"@x.org>`) {
		t.Errorf("Message-ID %x", k.MessageID)
	}
	if want := []ID{id(t, "<1@x>"), id(t, "<1@x>"), id(t, "<2@x>")}; !slices.Equal(k.References, want) {
		t.Errorf("references %x, want %x", k.References, want)
	}

	// The memory is used again, and nothing of the message before is left.
	sortKeys(t, k, "From: bob@Example.org (Bob)\nTo: a@b\nDate: soon\nReferences: nothing\nIn-Reply-To: x <5@x> <6@x>\n\n")
	if k.HasSent || k.Sent != 0 || k.Reply || len(k.Subject) > 0 || len(k.Cc) > 0 || k.MessageID != 0 {
		t.Errorf("got %+v", k)
	}
	if string(k.DisplayFrom) != "BOB" || string(k.DisplayTo) != "A@B" || string(k.To) != "A" {
		t.Errorf("got %q, %q, %q", k.DisplayFrom, k.DisplayTo, k.To)
	}
	if want := []ID{id(t, "<5@x>")}; !slices.Equal(k.References, want) {
		t.Errorf("references %x, want %x", k.References, want)
	}
}

// What a hostile header makes is bounded.
func TestSortKeysBounded(t *testing.T) {
	var refs bytes.Buffer
	for i := range 20_000 {
		fmt.Fprintf(&refs, " <%d@x>\n", i)
	}
	k := sortKeys(t, new(SortKeys), "Subject: "+strings.Repeat("\ufdfa", 10_000)+"\nFrom: "+strings.Repeat("x", 10_000)+"\nReferences:"+refs.String()+"\n")
	if len(k.Subject) != maxSortKey || len(k.From) != maxSortKey || len(k.DisplayFrom) != maxSortKey {
		t.Errorf("%d, %d, %d octets", len(k.Subject), len(k.From), len(k.DisplayFrom))
	}
	if len(k.References) != maxReferences || k.References[maxReferences-1] != id(t, "<19999@x>") {
		t.Errorf("%d references", len(k.References))
	}
}

func TestMessageID(t *testing.T) {
	// RFC 5256 §3: quoting makes no difference; case does.
	same := id(t, `<01KF8JCEOCBS0045PS@xxx.yyy.com>`)
	for _, text := range []string{`<"01KF8JCEOCBS0045PS"@xxx.yyy.com>`, ` x < 01KF8JCEOCBS0045PS @ xxx.yyy.com > y`, `<"01KF8JC\EOCBS0045PS"@xxx.yyy.com>`, "<x <01KF8JCEOCBS0045PS@xxx.yyy.com>"} {
		if id(t, text) != same {
			t.Errorf("%s is another", text)
		}
	}
	for _, text := range []string{`<01kf8jceocbs0045ps@xxx.yyy.com>`, `<01KF8JCEOCBS0045PS@xxx.yyy.COM>`} {
		if id(t, text) == same {
			t.Errorf("%s is the same", text)
		}
	}
	for _, text := range []string{"", "a@b", "<a@b", "<>", "<a>", "<@>", "<a@>", "<@b>", `<"a@b>`} {
		if id, rest := cutID([]byte(text)); id != nil || rest != nil {
			t.Errorf("%s: %q, %q", text, id, rest)
		}
	}
}

func FuzzSortKeys(f *testing.F) {
	f.Add([]byte("Subject: =?utf-8?b?UmU6IFtdIA==?=\nFrom: \"a\" <b@c>\nTo: x: ;\nReferences: <\"a\\\"\"@b> <c@d>\nDate: 1 Jan 20 25:00\n\n"))
	f.Fuzz(func(t *testing.T, header []byte) {
		h, err := ReadHeader(bytes.NewReader(header), int64(len(header)))
		if err != nil {
			t.Fatal(err)
		}
		var k SortKeys
		k.ReadSortKeys(h)
		if len(k.References) > maxReferences || slices.Contains(k.References, 0) || len(k.Subject) > maxSortKey {
			t.Fatalf("got %+v", k)
		}
	})
}

func BenchmarkSortKeys(b *testing.B) {
	header := []byte("Return-Path: <alice@example.org>\nReceived: from mail.example.org by mx.example.net with ESMTPS; Mon, 23 Jun 2025 09:06:36 +0000\n" +
		"Message-ID: <1@example.org>\nIn-Reply-To: <0@example.org>\nReferences: <0@example.org> <2@example.org>\nDate: Mon, 1 Jun 2025 10:11:12 +0000\n" +
		"From: Alice Number 1 <alice1@example.org>\nTo: bob@example.net\nSubject: Re: About the matter of 1\nContent-Type: text/plain\n\n")
	h, err := ReadHeader(bytes.NewReader(header), int64(len(header)))
	if err != nil {
		b.Fatal(err)
	}
	var k SortKeys
	b.ReportAllocs()
	for b.Loop() {
		k.ReadSortKeys(h)
	}
}
