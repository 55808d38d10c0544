package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// makeMaildir makes a Maildir with n messages of about 1.9 KB in cur/.
func makeMaildir(root string, n int) error {
	// The servers run as another user where we are root: they must get there.
	if err := os.MkdirAll(filepath.Dir(root), 0o755); err != nil {
		return err
	}
	for _, sub := range []string{"cur", "new", "tmp"} {
		if err := os.MkdirAll(filepath.Join(root, sub), 0o700); err != nil {
			return err
		}
	}
	for i := range n {
		name := fmt.Sprintf("%d.M%dP1.bench:2,S", 1_700_000_000+i, i%1_000_000)
		if err := os.WriteFile(filepath.Join(root, "cur", name), message(i), 0o600); err != nil {
			return err
		}
	}
	return nil
}

var text = strings.Repeat("A line of text as people write them, of no great interest.\n", 25)

// message makes one of many that differ.
func message(i int) []byte {
	re := ""
	if i%4 > 0 {
		re = "Re: "
	}
	return fmt.Appendf(nil, `Return-Path: <alice%d@example.org>
Received: from mail.example.org by mx.example.net with ESMTPS; Mon, 23 Jun 2025 09:06:36 +0000
Message-ID: <%d@example.org>
In-Reply-To: <%d@example.org>
References: <%d@example.org> <%d@example.org>
Date: Mon, %d Jun 2025 %02d:%02d:%02d +0000
From: Alice Number %d <alice%d@example.org>
To: bob@example.net
Subject: %sAbout the matter of %d
Content-Type: text/plain; charset=utf-8

The word of this message is word%dword.
%s`, i%97, i, i-1, i/4*4, i-1, 1+i%28, i%24, i%60, i/7%60, i%97, i%97, re, i/4, i, text)
}

// forget removes what servers have added to a Maildir: the next to open it starts anew.
func forget(root string) error {
	added, err := filepath.Glob(filepath.Join(root, "dovecot*"))
	if err != nil {
		return err
	}
	more, err := filepath.Glob(filepath.Join(root, "maildir-imapd*"))
	for _, name := range append(added, more...) {
		if err := os.RemoveAll(name); err != nil {
			return err
		}
	}
	return err
}

// forgetIndex removes what can be rebuilt, but not the UIDs.
func forgetIndex(root string) error {
	added, err := filepath.Glob(filepath.Join(root, "dovecot.*"))
	for _, name := range append(added, filepath.Join(root, "maildir-imapd-index")) {
		if err := os.RemoveAll(name); err != nil {
			return err
		}
	}
	return err
}
