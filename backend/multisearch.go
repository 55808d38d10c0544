package backend

import "slices"

// SubtreeOne is a scope of the mailboxes named, and those one level beneath them (RFC 7377 §2.2). It is for Mailboxes
// only: nobody can ask to be told of it.
const SubtreeOne = Named + 1

// Mailboxes returns the mailboxes that one of the scopes is about and that can be selected, each once, in the order of
// LIST. Names of mailboxes that do not exist are passed over.
func (u *User) Mailboxes(scopes []Scope) ([]string, error) {
	t, err := u.wholeTree()
	if err != nil {
		return nil, err
	}
	var subscribed map[string][]string
	if slices.ContainsFunc(scopes, func(s Scope) bool { return s.Kind == Subscribed }) {
		if subscribed, err = u.subscribed(); err != nil {
			return nil, err
		}
	}
	sets := make([]scope, len(scopes))
	for i, s := range scopes {
		sets[i] = scope{Scope: s, names: make(map[string]bool, len(s.Names))}
		for _, name := range s.Names {
			sets[i].names[u.loc.canonical(name)] = true
		}
	}
	var names []string
	for _, n := range t.nodes {
		if n.Selectable && slices.ContainsFunc(sets, func(s scope) bool {
			if s.Kind == Personal && u.share(n.Name) != nil {
				return false // RFC 5465 §6.3: the personal namespace
			}
			if s.Kind == SubtreeOne {
				parent := u.loc.parent(n.Name) // "" at the top, which is no mailbox
				return s.names[n.Name] || parent != "" && s.names[parent]
			}
			return s.has(n.Name, subscribed, &u.loc)
		}) {
			names = append(names, n.Name)
		}
	}
	for _, s := range scopes {
		for _, name := range s.Names { // whoever names a mailbox need not be able to look it up (RFC 7377 §2.2)
			name = u.loc.canonical(name)
			if s.Kind != Named || t.byName[name] != nil || u.share(name) == nil || slices.Contains(names, name) {
				continue
			}
			if _, _, err := u.may(name, RightRead); err == nil {
				names = append(names, name)
			}
		}
	}
	return names, nil
}
