package uidmap

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
)

const guid = "f4e3c41e535e046b466e000083ecc375"

const dovecotList = "3 V1795448403 N5 G" + guid + "\n" +
	"1 W42 :1700000001.M1P1.host\n" +
	"2 W42 :1700000002.M2P1.host,S=38\n" +
	"3 :1700000003.M3P1.host,S=38,W=42\n" +
	"5 :1795448403.M684203P28276.vm,S=44,W=48\n"

func TestReadList(t *testing.T) {
	tests := []struct {
		name, file string
		validity   uint32
		next       uint32
		guid       string
		records    []string
	}{
		{"Dovecot", dovecotList, 1795448403, 6, guid,
			[]string{"1=1700000001.M1P1.host", "2=1700000002.M2P1.host,S=38", "3=1700000003.M3P1.host,S=38,W=42", "5=1795448403.M684203P28276.vm,S=44,W=48"}},
		{"empty", "3 V7 N1 G" + guid + "\n", 7, 1, guid, nil},
		{"header in another order, unknown fields", "3 Xabc G" + guid + " N9 P%v V7\n1 :a\n", 7, 9, guid, []string{"1=a"}},
		{"flags behind the base", "3 V7 N3 G" + guid + "\n1 :a:2,S\n2 S4 :b:2,\n", 7, 3, guid, []string{"1=a", "2=b"}},
		{"odd bases", "3 V7 N3 G" + guid + "\n1 : a b\n2 S4 :;2,S é\n", 7, 3, guid, []string{"1= a b", "2=;2,S é"}},
		{"twice: the later counts", "3 V7 N3 G" + guid + "\n1 :a\n2 :a\n", 7, 3, guid, []string{"2=a"}},
		{"torn line is none", "3 V7 N3 G" + guid + "\n1 :a\n2 :b", 7, 3, guid, []string{"1=a"}},
		{"CRLF", "3 V7 N3 G" + guid + "\r\n1 :a\r\n", 7, 3, guid, []string{"1=a"}},
		{"greatest UID", "3 V4294967295 N1 G" + guid + "\n4294967294 :a\n", 1<<32 - 1, 1<<32 - 1, guid, []string{"4294967294=a"}},
		{"Courier's version 1", "1 1795449320 5\n1 1700000001.M1P1.host\n2 1700000002.M2P1.host\n", 1795449320, 5, "",
			[]string{"1=1700000001.M1P1.host", "2=1700000002.M2P1.host"}},
		{"without GUID", "3 V7 N3\n1 :a\n", 7, 3, "", []string{"1=a"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			a := newAccount(t)
			a.write(listFile, test.file)
			l := a.list()
			if l.UIDValidity() != test.validity || l.UIDNext() != test.next {
				t.Errorf("UIDVALIDITY %d, UIDNEXT %d; want %d, %d", l.UIDValidity(), l.UIDNext(), test.validity, test.next)
			}
			if !isGUID(l.GUID()) || test.guid != "" && l.GUID() != test.guid {
				t.Errorf("GUID %q, want %q", l.GUID(), test.guid)
			}
			wantDump(t, l, test.records...)
			for r := range l.All() {
				if got, ok := l.Lookup(r.Base); !ok || got != r {
					t.Errorf("Lookup(%q) = %v, %v; want %v", r.Base, got, ok, r)
				}
			}
			if _, ok := l.Lookup("missing"); ok {
				t.Error("found what is not there")
			}
			// What was read stays as it is in what we write.
			again := a.list()
			if again.GUID() != l.GUID() || again.UIDValidity() != l.UIDValidity() {
				t.Error("the header changed by opening it again")
			}
		})
	}
}

func TestExtensionsSurviveRewrite(t *testing.T) {
	a := newAccount(t)
	a.write(listFile, "3 V7 N8 Xabc G"+guid+" Pv\n1 S11 W14 Zfoo Pmy:uidl G77.host :a:2,S\n2 O4 Y :b\n3 :c\n4 :d\n")
	l := a.list()
	if r, _ := l.Lookup("a"); r != (Record{UID: 1, Base: "a", Size: 11, WireSize: 14, GUID: "77.host"}) {
		t.Errorf("record is %+v", r)
	}
	forget(t, l, 3, 4)
	want := "3 V7 N8 G" + guid + " Xabc Pv\n1 S11 W14 Zfoo Pmy:uidl G77.host :a\n2 O4 Y :b\n"
	if got := a.read(listFile); got != want {
		t.Errorf("rewritten:\n%s\nwant:\n%s", got, want)
	}
}

