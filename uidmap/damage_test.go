package uidmap

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestDamagedList(t *testing.T) {
	head := "3 V4000000000 N9 G" + guid + "\n"
	for name, file := range map[string]string{
		"empty":              "",
		"no line end":        strings.TrimSuffix(head, "\n"),
		"version":            "2 V4 N9\n",
		"garbage":            strings.Repeat("\xff\x00", 5000),
		"garbage in lines":   strings.Repeat("\xff\x00\n", 5000),
		"V=0":                "3 V0 N9\n",
		"V too great":        "3 V4294967296 N9\n",
		"no V":               "3 N9\n",
		"N=0":                "3 V4000000000 N0\n",
		"no N":               "3 V4000000000\n",
		"order":              head + "2 :a\n1 :b\n",
		"same UID":           head + "2 :a\n2 :b\n",
		"slash":              head + "2 :a/../../b\n",
		"no name":            head + "2 :\n",
		"only flags":         head + "2 ::2,S\n",
		"no colon":           head + "2 S4 W5\n",
		"empty line":         head + "\n2 :a\n",
		"UID 0":              head + "0 :a\n",
		"UID 2^32-1":         head + "4294967295 :a\n",
		"UID 2^32":           head + "4294967296 :a\n",
		"negative UID":       head + "-1 :a\n",
		"endless line":       head + "1 :" + strings.Repeat("a", 1<<17) + "\n",
		"long extension":     head + "1 X" + strings.Repeat("a", 1<<17) + " :a\n",
		"NULs":               head + "1 :a\n\x00\x00\x00\x00\n",
		"version 1, slash":   "1 4000000000 5\n1 a/b\n",
		"version 1, no name": "1 4000000000 5\n1\n",
	} {
		t.Run(name, func(t *testing.T) {
			a := newAccount(t)
			a.write(listFile, file)
			l := a.list()
			wantDump(t, l)
			if l.UIDNext() != 1 {
				t.Errorf("UIDNEXT %d", l.UIDNext())
			}
			if strings.Contains(file, "4000000000 ") && l.UIDValidity() <= 4000000000 {
				t.Errorf("UIDVALIDITY %d did not grow", l.UIDValidity())
			}
			if l.UIDValidity() < uint32(time.Now().Unix())-60 {
				t.Errorf("UIDVALIDITY %d", l.UIDValidity())
			}
			broken := a.glob(listFile + ".broken-*")
			if len(broken) != 1 {
				t.Fatalf("set aside: %q", broken)
			}
			if a.read(broken[0]) != file {
				t.Error("what was set aside is not what was there")
			}
			if !strings.Contains(a.log.String(), "damaged") || !strings.Contains(a.log.String(), "reason=") {
				t.Errorf("log: %s", a.log)
			}
			validity := l.UIDValidity()
			if l := a.list(); l.UIDValidity() != validity {
				t.Error("the new list is no good")
			}
		})
	}
}

func TestDamageWhileOpen(t *testing.T) {
	for name, damage := range map[string]func(*account){
		"appended":  func(a *account) { a.appendTo(listFile, "7 :g\n4 :d\n") },
		"replaced":  func(a *account) { a.write(listFile, "what?\n") },
		"truncated": func(a *account) { a.write(listFile, "") },
	} {
		t.Run(name, func(t *testing.T) {
			a := newAccount(t)
			l := a.list()
			add(t, l, "a", "b")
			validity, id := l.UIDValidity(), l.GUID()
			damage(a)
			reset, err := l.Refresh()
			if !reset || err != nil {
				t.Fatalf("Refresh = %v, %v", reset, err)
			}
			if l.UIDValidity() <= validity || l.GUID() != id {
				t.Errorf("UIDVALIDITY %d after %d, GUID %s after %s", l.UIDValidity(), validity, l.GUID(), id)
			}
			wantDump(t, l)
			if got := add(t, l, "b"); got[0] != 1 {
				t.Errorf("UID %d", got)
			}
		})
	}
}

func TestNotAFile(t *testing.T) {
	a := newAccount(t)
	if err := syscall.Mkfifo(filepath.Join(a.path, listFile), 0o600); err != nil {
		t.Fatal(err)
	}
	wantDump(t, a.list())
	if len(a.glob(listFile+".broken-*")) != 1 {
		t.Error("the FIFO is gone")
	}
	a = newAccount(t)
	if err := os.MkdirAll(filepath.Join(a.path, listFile, "sub"), 0o700); err != nil {
		t.Fatal(err)
	}
	wantDump(t, a.list())
}

func TestSymlinkOutOfTheAccount(t *testing.T) {
	out := filepath.Join(t.TempDir(), "victim")
	if err := os.WriteFile(out, []byte(dovecotList), 0o600); err != nil {
		t.Fatal(err)
	}
	a := newAccount(t)
	if err := os.Symlink(out, filepath.Join(a.path, listFile)); err != nil {
		t.Fatal(err)
	}
	if l, err := OpenList(t.Context(), a.root, ".", a.next, a.o); err == nil {
		t.Errorf("read %q through a symlink", dump(l))
	}
	if data, _ := os.ReadFile(out); string(data) != dovecotList {
		t.Error("changed a file outside")
	}
}

// Another program loses lines, or gives our UIDs to other messages.
func TestListOfThePast(t *testing.T) {
	a := newAccount(t)
	l := a.list()
	add(t, l, "a", "b")
	old := a.read(listFile)
	add(t, l, "c", "d")
	validity := l.UIDValidity()

	a.write(listFile, old) // a backup restored
	if reset, err := l.Refresh(); reset || err != nil {
		t.Fatalf("Refresh = %v, %v", reset, err)
	}
	wantDump(t, a.list(), "1=a", "2=b", "3=c", "4=d") // on disk again
	if !strings.HasPrefix(a.read(listFile), fmt.Sprintf("3 V%d N5 ", validity)) {
		t.Errorf("UIDNEXT went back on disk: %q", a.read(listFile))
	}
	if got := add(t, l, "e"); got[0] != 5 {
		t.Errorf("UID %d was another's", got[0])
	}

	a.write(listFile, old+"3 :e\n4 :f\n") // and used by Dovecot
	if reset, err := l.Refresh(); !reset || err != nil {
		t.Fatalf("Refresh = %v, %v", reset, err)
	}
	if l.UIDValidity() <= validity {
		t.Errorf("UIDVALIDITY %d after %d", l.UIDValidity(), validity)
	}
	wantDump(t, l, "1=a", "2=b", "3=e", "4=f")
	wantDump(t, a.list(), dump(l)...)
}
