// Package auth says who somebody is: password schemes, user databases, and the
// SASL mechanisms that carry a password.
//
// A Database is safe for concurrent use. A failed log-in costs the same time
// whether the user is unknown or the password wrong, where all passwords are stored alike;
// the caller, who waits after a failure, hides what else there is to see. Passwords are compared in constant time and are never
// logged. The package knows no IMAP and no Maildir; it imports no other package of
// this module.
//
// The schemes and the user file are Dovecot's, so that its file serves both.
// scheme.go lists the schemes; what a stored password means is decided when it is
// read (parseStored), how it is verified when somebody logs in.
package auth
