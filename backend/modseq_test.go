package backend

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
)

// copied is the same Maildir as it is on disk now: what a server finds that is started after a kill.
func (w *world) copied() *world {
	w.t.Helper()
	to := filepath.Join(w.t.TempDir(), "Maildir")
	w.must(os.CopyFS(to, os.DirFS(w.root)))
	return &world{t: w.t, root: to}
}

// saved makes the server write the mod-sequences of a mailbox now.
func (w *world) saved(v *View) { w.t.Helper(); w.must(v.mb.saveModSeqs(w.t.Context())) }

func (w *world) store(v *View, seq uint32, op imap.StoreFlagsOp, flags ...imap.Flag) {
	w.t.Helper()
	_, err := v.Store(w.t.Context(), []uint32{seq}, StoreRequest{Op: op, Flags: flags})
	w.must(err)
	v.Sync(true)
}

func modSeqs(v *View) (out []uint64) {
	for seq := uint32(1); seq <= v.Len(); seq++ {
		out = append(out, v.ModSeq(seq))
	}
	return out
}

// What was saved holds after a restart; what another program did meanwhile is new.
func TestModSeqsAreKept(t *testing.T) {
	w := newWorld(t)
	for range 4 {
		w.deliver(".", "", "x")
	}
	v := w.sel(w.start(), "INBOX", false)
	w.store(v, 2, imap.StoreFlagsAdd, imap.FlagSeen, "key")
	w.store(v, 4, imap.StoreFlagsAdd, imap.FlagDeleted)
	w.must(v.Expunge(t.Context(), nil))
	v.Sync(true)
	w.saved(v)
	want, highest := modSeqs(v), v.HighestModSeq()

	again := w.copied()
	v = again.sel(again.start(), "INBOX", false)
	if got := modSeqs(v); !slices.Equal(got, want) || v.HighestModSeq() != highest {
		t.Errorf("mod-sequences %v, highest %d; were %v, %d", got, v.HighestModSeq(), want, highest)
	}
	if got := v.Vanished(want[1], KnownMessages{}); !reflect.DeepEqual(got, imap.UIDSet{{Start: 4, Stop: 4}}) {
		t.Errorf("vanished %v", got)
	}
	if got := v.Vanished(highest, KnownMessages{}); got != nil {
		t.Errorf("vanished %v though nothing has", got)
	}

	other := w.copied()
	names := other.files("cur")
	other.rename("cur/"+names[0], "cur/"+baseOf(names[0])+":2,F")
	other.must(os.Remove(filepath.Join(other.root, "cur", names[2])))
	v = other.sel(other.start(), "INBOX", false)
	if got := modSeqs(v); len(got) != 2 || got[0] <= highest || got[1] != want[1] {
		t.Errorf("mod-sequences %v after a change of the first; were %v, highest %d", got, want, highest)
	}
	if got := v.Vanished(highest, KnownMessages{}); !reflect.DeepEqual(got, imap.UIDSet{{Start: 3, Stop: 3}}) {
		t.Errorf("vanished %v", got)
	}
}

// The server is killed at some instant: a client that has heard of changes the file does not know hears of all
// that is different now, though the flags be those of the file.
func TestModSeqsAfterKill(t *testing.T) {
	w := newWorld(t)
	for range 3 {
		w.deliver(".", "", "x")
	}
	v := w.sel(w.start(), "INBOX", false)
	w.saved(v)
	w.store(v, 1, imap.StoreFlagsAdd, imap.FlagSeen)
	told := v.HighestModSeq() // a client knows \Seen of the first message
	w.store(v, 1, imap.StoreFlagsDel, imap.FlagSeen)
	for name, change := range map[string]func(w *world){
		"as it was":  func(*world) {},
		"no file":    func(w *world) { w.must(os.Remove(filepath.Join(w.root, modseqFile))) },
		"empty file": func(w *world) { w.must(os.Truncate(filepath.Join(w.root, modseqFile), 0)) },
		"damaged": func(w *world) {
			w.must(os.WriteFile(filepath.Join(w.root, modseqFile), bytes.Repeat([]byte("x"), 100), 0o600))
		},
		"a directory": func(w *world) {
			w.must(os.Remove(filepath.Join(w.root, modseqFile)))
			w.must(os.Mkdir(filepath.Join(w.root, modseqFile), 0o700))
		},
	} {
		t.Run(name, func(t *testing.T) {
			killed := w.copied()
			killed.t = t
			change(killed)
			v := killed.sel(killed.start(), "INBOX", false)
			for seq, n := range modSeqs(v) {
				if n <= told {
					t.Errorf("message %d has mod-sequence %d, and a client that was told %d does not hear of it", seq+1, n, told)
				}
			}
			if got := v.Vanished(told, KnownMessages{UIDs: imap.UIDSet{{Start: 1, Stop: 9}}}); got != nil {
				t.Errorf("vanished %v", got)
			}
			killed.must(os.Remove(filepath.Join(killed.root, "cur", killed.files("cur")[1])))
			killed.must(v.Poll(t.Context()))
			v.Sync(true)
			if got := v.Vanished(told, KnownMessages{}); !reflect.DeepEqual(got, imap.UIDSet{{Start: 2, Stop: 2}}) {
				t.Errorf("vanished %v", got)
			}
		})
	}
}

