// Package index remembers on disk what is expensive to read again from the mail: sizes and
// dates, ENVELOPE and BODYSTRUCTURE ready to send, the header fields that clients list, digests of
// messages.
//
// It is disposable. One file for each folder holds it; any of them may be deleted at any
// time, also while it is used, and nothing but time is lost. What is not true is not
// used: every record has a checksum, and belongs to a message of this UID whose file has
// this base name. Whatever is wrong with a file (damaged, written by another version, no
// room on the disk, not to be written) costs a line in the log, and is never an error
// to those who ask: they read the mail instead.
//
// # The file
//
// A file grows by blocks and is never changed in place, so that there is nothing to
// sync: a process may be killed and the power may fail at any instant, and the
// next to open the file finds the end of what is whole by its checksums. All numbers are little-endian.
//
//	header  "maildir-imapd\r\n\x00", format, checksum of Fields, GUID, UIDVALIDITY, checksum
//	block   "\xffblk", number of records, octets of records, checksum up to the end of the directory
//	        directory: for each record its UID, and kind<<24 + octets
//	        records: checksum, and then what record.go says
//
// Of two records of the same kind for the same UID the later one counts; an empty one says that
// nothing is known. Where more
// than half of a file is dead, or its blocks are small, it is written anew.
//
// # Who may do what
//
// A Folder is safe for concurrent use. Reading takes it from the file at once, or from
// nowhere; Put only queues, in a queue of bounded size, and a background goroutine, which
// runs only while there is something to do, writes. One process writes a file: it
// holds the file's flock. Another one of ours may read it meanwhile. (On the same
// machine; who serves a tree from two machines gives each an INDEX= of its own.)
//
// Order of locks: Folder.mu is held for memory, for the first read of the file's directories,
// and by readers over one read; queue.mu for memory only. Neither is taken with the other held.
//
// The package imports no other package of this module.
package index
