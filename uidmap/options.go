package uidmap

import (
	"log/slog"
	"os"
)

// Options are the same for all files of an account. Immutable.
type Options struct {
	Log *slog.Logger
	// FilePerm of new files, derived from the Maildir's root directory.
	FilePerm os.FileMode
	// Mail is where Courier's files are looked for: the mail's root where the
	// control files lie elsewhere (CONTROL=). Nil: beside our own files.
	Mail *os.Root
}
