package backend

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"sync"
)

// Object identifiers (RFC 8474).
//
// A message's EMAILID comes from its GUID as Dovecot has it: the G that its line in
// dovecot-uidlist has, which COPY and MOVE write, else the base name with which it came into being. So it is on
// disk where UIDs are, costs no reading of mail, and is the same in both servers.

// identities are the GUIDs of messages that are not their base names, by UID. Safe for concurrent use.
type identities struct {
	mu    sync.Mutex
	guids map[uint32]string
}

func (x *identities) get(uid uint32) string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.guids[uid]
}

func (x *identities) put(uid uint32, guid string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.guids == nil {
		x.guids = make(map[uint32]string)
	}
	x.guids[uid] = guid
}

func (x *identities) forget(uids []uint32) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, uid := range uids {
		delete(x.guids, uid)
	}
}

// guidOf returns the GUID of a message. A base name that is no Maildir name, and so maybe not the only one
// of its kind, counts together with its folder.
func (mb *Mailbox) guidOf(m *msg) string {
	if guid := mb.identities.get(m.uid); guid != "" {
		return guid
	}
	base := m.base()
	plain := !strings.ContainsFunc(base, func(c rune) bool { return c <= ' ' || c == 0x7f }) // fit for dovecot-uidlist
	if _, ok := nameTime(base); ok && plain {
		return base
	}
	return digest(mb.guid + "/" + base)
}

func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:16])
}

// EmailID is the message's EMAILID: the same for its copies, and wherever it is moved. ErrGone where
// it is expunged.
func (v *View) EmailID(seq uint32) (string, error) {
	m := v.told.at(seq)
	guid := v.mb.guidOf(m)
	if now, _ := v.mb.snap.Load().find(m.uid); now == nil {
		return "", ErrGone // and its GUID may be forgotten
	}
	return "M" + digest(guid), nil
}

// MailboxID is the MAILBOXID: it stays through RENAME.
func (v *View) MailboxID() string { return v.mb.id() }

// MailboxID is the MAILBOXID of a mailbox.
func (a *Account) MailboxID(ctx context.Context, name string) (string, error) {
	mb, err := a.mailbox(ctx, name)
	if err != nil {
		return "", err
	}
	defer mb.release()
	return mb.id(), nil
}

func (mb *Mailbox) id() string { return "F" + mb.guid }
