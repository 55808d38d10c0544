package dovecot

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// config is the whole configuration: nothing is read from /etc/dovecot.
func (s *Server) config(port int) string {
	conf := fmt.Sprintf(`
protocols = imap
base_dir = %[1]s/run
state_dir = %[1]s/run
log_path = %[1]s/log
login_greeting = %[5]s
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
auth_mechanisms = plain login
auth_failure_delay = 0
auth_verbose = yes
mail_uid = %[2]d
mail_gid = %[3]d
first_valid_uid = 1
first_valid_gid = 1
mail_max_userip_connections = 100
mail_location = maildir:~/Maildir
stats_writer_socket_path =
passdb {
  driver = passwd-file
  args = username_format=%%n %[1]s/users/%%n
}
userdb {
  driver = passwd-file
  args = username_format=%%n %[1]s/users/%%n
}
namespace inbox {
  inbox = yes
  separator = .
  mailbox Archive {
    special_use = \Archive
  }
  mailbox Drafts {
    special_use = \Drafts
  }
  mailbox Junk {
    special_use = \Junk
  }
  mailbox Sent {
    special_use = \Sent
  }
  mailbox Trash {
    special_use = \Trash
  }
}
service imap-login {
  service_count = 0
  process_min_avail = 1
  inet_listener imap {
    port = %[4]d
  }
  inet_listener imaps {
    port = 0
  }
}
service imap {
  process_min_avail = 2
  process_limit = 2000
}
# Wrong passwords are part of the tests: no growing delay for the address.
service anvil {
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
`, s.dir, s.UID, s.GID, port, s.greeting())
	if os.Getuid() != 0 {
		conf += unprivileged(s.UID)
	}
	return conf
}

// greeting is what no other server says: between finding a free port and Dovecot's
// bind somebody else may have taken it.
func (s *Server) greeting() string { return filepath.Base(s.dir) + " ready." }

// unprivileged lets all of Dovecot run as the calling user, who may neither
// change the user nor the root directory.
func unprivileged(uid int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "default_internal_user = %[1]s\ndefault_internal_group = %[2]s\ndefault_login_user = %[1]s\n",
		name("-un", uid), name("-gn", uid))
	for _, service := range []string{"anvil", "imap-login", "stats", "imap-urlauth-login"} {
		fmt.Fprintf(&b, "service %s {\n  chroot =\n}\n", service)
	}
	return b.String()
}

// name is what id(1) says with option of user uid. Package os/user would need
// cgo for users that are not in /etc/passwd.
func name(option string, uid int) string {
	out, err := exec.Command("id", option, fmt.Sprint(uid)).Output()
	if err != nil {
		return fmt.Sprint(uid)
	}
	return strings.TrimSpace(string(out))
}
