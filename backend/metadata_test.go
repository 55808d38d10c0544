package backend

import (
	"errors"
	"fmt"
	"maps"
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

// Where the annotations of a command can't be set, the special use that it also asks for is not given either.
func TestSpecialUseAllOrNothing(t *testing.T) {
	w := newWorld(t)
	a := w.start()
	w.must(a.Create(t.Context(), "Drafts", nil))
	w.must(a.Create(t.Context(), "Work", nil))
	use, value := `\Drafts`, "x"
	changes := []Metadata{{SpecialUseEntry, &use}}
	for i := range maxMetadata + 1 {
		changes = append(changes, Metadata{fmt.Sprintf("/private/vendor/x/%d", i), &value})
	}
	if err := a.SetMetadata(t.Context(), "Work", changes, nil); codeOf(err) != "METADATA TOOMANY" {
		t.Fatalf("got %v", err)
	}
	check := func(want map[string]string) {
		t.Helper()
		if got, err := a.SpecialUses(); err != nil || !maps.Equal(got, want) {
			t.Errorf("got %v, %v, want %v", got, err, want)
		}
	}
	check(map[string]string{"Drafts": use})
	w.must(a.SetMetadata(t.Context(), "Work", changes[:2], nil))
	check(map[string]string{"Work": use})
	// Without one it goes back to the mailbox with the name.
	w.must(a.SetMetadata(t.Context(), "Work", []Metadata{{SpecialUseEntry, nil}}, nil))
	check(map[string]string{"Drafts": use})
}
