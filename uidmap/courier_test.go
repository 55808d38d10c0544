package uidmap

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func courierFolder(t *testing.T) *account {
	a := newAccount(t)
	a.write(courierList, "1 1795449320 5\n1 1700000001.M1P1.host\n2 1700000002.M2P1.host\n")
	a.write(courierKeywords+"/:list", "Work\n$Junk\n\n1700000001.M1P1.host:1 0\n1700000002.M2P1.host:0\n1700000003.M3P1.host:0 7 x\nbad line\n")
	a.write(courierKeywords+"/.5984832.1700000001.M1P1.host", "$Junk\n")
	a.write(courierKeywords+"/.5984833.1700000001.M1P1.host", "$Junk\nLater\nbad word\n\n")
	a.write(courierKeywords+"/1700000001.M1P1.host", "old\n")
	a.write(courierKeywords+"/1700000004.M4P1.host:2,S", "single\n")
	a.write(courierKeywords+"/.x.y", "what?\n")
	if err := os.Mkdir(filepath.Join(a.path, courierKeywords, "folder"), 0o700); err != nil {
		t.Fatal(err)
	}
	return a
}

func TestTakeOverFromCourier(t *testing.T) {
	a := courierFolder(t)
	l := a.list()
	if l.UIDValidity() != 1795449320 || l.UIDNext() != 5 {
		t.Errorf("UIDVALIDITY %d, UIDNEXT %d", l.UIDValidity(), l.UIDNext())
	}
	wantDump(t, l, "1=1700000001.M1P1.host", "2=1700000002.M2P1.host")
	if want := "3 V1795449320 N5 G" + l.GUID() + "\n1 :1700000001.M1P1.host\n2 :1700000002.M2P1.host\n"; a.read(listFile) != want {
		t.Errorf("file %q, want %q", a.read(listFile), want)
	}

	k := a.keywords()
	if !k.CourierPending() {
		t.Error("nothing to import")
	}
	got, err := ImportCourierKeywords(a.root, ".")
	want := map[string][]string{
		"1700000001.M1P1.host": {"$Junk", "Later"},
		"1700000002.M2P1.host": {"Work"},
		"1700000003.M3P1.host": {"Work"},
		"1700000004.M4P1.host": {"single"},
	}
	if err != nil || !maps.EqualFunc(got, want, slices.Equal) {
		t.Errorf("keywords %q, %v; want %q", got, err, want)
	}
	if err := k.CourierDone(t.Context()); err != nil {
		t.Fatal(err)
	}
	if k.CourierPending() || a.keywords().CourierPending() {
		t.Error("still pending")
	}

	// Were it taken over again, 5 would be given again.
	add(t, l, "five")
	if err := os.Remove(filepath.Join(a.path, listFile)); err != nil {
		t.Fatal(err)
	}
	if again := a.list(); again.UIDValidity() <= l.UIDValidity() {
		t.Errorf("UIDVALIDITY %d after %d", again.UIDValidity(), l.UIDValidity())
	}
}

func TestTakeOverWithoutKeywords(t *testing.T) {
	a := courierFolder(t)
	if err := os.RemoveAll(filepath.Join(a.path, courierKeywords)); err != nil {
		t.Fatal(err)
	}
	a.list()
	if a.keywords().CourierPending() {
		t.Error("keywords are pending, there are none")
	}
	if got, err := ImportCourierKeywords(a.root, "."); got != nil || err != nil {
		t.Errorf("keywords %q, %v", got, err)
	}
}

// Control files elsewhere: Courier's are with the mail.
func TestTakeOverToAnotherPlace(t *testing.T) {
	mail, control := courierFolder(t), newAccount(t)
	control.o.Mail = mail.root
	if l := control.list(); l.UIDValidity() != 1795449320 {
		t.Errorf("UIDVALIDITY %d", l.UIDValidity())
	}
	if !control.keywords().CourierPending() {
		t.Error("nothing to import")
	}
	if len(mail.glob("dovecot*")) > 0 {
		t.Error("wrote beside the mail")
	}
}

func TestDamagedCourierList(t *testing.T) {
	a := newAccount(t)
	a.write(courierList, "1 1795449320 5\n2 a\n1 b\n")
	wantDump(t, a.list())
	if !strings.Contains(a.log.String(), "Courier") || a.read(courierList) != "1 1795449320 5\n2 a\n1 b\n" {
		t.Errorf("log %q", a.log)
	}
	if a.keywords().CourierPending() {
		t.Error("keywords without UIDs")
	}
}

func TestCourierSubscriptions(t *testing.T) {
	a := newAccount(t)
	if names, err := CourierSubscriptions(a.root, "."); names != nil || err != nil {
		t.Errorf("names %q, %v", names, err)
	}
	a.write(courierSubscriptions, "INBOX.Sent\nINBOX.Entw\xc3\xbcrfe\nINBOX\n\nINBOX.A.B")
	names, err := CourierSubscriptions(a.root, ".")
	if want := []string{"Sent", "Entwürfe", "INBOX", "A.B"}; err != nil || !slices.Equal(names, want) {
		t.Errorf("names %q, %v; want %q", names, err, want)
	}
}
