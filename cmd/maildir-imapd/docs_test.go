package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Files that the documents name are there.
func TestDocumentsNameFiles(t *testing.T) {
	const root = "../.."
	for _, doc := range []string{"README.md", "ARCHITECTURE.md"} {
		text := readDoc(t, doc)
		for _, m := range regexp.MustCompile(`\]\(([^):#]+)\)`).FindAllStringSubmatch(text, -1) {
			if _, err := os.Stat(filepath.Join(root, m[1])); err != nil {
				t.Errorf("%s: %v", doc, err)
			}
		}
	}
	// So does the README name the files that are written into Maildirs.
	readme := readDoc(t, "README.md")
	named := 0
	for _, pattern := range []string{"/backend/*.go", "/uidmap/*.go"} {
		sources, err := filepath.Glob(root + pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, source := range sources {
			for _, m := range regexp.MustCompile(`"(maildir-imapd-[a-z-]+)"`).FindAllStringSubmatch(readDoc(t, strings.TrimPrefix(source, root+"/")), -1) {
				named++
				if !strings.Contains(readme, "`"+m[1]+"`") {
					t.Errorf("README.md does not have the file %s of %s", m[1], source)
				}
			}
		}
	}
	if named == 0 {
		t.Error("no files are found in the source")
	}
	// Each package has its row in the table of folders.
	architecture := readDoc(t, "ARCHITECTURE.md")
	packages, err := filepath.Glob(root + "/*/doc.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, pattern := range []string{"/*/*/doc.go", "/*/*/*/doc.go"} {
		more, err := filepath.Glob(root + pattern)
		if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, more...)
	}
	for _, doc := range packages {
		dir := filepath.Dir(strings.TrimPrefix(doc, root+"/"))
		if !strings.Contains(architecture, "| `"+dir+"` |") {
			t.Errorf("ARCHITECTURE.md has no row for %s", dir)
		}
	}
	// Each direct dependency has its reason.
	for _, m := range regexp.MustCompile(`(?m)^\t(?:require )?(\S+) v\S+$`).FindAllStringSubmatch(readDoc(t, "go.mod"), -1) {
		if !strings.Contains(architecture, "`"+m[1]+"`") {
			t.Errorf("ARCHITECTURE.md has no reason for %s", m[1])
		}
	}
}

func readDoc(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("../..", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
