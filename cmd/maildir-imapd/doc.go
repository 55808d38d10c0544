// Command maildir-imapd serves Maildir trees over IMAP.
//
//	main.go       the command line: one file per subcommand
//	serve.go      serve: a configuration, or the local mode, into a daemon
//	check.go      check: what is wrong with a configuration
//	passwd.go     passwd: a line for the user file
//	version.go    version
//
//	daemon.go     what runs: listeners, IMAP server, backend, watcher, signals
//	reload.go     SIGHUP
//	local.go      the local mode: whose Maildir, password, hints
//	selfsigned.go a certificate for the local mode
//	certificate.go a certificate that can be replaced
//	accounts.go   the configuration; who somebody is, and where that person's mail lies
//	privileges.go run_as
//	log.go        the log
package main
