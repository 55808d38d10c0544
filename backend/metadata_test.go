package backend

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/emersion/go-imap/v2"
)

func codeOf(err error) imap.ResponseCode {
	if e, ok := errors.AsType[*imap.Error](err); ok {
		return e.Code
	}
	return ""
}

// TestMetadataTooMany: one entry too many changes nothing at all, and there is room again once one is removed.
func TestMetadataTooMany(t *testing.T) {
	w := newWorld(t)
	a := w.start()
	value := "x"
	all := make([]Metadata, maxMetadata)
	for i := range all {
		all[i] = Metadata{fmt.Sprintf("/private/vendor/acme/%d", i), &value}
	}
	w.must(a.SetMetadata(t.Context(), "INBOX", all, nil))
	other := "y"
	more := []Metadata{{"/private/comment", &other}, {all[0].Name, &other}}
	if err := a.SetMetadata(t.Context(), "INBOX", more, nil); codeOf(err) != "METADATA TOOMANY" {
		t.Errorf("one too many: %v", err)
	}
	list, err := a.Metadata("INBOX")
	w.must(err)
	if len(list) != maxMetadata || *list[0].Value != "x" {
		t.Errorf("%d entries, the first is %q", len(list), *list[0].Value)
	}
	w.must(a.SetMetadata(t.Context(), "INBOX", append(more, Metadata{all[1].Name, nil}), nil))
	// What belongs to the account is counted by itself.
	w.must(a.SetMetadata(t.Context(), "", more, nil))
}

// TestMetadataOfOthers: a mailbox that is a link out of the account is others' as well, and has shared
// annotations only.
func TestMetadataOfOthers(t *testing.T) {
	w := newWorld(t)
	outside := filepath.Join(filepath.Dir(w.root), "Team")
	for _, part := range []string{"cur", "new", "tmp"} {
		w.must(os.MkdirAll(filepath.Join(outside, part), 0o700))
	}
	w.must(os.Symlink(outside, filepath.Join(w.root, ".Team")))
	a := w.startAt(Location{Root: w.root, Separator: '.', FollowSymlinks: true})
	value := "x"
	if err := a.SetMetadata(t.Context(), "Team", []Metadata{{"/shared/comment", &value}, {"/PRIVATE/comment", &value}}, nil); codeOf(err) != "METADATA NOPRIVATE" {
		t.Errorf("private: %v", err)
	}
	w.must(a.SetMetadata(t.Context(), "Team", []Metadata{{"/shared/comment", &value}}, nil))
	file := filepath.Join(outside, mailboxMetadata)
	data, err := os.ReadFile(file)
	w.must(err)
	w.must(os.WriteFile(file, append(data, "\"/private/comment\" \"somebody's\"\n"...), 0o600))
	list, err := a.Metadata("Team")
	w.must(err)
	if len(list) != 1 || list[0].Name != "/shared/comment" {
		t.Errorf("%v", list)
	}
}
