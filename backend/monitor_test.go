package backend

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
)

// notices collects what a monitor tells until want is satisfied.
func notices(t *testing.T, m *Monitor, want func(all Notices) bool) (all Notices) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		n := m.Take(false)
		all.Overflow = all.Overflow || n.Overflow
		all.Names = append(all.Names, n.Names...)
		all.Status = append(all.Status, n.Status...)
		if want(all) {
			return all
		}
		select {
		case <-m.Changed():
		case <-deadline:
			t.Fatalf("not told in time; so far %d names, %+v", len(all.Names), all.Status)
		}
	}
}

func (w *world) monitor(a *User, scopes ...Scope) *Monitor {
	w.t.Helper()
	m, err := a.Monitor(scopes)
	w.must(err)
	w.t.Cleanup(m.Close)
	return m
}

// TestMonitorStatus delivers to mailboxes of which none is open, and expects the last state of each, but
// nothing of those that were not asked for.
func TestMonitorStatus(t *testing.T) {
	w := newWorld(t, ".Work", ".Work.Old", ".Play")
	a := w.start()
	m := w.monitor(a, Scope{Kind: Subtree, Names: []string{"Work"}, Events: MessageChange})
	if got := m.Mailboxes(); !slices.Equal(got, []string{"Work", "Work.Old"}) {
		t.Fatalf("watches %v", got)
	}
	if _, open := a.remembered(".Work"); open {
		t.Error("a mailbox was opened before anything changed in it")
	}
	for range 5 {
		w.deliver(".Play", "", "x\n")
		w.deliver(".Work", "", "x\n")
		w.deliver(".Work.Old", "", "x\n")
	}
	last := make(map[string]uint32)
	notices(t, m, func(all Notices) bool {
		for _, s := range all.Status {
			if s.Name == "Play" {
				t.Fatal("told of a mailbox that was not asked for")
			}
			last[s.Name] = s.NumMessages
		}
		return last["Work"] == 5 && last["Work.Old"] == 5
	})
}

// TestMonitorOwn changes a mailbox and the tree by the session itself, which is not told, and by another, which is.
func TestMonitorOwn(t *testing.T) {
	w := newWorld(t, ".Work")
	a := w.start()
	m := w.monitor(a, Scope{Events: MessageChange | MailboxName | SubscriptionChange})
	ctx := t.Context()
	if _, ok, err := m.Status(ctx, "Work"); !ok || err != nil {
		t.Fatal(ok, err)
	}
	w.must(m.Own(func() error { return a.Create(ctx, "Mine", nil) }, "Mine"))
	w.must(m.Own(func() error { return a.Subscribe(ctx, "Mine") }, "Mine"))
	w.must(m.Own(func() error { return a.Rename(ctx, "Mine", "Own") }, "Mine", "Own"))
	v := w.sel(a, "Work", false)
	w.deliver(".Work", "cur/1700000001.M1P1.test:2,", "x\n")
	if all := notices(t, m, func(all Notices) bool { return len(all.Status) > 0 }); len(all.Names) > 0 {
		t.Errorf("told of its own changes: %+v", all.Names)
	}
	w.must(v.Poll(ctx))
	v.Sync(true)
	data, err := v.Copy(ctx, []uint32{1}, "Work")
	w.must(err)
	m.Created("Work", data.UIDValidity, data.DestUIDs)
	w.must(a.Create(ctx, "Other", nil))
	w.must(a.Rename(ctx, "Other", "Another"))
	all := notices(t, m, func(all Notices) bool {
		return slices.Contains(all.Names, NameChange{Name: "Another", OldName: "Other"}) ||
			slices.Contains(all.Names, NameChange{Name: "Another"})
	})
	for _, n := range all.Names {
		if n.Name == "Mine" || n.Name == "Own" {
			t.Errorf("told of its own change: %+v", n)
		}
	}
	for _, s := range all.Status {
		t.Errorf("told of its own message: %+v", s)
	}
}

