package backend

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
)

// A keyword beyond the letters that could not be written is not told.
func TestStoreKeywordFault(t *testing.T) {
	w := newWorld(t)
	w.deliver(".", "cur/1.x:2,", "x\n")
	v := w.sel(w.start(), "INBOX", false)
	for i := range 27 {
		w.store(v, 1, imap.StoreFlagsAdd, imap.Flag(fmt.Sprintf("k%d", i)))
	}
	w.store(v, 1, imap.StoreFlagsDel, "k26")
	lock := filepath.Join(w.root, "dovecot-keywords.lock")
	w.must(os.WriteFile(lock, []byte("1:elsewhere"), 0o600))
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err := v.Store(ctx, []uint32{1}, StoreRequest{Op: imap.StoreFlagsAdd, Flags: []imap.Flag{imap.FlagSeen, "k26"}})
	if err == nil {
		t.Error("stored")
	}
	w.must(os.Remove(lock))
	v.Sync(true)
	if v.Has(1, "k26") || !v.Has(1, imap.FlagSeen) {
		t.Errorf("told %s", v.AppendFlags(nil, 1, false))
	}
}
