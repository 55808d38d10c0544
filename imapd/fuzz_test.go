package imapd

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"maildir-imapd/auth"
	"maildir-imapd/backend"
	"maildir-imapd/watcher"
)

// beginnings bring a session into each state, before the fuzzer takes over.
var beginnings = []string{
	"",
	"b AUTHENTICATE LOGIN\r\n",
	"b LOGIN alice secret\r\n",
	"b LOGIN alice secret\r\nb SELECT INBOX\r\n",
	"b LOGIN alice secret\r\nb EXAMINE INBOX\r\n",
	"b LOGIN alice secret\r\nb SELECT Work\r\nb IDLE\r\n",
	"b LOGIN alice secret\r\nb APPEND Work (\\Seen) {20}\r\n",
	"b LOGIN alice secret\r\nb SELECT INBOX\r\nb SEARCH RETURN (SAVE) ALL\r\n",
	"b LOGIN alice secret\r\nb ENABLE IMAP4rev2 UTF8=ACCEPT\r\nb SELECT INBOX\r\n",
	"b LOGIN alice secret\r\nb SELECT INBOX\r\nb NOTIFY SET STATUS (SELECTED (MessageNew (UID BODY[]) MessageExpunge FlagChange)) (PERSONAL (MessageNew MessageExpunge FlagChange MailboxName SubscriptionChange))\r\n",
	"b LOGIN alice secret\r\nb ENABLE UIDONLY QRESYNC\r\nb SELECT INBOX\r\n",
	"b LOGIN alice secret\r\nb SELECT Public.box\r\nb NOTIFY SET (SUBTREE Public (MessageNew MessageExpunge MailboxName))\r\n",
}