// A clock that was set back gives no mod-sequence twice.
func TestModSeqsGrow(t *testing.T) {
	w := newWorld(t)
	w.deliver(".", "", "x")
	v := w.sel(w.start(), "INBOX", false)
	w.saved(v)
	path := filepath.Join(w.root, modseqFile)
	raw, err := os.ReadFile(path)
	w.must(err)
	rec, err := parseModSeqs(raw)
	w.must(err)
	const ahead = 1 << 60 // of a clock that went too fast
	again := w.copied()
	again.must(os.WriteFile(filepath.Join(again.root, modseqFile), append(modseqHeader(ahead), raw[modseqHeaderLen:]...), 0o600))
	v = again.sel(again.start(), "INBOX", false)
	if v.ModSeq(1) <= ahead || rec.highest >= ahead {
		t.Errorf("mod-sequence %d after %d were reserved", v.ModSeq(1), uint64(ahead))
	}
}

// Two processes that write the file: neither is believed.
func TestModSeqsOfTwo(t *testing.T) {
	w := newWorld(t)
	w.deliver(".", "", "x")
	one, two := w.sel(w.start(), "INBOX", false), w.sel(w.start(), "INBOX", false)
	w.saved(one)
	w.store(two, 1, imap.StoreFlagsAdd, imap.FlagSeen)
	w.saved(two)
	if _, err := os.Stat(filepath.Join(w.root, modseqFile)); !os.IsNotExist(err) {
		t.Errorf("the file is there: %v", err)
	}
}

func TestHistory(t *testing.T) {
	var h history
	for i := range uint32(3 * historyLen) {
		h.add(uint64(i)+1, []uint32{2 * i, 2*i + 1})
	}
	if n := len(h.list); n > historyLen || n < historyLen/2 {
		t.Errorf("%d expunges are remembered", n)
	}
	if got := h.after(h.since); len(got) != len(h.list) || got[0].modseq != h.since+1 {
		t.Errorf("since %d: %d of %d, from %d", h.since, len(got), len(h.list), got[0].modseq)
	}
	if got := joined(h.after(3*historyLen - 3)); !reflect.DeepEqual(got, uidRanges{{Start: 6*historyLen - 6, Stop: 6*historyLen - 1}}) {
		t.Errorf("joined %v", got)
	}
}

// The sequence match data (RFC 7162 §3.2.5.2) say up to where the client knows of all expunges.
func TestVanishedKnown(t *testing.T) {
	w := newWorld(t)
	for range 9 {
		w.deliver(".", "", "x")
	}
	v := w.sel(w.start(), "INBOX", false)
	for _, seq := range []uint32{2, 5, 8} {
		w.store(v, seq, imap.StoreFlagsAdd, imap.FlagDeleted)
	}
	w.must(v.Expunge(t.Context(), nil))
	v.Sync(true) // 1 3 4 6 7 9
	set := func(ranges ...imap.UID) (s imap.UIDSet) {
		for i := 0; i < len(ranges); i += 2 {
			s = append(s, imap.UIDRange{Start: ranges[i], Stop: ranges[i+1]})
		}
		return s
	}
	for _, test := range []struct {
		known KnownMessages
		want  imap.UIDSet
	}{
		{KnownMessages{}, set(2, 2, 5, 5, 8, 8)},
		{KnownMessages{UIDs: set(3, 7)}, set(5, 5)},
		{KnownMessages{UIDs: set(1, 1, 9, 4000000000)}, nil},
		{KnownMessages{UIDs: set(1, 9), Seqs: imap.SeqSet{{Start: 1, Stop: 1}}, SeqUIDs: set(1, 1)}, set(2, 2, 5, 5, 8, 8)},
		{KnownMessages{Seqs: imap.SeqSet{{Start: 2, Stop: 3}}, SeqUIDs: set(3, 4)}, set(5, 5, 8, 8)},
		{KnownMessages{Seqs: imap.SeqSet{{Start: 2, Stop: 6}}, SeqUIDs: set(3, 4, 6, 7, 9, 9)}, nil},
		{KnownMessages{Seqs: imap.SeqSet{{Start: 1, Stop: 4000000000}}, SeqUIDs: set(1, 4000000000)}, set(2, 2, 5, 5, 8, 8)},
	} {
		if got := v.Vanished(1, test.known); !reflect.DeepEqual(got, test.want) {
			t.Errorf("%+v: vanished %v, want %v", test.known, got, test.want)
		}
	}
}

