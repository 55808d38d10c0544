package backend

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/emersion/go-imap/v2"
)

// A message that another program renames while the folder is read for the first time keeps its UID, though readdir may
// miss it.
func TestRenamedWithinFirstLook(t *testing.T) {
	w := newWorld(t)
	const n = 3000
	cur := filepath.Join(w.root, "cur")
	for i := range n {
		w.must(os.WriteFile(filepath.Join(cur, fmt.Sprintf("%d.x:2,", 1700000000+i)), []byte("x\n"), 0o600))
	}
	look := func() map[string]imap.UID {
		a := w.start()
		defer a.Close()
		v, err := a.Select(t.Context(), "INBOX", false)
		w.must(err)
		defer v.Close()
		w.must(v.Poll(t.Context()))
		v.Sync(true)
		uids := make(map[string]imap.UID, n)
		for _, m := range v.told.all {
			uids[m.base()] = imap.UID(m.uid)
		}
		return uids
	}
	want := look()
	stop := make(chan struct{})
	var renames sync.WaitGroup
	defer renames.Wait()
	defer close(stop)
	renames.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			from, to := ":2,", ":2,S"
			if i/n%2 == 1 {
				from, to = to, from
			}
			base := filepath.Join(cur, fmt.Sprintf("%d.x", 1700000000+i%n))
			if err := os.Rename(base+from, base+to); err != nil {
				t.Error(err)
				return
			}
		}
	})
	for round := range 5 {
		got := look()
		changed := 0
		for base, uid := range got {
			if want[base] != uid {
				changed++
			}
		}
		if changed > 0 {
			t.Fatalf("round %d: %d of %d have new UIDs", round, changed, len(got))
		}
	}
}
