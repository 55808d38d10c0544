// Package wire is the grammar of RFC 9051 §9 (and of RFC 3501 §9) and nothing
// else: tokens, quoted strings, literals, number sets, flags, dates, and their
// encoding. It knows no command, no state and no mailbox.
//
// A Decoder reads one command at a time from a connection and is owned by that
// connection's goroutine. Encoding functions append to a byte slice; they are
// pure and may be used by anyone, also by package message for ENVELOPE and
// BODYSTRUCTURE.
//
// wire imports nothing of this module but mutf7.
package wire
