package e2e

import (
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
)

// deliver is Postfix: it puts a message into a folder.
func (s *storm) deliver(r *rand.Rand) error {
	mailbox := s.rec.anyMailbox(r)
	id := s.rec.newMessage(mailbox)
	if _, err := deliver(s.rec.folder(s.maildir, mailbox), stormMail(id, r)); err != nil {
		return err
	}
	s.rec.stored(id)
	return nil
}

// rename is a mail reader that works on the files: it adds \Answered to some message,
// and moves it from new/ to cur/.
func (s *storm) rename(r *rand.Rand) error {
	folder := s.rec.folder(s.maildir, s.rec.anyMailbox(r))
	sub := []string{"new", "cur"}[r.IntN(2)]
	entries, err := os.ReadDir(filepath.Join(folder, sub))
	if err != nil || len(entries) == 0 {
		return err
	}
	name := entries[r.IntN(len(entries))].Name()
	base, flags, _ := strings.Cut(name, ":2,")
	if strings.Contains(flags, "R") {
		return nil
	}
	// In the order of ASCII.
	at := strings.IndexFunc(flags, func(c rune) bool { return c > 'R' })
	if at < 0 {
		at = len(flags)
	}
	err = os.Rename(filepath.Join(folder, sub, name), filepath.Join(folder, "cur", base+":2,"+flags[:at]+"R"+flags[at:]))
	if errors.Is(err, fs.ErrNotExist) {
		return nil // somebody was quicker
	}
	return err
}
