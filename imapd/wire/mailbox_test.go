package wire

import "testing"

func TestMailbox(t *testing.T) {
	mailbox, pattern := (*Decoder).Mailbox, (*Decoder).ListMailbox
	for _, test := range []struct {
		take        func(*Decoder) string
		input, want string // want "": a syntax error
	}{
		{mailbox, "inBox", "INBOX"},
		{mailbox, `"inbox"`, "INBOX"},
		{mailbox, "inbox/x", "inbox/x"},
		{mailbox, "Entw&APw-rfe", "Entwürfe"},
		{mailbox, "{5}\r\na&-&-", "a&&"},
		{mailbox, "\"Entw\xc3\xbcrfe & Co\"", "Entwürfe & Co"},
		{mailbox, "\"Entw\xfcrfe\"", ""},
		{mailbox, "a&", ""},
		{mailbox, "%", ""},
		{pattern, "%", "%"},
		{pattern, "*a]", "*a]"},
		{pattern, "Entw&APw-*", "Entwü*"},
		{pattern, `"a *"`, "a *"},
		{pattern, "inbox", "inbox"},
		{pattern, "a&*", NoMailbox},
		{pattern, "\"\xfc*\"", ""},
		{pattern, "(", ""},
		{pattern, "", ""},
	} {
		d, _ := newTest(t, test.input+"\r\n")
		if err := d.Next(); err != nil {
			t.Fatal(err)
		}
		got := test.take(d)
		d.End()
		if (d.Err() != nil) != (test.want == "") || d.Err() == nil && got != test.want {
			t.Errorf("%q is %q, error %v; want %q", test.input, got, d.Err(), test.want)
		}
	}
}
