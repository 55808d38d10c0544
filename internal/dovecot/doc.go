// Package dovecot starts a private Dovecot for tests: its own configuration,
// mail, sockets and log in a directory of its own, one loopback port, nothing
// shared with a Dovecot that may serve the machine. What our server does can
// so be compared with what the server it replaces does.
//
// It needs Debian's package dovecot-imapd (2.3). A test that calls Start fails
// where that is missing: comparing with nothing would be no test.
package dovecot