func TestAppend(t *testing.T) {
	a := newAccount(t)
	a.write(listFile, dovecotList)
	l := a.list()
	recs := []Record{
		{Base: "x", Size: 11, WireSize: 14},
		{Base: "1700000003.M3P1.host,S=38,W=42"}, // has a UID
		{Base: "y", GUID: "other"},
		{Base: "x"}, // twice
		{Base: "z", GUID: "z"},
	}
	tx := lock(t, l)
	if got, want := a.read(listFile+".lock"), fmt.Sprintf("%d:%s", os.Getpid(), hostname(t)); got != want {
		t.Errorf("lock file has %q, want %q", got, want)
	}
	if err := tx.Add(recs); err != nil {
		t.Fatal(err)
	}
	unlock(t, tx)
	if found := a.glob(listFile + ".*"); found != nil {
		t.Errorf("left behind: %q", found)
	}
	var uids []uint32
	for _, r := range recs {
		uids = append(uids, r.UID)
	}
	if want := []uint32{6, 3, 7, 6, 8}; !slices.Equal(uids, want) {
		t.Errorf("UIDs %d, want %d", uids, want)
	}
	want := dovecotList + "6 S11 W14 :x\n7 Gother :y\n8 :z\n"
	if got := a.read(listFile); got != want {
		t.Errorf("file:\n%s\nwant:\n%s", got, want)
	}
	if r, ok := l.Lookup("y"); !ok || r.UID != 7 || r.GUID != "other" {
		t.Errorf("Lookup = %+v, %v", r, ok)
	}
	if l.UIDNext() != 9 || l.Len() != 7 {
		t.Errorf("UIDNEXT %d, %d records", l.UIDNext(), l.Len())
	}
	wantDump(t, a.list(), dump(l)...)
}

func TestAddRefusesNames(t *testing.T) {
	a := newAccount(t)
	l := a.list()
	for _, r := range []Record{{Base: ""}, {Base: "a/b"}, {Base: "a:2,S"}, {Base: "a\nb"}, {Base: "a\r"}, {Base: "a\x00"}, {Base: "a", GUID: "x y"}, {Base: "a", GUID: "x\n"}} {
		tx := lock(t, l)
		if err := tx.Add([]Record{{Base: "good"}, r}); !errors.Is(err, ErrName) {
			t.Errorf("Add(%+v): %v", r, err)
		}
		unlock(t, tx)
	}
	wantDump(t, a.list())
}

func TestNewList(t *testing.T) {
	a := newAccount(t)
	a.o.FilePerm = 0o640
	l := a.list()
	want := fmt.Sprintf(`^3 V%d N1 G[0-9a-f]{32}\n$`, l.UIDValidity())
	if got := a.read(listFile); !regexp.MustCompile(want).MatchString(got) {
		t.Errorf("new file is %q", got)
	}
	if info, _ := os.Stat(filepath.Join(a.path, listFile)); info.Mode() != 0o640 {
		t.Errorf("mode %v", info.Mode())
	}
	if other := a.list(); other.UIDValidity() != l.UIDValidity() || other.GUID() != l.GUID() {
		t.Error("opened again, it is another list")
	}
}

