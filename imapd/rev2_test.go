package imapd

import (
	"testing"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
)

// TestRev2Client lets the client of go-imap enable IMAP4rev2 and use it.
func TestRev2Client(t *testing.T) {
	s := start(t, nil)
	s.deliver(t, "1700000001.M1P1.host", "Subject: x\n\nx\n")
	c, err := imapclient.DialInsecure(s.addr, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	check(c.Login("alice", "secret").Wait())
	enabled, err := c.Enable(imap.CapIMAP4rev2).Wait()
	check(err)
	if !enabled.Caps.Has(imap.CapIMAP4rev2) {
		t.Fatalf("enabled: %v", enabled.Caps)
	}
	check(c.Create("Entwürfe & Pläne", nil).Wait())
	boxes, err := c.List("", "Entw*", &imap.ListOptions{ReturnStatus: &imap.StatusOptions{NumMessages: true, NumDeleted: true, Size: true}}).Collect()
	check(err)
	if len(boxes) != 1 || boxes[0].Mailbox != "Entwürfe & Pläne" || boxes[0].Status == nil {
		t.Fatalf("LIST: %+v", boxes)
	}
	selected, err := c.Select("INBOX", nil).Wait()
	check(err)
	if selected.NumMessages != 1 || selected.List == nil || selected.List.Mailbox != "INBOX" {
		t.Errorf("SELECT: %+v, LIST %+v", selected, selected.List)
	}
	found, err := c.UIDSearch(&imap.SearchCriteria{NotFlag: []imap.Flag{imap.FlagSeen}}, nil).Wait()
	check(err)
	if uids := found.AllUIDs(); len(uids) != 1 || uids[0] != 1 {
		t.Errorf("SEARCH: %+v", found)
	}
	moved, err := c.Move(imap.UIDSetNum(1), "Entwürfe & Pläne").Wait()
	check(err)
	if moved.UIDValidity == 0 || moved.DestUIDs == nil {
		t.Errorf("MOVE: %+v", moved)
	}
	status, err := c.Status("Entwürfe & Pläne", &imap.StatusOptions{NumMessages: true, NumDeleted: true}).Wait()
	check(err)
	if *status.NumMessages != 1 || *status.NumDeleted != 0 {
		t.Errorf("STATUS: %+v", status)
	}
	check(c.Rename("Entwürfe & Pläne", "Später", nil).Wait())
	check(c.Delete("Später").Wait())
	check(c.Logout().Wait())
}
