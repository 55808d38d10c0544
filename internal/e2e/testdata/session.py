"""A session with Python's imaplib: python3 session.py HOST PORT USER PASSWORD MAILDIR.

It ends with status 0 if every command was answered as it should be. The INBOX is empty at first.
"""

import email
import imaplib
import os
import re
import sys
import threading
import time

host, port, user, password, maildir = sys.argv[1:]


def ok(answer, want=None):
    """Returns the data of an answer that must be OK (and be want, where that is given)."""
    kind, data = answer
    assert kind == "OK", answer
    if want is not None:
        assert data == want, (data, want)
    return data


def refused(call, *args):
    """Runs a command that must be answered NO or BAD; the connection goes on."""
    try:
        kind, _ = call(*args)
        assert kind == "NO", kind
    except imaplib.IMAP4.error:
        pass
    ok(m.noop())


def message(subject, body="Hello.\r\n"):
    return (
        f"From: Ada <ada@example.org>\r\nTo: bob@example.org\r\nSubject: {subject}\r\n"
        f"Date: Mon, 05 Jan 2026 10:00:00 +0000\r\nMessage-ID: <{subject}@e2e>\r\n\r\n{body}"
    ).encode()


def uids(answer):
    return [int(n) for n in ok(answer)[0].split()]


m = imaplib.IMAP4(host, int(port), timeout=30)
assert "AUTH=PLAIN" in m.capabilities, m.capabilities
refused(m.login, user, "wrong")
ok(m.authenticate("PLAIN", lambda _: f"\0{user}\0{password}".encode()))
assert "UIDPLUS" in ok(m.capability())[0].decode().split()
ok(m.xatom("ID", '("name" "imaplib")'))
assert b'"name" "maildir-imapd"' in m.response("ID")[1][0]

# Mailboxes.
ok(m.namespace(), [b'(("" ".")) NIL NIL'])
for name in ("Work", "Work.Sub", '"with space"', '"Entw&APw-rfe"', '"quo\\"te"'):
    ok(m.create(name))
refused(m.create, "Work")
refused(m.select, "Nowhere")
ok(m.rename("Work.Sub", "Work.Done"))
ok(m.subscribe("Work.Done"))
ok(m.subscribe("Work"))
ok(m.unsubscribe("Work"))
assert ok(m.lsub()) == [b'() "." Work.Done'], m.lsub()
names = sorted(line.split(b' "." ')[1].strip(b'"') for line in ok(m.list()))
assert names == [b"Entw&APw-rfe", b"INBOX", b"Work", b"Work.Done", b'quo\\"te', b"with space"], names
assert len(ok(m.list('""', "Work.%"))) == 1

# Messages come by APPEND, with a date and flags, and by delivery.
when = '"05-Jan-2026 11:00:00 +0100"'
ok(m.append("INBOX", "(\\Seen $Todo)", when, message("one")))
ok(m.append("INBOX", None, None, message("two", "x" * 100000 + "\r\n")))
refused(m.append, "Nowhere", None, None, message("nowhere"))
ok(m.select(), [b"2"])
assert m.response("UIDNEXT")[1] == [b"3"]
validity = m.response("UIDVALIDITY")[1][0]
assert b"\\*" in m.response("PERMANENTFLAGS")[1][0]


def deliver(subject):
    with open(f"{maildir}/tmp/{subject}", "wb") as f:
        f.write(message(subject).replace(b"\r\n", b"\n"))
    os.chown(f"{maildir}/tmp/{subject}", os.stat(maildir).st_uid, os.stat(maildir).st_gid)
    os.rename(f"{maildir}/tmp/{subject}", f"{maildir}/new/{time.time():.6f}.{subject}")


# IDLE, as raw lines: imaplib has learnt it in Python 3.14.
tag = m._new_tag()
m.send(tag + b" IDLE\r\n")
assert m.readline().startswith(b"+ ")
threading.Timer(0.05, deliver, ["three"]).start()
pushed = [m.readline(), m.readline()]
assert pushed == [b"* 3 EXISTS\r\n", b"* 3 RECENT\r\n"], pushed
m.send(b"DONE\r\n")
assert m.readline().startswith(tag + b" OK")

