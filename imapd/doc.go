// Package imapd speaks IMAP: connections, the three states, one file per
// command, the responses. It knows no disk: what a command means is asked of
// package backend, who somebody is of package auth, and the bytes of the
// grammar are those of imapd/wire.
//
// # Why not go-imap's imapserver
//
// github.com/emersion/go-imap/v2 gives us its vocabulary (imap.UID, UIDSet,
// SeqSet, Flag, StatusData, ListData, Error, ...) and the client of our tests.
// Its imapserver (v2.0.0-beta.8) is not used. The switch over commands is
// closed and its codec internal, so that ID, CONDSTORE, QRESYNC, SORT, THREAD,
// NOTIFY, MULTIAPPEND or COMPRESS cannot be added; a refused non-synchronizing
// literal stays in the stream and is executed as commands; a literal of more
// than 4096 bytes outside APPEND hangs the connection; what follows the first
// 50 KiB of a line that is too long is parsed as commands; its LIST matcher is
// exponential; ENVELOPE dates, groups and routes are rewritten; it flushes
// once per line.
//
// # Ownership
//
// Server owns the listeners and the set of connections. Each connection is one
// goroutine that reads commands, runs them and writes the responses; nobody
// else writes to its socket, with one exception. The selected mailbox is a backend.View, owned by
// the connection, as is the backend.Monitor of NOTIFY; their Changed channels are the only
// things that reach a connection from outside (beside shut-down). In IDLE, and with
// NOTIFY between commands, waitFor waits for them and for input at once.
//
// The exception: while a command that may last (a search, a change of messages) is busy in the backend, a timer tells the client how far
// it is (inprogress.go). The output is the timer's until then: such a command writes when it is done.
//
// No lock is held while a socket is read or written, but for that of this timer, which only its own command waits for.
//
// # How a command is added
//
// One file per command, with two functions, and a row in the table of
// commands.go that says in which states it is allowed, to which capability it belongs (which has a
// row in capability.go), whether it has to do with sequence numbers, and whether its answer may hold EXPUNGE. UID commands
// are rows of their own ("UID COPY").
//
//	func parseCopy(uid bool) parseFunc {
//		return func(c *conn, d *wire.Decoder) runFunc {
//			d.SP()
//			set := d.NumSet(uid)
//			d.SP()
//			dest := d.Mailbox()
//			return func(ctx context.Context, c *conn) error { return c.copy(ctx, set, dest) }
//		}
//	}
//
// The parse function takes all arguments, from the space after the name to before the end of the
// line. Errors of the Decoder stick: it goes on without looking at them, and the
// dispatcher answers BAD in place of calling the run function. What the
// grammar allows but we don't, it refuses by d.Fail("what is expected instead").
//
// The run function calls the backend (c.account, c.view), writes untagged responses and returns:
// nil for OK (c.completed sets the text and the response code), an *imap.Error (no, bad, newError)
// for what the client should be told, and any other error as it is: explain logs it
// under an id and answers without details. Sets are resolved by c.seqs, which knows "$". After
// the run function the dispatcher tells what else has changed in the mailbox (View.Sync, updates.go), and
// then writes the tagged response; a command that needs the disk looked at first calls View.Poll.
//
// # How a response is written
//
//	b := append(c.out.begin(), "* SEARCH"...)
//	b = wire.AppendUint(append(b, ' '), seq)
//	c.out.endLine(b)
//
// begin lends the output buffer, end and endLine take it back. Between them nothing
// else may write. The contents of a literal are written to c.out as an io.Writer,
// after end has taken what comes before. The output goes to the client when the buffer
// fills or the input has run dry (conn.Read), never line by line; a failed write sticks
// in c.out.err and ends the command's context: long loops look at it.
package imapd
