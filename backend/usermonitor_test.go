package backend

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/emersion/go-imap/v2"
)

// A user's own prefix is not that of shared mailboxes to which he has subscribed: they are told with their own names, and watched.
func TestSharedMonitorPrefix(t *testing.T) {
	w := newSharedWorld(t)
	w.box(".box", "anyone lr\n")
	u := w.user("alice", Location{Prefix: "INBOX."})
	w.must(u.Subscribe(t.Context(), "Public.box"))
	m, err := u.Monitor([]Scope{{Events: SubscriptionChange}, {Kind: Subscribed, Events: SubscriptionChange | MessageChange}})
	w.must(err)
	t.Cleanup(m.Close)
	if got := m.Mailboxes(); !slices.Equal(got, []string{"Public.box"}) {
		t.Errorf("watches %q", got)
	}
	w.must(u.Unsubscribe(t.Context(), "Public.box"))
	for _, part := range m.parts {
		part.l.looking.Lock()
		w.must(part.l.lookAtTree())
		part.l.looking.Unlock()
	}
	if n := m.Take(false); !slices.Equal(n.Names, []NameChange{{Name: "Public.box"}}) {
		t.Errorf("told of %+v", n.Names)
	}
}

// Nothing is told of a user's own mailboxes where a shared tree has their place.
func TestSharedMonitorHides(t *testing.T) {
	w := newSharedWorld(t)
	w.box(".box", "user=bob lr\n")
	u := w.user("alice", Location{})
	own := &world{t: t, root: u.loc.Root}
	own.maildir(".Public.box")
	m := own.monitor(u, Scope{Kind: Subtree, Names: []string{"Public"}, Events: MessageChange | MailboxName})
	if got := m.Mailboxes(); len(got) > 0 {
		t.Errorf("watches %q", got)
	}
	own.maildir(".Public.other")
	own.lookAtTree(m)
	if n := m.Take(false); len(n.Names) > 0 {
		t.Errorf("told of %+v", n.Names)
	}
}

// Rights that change while another user begins to listen are told to those who listen already.
func TestSharedMonitorAdded(t *testing.T) {
	w := newSharedWorld(t)
	w.box(".a", "user=carol lr\n")
	w.box(".z", "user=carol lr\n")
	var change atomic.Bool
	w.b.o.Log = slog.New(onLog{w.b.o.Log.Handler(), func() {
		if change.CompareAndSwap(true, false) {
			w.acl(".a", "user=bob lr\n")
		}
	}})
	bob, carol := w.user("bob", Location{}), w.user("carol", Location{})
	scope := Scope{Kind: Subtree, Names: []string{"Public"}, Events: MailboxName}
	m := w.monitor(bob, scope)
	change.Store(true)
	w.acl(".z", "nonsense\n") // logged by the next look, which has seen .a then
	w.monitor(carol, scope)
	w.lookAtTree(m)
	if n := m.Take(false); !slices.Equal(n.Names, []NameChange{{Name: "Public.a"}}) {
		t.Errorf("told of %+v", n.Names)
	}
}

// onLog calls f for each line of a log.
type onLog struct {
	slog.Handler
	f func()
}

func (h onLog) Handle(ctx context.Context, r slog.Record) error {
	h.f()
	return h.Handler.Handle(ctx, r)
}

func (h onLog) WithAttrs(attrs []slog.Attr) slog.Handler {
	return onLog{h.Handler.WithAttrs(attrs), h.f}
}

// Two users who watch each other's doings, and change the trees: no lock is taken in two orders.
func TestSharedMonitors(t *testing.T) {
	w := newSharedWorld(t)
	w.acl(".", "anyone lrwstipekxa\n")
	w.box(".box", "anyone lrwstipekxa\n")
	var group sync.WaitGroup
	for _, name := range []string{"alice", "bob"} {
		u := w.user(name, Location{})
		m, err := u.Monitor([]Scope{{Events: MailboxName | SubscriptionChange}, {Kind: Subtree, Names: []string{"Public"}, Events: MailboxName | MessageChange}})
		w.must(err)
		t.Cleanup(m.Close)
		group.Go(func() {
			for i := range 20 {
				mine, shared := fmt.Sprint("F", i), fmt.Sprintf("Public.%s%d", name, i)
				err := errors.Join(
					m.Own(func() error { return u.Create(t.Context(), shared, nil) }, shared),
					m.Own(func() error { return u.Create(t.Context(), mine, nil) }, mine),
					m.Own(func() error { return u.Subscribe(t.Context(), shared) }, shared),
					u.SetACL(t.Context(), "Public.box", name, imap.RightModificationReplace, AllRights&^Rights(i%2)),
					m.Own(func() error { return u.Delete(t.Context(), shared) }, shared),
				)
				if err != nil {
					t.Error(err)
				}
				m.Take(true)
			}
		})
	}
	group.Wait()
}

// Rights that are taken away after NOTIFY SET STATUS has begun count for the mailboxes that it has not come to.
func TestShareMonitorStatusLate(t *testing.T) {
	w := newSharedWorld(t)
	w.box(".box", "user=alice lr\n")
	u := w.user("alice", Location{})
	m, err := u.Monitor([]Scope{{Kind: Subtree, Names: []string{"Public"}, Events: MessageChange}})
	w.must(err)
	defer m.Close()
	if got := m.Mailboxes(); !slices.Equal(got, []string{"Public.box"}) {
		t.Fatalf("%q", got)
	}
	w.acl(".box", "user=alice l\n")
	if c, ok, err := m.Status(t.Context(), "Public.box"); ok || err != nil {
		t.Errorf("%+v, %v", c, err)
	}
}
