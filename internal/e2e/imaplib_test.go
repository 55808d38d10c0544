package e2e

import (
	"net"
	"path/filepath"
	"testing"
)

// Python's imaplib, with many commands one after the other: testdata/session.py.
func TestImaplib(t *testing.T) {
	t.Parallel()
	python := program(t, "python3", "python3")
	g := newGateway(t, []string{"bob"}, "")
	host, port, err := net.SplitHostPort(g.Addr)
	if err != nil {
		t.Fatal(err)
	}
	session, err := filepath.Abs("testdata/session.py")
	if err != nil {
		t.Fatal(err)
	}
	output(t, workDir(t), python, session, host, port, "bob", password, g.Maildir("bob"))
}
