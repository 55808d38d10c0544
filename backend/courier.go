package backend

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"slices"

	"maildir-imapd/uidmap"

	"github.com/emersion/go-imap/v2"
)

// importCourier takes over the keywords that Courier kept for a folder: once,
// after its map of UIDs has been. They go where ours are, into the file names. A
// kill half-way leaves it to be done again. The turn is held.
func (mb *Mailbox) importCourier(ctx context.Context) error {
	if !mb.keywords.CourierPending() {
		return nil
	}
	byBase, err := uidmap.ImportCourierKeywords(mb.f.mail.root, mb.f.mail.dir)
	if err != nil {
		return err
	}
	var put []msg
	for _, base := range slices.Sorted(maps.Keys(byBase)) {
		m, _ := mb.snap.Load().find(mb.uidOf(base))
		if m == nil {
			continue
		}
		var names []imap.Flag
		for _, n := range byBase[base] {
			names = append(names, imap.Flag(n))
		}
		set, err := mb.flagsFor(ctx, names, true)
		if err != nil {
			return err
		}
		done, err := mb.storeOne(ctx, m.uid, AllRights, imap.StoreFlagsAdd, set, &put)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if done == nil {
			continue
		}
		if done.flags.more != "" {
			if err := mb.keywords.SetExtra(ctx, map[string][]int{base: done.flags.extra()}); err != nil {
				return err
			}
		}
		put = append(put, *done)
	}
	slices.SortFunc(put, func(a, b msg) int { return int(a.uid) - int(b.uid) })
	mb.publishFlags(put)
	return mb.keywords.CourierDone(ctx)
}