func FuzzModSeqFile(f *testing.F) {
	s := &snapshot{modseq: 300, uidNext: 9, names: &keywordNames{"a", "", "b"}, history: history{since: 5, list: []expunge{{7, 1, 2}, {9, 4, 4}}}}
	s.cut(appendChunks(nil, []msg{{uid: 3, modseq: 200, flags: flags{sys: 3, letters: 5, more: "\x00\x1b"}}, {uid: 8, modseq: 300}}))
	good := appendModSeqs(nil, s, 77)
	rec, err := parseModSeqs(good)
	if err != nil || rec.uidValidity != 77 || rec.highest != 300 || len(rec.msgs) != 2 || !reflect.DeepEqual(rec.history, s.history) {
		f.Fatalf("%+v, %v", rec, err)
	}
	if m, ok := rec.find(3); !ok || m.modseq != 200 || m.flags.more != "\x00\x1b" {
		f.Fatalf("%+v", m)
	}
	f.Add(good[modseqHeaderLen:])
	f.Fuzz(func(t *testing.T, body []byte) {
		whole := append(modseqHeader(400), body...)
		if rec, err := parseModSeqs(whole); err == nil {
			_ = fmt.Sprint(rec.history.after(1))
		}
	})
}

// What a server leaves that is killed while it writes the file is removed by the next; what is young may be another's.
func TestModSeqLeftovers(t *testing.T) {
	w := newWorld(t)
	old, young := filepath.Join(w.root, modseqFile+".1"), filepath.Join(w.root, modseqFile+".2")
	for _, name := range []string{old, young} {
		w.must(os.WriteFile(name, nil, 0o600))
	}
	long := time.Now().Add(-2 * time.Hour)
	w.must(os.Chtimes(old, long, long))
	w.sel(w.start(), "INBOX", false)
	if w.exists(modseqFile+".1") || !w.exists(modseqFile+".2") {
		t.Errorf("there is %q", w.files("."))
	}
}

// What could not be reserved is reserved before the next change, not only when that much is used up.
func TestModSeqReservedLater(t *testing.T) {
	w := newWorld(t)
	w.deliver(".", "", "x")
	v := w.sel(w.start(), "INBOX", false)
	w.saved(v)
	name := filepath.Join(w.root, modseqFile)
	w.must(os.Rename(name, name+".kept"))
	w.must(os.MkdirAll(name+"/in the way", 0o700))
	w.store(v, 1, imap.StoreFlagsAdd, imap.FlagSeen)
	w.must(os.RemoveAll(name))
	w.must(os.Rename(name+".kept", name))
	w.store(v, 1, imap.StoreFlagsAdd, imap.FlagDraft)
	data, err := os.ReadFile(name)
	w.must(err)
	rec, err := parseModSeqs(data)
	w.must(err)
	if rec.reserved <= rec.highest {
		t.Error("the file does not know that there are changes")
	}
}

// A file that can neither be read nor removed at the start is not left alone for good.
func TestModSeqUnreadable(t *testing.T) {
	w := newWorld(t)
	w.deliver(".", "", "x")
	v := w.sel(w.start(), "INBOX", false)
	w.saved(v)
	w = w.copied()
	name := filepath.Join(w.root, modseqFile)
	w.must(os.Rename(name, name+".kept"))
	w.must(os.MkdirAll(name+"/in the way", 0o700))
	a := w.start()
	mb, err := a.Account.mailbox(t.Context(), "INBOX")
	w.must(err)
	defer mb.release()
	w.must(os.RemoveAll(name))
	w.must(os.Rename(name+".kept", name))
	w.store(w.sel(a, "INBOX", false), 1, imap.StoreFlagsAdd, imap.FlagDraft)
	if w.exists(modseqFile) {
		t.Error("the file does not know that there are changes")
	}
}
