package backend

import (
	"slices"
	"strings"
)

// arrived reports whether the rename shows in the tree. A name that is only a parent shows in the mailboxes beneath it.
func (r *rename) arrived(old, now *tree, sep string) bool {
	isNew := func(n *node) bool {
		o := old.byName[n.Name]
		return n.exists && (o == nil || !o.exists)
	}
	if n := now.byName[r.to]; n != nil && isNew(n) {
		return true
	}
	return r.mere && slices.ContainsFunc(now.nodes, func(n *node) bool { return strings.HasPrefix(n.Name, r.to+sep) && isNew(n) })
}

// treeChanges lists the names that are affected (RFC 5465 §5.4): those that are new, gone or renamed, and
// the parents of the first two.
func (l *lookout) treeChanges(old, now *tree, renames []*rename) (out []NameChange) {
	if old == now {
		return nil
	}
	sep := string(l.a.loc.separator())
	var moved []string // what lies at or beneath these needs no word of its own
	for _, r := range renames {
		if !r.told && r.arrived(old, now, sep) {
			r.told = true
			out = append(out, NameChange{Name: r.to, OldName: r.from})
		}
		moved = append(moved, r.to)
		if r.from != inboxName { // which stays, with all beneath it
			moved = append(moved, r.from)
		}
	}
	known := make(map[string]bool)
	add := func(name string) {
		if name != "" && !known[name] {
			known[name] = true
			out = append(out, NameChange{Name: name})
		}
	}
	compare := func(nodes []*node, other *tree) {
	nodes:
		for _, n := range nodes {
			if o := other.byName[n.Name]; !n.exists || o != nil && o.exists {
				continue
			}
			for _, m := range moved {
				if n.Name == m || strings.HasPrefix(n.Name, m+sep) {
					continue nodes
				}
			}
			add(n.Name)
			add(l.a.loc.parent(n.Name))
		}
	}
	compare(old.nodes, now)
	compare(now.nodes, old)
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
