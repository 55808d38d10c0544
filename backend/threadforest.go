package backend

// forest is trees of which links are added and cut. It never makes a circle.
//
// To see whether a link would close one takes the way from a node up to the top. That is short in mail as people
// write it. Where it is not, since somebody has made references up, the trees are kept in a linkCut as well, in
// which the way has a length of O(log n) on average, whatever happens.
type forest struct {
	parent   []int32
	children []int32 // how many
	steps    int     // that may still be walked up
	tree     *linkCut
}

// stepsEach is the number of steps up that each node may cost on average.
const stepsEach = 32

// newForest makes a forest of single nodes. parent is noNode for each, and belongs to the forest from here on.
func newForest(parent []int32) *forest {
	return &forest{parent: parent, children: make([]int32, len(parent)), steps: stepsEach * (len(parent) + 1)}
}

// add adds a single node.
func (f *forest) add() int32 {
	f.parent, f.children = append(f.parent, noNode), append(f.children, 0)
	f.steps += stepsEach
	if f.tree != nil {
		f.tree.add(noNode)
	}
	return int32(len(f.parent) - 1)
}

// link puts node, which has no parent, beneath another one, unless that would close a circle.
func (f *forest) link(node, parent int32) {
	if node == parent || f.children[node] > 0 && f.top(parent) == node {
		return
	}
	f.parent[node] = parent
	f.children[parent]++
	if f.tree != nil {
		f.tree.link(node, parent)
	}
}

// cut makes node the top of a tree.
func (f *forest) cut(node int32) {
	if f.parent[node] == noNode {
		return
	}
	f.children[f.parent[node]]--
	f.parent[node] = noNode
	if f.tree != nil {
		f.tree.cut(node)
	}
}

// top returns the top of node's tree.
func (f *forest) top(node int32) int32 {
	if f.tree != nil {
		return f.tree.top(node)
	}
	for at := node; ; at = f.parent[at] {
		if f.parent[at] == noNode {
			return at
		}
		if f.steps--; f.steps < 0 {
			break
		}
	}
	f.tree = new(linkCut)
	for _, parent := range f.parent {
		f.tree.add(parent)
	}
	return f.tree.top(node)
}

// linkCut is a link-cut tree (Sleator and Tarjan): each tree is cut into paths, each path is a splay tree, ordered by
// depth, and the root of that knows the node above the path.
type linkCut struct {
	up          []int32 // in the splay tree; of its root: the node above the path
	left, right []int32
}

// add adds a node beneath parent (which may come later), as a path of its own.
func (t *linkCut) add(parent int32) {
	t.up, t.left, t.right = append(t.up, parent), append(t.left, noNode), append(t.right, noNode)
}

// link puts the top of a tree beneath a node of another one.
func (t *linkCut) link(node, parent int32) {
	t.access(node)
	t.up[node] = parent
}

// cut takes a node from its parent.
func (t *linkCut) cut(node int32) {
	t.access(node)
	t.up[t.left[node]] = noNode
	t.left[node] = noNode
}

// top returns the top of node's tree.
func (t *linkCut) top(node int32) int32 {
	t.access(node)
	for t.left[node] != noNode {
		node = t.left[node]
	}
	t.splay(node)
	return node
}

// access makes the way from node up to the top a path, with node as the root of its splay tree.
func (t *linkCut) access(node int32) {
	below := int32(noNode)
	for at := node; at != noNode; at = t.up[at] {
		t.splay(at)
		t.right[at] = below
		below = at
	}
	t.splay(node)
}

// isRoot reports whether node is the root of a splay tree.
func (t *linkCut) isRoot(node int32) bool {
	up := t.up[node]
	return up == noNode || t.left[up] != node && t.right[up] != node
}

func (t *linkCut) splay(node int32) {
	for !t.isRoot(node) {
		up := t.up[node]
		if !t.isRoot(up) {
			if (t.left[up] == node) == (t.left[t.up[up]] == up) {
				t.rotate(up)
			} else {
				t.rotate(node)
			}
		}
		t.rotate(node)
	}
}

// rotate puts node in the place of the one above it.
func (t *linkCut) rotate(node int32) {
	up := t.up[node]
	top := t.up[up]
	if !t.isRoot(up) {
		if t.left[top] == up {
			t.left[top] = node
		} else {
			t.right[top] = node
		}
	}
	var moved int32
	if t.left[up] == node {
		moved = t.right[node]
		t.left[up], t.right[node] = moved, up
	} else {
		moved = t.left[node]
		t.right[up], t.left[node] = moved, up
	}
	if moved != noNode {
		t.up[moved] = up
	}
	t.up[up], t.up[node] = node, top
}
