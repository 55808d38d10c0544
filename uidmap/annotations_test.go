package uidmap

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

func testAnnotations(t *testing.T) (*Annotations, string) {
	t.Helper()
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return NewAnnotations(root, ".", "a", Options{FilePerm: 0o600}), filepath.Join(dir, "a")
}

func TestAnnotations(t *testing.T) {
	a, file := testAnnotations(t)
	if list, err := a.All(); err != nil || len(list) != 0 {
		t.Fatalf("no file: %v, %v", list, err)
	}
	want := []Annotation{
		{"/private/comment", "two\r\nlines"},
		{"/private/a b \"c\"", "\x00\xff\"\\ ü\u2028"},
		{"/shared/comment", ""},
	}
	set := func([]Annotation) ([]Annotation, error) { return want, nil }
	if err := a.Update(t.Context(), set); err != nil {
		t.Fatal(err)
	}
	if list, err := a.All(); err != nil || !slices.Equal(list, want) {
		t.Errorf("%q, %v; want %q", list, err, want)
	}
	refuse := errors.New("no")
	if err := a.Update(t.Context(), func([]Annotation) ([]Annotation, error) { return nil, refuse }); !errors.Is(err, refuse) {
		t.Errorf("error %v, want that of the change", err)
	}
	tooMuch := []Annotation{{"/private/x", strings.Repeat("\x00", maxAnnotations/4)}}
	if err := a.Update(t.Context(), func([]Annotation) ([]Annotation, error) { return tooMuch, nil }); !errors.Is(err, ErrLimit) {
		t.Errorf("too much: %v", err)
	}
	if list, err := a.All(); err != nil || !slices.Equal(list, want) {
		t.Errorf("after refusals: %q, %v", list, err)
	}
	if left, _ := filepath.Glob(file + ".*"); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// TestAnnotationsDamaged: what can be read of a damaged file stays, and the rest is kept for the administrator.
func TestAnnotationsDamaged(t *testing.T) {
	a, file := testAnnotations(t)
	text := "1\n\"/private/a\" \"1\"\ngarbage\n\"/private/b\" \"2\"\n\"/private/c\" \"cut off"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	want := []Annotation{{"/private/a", "1"}, {"/private/b", "2"}}
	if list, err := a.All(); err != nil || !slices.Equal(list, want) {
		t.Errorf("%q, %v; want %q", list, err, want)
	}
	if err := a.Update(t.Context(), func(l []Annotation) ([]Annotation, error) { return append(l, Annotation{"/private/d", "4"}), nil }); err != nil {
		t.Fatal(err)
	}
	if list, err := a.All(); err != nil || len(list) != 3 {
		t.Errorf("%q, %v", list, err)
	}
	kept, _ := filepath.Glob(file + ".broken-*")
	if len(kept) != 1 {
		t.Fatalf("kept: %v", kept)
	}
	if data, err := os.ReadFile(kept[0]); err != nil || string(data) != text {
		t.Errorf("kept %q, %v", data, err)
	}
	// A version that we don't know is left alone.
	if err := os.WriteFile(file, []byte("2\nx\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := a.All(); !errors.Is(err, ErrVersion) {
		t.Errorf("unknown version: %v", err)
	}
	if err := a.Update(t.Context(), func(l []Annotation) ([]Annotation, error) { return l, nil }); !errors.Is(err, ErrVersion) {
		t.Errorf("unknown version: %v", err)
	}
}

// TestAnnotationsTogether: of changes made at once none is lost.
func TestAnnotationsTogether(t *testing.T) {
	a, _ := testAnnotations(t)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			err := a.Update(context.Background(), func(l []Annotation) ([]Annotation, error) {
				return append(l, Annotation{fmt.Sprintf("/private/%d", i), "x"}), nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if list, err := a.All(); err != nil || len(list) != 8 {
		t.Errorf("%q, %v", list, err)
	}
}

// FuzzParseAnnotation checks that what is read is written back the same.
func FuzzParseAnnotation(f *testing.F) {
	f.Add("\"/private/comment\" \"My own comment\"\n")
	f.Add("\"/private/comment\" \"\\x00\\u00fc\\\"\"\n")
	f.Add("`/a` 'b'\n")
	f.Fuzz(func(t *testing.T, line string) {
		x, ok := parseAnnotation(line)
		if !ok {
			return
		}
		again, ok := parseAnnotation(fmt.Sprintf("%q %q\n", x.Name, x.Value))
		if !ok || again != x {
			t.Errorf("%q: %q, then %q", line, x, again)
		}
	})
}
