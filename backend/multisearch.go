package backend

import "slices"

// SubtreeOne is a scope of the mailboxes named, and those one level beneath them (RFC 7377 §2.2). It is for Mailboxes
// only: nobody can ask to be told of it.
const SubtreeOne = Named + 1

// Mailboxes returns the mailboxes that one of the scopes is about and that can be selected, each once, in the order of
// LIST. Names of mailboxes that do not exist are passed over.
func (a *Account) Mailboxes(scopes []Scope) ([]string, error) {
	t, err := a.readTree()
	if err != nil {
		return nil, err
	}
	var subscribed map[string][]string
	if slices.ContainsFunc(scopes, func(s Scope) bool { return s.Kind == Subscribed }) {
		if subscribed, err = a.subscribed(); err != nil {
			return nil, err
		}
	}
	sets := make([]scope, len(scopes))
	for i, s := range scopes {
		sets[i] = scope{Scope: s, names: make(map[string]bool, len(s.Names))}
		for _, name := range s.Names {
			sets[i].names[a.loc.canonical(name)] = true
		}
	}
	var names []string
	for _, n := range t.nodes {
		if n.Selectable && slices.ContainsFunc(sets, func(s scope) bool {
			if s.Kind == SubtreeOne {
				return s.names[n.Name] || s.names[a.loc.parent(n.Name)]
			}
			return s.has(n.Name, subscribed, &a.loc)
		}) {
			names = append(names, n.Name)
		}
	}
	return names, nil
}
