package wire

import "errors"

// SyntaxError says what the grammar wanted where the command went wrong. It
// ends the command (BAD), not the connection.
type SyntaxError struct {
	Expected string // e.g. "a space"
}

func (e *SyntaxError) Error() string { return "expected " + e.Expected }

var (
	// ErrTooBig refuses a command because the literals of its arguments are
	// greater than Limits.Literal. The connection lives.
	ErrTooBig = errors.New("literal too big")

	// ErrLineTooLong ends the connection: what follows such a line can't be
	// told from commands.
	ErrLineTooLong = errors.New("command line too long")

	// ErrSkipTooBig ends the connection: a client sends a literal that was
	// refused, and it is greater than Limits.Skip.
	ErrSkipTooBig = errors.New("refused literal too big to skip")
)
