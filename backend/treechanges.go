package backend

import (
	"slices"
	"strings"
)

// arrived reports whether the rename shows in the tree, in which what the client has been told of is known. A name that is only a parent shows in
// the mailboxes beneath it.
func (r *rename) arrived(known map[string]bool, now *tree, sep byte) bool {
	isNew := func(n *node) bool { return n.exists && !known[n.Name] }
	if !r.mere && !known[r.from] {
		return false // it has come after another change, which is told as it looks now
	}
	if n := now.byName[r.to]; n != nil && isNew(n) {
		return true
	}
	return r.mere && slices.ContainsFunc(now.below(r.to, sep), isNew)
}

// apply gives the mailboxes that are known, and lie at or beneath the old name, their new names. INBOX stays, with all beneath it.
func (r *rename) apply(known map[string]bool, sep byte) {
	if r.from == inboxName {
		known[r.to] = true
		return
	}
	for name := range known {
		if name == r.from || isBeneath(name, []string{r.from}, sep) {
			delete(known, name)
			known[r.to+name[len(r.from):]] = true
		}
	}
}

// treeChanges lists the names that are affected (RFC 5465 §5.4): those that are new, gone or renamed, and
// the parents of the first two. It compares the tree with what a client knows that is told of the renames.
func (l *lookout) treeChanges(old, now *tree, renames []*rename) (out []NameChange) {
	if old == now {
		return nil
	}
	sep := l.a.loc.separator()
	known := make(map[string]bool, len(old.nodes))
	for _, n := range old.nodes {
		if n.exists {
			known[n.Name] = true
		}
	}
	var moving []string // what lies at or beneath these is told with its rename
	for _, r := range renames {
		if !r.told && r.arrived(known, now, sep) {
			r.told = true
			out = append(out, NameChange{Name: r.to, OldName: r.from})
		}
		// One of many mailboxes is told with the first of them; the others follow.
		underWay := r.told && r.mere || !r.told && known[r.from]
		if r.told {
			r.apply(known, sep)
		}
		if underWay && !r.settled {
			moving = append(moving, r.from, r.to)
		}
	}
	listed := make(map[string]bool)
	add := func(name string) {
		if name != "" && !listed[name] {
			listed[name] = true
			out = append(out, NameChange{Name: name})
		}
	}
	change := func(name string) {
		if !slices.Contains(moving, name) && !isBeneath(name, moving, sep) {
			add(name)
			add(l.a.loc.parent(name))
		}
	}
	var gone []string
	for name := range known {
		if n := now.byName[name]; n == nil || !n.exists {
			gone = append(gone, name)
		}
	}
	slices.SortFunc(gone, l.a.loc.compareNames)
	for _, name := range gone {
		change(name)
	}
	for _, n := range now.nodes {
		if n.exists && !known[n.Name] {
			change(n.Name)
		}
	}
	return out
}

// isBeneath reports whether a name lies beneath one of others.
func isBeneath(name string, others []string, sep byte) bool {
	return slices.ContainsFunc(others, func(o string) bool {
		return strings.HasPrefix(name, o) && len(name) > len(o) && name[len(o)] == sep
	})
}

// subscriptionChanges lists the names that are in one only.
func subscriptionChanges(old, now map[string][]string) (out []string) {
	for name := range old {
		if now[name] == nil {
			out = append(out, name)
		}
	}
	for name := range now {
		if old[name] == nil {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}
