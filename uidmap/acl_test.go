package uidmap

import (
	"errors"
	"os"
	"strings"
	"testing"
)

func aclWorld(t *testing.T, text string) (*ACL, *os.Root) {
	t.Helper()
	root, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	if text != "" {
		if err := root.WriteFile(aclFile, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return NewACL(root, ".", Options{FilePerm: 0o600}), root
}

func TestACLParse(t *testing.T) {
	for line, want := range map[string]ACLEntry{
		"user=bob lrws":                   {Kind: ACLUser, Name: "bob", Rights: "lrws"},
		"user=bob swrl":                   {Kind: ACLUser, Name: "bob", Rights: "lrws"},
		"user=bob":                        {Kind: ACLUser, Name: "bob"},
		"owner lrwstipekxa":               {Kind: ACLOwner, Rights: ACLRights},
		"anonymous l":                     {Kind: ACLAnyone, Rights: "l"},
		"authenticated lr":                {Kind: ACLAuthenticated, Rights: "lr"},
		"group=x lr":                      {Kind: ACLGroup, Name: "x", Rights: "lr"},
		"group-override=x":                {Kind: ACLGroupOverride, Name: "x"},
		"-user=bob w":                     {Kind: ACLUser, Name: "bob", Negative: true, Rights: "w"},
		`"user=b \"q\\" lr`:               {Kind: ACLUser, Name: `b "q\`, Rights: "lr"},
		`"-group=a b" e`:                  {Kind: ACLGroup, Name: "a b", Negative: true, Rights: "e"},
		"user=bob lr :expunge,vendor foo": {Kind: ACLUser, Name: "bob", Rights: "lre"},
		"user=bob :read":                  {Kind: ACLUser, Name: "bob", Rights: "r"},
		"user=a=b l":                      {Kind: ACLUser, Name: "a=b", Rights: "l"},
		// Not understood: nothing is granted, and '-' is remembered.
		"user= lr":         {Kind: ACLUnknown},
		"frob=bob lr":      {Kind: ACLUnknown},
		"-frob=bob lr":     {Kind: ACLUnknown, Negative: true},
		`"user=bob lr`:     {Kind: ACLUnknown},
		`"-user=bob lr`:    {Kind: ACLUnknown, Negative: true},
		`"user=bob"lr`:     {Kind: ACLUnknown},
		" user=bob lr":     {Kind: ACLUnknown},
		" -user=bob lr":    {Kind: ACLUnknown, Negative: true},
		"\ufeff-anyone lr": {Kind: ACLUnknown, Negative: true},
		"user=bob lQ":      {Kind: ACLUnknown},
		"-user=bob Read":   {Kind: ACLUnknown, Negative: true},
		"anyone lookup":    {Kind: ACLUnknown},
		"anyone l\rowner":  {Kind: ACLUnknown},
		"USER=bob lr":      {Kind: ACLUnknown},
		"anyone=bob lr":    {Kind: ACLUnknown},
		"user lr":          {Kind: ACLUnknown},
		"# user=bob lr":    {Kind: aclComment},
		"":                 {Kind: aclComment},
		"user=bob\tlr l":   {Kind: ACLUser, Name: "bob\tlr", Rights: "l"},
		"user=bob  l\t r":  {Kind: ACLUser, Name: "bob", Rights: "lr"},
	} {
		got := parseACL(line)
		if got.line != line {
			t.Errorf("%q is kept as %q", line, got.line)
		}
		got.line, got.more = "", ""
		if got != want {
			t.Errorf("%q: %+v, want %+v", line, got, want)
		}
	}
}

// A change keeps comments, what is not understood, and rights that are not ours.
func TestACLUpdate(t *testing.T) {
	a, root := aclWorld(t, "# mine\nuser=bob lr :vendor\n\nfrob=x lr\nanyone l")
	if list := a.Entries(); len(list) != 3 {
		t.Fatal(list)
	}
	err := a.Update(t.Context(), func(list []ACLEntry) ([]ACLEntry, error) {
		list[1].SetRights("ra")
		x := ACLEntry{Kind: ACLUser, Name: `the "x" y`, Negative: true}
		x.SetRights("t")
		return append(list, x, ACLEntry{Kind: ACLGroup, Name: "g"}), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	data, err := root.ReadFile(aclFile)
	want := "# mine\nuser=bob ra :vendor\n\nfrob=x lr\nanyone l\n\"-user=the \\\"x\\\" y\" t\ngroup=g\n"
	if err != nil || string(data) != want {
		t.Errorf("%q, %v, want %q", data, err, want)
	}
	list := a.Entries()
	if len(list) != 5 || list[0].Rights != "ra" || list[3].Name != `the "x" y` || !list[3].Negative {
		t.Errorf("%+v", list)
	}
	if _, err := root.Stat(aclFile + ".lock"); !errors.Is(err, os.ErrNotExist) {
		t.Error("the lock is still there")
	}
	refused := errors.New("refused")
	if err := a.Update(t.Context(), func([]ACLEntry) ([]ACLEntry, error) { return nil, refused }); !errors.Is(err, refused) {
		t.Error(err)
	}
	for _, name := range []string{"x\nanyone lrwstipekxa", "x\x00"} {
		err := a.Update(t.Context(), func(list []ACLEntry) ([]ACLEntry, error) {
			return append(list, ACLEntry{Kind: ACLUser, Name: name}), nil
		})
		if err == nil {
			t.Errorf("a name %q was written", name)
		}
	}
	if now, _ := root.ReadFile(aclFile); string(now) != want {
		t.Errorf("%q after changes that failed", now)
	}
}

// What is no file, or too large, takes all rights away; one that is gone has no entries.
func TestACLDamaged(t *testing.T) {
	a, root := aclWorld(t, strings.Repeat("#", maxACL+1))
	all := func(what string) {
		t.Helper()
		if list := a.Entries(); len(list) != 1 || list[0].Kind != ACLUnknown || !list[0].Negative {
			t.Errorf("%s: %+v", what, list)
		}
	}
	all("too large")
	if err := errors.Join(root.Remove(aclFile), root.Mkdir(aclFile, 0o700)); err != nil {
		t.Fatal(err)
	}
	all("a directory")
	if err := a.Update(t.Context(), func(list []ACLEntry) ([]ACLEntry, error) { return list, nil }); err == nil {
		t.Error("a directory was replaced")
	}
	if err := root.Remove(aclFile); err != nil {
		t.Fatal(err)
	}
	if list := a.Entries(); len(list) != 0 {
		t.Error(list)
	}
	if err := root.Symlink("/etc/passwd", aclFile); err != nil {
		t.Fatal(err)
	}
	all("a link that leads out")
}

// What another program writes is seen, also where the time of the file does not move.
func TestACLChanges(t *testing.T) {
	a, root := aclWorld(t, "anyone lr\n")
	for i, text := range []string{"anyone lw\n", "anyone ls\n", "anyone lr\nowner l\n", ""} {
		a.Entries()
		info, err := root.Stat(aclFile)
		if err != nil {
			t.Fatal(err)
		}
		if err := root.WriteFile(aclFile, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := root.Chtimes(aclFile, info.ModTime(), info.ModTime()); err != nil {
			t.Fatal(err)
		}
		list := a.Entries()
		if n := strings.Count(text, "\n"); len(list) != n || n > 0 && !strings.Contains(text, " "+list[0].Rights) {
			t.Errorf("%d: %+v, the file is %q", i, list, text)
		}
	}
}

func FuzzACL(f *testing.F) {
	for _, line := range []string{`"-user=a \"b" lr :x`, "anyone l", `"`, `"\`, "-", "#", "user=é lr :read,x", "user=é lrQ"} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		e := parseACL(line)
		if e.Kind >= ACLUnknown {
			return
		}
		e.SetRights(e.Rights)
		again := parseACL(e.text())
		if again.line = ""; again != e {
			t.Errorf("%q: %+v is written as %q and read as %+v", line, e, e.text(), again)
		}
	})
}
