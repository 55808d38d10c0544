// Package e2e tests the server as its users meet it: the real binary, started as a
// process with a configuration of its own, and beside it the real programs. Postfix
// delivers, mbsync, interimap, neomutt, curl, Python's imaplib and go-imap's client read and write,
// and Dovecot serves the same tree before, after and meanwhile; fail2ban reads the log. One test kills the server in
// the middle of its work, again and again.
//
// Each file tests with one program; gateway_test.go, client_test.go and maildir_test.go
// are what they share. All that is started listens on loopback ports that the kernel chose,
// keeps its files in directories of its own, and is stopped by its process id.
//
// The programs are Debian's packages (`make deps` installs them). A test whose
// program is missing fails. Run as root, as in a container, mail belongs to nobody; Postfix
// can't be tested otherwise.
package e2e