# Fetching.
fetched = ok(m.fetch("1:*", "(UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])"))
messages = [part for part in fetched if isinstance(part, tuple)]
assert [email.message_from_bytes(part[1])["Subject"] for part in messages] == ["one", "two", "three"]
assert messages[0][1] == message("one") and messages[1][1] == message("two", "x" * 100000 + "\r\n")
assert messages[2][1] == message("three")
assert set(imaplib.ParseFlags(messages[0][0])) >= {b"\\Seen", b"$Todo"}, messages[0][0]
date = imaplib.Internaldate2tuple(messages[0][0])
assert time.mktime(date) == 1767607200, date
for part, text in messages:
    assert int(re.search(rb"RFC822.SIZE (\d+)", part)[1]) == len(text)
data = ok(m.fetch("1", "(ENVELOPE BODYSTRUCTURE)"))[0]
assert b'"Mon, 05 Jan 2026 10:00:00 +0000" "one" (("Ada" NIL "ada" "example.org"))' in data, data
assert b'("text" "plain" ' in data.lower(), data
data = ok(m.fetch("3", "(RFC822.HEADER BODY[TEXT]<0.3>)"))
assert data[1][1] == b"Hel", data
assert b"\\Seen" in ok(m.fetch("3", "(FLAGS)"))[0]
data = ok(m.uid("FETCH", "1:*", "(FLAGS)"))
assert [re.match(rb"(\d+) \(UID (\d+) ", d).groups() for d in data] == [(b"1", b"1"), (b"2", b"2"), (b"3", b"3")], data
ok(m.uid("FETCH", "99", "(FLAGS)"), [None])
refused(m.fetch, "99", "(FLAGS)")
refused(m.fetch, "1", "(NONSENSE)")

# Searching.
assert uids(m.search(None, "ALL")) == [1, 2, 3]
assert uids(m.search(None, "SUBJECT", "two", "LARGER", "1000")) == [2]
assert uids(m.uid("SEARCH", None, "OR", "KEYWORD", "$Todo", "SUBJECT", '"three"')) == [1, 3]
assert uids(m.search("UTF-8", "BODY", "hello")) == [1, 3]
assert uids(m.search(None, "SENTON", "5-Jan-2026", "UNSEEN")) == [2]
assert uids(m.search(None, "FROM", "nobody")) == []

# Flags.
data = ok(m.store("1:2", "+FLAGS", "(\\Flagged Urgent)"))
assert len(data) == 2 and all(b"Urgent" in d and b"\\Flagged" in d for d in data), data
ok(m.store("1", "-FLAGS.SILENT", "(\\Flagged)"))
ok(m.uid("STORE", "2", "FLAGS", "(\\Answered)"))
assert uids(m.search(None, "FLAGGED")) == [] and uids(m.search(None, "ANSWERED")) == [2]

# Copies, moves, deletions.
ok(m.copy("1:2", "Work"))
ok(m.uid("COPY", "1", '"with space"'))
ok(m.uid("MOVE", "3", "Work.Done"))
assert m.response("EXPUNGE")[1] == [b"3"]
refused(m.copy, "1", "Nowhere")
status = ok(m.status("Work", "(MESSAGES RECENT UIDNEXT UNSEEN)"))[0]
assert status == b"Work (MESSAGES 2 RECENT 2 UIDNEXT 3 UNSEEN 1)", status
ok(m.store("2", "+FLAGS", "\\Deleted"))
ok(m.expunge(), [b"2"])
assert uids(m.uid("SEARCH", None, "ALL")) == [1]

# EXAMINE changes nothing.
ok(m.select("Work", readonly=True), [b"2"])
assert b"\\Seen" not in ok(m.fetch("2", "(BODY[TEXT])"))[0][0]
refused(m.store, "1", "+FLAGS", "\\Deleted")
ok(m.select("Work"))
ok(m.store("1:*", "+FLAGS.SILENT", "\\Deleted"))
ok(m.close())
ok(m.select("Work"), [b"0"])
ok(m.check())
ok(m.unselect())
ok(m.delete("Work"))
ok(m.select("Work.Done"), [b"1"])

# A second connection sees the same.
n = imaplib.IMAP4(host, int(port), timeout=30)
n.login(user, password)
ok(n.select(), [b"1"])
assert n.response("UIDVALIDITY")[1][0] == validity
n.logout()
assert m.logout()[0] == "BYE"
