package backend

import (
	"context"
	"errors"
	"slices"
	"strings"

	"maildir-imapd/uidmap"

	"github.com/emersion/go-imap/v2"
)

// Subscribe adds name to the subscriptions, whether or not it exists (RFC 3501 §6.3.6).
//
// Errors: *imap.Error with CANNOT for names that no mailbox can have.
func (u *User) Subscribe(ctx context.Context, name string) error {
	a := u.Account
	name = a.loc.canonical(strings.TrimSuffix(name, string(a.loc.separator())))
	line, err := u.subscription(name)
	if err != nil {
		return err
	}
	a.subsMu.Lock()
	defer a.subsMu.Unlock()
	spelled, err := u.subscribedLocked()
	if err != nil || len(spelled[name]) > 0 {
		return err
	}
	defer u.subscriptionsMoved()
	if err = a.subs.Add(ctx, append(a.courierSubscriptions(), line)...); errors.Is(err, uidmap.ErrLimit) {
		return errTooManySubscriptions
	}
	return err
}

var errTooManySubscriptions = &imap.Error{Type: imap.StatusResponseTypeNo, Code: imap.ResponseCodeLimit, Text: "Too many subscriptions"}

// subscription is the line of a name in the file. Those of shared mailboxes are in the user's own file, with their prefix, as
// Dovecot has it for a namespace without subscriptions.
func (u *User) subscription(name string) (string, error) {
	s := u.share(name)
	if s == nil {
		levels, err := u.loc.levels(name)
		return u.loc.subscriptionOf(levels), err
	}
	if _, err := s.loc.levels(name); err != nil {
		return "", err
	}
	levels := strings.Split(name, string(u.loc.separator()))
	if slices.ContainsFunc(levels, func(level string) bool { return strings.IndexByte(level, u.loc.diskSeparator()) >= 0 }) {
		return "", cannot("This name can't be subscribed to: it has the character that separates levels on disk")
	}
	return u.loc.subscriptionOf(levels), nil
}

// subscriptionsMoved tells the monitors.
func (u *User) subscriptionsMoved() {
	u.lookout.treeMoved()
	for _, s := range u.shares {
		s.lookout.treeMoved()
	}
}

// Unsubscribe takes name from the subscriptions (RFC 3501 §6.3.7). One that
// isn't there is no error.
func (u *User) Unsubscribe(ctx context.Context, name string) error {
	a := u.Account
	name = a.loc.canonical(strings.TrimSuffix(name, string(a.loc.separator())))
	a.subsMu.Lock()
	defer a.subsMu.Unlock()
	spelled, err := u.subscribedLocked()
	if err != nil || len(spelled[name]) == 0 {
		return err
	}
	defer u.subscriptionsMoved()
	if courier := a.courierSubscriptions(); len(courier) > 0 {
		// Ours begins with what Courier's has: so the name is missing there from now on.
		if err := a.subs.Add(ctx, courier...); err != nil {
			return err
		}
	}
	return a.subs.Remove(ctx, spelled[name]...)
}

// subscribed returns the subscribed names, those of shared mailboxes too.
func (u *User) subscribed() (map[string][]string, error) {
	u.subsMu.Lock()
	defer u.subsMu.Unlock()
	return u.subscribedLocked()
}

func (u *User) subscribedLocked() (map[string][]string, error) {
	spelled, err := u.Account.subscribedLocked()
	prefix := u.loc.canonical(u.loc.Prefix)
	if err != nil || len(u.shares) == 0 || prefix == "" {
		return spelled, err
	}
	for name, lines := range spelled { // in which the user's own have no prefix
		if rest, ok := strings.CutPrefix(name, prefix); ok && u.share(rest) != nil {
			delete(spelled, name)
			spelled[rest] = lines
		}
	}
	return spelled, nil
}

// subscribedLocked maps each subscribed name to its spellings in the file.
func (a *Account) subscribedLocked() (map[string][]string, error) {
	if _, err := a.subs.Refresh(); err != nil {
		return nil, err
	}
	spelled := make(map[string][]string)
	for _, line := range append(a.subs.Names(), a.courierSubscriptions()...) {
		name := inboxName // without the prefix that other names have
		if !strings.EqualFold(line, inboxName) {
			sep := string(a.loc.diskSeparator())
			name, _ = a.loc.nameOf(strings.Split(strings.TrimSuffix(line, sep), sep))
		}
		spelled[name] = append(spelled[name], line)
	}
	return spelled, nil
}

// courierSubscriptions are those that Courier kept, as long as there is no file
// of ours. subsMu is held.
func (a *Account) courierSubscriptions() []string {
	if a.subs.Exists() {
		return nil
	}
	names, err := uidmap.CourierSubscriptions(a.root, ".")
	if err != nil {
		a.log().Warn("can't read the subscriptions of Courier", "err", err)
		return nil
	}
	return slices.DeleteFunc(names, func(name string) bool { return strings.ContainsAny(name, "\x00\r") })
}

// subscriptionOf writes a name as it stands in the file: as the folder would be called on disk.
func (l *Location) subscriptionOf(levels []string) string {
	if len(levels) == 0 {
		return inboxName
	}
	encoded := make([]string, len(levels))
	for i, level := range levels {
		encoded[i] = l.encode(level)
	}
	return strings.Join(encoded, string(l.diskSeparator()))
}