func TestRefresh(t *testing.T) {
	a := newAccount(t)
	a.write(listFile, dovecotList)
	l := a.list()
	refresh := func(wantReset bool, want ...string) {
		t.Helper()
		reset, err := l.Refresh()
		if err != nil || reset != wantReset {
			t.Errorf("Refresh = %v, %v", reset, err)
		}
		wantDump(t, l, want...)
	}
	base := dump(l)
	refresh(false, base...)
	a.appendTo(listFile, "7 :seven\n8 :ei")
	refresh(false, append(slices.Clone(base), "7=seven")...)
	a.appendTo(listFile, "ght\n")
	refresh(false, append(slices.Clone(base), "7=seven", "8=eight")...)
	if l.UIDNext() != 9 {
		t.Errorf("UIDNEXT %d", l.UIDNext())
	}

	dropped := func(want int) {
		t.Helper()
		if n := l.Dropped(); n != want {
			t.Errorf("Dropped: %d, want %d", n, want)
		}
	}
	dropped(0)

	// Replaced, by a longer file with the same header, in the same inode.
	header, _, _ := strings.Cut(dovecotList, "\n")
	a.write(listFile, header+"\n8 :eight\n9 :"+strings.Repeat("nine", 100)+"\n")
	refresh(false, "8=eight", "9="+strings.Repeat("nine", 100))
	dropped(1)

	// Replaced by rename.
	a.write("new", "3 V1795448403 N20 G"+guid+"\n8 :eight\n")
	if err := os.Rename(filepath.Join(a.path, "new"), filepath.Join(a.path, listFile)); err != nil {
		t.Fatal(err)
	}
	refresh(false, "8=eight")
	dropped(2)
	if l.UIDNext() != 20 {
		t.Errorf("UIDNEXT %d", l.UIDNext())
	}
	a.write(listFile, "3 V1795448403 N20 G"+guid+"\n8 :eight\n16 :u\n17 :v\n18 :w\n19 :x\n") // nothing is left out
	refresh(false, "8=eight", "16=u", "17=v", "18=w", "19=x")
	forget(t, l, 8)
	a.write(listFile, "3 V1795448403 N20 G"+guid+"\n16 :u\n17 :v\n18 :w\n19 :x\n") // only what we have dropped ourselves
	refresh(false, "16=u", "17=v", "18=w", "19=x")
	dropped(2)

	a.write("new", "3 V1795448404 N3 G"+guid+"\n2 :eight\n")
	if err := os.Rename(filepath.Join(a.path, "new"), filepath.Join(a.path, listFile)); err != nil {
		t.Fatal(err)
	}
	refresh(true, "2=eight")
	if l.UIDNext() != 3 {
		t.Errorf("UIDNEXT %d", l.UIDNext())
	}

	// The same inode again, with the same last line.
	a.write(listFile, "3 V1795448405 N3 G"+guid+"\n2 :eight\n3 :nine\n")
	refresh(true, "2=eight", "3=nine")
}

func TestRefreshReadsOnlyTheTail(t *testing.T) {
	a := newAccount(t)
	a.write(listFile, dovecotList)
	l := a.list()
	a.write(listFile, strings.Replace(dovecotList, "2 W42", "2 X42", 1)+"9 :nine\n") // neither header nor last line changed
	if _, err := l.Refresh(); err != nil {
		t.Fatal(err)
	}
	if r, _ := l.Lookup("1700000002.M2P1.host,S=38"); r.WireSize != 42 {
		t.Error("read the whole file")
	}
	if r, ok := l.Lookup("nine"); !ok || r.UID != 9 {
		t.Error("did not read the new line")
	}
}

func TestForgetNeverGivesAUIDAgain(t *testing.T) {
	a := newAccount(t)
	l := a.list()
	add(t, l, "a", "b", "c", "d")
	forget(t, l, 4) // too few to rewrite
	if _, ok := l.Lookup("d"); ok {
		t.Error("a dead record was found")
	}
	if got := add(t, l, "d"); got[0] != 5 {
		t.Errorf("came back with UID %d", got)
	}
	if n := strings.Count(a.read(listFile), ":d\n"); n != 1 {
		t.Errorf("%d lines for one name", n)
	}
	forget(t, l, 3, 5, 77)
	if got := a.read(listFile); !strings.HasPrefix(got, fmt.Sprintf("3 V%d N6 ", l.UIDValidity())) || strings.Count(got, "\n") != 3 {
		t.Errorf("not rewritten: %q", got)
	}
	l = a.list()
	forget(t, l, 1, 2)
	l = a.list()
	if got := add(t, l, "a"); got[0] != 6 {
		t.Errorf("UID %d was given out before", got[0])
	}
}

