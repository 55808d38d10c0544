package backend

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"maildir-imapd/index"
	"maildir-imapd/uidmap"
	"maildir-imapd/watcher"

	"github.com/emersion/go-imap/v2"
)

// Mailbox is one folder, shared by all sessions that show it.
type Mailbox struct {
	// Immutable after newMailbox.
	a    *Account
	f    folder
	path string // absolute, for the watcher and the log
	log  *slog.Logger

	// snap is what readers read; only the holder of the turn stores it.
	snap atomic.Pointer[snapshot]
	// d is set by load and not changed.
	d dirs

	turn chan struct{} // holds a value while somebody has the turn

	// Owned by the holder of the turn.
	loaded       bool
	list         *uidmap.List
	keywords     *uidmap.Keywords
	curAt, newAt stamp           // all changes up to these are in snap
	followed     bool            // watch has told of all changes after them, or is about to
	unsettled    bool            // something that was heard of is not in snap: the next look is at the whole folder
	retry        *time.Timer     // for unsettled
	dropped      int             // list.Dropped at the last look at the whole folder
	doubles      map[string]bool // base names that several files had then
	lastTrouble  string          // logged already
	uidValidity  uint32          // written by load only, read by all after it
	guid         string          // likewise
	reread       bool            // keywords beyond the letters may have changed
	unnamed      uint32          // letters of keywords whose names could not be waited for
	gen          uint64
	modseqs      modseqs
	history      history // of the last snapshot, or the next

	opened     atomic.Bool // loaded, for those without the turn
	unreadable sync.Once   // logs the first message that passOver has found unreadable

	refs int // guarded by Account.mu: views and commands under way

	mu        sync.Mutex // guards the fields below
	views     map[*View]struct{}
	watch     *watcher.Watch // nil: none. Only the holder of the turn sets it, and close
	pending   watcher.Batch  // what watch has told, and is not in snap yet
	working   bool           // a goroutine takes care of pending
	quiet     *time.Timer    // for unwatch
	gone      bool           // deleted, or its UIDs have lost their meaning
	unclaimed uidRanges
	graves    map[uint32]grave // expunged messages that some view still shows

	meta  meta
	index *index.Folder // nil: none. Set by load, and not changed

	keyIndex *keyIndex
}

// grave is where an expunged message can still be read.
type grave struct {
	name string // in tmp/
	gen  uint64 // of the snapshot without it; the greatest number: not published yet
}

func newMailbox(a *Account, f folder) *Mailbox {
	return &Mailbox{
		a: a, f: f,
		path:     a.path(f.Dir),
		log:      a.b.o.Log.With("user", a.user, "mailbox", f.Name),
		turn:     make(chan struct{}, 1),
		views:    make(map[*View]struct{}),
		graves:   make(map[uint32]grave),
		keyIndex: newKeyIndex(),
	}
}

