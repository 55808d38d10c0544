package e2e

import (
	"context"
	"os"
	"os/exec"
	"testing"
)

// program finds a program that the test can't do without.
func program(t testing.TB, name, debianPackage string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if _, err := os.Stat("/usr/sbin/" + name); err == nil {
			return "/usr/sbin/" + name
		}
		t.Fatalf("%v: install the Debian package %s", err, debianPackage)
	}
	return path
}

// output runs a program, which must succeed, in a directory that is also its home, and
// returns what it printed.
func output(t testing.TB, home string, name string, args ...string) string {
	t.Helper()
	out, err := try(t, home, name, args...)
	if err != nil {
		t.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
	return out
}

// try is output for a program that may fail.
func try(t testing.TB, home string, name string, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = home
	cmd.Env = []string{"HOME=" + home, "PATH=" + os.Getenv("PATH"), "LC_ALL=C.UTF-8", "TZ=UTC", "TERM=xterm"}
	out, err := cmd.CombinedOutput()
	return string(out), err
}
