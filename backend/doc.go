// Package backend is what a command means: accounts, mailboxes, views.
//
//	Backend   all open accounts of the process, and the watcher they share
//	User      what one session sees: the user's own account, and shared ones with his rights
//	Account   one tree of mail: folders, subscriptions, quota
//	Mailbox   one folder, one owner for all sessions of all accounts that show it
//	View      what one session sees of a selected mailbox
//	Monitor   what one session hears of all others (NOTIFY), by the lookouts of its accounts
//
// # The mailbox and its snapshots
//
// A Mailbox publishes an immutable snapshot of its messages through an atomic
// pointer; readers take no lock. The snapshot is cut into chunks ordered by
// UID; a change copies the chunk it touches and shares all others, so that two
// snapshots are compared by comparing chunk pointers, and only where those
// differ, messages.
//
// Whoever changes the folder (on disk, then in memory) holds the mailbox's
// turn, a semaphore that respects contexts: it orders the writers of a folder
// and is the only thing that is held over disk I/O. mu guards the set of views
// and the watch; it is held for memory operations only.
//
// A View is the snapshot its client has been told of. Bringing it up to date is the
// difference between that and the mailbox's: EXPUNGE, EXISTS, RECENT, FETCH in
// this order. Where expunges may not be told yet (RFC 9051 §7.5.1), the view
// keeps the lost messages in a snapshot of its own. Sequence numbers are
// indexes into the view's snapshot.
//
// What SORT and THREAD compare is in the mailbox's keyIndex, an immutable table by UID that whoever needs
// more of it replaces, under a turn of its own, which is taken with nothing else held.
//
// # Who may do what
//
// An Account knows no users. User finds the account that a mailbox's name belongs to, and where that is a shared one asks for the rights (acl.go) before the
// account does anything; a View looks at those of its user again and again. Entries of dovecot-acl become rights in rights.go.
//
// # What other programs do
//
// follow.go hears of changes, scan.go looks at the folder, settle.go gives what was found its place in the
// next snapshot. curAt and newAt are times of change of cur/ and new/ up to which the snapshot knows
// everything; followed says that the watch tells of all that comes after. Our own changes move
// these times as well and come back as events, which name nothing new then: so nobody has to tell ours from others',
// which may happen at the same instant. A folder is watched while it has views, and until its times have been left alone
// for two seconds after the last. What was heard of and could not be settled (new mail has no UID on a full disk, say) makes the
// next look one at the whole folder; that comes after ten seconds, if nobody asks before.
//
// # Order of locks
//
// lookout.looking, that of a user's own account before that of a shared one; then Account.folders.change (CREATE, DELETE, RENAME, SETACL, GETMETADATA of what is shared); then folders.mu or Account.subsMu; then
// mailbox turns in the order of their folders' paths; then
// dovecot-uidlist.lock of these folders in the same order; then Account.mu or Mailbox.mu; then
// View.mu. A quota is counted before turns are taken (quota.counting, then folders.mu or
// quota.mu); quota.mu may also be taken with turns held, and Backend.mu within it. lookout.mu may be taken with turns
// held, and within it monitor.mu, and within that Account.mu. Of an index.Folder, what is called with a turn held
// takes memory locks only; it asks the mailbox back (Mailbox.mu) with its own lock held. Nothing is held while a
// socket is written, and imapd calls with nothing held.
//
// # Order of writes
//
// A UID is on disk (uidmap) before a snapshot with it is published; a file
// and its directory entry are on disk before APPEND, COPY or MOVE return. A
// MOVE is one rename: at each instant the message is in one of the folders.
// An expunged message goes to tmp/ as long as a view has not been told.
//
// # What is known without reading
//
// What was read of a message is queued for the folder's index (remember.go), and asked there before a
// file is opened. A command reads ahead in it; a view keeps nothing of that when the command ends. Sizes, dates and digests (objectid.go)
// that had to be read stay in memory with the mailbox, too (meta.go). A digest is made only when somebody asks for it.
//
// # Mod-sequences
//
// A mod-sequence (RFC 7162) is given out with the turn held, just before the snapshot with its change is
// published, and HIGHESTMODSEQ is that of the snapshot: so who has been told of a snapshot, has been told of all
// changes up to its HIGHESTMODSEQ, and what comes has greater ones. What a view tells in pieces (a STORE's own changes
// before those of others, expunges that must wait) it tells with the old View.HighestModSeq.
//
// What must hold after a restart, whenever the process was killed: who asks for the changes since a mod-sequence
// that he was ever told hears of each change that he was not told of. The folder's file (modseqFile) says, for the state that it
// describes, the flags and mod-sequence of each message, the expunges, and HIGHESTMODSEQ; and it says which mod-sequences may have been
// given out, in all ("reserved"). It is written, whole and by a rename, when nothing has changed for a while (or the mailbox is closed), and
// says then that nothing above HIGHESTMODSEQ was given out. Before anything above that is, the reserved mark goes up, in place and synced.
//
// At a start, where reserved and HIGHESTMODSEQ are the same, no client knows of a later state than that of the file. So a message with the
// flags that the file says keeps its mod-sequence: whatever other programs did in between, nobody was told. One with other flags
// is new, as is one that the file does not have; one that the file has and the folder has not was expunged just now.
//
// Where they differ, we were killed. A message whose flags are those of the file may have had others that a client was told of,
// and which is waiting to hear that they are gone. So the file tells nothing about flags: all messages have a new
// mod-sequence, above all reserved ones, and VANISHED names all UIDs that are not there. The same where there is no file, it is damaged, or
// of another UIDVALIDITY, or its keywords have other names now. A new mod-sequence is always above the reserved ones, so that a clock
// that was set back does no harm where there is a file. The remaining case, that mail and file both come from a
// backup, is seen by a client's mod-sequence that is greater than HIGHESTMODSEQ: it is told everything (imapd, resync).
//
// Two of our processes on one folder would each think that they know what was given out: who finds that another has
// written the file removes it, and keeps no mod-sequences from there on.
//
// # Errors
//
// An error that the client should see is an *imap.Error with a response code
// of RFC 5530 and a text without paths. Everything else is a fault: imapd logs
// it and answers [SERVERBUG] or [UNAVAILABLE]; [INUSE] where it is ErrLocked.
//
// backend imports uidmap, index, watcher, message and mutf7, and no IMAP syntax.
package backend