// enter waits for the turn to change the folder. A mailbox that was lost meanwhile is
// changed no more: its path may be that of another one (errNonExistent).
func (mb *Mailbox) enter(ctx context.Context) error {
	select {
	case mb.turn <- struct{}{}:
		if mb.isGone() {
			mb.leave()
			return errNonExistent
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (mb *Mailbox) leave() { <-mb.turn }

// load opens the folder's files and reads it for the first time. Later, it loses the mailbox if its folder is not the one that
// it has open any more (errNonExistent).
func (mb *Mailbox) load(ctx context.Context) (err error) {
	if err := mb.enter(ctx); err != nil {
		return err
	}
	defer mb.leave()
	if mb.loaded {
		if same, err := mb.sameFolder(); same || err != nil {
			return err
		}
		mb.lose()
		return errNonExistent
	}
	if err := mb.a.ensureMaildir(mb.f); err != nil {
		return err
	}
	if mb.d, err = openDirs(mb.f.mail.root, mb.f.mail.dir, mb.a.loc.FollowSymlinks); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			mb.d.close()
		}
	}()
	o := mb.a.mapOptions()
	o.Log = mb.log
	if mb.list, err = uidmap.OpenList(ctx, mb.f.control.root, mb.f.control.dir, mb.a.validity.Next, o); err != nil {
		return err
	}
	if mb.keywords, err = uidmap.OpenKeywords(mb.f.control.root, mb.f.control.dir, o); err != nil {
		return err
	}
	mb.trouble("can't give a copied folder a GUID of its own", mb.ownGUID(ctx))
	mb.uidValidity, mb.guid = mb.list.UIDValidity(), mb.list.GUID()
	mb.loadModSeqs()
	if mb.modseqs.known == nil { // we may have been killed
		mb.trouble("can't remove what was left of mod-sequences", mb.sweepModSeqs())
	}
	mb.snap.Store(&snapshot{names: new(keywordNames)})
	if err := mb.firstScan(ctx); err != nil {
		return err
	}
	mb.loaded = true
	mb.trouble("can't take over the keywords of Courier", mb.importCourier(ctx))
	mb.cleanTmp()
	mb.openIndex()
	mb.opened.Store(true)
	return nil
}

// close releases what load opened. Nobody may use the mailbox any more.
func (mb *Mailbox) close() {
	mb.stopWatching()
	if mb.opened.Load() {
		mb.index.Close()
		mb.stopSaving()
		mb.d.close()
	}
}

// lock takes the folder's uidlist lock. The list under the folder's name may be that of another folder by now: then the mailbox is
// lost. The turn is held.
func (mb *Mailbox) lock(ctx context.Context) (*uidmap.Tx, error) {
	tx, err := mb.list.Lock(ctx)
	if err != nil || !mb.loaded {
		return tx, err
	}
	same, err := mb.sameFolder()
	if err == nil && (!same || mb.list.UIDValidity() != mb.uidValidity) {
		mb.lose()
		err = errLost
	}
	if err != nil {
		return nil, errors.Join(err, tx.Unlock())
	}
	return tx, nil
}

// errLost is told to a command that comes between the loss of a mailbox and its view's next Sync.
var errLost = &imap.Error{Type: imap.StatusResponseTypeNo, Code: imap.ResponseCodeNonExistent, Text: "The mailbox was deleted or made anew"}

// claims reports whether a read-write session has the folder selected: it moves
// mail from new/ to cur/.
func (mb *Mailbox) claims() bool {
	mb.mu.Lock()
	defer mb.mu.Unlock()
	for v := range mb.views {
		if !v.readOnly {
			return true
		}
	}
	return false
}

// publish makes the chunks the mailbox's state and wakes the views. The turn
// is held, and what the chunks say is on disk.
func (mb *Mailbox) publish(chunks []*chunk, names *keywordNames, uidNext uint32) *snapshot {
	mb.gen++
	s := &snapshot{gen: mb.gen, uidNext: uidNext, modseq: mb.modseqs.last, history: mb.history, names: names}
	s.cut(chunks)
	mb.snap.Store(s)
	mb.wake()
	mb.a.lookout.touch(mb.f.Dir)
	mb.saveSoon()
	return s
}

func (mb *Mailbox) wake() {
	mb.mu.Lock()
	defer mb.mu.Unlock()
	for v := range mb.views {
		v.wake()
	}
}

// lose ends the mailbox: its folder was removed, or its UIDs have lost their
// meaning. Its views are told, and a later SELECT opens the folder anew.
func (mb *Mailbox) lose() {
	mb.index.Discard() // the folder may have a new name, and another owner there
	mb.a.drop(mb)
	mb.mu.Lock()
	mb.gone = true
	for v := range mb.views {
		v.wake()
	}
	mb.mu.Unlock()
	mb.a.lookout.touch(mb.f.Dir)
}

// trouble logs an error of background work, once for as long as it stays the same. The turn is held.
func (mb *Mailbox) trouble(what string, err error) {
	if err == nil || errors.Is(err, context.Canceled) {
		return
	}
	if text := what + err.Error(); text != mb.lastTrouble {
		mb.lastTrouble = text
		mb.log.Error(what, "err", err)
	}
}

// bury keeps the file of a message that is being expunged in tmp/ for the other
// views: by dir.rename, or by dir.link where the file goes elsewhere. It
// returns false where nobody else sees the message. The turn is held.
func (mb *Mailbox) bury(m *msg, self *View, by func(dir, string, dir, string) error) (bool, error) {
	mb.mu.Lock()
	others := len(mb.views)
	if _, ok := mb.views[self]; ok {
		others--
	}
	mb.mu.Unlock()
	if others == 0 {
		return false, nil
	}
	name := "expunged." + freshBase()
	if err := by(mb.d.of(m.inNew), m.name, mb.d.tmp, name); err != nil {
		return false, err
	}
	mb.mu.Lock()
	mb.graves[m.uid] = grave{name: name, gen: ^uint64(0)}
	mb.mu.Unlock()
	return true, nil
}

// unbury removes the links in tmp/ of messages that are not expunged after all. The turn is held.
func (mb *Mailbox) unbury(list []msg) {
	mb.mu.Lock()
	var names []string
	for i := range list {
		if g, ok := mb.graves[list[i].uid]; ok {
			names = append(names, g.name)
			delete(mb.graves, list[i].uid)
		}
	}
	mb.mu.Unlock()
	for _, name := range names {
		mb.trouble("can't remove a link from tmp", mb.d.tmp.remove(name))
	}
}

// seal notes that the snapshot which is about to be published is the first without these messages. The turn is held.
func (mb *Mailbox) seal(removed []uint32) {
	mb.mu.Lock()
	defer mb.mu.Unlock()
	for _, uid := range removed {
		if g, ok := mb.graves[uid]; ok {
			mb.graves[uid] = grave{g.name, mb.gen + 1}
		}
	}
}

// graveOf returns the file name in tmp/ of an expunged message.
func (mb *Mailbox) graveOf(uid uint32) (string, bool) {
	mb.mu.Lock()
	defer mb.mu.Unlock()
	g, ok := mb.graves[uid]
	return g.name, ok
}

// reap removes the graves that no view can see any more.
func (mb *Mailbox) reap() {
	mb.mu.Lock()
	if len(mb.graves) == 0 {
		mb.mu.Unlock()
		return
	}
	oldest := ^uint64(0)
	for v := range mb.views {
		oldest = min(oldest, v.settled.Load())
	}
	var old []string
	for uid, g := range mb.graves {
		if g.gen <= oldest {
			old = append(old, g.name)
			delete(mb.graves, uid)
		}
	}
	mb.mu.Unlock()
	if len(old) == 0 {
		return
	}
	mb.keep()
	remove := func(context.Context) {
		defer mb.release()
		for _, name := range old {
			if err := mb.d.tmp.remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
				mb.log.Warn("can't remove an expunged message from tmp", "err", err)
			}
		}
	}
	if !mb.a.b.background(remove) {
		remove(context.Background())
	}
}

// ErrGone says that a message is expunged and can't be read any more: FETCH leaves it
// out and ends with OK [EXPUNGEISSUED] (RFC 5530).
var ErrGone = &imap.Error{Type: imap.StatusResponseTypeNo, Code: "EXPUNGEISSUED", Text: "Some messages were already expunged"}

// ErrLocked says that another program has locked one of the folder's files for longer than we wait.
var ErrLocked = uidmap.ErrLocked
