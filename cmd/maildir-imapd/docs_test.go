package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"maildir-imapd/auth"
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

// The table of capabilities in README.md names all that are announced and no others, each with its source and
// with tests that are there.
func TestDocumentsNameCapabilities(t *testing.T) {
	const scripts = "internal/script/testdata/"
	announced := make(map[string]bool)
	for _, m := range regexp.MustCompile(`\{name: "([^"]+)", states`).FindAllStringSubmatch(readDoc(t, "imapd/capability.go"), -1) {
		announced[m[1]] = true
	}
	for _, name := range auth.Mechanisms() {
		announced["AUTH="+name] = true
	}
	_, table, _ := strings.Cut(readDoc(t, "README.md"), "\n| capability | RFC | where | tests |\n|---|---|---|---|\n")
	table, _, _ = strings.Cut(table, "\n\n")
	quoted := regexp.MustCompile("`([^`]+)`")
	link := regexp.MustCompile(`\[([^]]+)\]\(([^)]+)\)`)
	named := make(map[string]bool)
	for row := range strings.Lines(table) {
		cells := strings.Split(strings.Trim(row, "| \n"), " | ")
		if len(cells) != 4 {
			t.Errorf("README.md: not four cells: %s", row)
			continue
		}
		names, _, _ := strings.Cut(cells[0], " (")
		for _, m := range quoted.FindAllStringSubmatch(names, -1) {
			if !announced[m[1]] || named[m[1]] {
				t.Errorf("README.md: %s is not announced, or has two rows", m[1])
			}
			named[m[1]] = true
		}
		where, tests := link.FindAllStringSubmatch(cells[2], -1), link.FindAllStringSubmatch(cells[3], -1)
		stars := quoted.FindAllStringSubmatch(cells[3], -1)
		if len(where) == 0 || len(tests)+len(stars) == 0 {
			t.Errorf("README.md: no source, or no test: %s", row)
		}
		for _, m := range append(where, tests...) {
			if _, err := os.Stat(filepath.Join("../..", m[2])); err != nil || !strings.HasPrefix(filepath.Base(m[2]), filepath.Base(m[1])) {
				t.Errorf("README.md: no file %s, or it is named %s", m[2], m[1])
			}
		}
		for _, m := range tests {
			if !strings.HasPrefix(m[2], scripts) && !strings.HasSuffix(m[2], "_test.go") {
				t.Errorf("README.md: %s is no test", m[2])
			}
		}
		for _, m := range stars {
			if found, err := filepath.Glob(filepath.Join("../..", scripts, m[1]+".txt")); err != nil || len(found) == 0 {
				t.Errorf("README.md: no scripts %s", m[1])
			}
		}
	}
	for name := range announced {
		if !named[name] {
			t.Errorf("README.md has no row for %s", name)
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
