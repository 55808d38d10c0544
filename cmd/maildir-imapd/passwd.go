package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"maildir-imapd/auth"
)

func passwdCommand() *cobra.Command {
	var scheme string
	cmd := &cobra.Command{
		Use:   "passwd USER",
		Short: "Print a line for the user file",
		Long: `Ask for a password, without echo, and print the line that lets USER log in with it.
Where standard input is no terminal, its first line is the password.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkUserName(args[0]); err != nil {
				return err
			}
			password, err := readPassword(cmd.InOrStdin(), cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			hash, err := auth.Hash(scheme, password)
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s:%s::::::\n", args[0], hash)
			return nil
		},
	}
	cmd.Flags().StringVarP(&scheme, "scheme", "s", auth.DefaultScheme, "password `scheme`: "+strings.Join(auth.HashSchemes(), ", "))
	return cmd
}

// checkUserName refuses what would make another line of the user file than is meant.
func checkUserName(name string) error {
	if name == "" || len(name) > auth.MaxName || !utf8.ValidString(name) || strings.HasPrefix(name, "#") || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r == ':' || r == 0x7f }) {
		return fmt.Errorf("%q can't be a user's name in the user file: expected up to %d bytes of UTF-8, no space, ':' or control character in it, and no '#' before it", name, auth.MaxName)
	}
	return nil
}

// readPassword asks for a password twice at a terminal, and reads one line elsewhere.
func readPassword(in io.Reader, prompt io.Writer) (string, error) {
	f, ok := in.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		line, err := bufio.NewReader(io.LimitReader(in, 4096)).ReadString('\n')
		if err != nil && err != io.EOF {
			return "", err
		}
		return strings.TrimRight(line, "\r\n"), nil
	}
	first, err := ask(f, prompt, "Password: ")
	if err != nil {
		return "", err
	}
	second, err := ask(f, prompt, "Once more: ")
	if err != nil {
		return "", err
	}
	if first != second {
		return "", errors.New("the passwords differ")
	}
	return first, nil
}

func ask(f *os.File, prompt io.Writer, question string) (string, error) {
	fmt.Fprint(prompt, question)
	password, err := term.ReadPassword(int(f.Fd()))
	fmt.Fprintln(prompt)
	return string(password), err
}
