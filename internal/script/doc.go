// Package script runs protocol tests that are written as scripts of client and
// server lines. One file in testdata is one behaviour; every script runs over a
// real socket against our server and against a real Dovecot, so that the
// scripts themselves are tested by a second reading of the RFCs.
//
//	go test ./internal/script -run TestScripts/fetch_partial
//	go test ./internal/script -run TestScripts/fetch_partial/dovecot -v
//
// With -v the transcript is shown also where the script passes.
//
// # A script
//
//	# What is tested, which RFC and section asks for it, and why it matters.
//	select INBOX
//	C: a1 FETCH 1 (UID FLAGS)
//	S: * 1 FETCH (UID {{uid=/\d+/}} FLAGS (\Seen))
//	S: a1 OK ...
//	C: a2 UID FETCH {{uid}} BODY.PEEK[]
//	S: * 1 FETCH (UID {{uid}} BODY[] {{literal hello}})
//	S: a2 OK ...
//	-- hello --
//	Subject: hello
//
//	Hello.
//	-- cur/1700000001.M1P1.host:2,S --
//	Subject: already in the folder
//
//	Good day.
//
// The file is a txtar archive: steps, then sections. A section whose name has a
// slash is a file of the account's Maildir and is written before the first
// step (with its modification time, which is the INTERNALDATE, taken from the
// seconds in its name); cur, new and tmp of its folder are made too. A name
// that is in the Maildir's root itself is written "./subscriptions". Other
// sections are texts that steps refer to by name.
//
// Lines that begin with # are comments.
//
// # Client and server lines
//
//	C: text    send a line. C2: to C9: are further connections.
//	S: text    expect a response, with its literals.
//
// Consecutive C lines of one connection are sent in one packet.
//
// Consecutive S lines are one block. Up to its tagged response (or
// continuation request) the untagged ones may come in any order, each as often as it
// is written, and nothing else may come. A block, or the end of one, without a
// tagged response waits until each of its lines has come: that is how pushes
// are awaited. A part of a block has ten seconds to come.
//
//	S!: text   in this order among the S! lines of the block
//	S?: text   may come, or not; a comment says why
//	S*: text   may come any number of times; "S*: * ..." is anything untagged
//	S: EOF     the server closes the connection
//
// Any step may be for one server only: C[ours]: or S[dovecot]: or
// rename[ours]. A comment says why the servers differ.
//
// # In the text of C and S
//
//	...                     (S) anything
//	{{/regexp/}}            (S) what the regular expression matches
//	{{name=/regexp/}}       (S) the same, remembered as name
//	{{name}}                what was remembered; user, other and password are known from the start
//	{{literal X...}}        a literal with the octets of X, counted; C waits for the continuation request
//	{{literal+ X...}}       (C) a non-synchronizing literal (RFC 7888)
//	{{literal8 X...}}       ~{n}, RFC 3516; literal8+ as well
//	{{string X...}}         (S) X as a quoted string or as a literal, as the server likes
//	{{base64 X...}}         X in base64
//	{{size X...}}           the number of octets of X
//	{{repeat n X...}}       X n times
//
// X is the name of a section (with CRLF line ends), a remembered name, or a
// string in quotes with Go's escapes; several are joined. Where C waits for a
// continuation request and the command is refused, the rest of that line is
// not sent.
//
// # Both servers at once
//
// A script with server steps runs once, on a Maildir that our server and Dovecot
// serve at the same time: what one of them does, the other has to
// understand.
//
// # Other steps
//
//	connect             open the connection and read the greeting; connect2 the second, ...
//	login               connect, and log in; "login other": as the second user (option shared)
//	select NAME         login if need be, SELECT; examine NAME likewise
//	server NAME         connections that are opened from here on are to this server
//	settle [NAME...]    select the mailboxes (INBOX) in a session of its own, so that
//	                    no mail in them is \Recent afterwards
//	do COMMAND          send the command, with a tag, and expect OK and anything before
//	send "octets"       send exactly this (Go's escapes)
//	hangup              close the connection from our side
//	starttls            begin with TLS, after the server's OK (option tls)
//	deflate             begin to compress, after the server's OK (RFC 4978)
//	deliver PATH X      write X to tmp/ and rename it to PATH, as Postfix does
//	write PATH X        write X to the file PATH; here and above: repeat n X, too
//	rename PATH PATH    rename a file
//	unlink PATH         remove a file
//	mkdir PATH          make a folder with cur, new and tmp
//	rmdir PATH          remove a folder with all that it holds
//	file PATTERN        expect one file with this path; {{/regexp/}} and ... may be used
//	file PATTERN X      the same, with these contents
//	nofile PATTERN      expect no such file
//	greater NAME NAME   of two remembered numbers the first is greater
//	only ours: why      run against one server only, and why
//	option NAME VALUE   set up the server or the account differently; see TestScripts
//
// Paths are relative to the Maildir. In disk steps X has LF line ends. The
// account's mail is in the Maildir that is the INBOX; folders are Maildir++ (.Work). What is shared (option shared) is beside
// the Maildir, in ../shared, and its access control lists name the users {{user}}, who is called as the script, and {{other}}, who
// is called so with "_2" behind it.
package script
