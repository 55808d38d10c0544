package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"
)

func main() {
	if err := root().Execute(); err != nil {
		if !errors.Is(err, errTold) {
			fmt.Fprintln(os.Stderr, "maildir-imapd: "+err.Error())
		}
		os.Exit(1)
	}
}

// errTold ends a command with exit status 1 that has said why itself.
var errTold = errors.New("told already")

func root() *cobra.Command {
	cmd := &cobra.Command{
		Use:           "maildir-imapd",
		Short:         "An IMAP server for Maildir trees",
		SilenceErrors: true, // main prints them
		SilenceUsage:  true,
	}
	cmd.AddCommand(serveCommand(), checkCommand(), passwdCommand(), versionCommand())
	return cmd
}
