package main

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"maildir-imapd/config"
)

// dropPrivileges becomes the user called name, for good and in every thread of the process,
// or stays who it is where name is "". It fails rather than let mail be served as root.
func dropPrivileges(name string) error {
	if name == "" {
		if os.Geteuid() == 0 {
			return errors.New("mail is not served as root: set run_as to the user that owns it, such as vmail, or start the server as that user")
		}
		return nil
	}
	id, err := config.LookupIdentity(name)
	if err != nil {
		return err
	}
	if id.UID == 0 {
		return fmt.Errorf("run_as: %s is root", name)
	}
	if os.Geteuid() == id.UID {
		return nil
	}
	if os.Geteuid() != 0 {
		return fmt.Errorf("run_as: only root can become %s, and this is uid %d", name, os.Geteuid())
	}
	if err := syscall.Setgroups(append(id.Groups, id.GID)); err != nil {
		return fmt.Errorf("run_as: setgroups: %w", err)
	}
	if err := syscall.Setgid(id.GID); err != nil {
		return fmt.Errorf("run_as: setgid: %w", err)
	}
	if err := syscall.Setuid(id.UID); err != nil {
		return fmt.Errorf("run_as: setuid: %w", err)
	}
	if syscall.Setuid(0) == nil {
		return errors.New("run_as: the way back to root is still open")
	}
	return nil
}
