package backend

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"maildir-imapd/watcher"
)

// bodies are what the view's messages say, sorted.
func (w *world) bodies(v *View) (bodies []string) {
	w.t.Helper()
	for seq := range v.Len() {
		f, err := v.Open(seq + 1)
		w.must(err)
		b, err := io.ReadAll(io.NewSectionReader(f, 0, f.Size()))
		w.must(err)
		w.must(f.Close())
		bodies = append(bodies, string(b))
	}
	slices.Sort(bodies)
	return bodies
}

// Files that come with the base name of another are mails of their own, also where nothing but their events tells of them.
func TestTwiceByEvents(t *testing.T) {
	for _, of := range []struct {
		name string
		come func(w *world)
		want []string
	}{
		{"of a message", func(w *world) { w.deliver(".", "cur/1.x:2,S", "two") }, []string{"one", "two"}},
		{"both new", func(w *world) {
			w.deliver(".", "new/2.x", "two")
			w.deliver(".", "cur/2.x:2,S", "three")
		}, []string{"one", "three", "two"}},
		{"in the place of one that was renamed", func(w *world) {
			w.rename("cur/1.x:2,", "cur/1.x:2,S")
			w.deliver(".", "cur/1.x:2,", "two")
		}, []string{"one", "two"}},
	} {
		t.Run(of.name, func(t *testing.T) {
			w := newWorld(t)
			w.deliver(".", "cur/1.x:2,", "one")
			v := w.sel(w.startWatching(Location{Root: w.root, Separator: '.'}, watcher.Options{Window: time.Hour}), "INBOX", false)
			w.must(v.Poll(t.Context())) // followed from here on
			of.come(w)
			w.must(v.Poll(t.Context()))
			v.Sync(true)
			if got := w.bodies(v); !slices.Equal(got, of.want) {
				t.Errorf("messages %q", got)
			}
		})
	}
}

// A message that has two links for a while, and then only the one that we did not show, is the same message.
func TestSecondLinkStays(t *testing.T) {
	w := newWorld(t)
	w.deliver(".", "cur/1.x:2,S", "one")
	v := w.sel(w.startWatching(Location{Root: w.root, Separator: '.'}, watcher.Options{Window: time.Hour}), "INBOX", false)
	w.must(v.Poll(t.Context())) // followed from here on
	cur := filepath.Join(w.root, "cur")
	w.must(os.Link(filepath.Join(cur, "1.x:2,S"), filepath.Join(cur, "1.x:2,")))
	w.must(v.Poll(t.Context()))
	w.must(v.mb.enter(t.Context()))
	w.must(v.mb.scan(t.Context())) // for another reason
	v.mb.leave()
	w.must(v.Poll(t.Context()))
	w.must(os.Remove(filepath.Join(cur, "1.x:2,S")))
	w.must(v.Poll(t.Context()))
	if u := v.Sync(true); len(u.Expunged) > 0 || v.Len() != 1 || v.UID(1) != 1 || v.AppendFlags(nil, 1, false) != nil {
		t.Errorf("told %+v", u)
	}
}

// A program that renames by a link and an unlink leaves one name, however often it does that before anybody looks: the folder is not read for it.
func TestRenamedByLinks(t *testing.T) {
	var changes []watcher.Change
	for _, names := range [][2]string{{"1.x:2,", "1.x:2,S"}, {"1.x:2,S", "1.x:2,FS"}} {
		changes = append(changes, watcher.Change{Name: names[1], Op: watcher.Appeared}, watcher.Change{Name: names[0], Op: watcher.Removed})
	}
	x := lastSeen(changes)["1.x"]
	if x.twice() || x.seen != (seen{name: "1.x:2,FS"}) {
		t.Errorf("seen %+v", x)
	}
	changes = append(changes, watcher.Change{Name: "1.x:2,T", Op: watcher.Appeared}, watcher.Change{Name: "1.x:2,FS", Op: watcher.Appeared})
	if x := lastSeen(changes)["1.x"]; !x.twice() {
		t.Errorf("seen %+v", x)
	}
}
