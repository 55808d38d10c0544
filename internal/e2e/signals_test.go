package e2e

import (
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
)

// SIGTERM: every client is told, whatever its state, and the process ends well.
func TestTerm(t *testing.T) {
	t.Parallel()
	g := newGateway(t, []string{"bob"}, "")
	connected, err := dial(g.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer connected.nc.Close()
	loggedIn := login(t, g.Addr, "bob")
	selected := login(t, g.Addr, "bob")
	selected.ok(t, "SELECT INBOX")
	idling := login(t, g.Addr, "bob")
	idling.ok(t, "SELECT INBOX")
	idling.idle(t)

	g.stop()
	for state, c := range map[string]*client{"not logged in": connected, "logged in": loggedIn, "selected": selected, "idling": idling} {
		if line, err := c.response(); err != nil || !strings.HasPrefix(line, "* BYE ") {
			t.Errorf("%s: got %q, %v instead of BYE", state, line, err)
		}
		if line, err := c.response(); err != io.EOF {
			t.Errorf("%s: got %q, %v after BYE", state, line, err)
		}
	}
}

// SIGHUP: a changed configuration and changed users are taken, connections stay, and a
// mistake changes nothing.
func TestHup(t *testing.T) {
	t.Parallel()
	g := newGateway(t, []string{"bob", "eve"}, "")
	bob := login(t, g.Addr, "bob")
	bob.ok(t, "SELECT INBOX")
	done := bob.idle(t)
	config, err := os.ReadFile(g.configFile())
	if err != nil {
		t.Fatal(err)
	}
	reload := func(more, logged string) {
		t.Helper()
		if err := os.WriteFile(g.configFile(), append(config, more...), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := g.cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		g.log.wait(t, logged)
	}

	g.setUsers("bob", "ada")
	reload("disabled_capabilities: [MOVE]\n", "msg=(reloaded)")
	ada := login(t, g.Addr, "ada")
	if r := ada.ok(t, "CAPABILITY"); strings.Contains(r.Untagged[0], "MOVE") {
		t.Errorf("MOVE is switched off: %q", r.Untagged)
	}
	c, err := dial(g.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.nc.Close()
	if r, err := c.do("LOGIN eve %s", password); err != nil || r.Status != "NO" {
		t.Errorf("eve is no user any more: %+v, %v", r, err)
	}

	reload("disabled_capabilities: [MOVE]\nlimits: {line: lots}\n", `msg="the (old) configuration stays"`)
	login(t, g.Addr, "ada")

	// He noticed nothing.
	if _, err := deliver(g.Maildir("bob"), mail("one", "1")); err != nil {
		t.Fatal(err)
	}
	bob.until(t, "* 1 EXISTS")
	done()
}