func TestTornTail(t *testing.T) {
	head := "3 V7 N3 G" + guid + "\n9 :a\n"
	tests := []struct {
		tail string
		next uint32 // at least
	}{
		{"1", 10 + tornGap},
		{"10", 10 + tornGap},
		{"12 ", 13},
		{"12 :1700", 13},
		{"12 S4 ", 13},
		{"3 :x", 10},
		{"4294967295 :x", 10 + tornGap},
		{"99999999999999999999 :x", 10 + tornGap},
		{"\x00\x00\x00\x00\x00", 10 + tornGap},
		{" ", 10 + tornGap},
	}
	for _, test := range tests {
		t.Run(test.tail, func(t *testing.T) {
			a := newAccount(t)
			a.write(listFile, head+test.tail)
			l := a.list()
			wantDump(t, l, "9=a")
			for range 3 { // once is enough
				unlock(t, lock(t, l))
			}
			if l.UIDNext() != test.next {
				t.Errorf("UIDNEXT %d, want %d", l.UIDNext(), test.next)
			}
			if got := add(t, l, "b"); got[0] != test.next {
				t.Errorf("UID %d, want %d", got[0], test.next)
			}
			want := fmt.Sprintf("3 V7 N%d G%s\n9 :a\n%d :b\n", test.next, guid, test.next)
			if got := a.read(listFile); got != want {
				t.Errorf("file is %q, want %q", got, want)
			}
		})
	}
}

func TestOutOfUIDs(t *testing.T) {
	a := newAccount(t)
	a.write(listFile, "3 V7 N4294967294 G"+guid+"\n1 :a\n")
	l := a.list()
	if got := add(t, l, "last"); got[0] != 1<<32-2 {
		t.Errorf("UID %d", got[0])
	}
	tx := lock(t, l)
	if err := tx.Add([]Record{{Base: "more"}}); !errors.Is(err, ErrExhausted) {
		t.Errorf("Add: %v", err)
	}
	unlock(t, tx)
	if got := add(t, l, "more"); got[0] != 1 || l.UIDValidity() <= 7 {
		t.Errorf("UID %d of UIDVALIDITY %d", got[0], l.UIDValidity())
	}
}

func TestFolderGone(t *testing.T) {
	a := newAccount(t)
	a.write(".Work/x", "")
	l, err := OpenList(t.Context(), a.root, ".Work", a.next, a.o)
	if err != nil {
		t.Fatal(err)
	}
	add(t, l, "a")
	validity := l.UIDValidity()

	// The file alone is gone: what our clients know, holds.
	os.Remove(filepath.Join(a.path, ".Work", listFile))
	if reset, err := l.Refresh(); reset || err != nil {
		t.Errorf("Refresh = %v, %v", reset, err)
	}
	again, err := OpenList(t.Context(), a.root, ".Work", a.next, a.o)
	if err != nil || again.UIDValidity() != validity || again.UIDNext() != 2 {
		t.Errorf("not restored: %v, %v", again, err)
	}

	// While it is open, as the mailbox has it, its inode number is not used again.
	open, err := os.Open(filepath.Join(a.path, ".Work"))
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	os.RemoveAll(filepath.Join(a.path, ".Work"))
	if _, err := l.Refresh(); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Refresh without folder: %v", err)
	}
	a.write(".Work/x", "")
	if reset, err := l.Refresh(); !reset || err != nil {
		t.Errorf("Refresh = %v, %v", reset, err)
	}
	wantDump(t, l)
	if l.UIDValidity() <= validity {
		t.Errorf("UIDVALIDITY %d after %d", l.UIDValidity(), validity)
	}
}

func TestErrorsOfTheFileSystem(t *testing.T) {
	for err, want := range map[error][2]bool{
		&os.PathError{Err: syscall.EROFS}:  {true, false},
		&os.PathError{Err: syscall.EACCES}: {true, false},
		&os.PathError{Err: syscall.EPERM}:  {true, false},
		&os.PathError{Err: syscall.ENOSPC}: {false, true},
		&os.PathError{Err: syscall.EDQUOT}: {false, true},
		&os.PathError{Err: syscall.EIO}:    {false, false},
		ErrLocked:                          {false, false},
	} {
		err := fmt.Errorf("wrapped: %w", err)
		if got := [2]bool{IsReadOnly(err), IsFull(err)}; got != want {
			t.Errorf("%v: read-only, full = %v", err, got)
		}
	}
}

func hostname(t testing.TB) string {
	t.Helper()
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	return host
}