// TestMonitorBounds asks for too many mailboxes, and lets too many names wait.
func TestMonitorBounds(t *testing.T) {
	w := newWorld(t)
	a := w.start()
	m := w.monitor(a, Scope{Events: MailboxName})
	for i := range maxNames + 1 {
		w.must(os.MkdirAll(filepath.Join(w.root, fmt.Sprintf(".F%04d", i), "cur"), 0o700))
	}
	a.lookout.treeMoved() // don't wait for the next look
	for deadline := time.Now().Add(20 * time.Second); !m.parts[0].isOverflowed(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d names wait, and there is no overflow", len(m.parts[0].names))
		}
	}
	if n := m.Take(false); !n.Overflow || len(n.Names) > 0 {
		t.Errorf("told %v and %d names", n.Overflow, len(n.Names))
	}
	a.lookout.max = maxNames
	_, err := a.Monitor([]Scope{{Events: MessageChange}})
	if e, ok := err.(*imap.Error); !ok || e.Code != "NOTIFICATIONOVERFLOW" {
		t.Errorf("Monitor of %d mailboxes: %v", a.lookout.max+1, err)
	}
	if len(a.lookout.watches) != 0 {
		t.Errorf("%d folders are watched for nobody", len(a.lookout.watches))
	}
}

// TestMonitorEnds lets monitors come and go: the account must be closed with the last, and another work.
func TestMonitorEnds(t *testing.T) {
	w := newWorld(t, ".Work")
	a := w.start()
	for i := range 20 {
		m := w.monitor(a, Scope{Kind: Named, Names: []string{"Work"}, Events: MessageChange})
		w.deliver(".Work", "", "x\n")
		notices(t, m, func(all Notices) bool {
			return len(all.Status) > 0 && all.Status[len(all.Status)-1].NumMessages == uint32(i)+1
		})
		m.Close()
	}
}

// A mailbox that could not be looked at is looked at again, though nothing comes any more.
func TestMonitorAfterFault(t *testing.T) {
	w := newWorld(t, ".Work")
	a := w.start()
	m := w.monitor(a, Scope{Kind: Named, Names: []string{"Work"}, Events: MessageChange})
	link := filepath.Join(w.root, ".Work/dovecot-keywords")
	w.must(os.Symlink("/", link))
	w.deliver(".Work", "", "x\n")
	w.until("it is logged", func() bool {
		a.lookout.looking.Lock()
		defer a.lookout.looking.Unlock()
		return a.lookout.lastTrouble != ""
	})
	w.must(os.Remove(link))
	w.until("it is told", func() bool { return len(m.Take(false).Status) > 0 })
}

// lookAtTree has all that the monitor watches looked at now.
func (w *world) lookAtTree(m *Monitor) {
	w.t.Helper()
	for _, part := range m.parts {
		part.l.looking.Lock()
		err := part.l.lookAtTree()
		part.l.looking.Unlock()
		w.must(err)
	}
}

// TestMonitorRenames: what several changes between two looks at the tree leave behind is what the client knows then.
func TestMonitorRenames(t *testing.T) {
	for _, ops := range [][]string{
		{"A>T", "C>A"}, {"A>T", "+A"}, {"A>T", "T>U"}, {"A>T", "C>A", "T>C"}, {"A>T", "-T"}, {"A>T", "C>A", "-A"}, {"A>T", "+A", "A>U"},
		{"+N", "N>M"}, {"-C", "A>C"}, {"A>T", "+A", "C>A.kid"}, {"P>Q", "+P.new"}, {"P>Q", "+Q.new", "C>P"},
	} {
		w := newWorld(t, ".A", ".C", ".P.kid")
		a := w.start()
		m := w.monitor(a, Scope{Events: MailboxName})
		known := make(map[string]bool)
		for _, name := range w.names(a) {
			known[name] = name[0] != '('
		}
		change := func(op string) error {
			if from, to, ok := strings.Cut(op, ">"); ok {
				return a.Rename(t.Context(), from, to)
			} else if op[0] == '-' {
				return a.Delete(t.Context(), op[1:])
			}
			return a.Create(t.Context(), op[1:], nil)
		}
		var err error
		l := a.lookout
		l.looking.Lock()
		for _, op := range ops {
			err = errors.Join(err, change(op))
		}
		err = errors.Join(err, l.lookAtTree())
		l.looking.Unlock()
		w.must(err)
		tree, err := a.readTree()
		w.must(err)
		told := m.Take(false).Names
		for _, c := range told {
			if c.OldName != "" {
				for name := range known {
					if name == c.OldName || strings.HasPrefix(name, c.OldName+".") {
						delete(known, name)
						known[c.Name+name[len(c.OldName):]] = true
					}
				}
			}
			n := tree.byName[c.Name]
			known[c.Name] = n != nil && n.exists
		}
		for _, n := range tree.nodes {
			if n.exists && !known[n.Name] {
				t.Errorf("%q: the client does not know %q, told of %+v", ops, n.Name, told)
			}
		}
		for name, there := range known {
			if n := tree.byName[name]; there && (n == nil || !n.exists) {
				t.Errorf("%q: the client knows %q, told of %+v", ops, name, told)
			}
		}
		m.Close()
	}
}

