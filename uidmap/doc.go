// Package uidmap keeps the promises about UIDs on disk, in Dovecot's own
// files, so that taking over from Dovecot needs no import, going back needs no
// export, and both may serve one tree at the same time:
//
//	dovecot-uidlist        UIDVALIDITY, next UID, GUID and the UID of each message of a folder
//	dovecot-uidvalidity    the last UIDVALIDITY given out in an account
//	dovecot-keywords       which keyword each of the letters a to z means in a folder
//	maildir-imapd-keywords the keywords beyond these 26 (ours; Dovecot keeps them only in its index)
//	maildir-imapd-metadata annotations (ours), of a folder or, in another file, of an account
//	dovecot-acl            who may do what with a folder
//	subscriptions          the subscribed folders of an account, version 1 or 2
//
// Every writer takes the file's lock as Dovecot does, reads what others wrote
// meanwhile, and then writes; readers take no lock. A change is durable before
// the call that made it returns. A file that cannot be understood is set aside
// under another name, with its reason in the log, and never deleted.
//
// # Locks
//
// A lock is a file beside the data, as Dovecot makes it: dovecot-uidlist.lock,
// dovecot-keywords.lock, dovecot-acl.lock, subscriptions.lock, and so for our own. Who needs two takes that of the uidlist
// first. The lock of a process that is gone is overridden. dovecot-uidvalidity
// needs one only where its first marker is made: later that is renamed.
//
// # Crashes
//
// A file is replaced by a rename of its successor, which is on disk by then, or
// grows by whole lines; a last line without line end counts for nothing, but
// its UID is never given out. What a write that failed left behind is read again
// before anything else is written. So a process may be killed and the power may fail at
// any instant: what a call has returned holds, and what it was about
// to return is there or not. crash_test.go tries each of these instants.
//
// The types here are not safe for concurrent use unless they say so: the
// mailbox that owns them (package backend) serialises its writers. The package
// knows the files' formats and nothing of IMAP sessions; it imports no other
// package of this module but internal/noreplace.
package uidmap
