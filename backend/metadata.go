package backend

import (
	"context"
	"errors"
	"slices"
	"strings"

	"maildir-imapd/uidmap"

	"github.com/emersion/go-imap/v2"
)

// The files of annotations (RFC 5464): each mailbox has one beside its uidlist, so that it goes with the mailbox, and
// the account has one beside its subscriptions.
const (
	mailboxMetadata = "maildir-imapd-metadata"
	accountMetadata = "maildir-imapd-account-metadata"
)

// Limits of annotations. RFC 5464 §4.1 wants 10 of 1024 octets at least.
const (
	maxMetadata      = 1000     // entries of a mailbox, or of the account
	MaxMetadataValue = 64 << 10 // octets
)

// Metadata is one entry. In a change, nil removes it.
type Metadata struct {
	Name  string // as it was spelled when it was set; case does not count
	Value *string
}

var (
	errTooManyEntries = &imap.Error{Type: imap.StatusResponseTypeNo, Code: "METADATA TOOMANY", Text: "No more annotations"}
	errNoPrivate      = &imap.Error{Type: imap.StatusResponseTypeNo, Code: "METADATA NOPRIVATE", Text: "The mailbox belongs to others too: it has no private annotations"}
)

// Metadata returns all entries of a mailbox, those of the account for "".
//
// Errors: those of opening a mailbox.
func (a *Account) Metadata(name string) ([]Metadata, error) {
	if name == "" {
		return entries(uidmap.NewAnnotations(a.control, ".", accountMetadata, a.mapOptions()))
	}
	f, err := a.folder(name)
	if err != nil {
		return nil, err
	}
	list, err := entries(a.annotations(f))
	if a.isOthers(f) {
		list = slices.DeleteFunc(list, func(m Metadata) bool { return isPrivate(m.Name) })
	}
	return list, err
}

func entries(file *uidmap.Annotations) ([]Metadata, error) {
	all, err := file.All()
	if err != nil {
		return nil, err
	}
	list := make([]Metadata, len(all))
	for i := range all {
		list[i] = Metadata{all[i].Name, &all[i].Value}
	}
	return list, nil
}

// SetMetadata changes entries of a mailbox, or of the account for "": all or none. Where it returns nil they are on
// disk, and all monitors but by (nil: all) have been told; by too of other mailboxes that have lost a special use.
//
// Errors: those of opening a mailbox, and *imap.Error with METADATA TOOMANY, METADATA NOPRIVATE or USEATTR.
func (a *Account) SetMetadata(ctx context.Context, name string, changes []Metadata, by *Monitor) (err error) {
	name = a.loc.canonical(name)
	var changed, others []string
	if name == "" {
		changed, err = change(ctx, uidmap.NewAnnotations(a.control, ".", accountMetadata, a.mapOptions()), changes)
	} else if i := slices.IndexFunc(changes, isSpecialUse); i >= 0 {
		changed, others, err = a.setMetadataAndUse(ctx, name, changes, changes[i].Value)
	} else {
		changed, err = a.setMailboxMetadata(ctx, name, changes)
	}
	if err != nil {
		return err
	}
	if len(changed) > 0 {
		a.lookout.metadataChanged(name, changed, by)
	}
	for _, other := range others {
		a.lookout.metadataChanged(other, []string{SpecialUseEntry}, nil)
	}
	return nil
}

// setMetadataAndUse is for changes with a SpecialUseEntry, which has this value.
func (a *Account) setMetadataAndUse(ctx context.Context, name string, changes []Metadata, value *string) (changed, others []string, err error) {
	a.folders.change.Lock()
	defer a.folders.change.Unlock()
	others, undo, err := a.setSpecialUse(name, value)
	if err != nil {
		return nil, nil, err
	}
	changed, err = a.setMailboxMetadata(ctx, name, slices.DeleteFunc(slices.Clone(changes), isSpecialUse), SpecialUseEntry)
	if err != nil {
		err = errors.Join(err, undo())
	}
	return changed, others, err
}

// setMailboxMetadata changes entries of a mailbox. others are those that have been changed elsewhere.
func (a *Account) setMailboxMetadata(ctx context.Context, name string, changes []Metadata, others ...string) (changed []string, err error) {
	mb, err := a.mailbox(ctx, name)
	if err != nil {
		return nil, err
	}
	defer mb.release()
	return mb.setMetadata(ctx, changes, others...)
}

// setMetadata is setMailboxMetadata for who has the mailbox already.
func (mb *Mailbox) setMetadata(ctx context.Context, changes []Metadata, others ...string) (changed []string, err error) {
	a := mb.a
	if a.isOthers(mb.f) && slices.ContainsFunc(changes, func(m Metadata) bool { return isPrivate(m.Name) }) {
		return nil, errNoPrivate
	}
	// DELETE and RENAME wait for us.
	if err := mb.enter(ctx); err != nil {
		return nil, err
	}
	defer mb.leave()
	changed, err = change(ctx, a.annotations(mb.f), changes)
	if err != nil {
		return nil, err
	}
	if changed = append(changed, others...); len(changed) > 0 { // RFC 7162 §3.2: HIGHESTMODSEQ grows
		mb.nextModSeq()
		now := mb.snap.Load()
		mb.publish(now.chunks, now.names, now.uidNext)
	}
	return changed, nil
}

func (a *Account) annotations(f folder) *uidmap.Annotations {
	return uidmap.NewAnnotations(f.control.root, f.control.dir, mailboxMetadata, a.mapOptions())
}

// isOthers reports whether others use the same folder, or may as its control files lie outside the account.
func (a *Account) isOthers(f folder) bool { return a.loc.Shared || f.control.root != a.control }

func isPrivate(name string) bool {
	return len(name) >= len("/private") && strings.EqualFold(name[:len("/private")], "/private")
}

// change makes changes to a file, and returns the names of those that made a difference.
func change(ctx context.Context, file *uidmap.Annotations, changes []Metadata) (changed []string, err error) {
	err = file.Update(ctx, func(list []uidmap.Annotation) ([]uidmap.Annotation, error) {
		for _, c := range changes {
			i := slices.IndexFunc(list, func(x uidmap.Annotation) bool { return strings.EqualFold(x.Name, c.Name) })
			switch {
			case c.Value == nil && i < 0 || c.Value != nil && i >= 0 && list[i].Value == *c.Value:
				continue
			case c.Value == nil:
				list = slices.Delete(list, i, i+1)
			case i >= 0:
				list[i].Value = *c.Value
			default:
				list = append(list, uidmap.Annotation{Name: c.Name, Value: *c.Value})
			}
			changed = append(changed, c.Name)
		}
		if len(list) > maxMetadata {
			return nil, errTooManyEntries
		}
		return list, nil
	})
	if errors.Is(err, uidmap.ErrLimit) {
		err = errTooManyEntries
	}
	return changed, err
}

// copyMetadata gives the entries of one mailbox to another, which has none (RFC 5464 §4.1, RENAME of INBOX).
func (a *Account) copyMetadata(ctx context.Context, from, to string) error {
	list, err := a.Metadata(from)
	if err != nil || len(list) == 0 {
		return err
	}
	// No monitor is told, as the mailbox is new to all of them. (And the lookout is busy with the session's own RENAME.)
	_, err = a.setMailboxMetadata(ctx, to, list)
	return err
}
