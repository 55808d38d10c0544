package dovecot

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/emersion/go-imap/v2/imapclient"
)

// A user can log in, mail is seen, the special-use folders are configured, and
// in the end neither processes nor files are left.
func TestStart(t *testing.T) {
	var s *Server
	t.Run("running", func(t *testing.T) {
		s = Start(t, "")
		maildir, err := s.AddUser("alice", "secret")
		if err != nil {
			t.Fatal(err)
		}
		for _, sub := range []string{"cur", "new", "tmp"} {
			if err := os.MkdirAll(filepath.Join(maildir, sub), 0o700); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(filepath.Join(maildir, "new/1700000001.M1P1.host"), []byte("Subject: x\n\nbody\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := s.Chown(maildir); err != nil {
			t.Fatal(err)
		}
		c, err := imapclient.DialInsecure(s.Addr, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if err := c.Login("alice", "wrong").Wait(); err == nil {
			t.Error("a wrong password was taken")
		}
		if err := c.Login("alice", "secret").Wait(); err != nil {
			t.Fatal(err)
		}
		if !c.Caps().Has("SPECIAL-USE") {
			t.Error("no SPECIAL-USE")
		}
		data, err := c.Select("INBOX", nil).Wait()
		if err != nil {
			t.Fatal(err)
		}
		if data.NumMessages != 1 {
			t.Errorf("%d messages, want 1\n%s", data.NumMessages, s.Log())
		}
	})
	if s == nil {
		return // it did not start, and Start has said why
	}
	if _, err := os.Stat(s.dir); err == nil {
		t.Errorf("%s is still there", s.dir)
	}
	if err := syscall.Kill(s.PID(), 0); err == nil {
		t.Errorf("process %d is still there", s.PID())
	}
}