// FuzzSession sends anything in any state. Nothing may panic, be an internal error, or
// touch what lies beside the Maildir and the shared tree, or the mailbox there that belongs to others.
func FuzzSession(f *testing.F) {
	for i, s := range []string{
		"a LOGIN alice secret\r\na CAPABILITY\r\n",
		"YWxpY2U=\r\nc2VjcmV0\r\na NOOP\r\n",
		"a LIST \"\" \"*\" RETURN (STATUS (MESSAGES UIDNEXT SIZE) SPECIAL-USE)\r\na CREATE ../x\r\na RENAME Work INBOX.Work\r\na LSUB \"\" %\r\na STATUS Work (RECENT)\r\na ENABLE X\r\na NAMESPACE\r\n",
		"a UID FETCH 1:* (FLAGS BODY.PEEK[HEADER.FIELDS (From)] BODY[1]<0.3> BINARY[2] ENVELOPE BODYSTRUCTURE)\r\na STORE 1,2:* +FLAGS ($x \\Deleted)\r\na UID COPY 1:2 Work\r\na MOVE 1 Work\r\na EXPUNGE\r\n",
		"a SEARCH CHARSET UTF-8 OR FROM {3+}\r\nbob NOT (SINCE 1-Feb-1994 LARGER 10)\r\na CLOSE\r\n",
		"DONE\r\na APPEND Work (\\Seen) \"17-Jul-1996 02:44:25 -0700\" {3+}\r\nx\r\n {4+}\r\nyyyy\r\na UNSELECT\r\n",
		"Subject: x\r\n\r\nline\r\n\r\na DELETE Work\r\na SUBSCRIBE Entw&APw-rfe\r\n",
		"a GETQUOTAROOT Work\r\na GETQUOTA \"User quota\"\r\na SETQUOTA \"\" (STORAGE 1)\r\na STATUS Work (DELETED DELETED-STORAGE)\r\n",
		"a SETMETADATA Work (/private/comment ~{3+}\r\na\x00b /shared/comment NIL)\r\na GETMETADATA (MAXSIZE 1 DEPTH infinity) Work (/private /shared)\r\na LIST \"\" * RETURN (METADATA (/private/comment))\r\n",
		"a SETMETADATA \"\" (/private/filters/values/f \"OR SEEN FILTER f\")\r\na SEARCH FILTER f\r\na GETMETADATA \"\" /private/filters/values/f\r\n",
		"a NOTIFY SET (SUBTREE (Work \"a b\") (MailboxName)) (SELECTED-DELAYED (MessageNew (FLAGS) MessageExpunge))\r\na APPEND INBOX UTF8 (~{3+}\r\nx:y)\r\na CREATE \"Caf\u00e9\"\r\na RENAME Work inbox/x\r\na NOTIFY NONE\r\na EXPUNGE\r\n",
		"a SEARCH RETURN (UPDATE (UID)) ALL\r\na COPY 1 INBOX\r\na NOOP\r\na CANCELUPDATE \"a\"\r\n",
		"a LANGUAGE fr en-US\r\na ENABLE UIDONLY CONDSTORE\r\na UID FETCH 1:* (UID BODY[1])\r\na UID STORE 2 FLAGS.SILENT (\\Deleted)\r\na UID SEARCH $\r\na EXPUNGE\r\n",
		"a SETACL Public.box {9+}\r\n-user \"x y lrcd\r\na SETACL Public.box !$g -a\r\na SETACL Public.box alice +w\r\na DELETEACL Public.box anyone\r\na GETACL Public.box\r\na LISTRIGHTS Public.box $g\r\na LIST \"\" * RETURN (MYRIGHTS)\r\na MYRIGHTS Public.hidden\r\n",
		"a COPY 1 INBOX\r\na MOVE 1 Work\r\na CREATE Public.box.new\r\na RENAME Public.box Public.dovecot-acl\r\na DELETE Public.hidden\r\na STORE 1 FLAGS (\\Seen \\Deleted k)\r\na SUBSCRIBE Public.box\r\na RENAME Work Public.x\r\n",
		"a UNAUTHENTICATE\r\na LOGIN alice secret\r\na SELECT INBOX\r\na FETCH $ FLAGS\r\na UID EXPUNGE $\r\na UID STORE $ FLAGS.SILENT ()\r\na LOGOUT\r\n",
	} {
		f.Add(uint8(i), []byte(s))
	}
	var log logBuffer
	logger := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelError}))
	watch := watcher.New(watcher.Options{Log: logger})
	f.Cleanup(func() { watch.Close() })
	f.Fuzz(func(t *testing.T, state uint8, input []byte) {
		dir := t.TempDir()
		root := filepath.Join(dir, "Maildir")
		for _, sub := range []string{"cur", "new", "tmp", ".Work/cur", ".Work/new", ".Work/tmp",
			"../shared/.box/cur", "../shared/.box/new", "../shared/.box/tmp", "../shared/.hidden/cur"} {
			if err := os.MkdirAll(filepath.Join(root, sub), 0o700); err != nil {
				t.Fatal(err)
			}
		}
		for name, text := range map[string]string{
			"cur/1.M1P1.h:2,S":        "From: bob\nSubject: one\n\nbody\n",
			"cur/2.M1P1.h:2,DFRSTabz": "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nx\n--b\nContent-Transfer-Encoding: base64\n\neA==\n--b--\n",
			"new/3.M1P1.h":            "",

			"../shared/.box/cur/1.M1P1.h:2,S": "Subject: x\n\nbody\n",
			"../shared/.box/dovecot-acl":      "user=alice lrwsikxa\n# kept\n",
			"../shared/.hidden/dovecot-acl":   "user=bob lrwstipekxa\n",
		} {
			if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		mail := backend.New(backend.Options{Log: logger, Watcher: watch, AppendLimit: 1 << 10})
		defer mail.Close()
		srv := New(Config{
			Log: logger,
			Authenticate: func(_ context.Context, user, password string) (*auth.User, error) {
				if user != "alice" || password != "secret" {
					return nil, auth.ErrInvalid
				}
				return &auth.User{Name: user}, nil
			},
			Open: func(ctx context.Context, u *auth.User) (*backend.User, error) {
				user, err := mail.Open(ctx, u.Name, backend.Location{Root: root, Separator: '.', Quota: backend.Usage{Storage: 1 << 10, Messages: 8}}, false)
				if err != nil {
					return nil, err
				}
				return user, user.Share(ctx, []string{"g"}, []backend.Share{{Location: backend.Location{Root: filepath.Join(dir, "shared"), Prefix: "Public."}}})
			},
			IdleInterval: -1,
		})
		defer srv.cancel()
		nc := &fuzzConn{in: iotest.HalfReader(io.MultiReader(strings.NewReader(beginnings[int(state)%len(beginnings)]), bytes.NewReader(input)))}
		newConn(srv, nc).serve()
		if text := log.String(); text != "" {
			t.Errorf("log:\n%s\nanswers:\n%s", text, nc.out.String())
		}
		if !bytes.HasPrefix(nc.out.Bytes(), []byte("* OK ")) {
			t.Errorf("greeting %.40q", nc.out.String())
		}
		beside, err := os.ReadDir(dir)
		if err != nil || len(beside) != 2 {
			t.Errorf("beside the Maildir: %v, %v", beside, err)
		}
		hidden, err := os.ReadDir(filepath.Join(dir, "shared/.hidden"))
		if err != nil || len(hidden) != 2 {
			t.Errorf("in the hidden mailbox: %v, %v", hidden, err)
		}
	})
}

// fuzzConn is a client that says all it has to say, and hears everything.
type fuzzConn struct {
	in  io.Reader
	out bytes.Buffer
}

func (c *fuzzConn) Read(p []byte) (int, error)     { return c.in.Read(p) }
func (c *fuzzConn) Write(p []byte) (int, error)    { return c.out.Write(p) }
func (*fuzzConn) Close() error                     { return nil }
func (*fuzzConn) LocalAddr() net.Addr              { return &net.UnixAddr{} }
func (*fuzzConn) RemoteAddr() net.Addr             { return &net.UnixAddr{} }
func (*fuzzConn) SetDeadline(time.Time) error      { return nil }
func (*fuzzConn) SetReadDeadline(time.Time) error  { return nil }
func (*fuzzConn) SetWriteDeadline(time.Time) error { return nil }
