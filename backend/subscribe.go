package backend

import (
	"context"
	"slices"
	"strings"

	"maildir-imapd/uidmap"
)

// Subscribe adds name to the subscriptions, whether or not it exists (RFC 3501 §6.3.6).
//
// Errors: *imap.Error with CANNOT for names that no mailbox can have.
func (a *Account) Subscribe(ctx context.Context, name string) error {
	name = a.loc.canonical(strings.TrimSuffix(name, string(a.loc.separator())))
	levels, err := a.loc.levels(name)
	if err != nil {
		return err
	}
	a.subsMu.Lock()
	defer a.subsMu.Unlock()
	spelled, err := a.subscribedLocked()
	if err != nil || len(spelled[name]) > 0 {
		return err
	}
	defer a.lookout.treeMoved()
	return a.subs.Add(ctx, append(a.courierSubscriptions(), a.loc.subscriptionOf(levels))...)
}

// Unsubscribe takes name from the subscriptions (RFC 3501 §6.3.7). One that
// isn't there is no error.
func (a *Account) Unsubscribe(ctx context.Context, name string) error {
	name = a.loc.canonical(strings.TrimSuffix(name, string(a.loc.separator())))
	a.subsMu.Lock()
	defer a.subsMu.Unlock()
	spelled, err := a.subscribedLocked()
	if err != nil || len(spelled[name]) == 0 {
		return err
	}
	defer a.lookout.treeMoved()
	if courier := a.courierSubscriptions(); len(courier) > 0 {
		// Ours begins with what Courier's has: so the name is missing there from now on.
		if err := a.subs.Add(ctx, courier...); err != nil {
			return err
		}
	}
	return a.subs.Remove(ctx, spelled[name]...)
}

// subscribed returns the subscribed names.
func (a *Account) subscribed() (map[string][]string, error) {
	a.subsMu.Lock()
	defer a.subsMu.Unlock()
	return a.subscribedLocked()
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
