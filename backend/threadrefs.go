package backend

import "slices"

// followReferences makes the threads that message IDs tell of: steps 1 to 3 of REFERENCES (RFC 5256 §3).
func (x *threader) followReferences() {
	nodeOf := x.noNodes(x.table.numIDs) // by number of the message ID
	for i := range x.items {
		if id := x.record(int32(i)).id; id != 0 && nodeOf[id] == noNode {
			nodeOf[id] = int32(i) // a later message with the same ID is as one without
		}
	}
	f := newForest(x.parent)
	for i := range int32(len(x.items)) {
		before := int32(noNode)
		for _, id := range x.record(i).refs {
			node := nodeOf[id]
			if node == noNode {
				node = f.add()
				nodeOf[id] = node
			}
			if before != noNode && f.parent[node] == noNode {
				f.link(node, before)
			}
			before = node
		}
		f.cut(i)
		if before != noNode {
			f.link(i, before)
		}
	}
	x.parent = f.parent
	x.prune()
}

// prune removes the dummies between messages, and those at the top that have one child only: step 3. Only messages
// have parents then.
func (x *threader) prune() {
	n := len(x.items)
	// By dummy: the message above it, or the topmost dummy, which may be itself.
	above := x.noNodes(len(x.parent) - n)
	var path []int32
	children := make([]int32, len(above)) // of topmost dummies
	for i := range int32(n) {
		up := x.parent[i]
		if up == noNode || !x.isDummy(up) {
			continue
		}
		path = path[:0]
		for above[up-int32(n)] == noNode {
			path = append(path, up)
			next := x.parent[up]
			if next == noNode {
				above[up-int32(n)] = up
				break
			}
			if up = next; !x.isDummy(up) {
				break
			}
		}
		if x.isDummy(up) {
			up = above[up-int32(n)]
		}
		for _, dummy := range path {
			above[dummy-int32(n)] = up
		}
		if x.parent[i] = up; x.isDummy(up) {
			children[up-int32(n)]++
		}
	}
	for i := range int32(n) {
		if up := x.parent[i]; up != noNode && x.isDummy(up) && children[up-int32(n)] == 1 {
			x.parent[i] = noNode
		}
	}
	for i := n; i < len(x.parent); i++ {
		x.parent[i] = noNode
	}
}

// sortByNewest sorts threads by the sent dates of their newest messages, where these are equal by the numbers of those. It needs
// what grow makes.
func (x *threader) sortByNewest() {
	x.roots = x.roots[:0]
	seen := make([]bool, len(x.parent))
	for _, node := range slices.Backward(x.byDate) {
		for up := node; up != noNode && !seen[up]; up = x.parent[up] {
			if seen[up] = true; x.parent[up] == noNode {
				x.roots = append(x.roots, up)
			}
		}
	}
	slices.Reverse(x.roots)
}
