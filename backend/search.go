package backend

import (
	"time"

	"github.com/emersion/go-imap/v2"
)

// KeyOp says what a search key compares (RFC 3501 §6.4.4).
type KeyOp uint8

// The search keys. What RFC 3501 names in several ways has one form here:
// UNSEEN is Not of KeyFlag, FROM x is KeyHeader, NEW is KeyAnd of KeyRecent and
// Not of KeyFlag.
const (
	KeyAll        KeyOp = iota
	KeyAnd              // Keys: all of them (none: everything)
	KeyOr               // Keys: one of them
	KeyNot              // Keys[0]
	KeySeq              // Seq
	KeyUID              // UIDs
	KeyFlag             // Flag is set
	KeyRecent           // \Recent in this view
	KeyBefore           // internal date's calendar day, in the server's zone, is before Date
	KeyOn               // ... is Date
	KeySince            // ... is Date or later
	KeyYounger          // internal date, in whole seconds, is at most N seconds ago (RFC 5032)
	KeyOlder            // ... at least N seconds ago
	KeySentBefore       // Date header's own calendar day is before Date
	KeySentOn           // ... is Date
	KeySentSince        // ... is Date or later
	KeyLarger           // RFC822.SIZE is greater than N
	KeySmaller          // ... less than N
	KeyHeader           // header Field contains Text ("" matches where the field is there)
	KeyBody             // Text in the decoded body
	KeyText             // Text in the decoded header or body
	KeyModSeq           // mod-sequence is N or greater
	KeyEmailID          // EMAILID is Text (RFC 8474)
	KeyThreadID         // THREADID is Text
)

// Key is a search key and, with Keys, a tree of them. Which fields count
// depends on Op. Text is UTF-8 already (imapd converts the CHARSET).
type Key struct {
	Op    KeyOp
	Keys  []Key
	Seq   imap.SeqSet
	UIDs  imap.UIDSet
	Flag  imap.Flag
	Date  time.Time // only year, month and day count
	Saved bool      // KeyBefore, KeyOn, KeySince: the save date in place of the internal date (RFC 8514)
	N     int64
	Field string
	Text  string
}
