package uidmap

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

const perAppender = 60

// appender is what a child process does: it adds messages to the list in dir and
// prints the UIDs that it got.
func appender(dir string) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		panic(err)
	}
	o := Options{FilePerm: 0o600}
	ctx := context.Background()
	l, err := OpenList(ctx, root, ".", NewValidity(root, ".", o).Next, o)
	if err != nil {
		panic(err)
	}
	for i := range perAppender {
		tx, err := l.Lock(ctx)
		if err != nil {
			panic(err)
		}
		recs := []Record{{Base: fmt.Sprintf("%d.%d", os.Getpid(), i)}}
		if err := tx.Add(recs); err != nil {
			panic(err)
		}
		if i%10 == 9 {
			if err := tx.Forget([]uint32{recs[0].UID}); err != nil {
				panic(err)
			}
		}
		if err := tx.Unlock(); err != nil {
			panic(err)
		}
		fmt.Println(recs[0].UID, recs[0].Base)
	}
}

func TestProcessesShareAList(t *testing.T) {
	a := newAccount(t)
	var children []*exec.Cmd
	var outputs []*bytes.Buffer
	for range 3 {
		c := exec.Command(os.Args[0])
		c.Env = append(os.Environ(), "UIDMAP_TEST_APPENDER="+a.path)
		out := new(bytes.Buffer)
		c.Stdout, c.Stderr = out, os.Stderr
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		children, outputs = append(children, c), append(outputs, out)
	}
	given := make(map[string]string)
	for i, c := range children {
		if err := c.Wait(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(outputs[i])
		n := 0
		for ; lines.Scan(); n++ {
			uid, base, _ := strings.Cut(lines.Text(), " ")
			if other, ok := given[uid]; ok {
				t.Errorf("UID %s names %s and %s", uid, other, base)
			}
			given[uid] = base
		}
		if n != perAppender {
			t.Errorf("%d lines from a child", n)
		}
	}
	l := a.list()
	for r := range l.All() {
		if got := given[fmt.Sprint(r.UID)]; got != r.Base {
			t.Errorf("UID %d is %s on disk, the process was told %q", r.UID, r.Base, got)
		}
	}
	if want := uint32(3*perAppender + 1); l.UIDNext() != want {
		t.Errorf("UIDNEXT %d, want %d", l.UIDNext(), want)
	}
}