// TestMonitorRenameMeanwhile renames a mailbox after the lookout has read the tree, and before it has told of it.
func TestMonitorRenameMeanwhile(t *testing.T) {
	w := newWorld(t, ".A")
	a := w.start()
	m := w.monitor(a, Scope{Events: MailboxName})
	a.lookout.looking.Lock() // not in the middle of a look
	a.subsMu.Lock()          // which the lookout waits for then
	a.forgetTree()
	a.lookout.looking.Unlock()
	w.until("the tree is read", func() bool {
		a.folders.mu.Lock()
		defer a.folders.mu.Unlock()
		return a.folders.tree != nil
	})
	err := a.Rename(t.Context(), "A", "B")
	a.subsMu.Unlock()
	w.must(err)
	all := notices(t, m, func(n Notices) bool { return len(n.Names) > 0 })
	if want := []NameChange{{Name: "B", OldName: "A"}}; !slices.Equal(all.Names, want) {
		t.Errorf("told of %+v, want %+v", all.Names, want)
	}
}

// TestMonitorNamesInOrder: of a name that waits to be told, the last change is told after a RENAME that came before it.
func TestMonitorNamesInOrder(t *testing.T) {
	w := newWorld(t)
	a := w.start()
	m := w.monitor(a, Scope{Events: MailboxName})
	w.must(a.Create(t.Context(), "A", nil))
	w.lookAtTree(m)
	w.must(a.Rename(t.Context(), "A", "B"))
	w.lookAtTree(m)
	w.must(a.Create(t.Context(), "A", nil))
	w.lookAtTree(m)
	want := []NameChange{{Name: "B", OldName: "A"}, {Name: "A"}}
	if got := m.Take(false).Names; !slices.Equal(got, want) {
		t.Errorf("told of %+v, want %+v", got, want)
	}
}

// TestMonitorRenameHalfway looks at the tree between the two renames that a name which is only a parent needs: its mailboxes are told with it.
func TestMonitorRenameHalfway(t *testing.T) {
	w := newWorld(t, ".P.a", ".P.b")
	a := w.start()
	m := w.monitor(a, Scope{Events: MailboxName})
	finish := a.lookout.renaming("P", "Q", true)
	w.rename(".P.a", ".Q.a")
	w.lookAtTree(m)
	w.rename(".P.b", ".Q.b")
	finish(true)
	w.lookAtTree(m)
	want := []NameChange{{Name: "Q", OldName: "P"}}
	if got := m.Take(false).Names; !slices.Equal(got, want) {
		t.Errorf("told of %+v, want %+v", got, want)
	}
}

// TestMonitorRenamedTwice: of two mailboxes that have the same names one after the other, each goes where it went.
func TestMonitorRenamedTwice(t *testing.T) {
	w := newWorld(t, ".A")
	a := w.start()
	m := w.monitor(a, Scope{Events: MailboxName})
	rename := func(from, to string) {
		w.must(a.Rename(t.Context(), from, to))
		w.lookAtTree(m)
	}
	rename("A", "B")
	rename("B", "C")
	w.must(a.Create(t.Context(), "A", nil))
	w.lookAtTree(m)
	rename("A", "B")
	want := []NameChange{{Name: "B", OldName: "A"}, {Name: "C", OldName: "B"}, {Name: "A"}, {Name: "B", OldName: "A"}}
	if got := m.Take(false).Names; !slices.Equal(got, want) {
		t.Errorf("told of %+v, want %+v", got, want)
	}
}
