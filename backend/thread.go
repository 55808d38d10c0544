package backend

import "context"

// ThreadAlgorithm says how THREAD finds out what belongs together.
type ThreadAlgorithm uint8

const (
	OrderedSubject ThreadAlgorithm = iota // RFC 5256 §3: by base subject
	References                            // RFC 5256 §3: by message IDs, and then threads by base subject
	Refs                                  // by message IDs only; threads by their newest message
)

// ThreadNode is a message in a thread, Seq 0 in place of one that is not there. Its children are what
// follows it, each with all of its own.
type ThreadNode struct {
	Seq      uint32
	Children uint32
}

// Thread returns the threads that the messages of seqs, which is ascending, make: the first of each followed by its
// children, and so on. As for vanished messages, and headers, it does what Sort does.
//
// Time and memory grow with the number of messages and of their references only, whatever these are: chains of
// references may be long, circular, or contradict one another.
func (v *View) Thread(ctx context.Context, seqs []uint32, by ThreadAlgorithm) ([]ThreadNode, error) {
	t, err := v.keys(ctx, seqs)
	if err != nil {
		return nil, err
	}
	items := make([]sortItem, len(seqs))
	for i, seq := range seqs {
		items[i].seq = seq
	}
	return newThreader(t, t.find(v, items)).threads(by), nil
}

// The nodes of threads: messages are 0 to n-1, in the order of their numbers; those that stand for messages that are
// not there come after them.
const noNode = -1

// threader makes threads.
type threader struct {
	table  *keyTable
	items  []sortItem // the messages
	byDate []int32    // their nodes by sent date

	// parent is the node above, noNode at the top. Above messages, after followReferences, are messages, or one
	// dummy at the top.
	parent []int32

	// What grow makes of it.
	first, last, next []int32 // children of a node, and siblings, by sent date
	roots             []int32 // by the sent date of themselves or of their first child
}

func newThreader(t *keyTable, items []sortItem) *threader {
	x := &threader{table: t, items: items, parent: make([]int32, len(items)), byDate: make([]int32, len(items))}
	sorted := make([]sortItem, len(items))
	for i := range items {
		x.parent[i] = noNode
		sorted[i] = sortItem{key: signed(t.records[items[i].record].sent), seq: uint32(i)}
	}
	radixSort(sorted, make([]sortItem, len(items)))
	for place := range sorted {
		x.byDate[place] = int32(sorted[place].seq)
	}
	return x
}

// threads makes the threads.
func (x *threader) threads(by ThreadAlgorithm) []ThreadNode {
	switch by {
	case OrderedSubject:
		x.groupBySubject()
	case References:
		x.followReferences()
		x.grow()
		x.mergeBySubject()
	case Refs:
		x.followReferences()
	}
	x.grow()
	if by == Refs {
		x.sortByNewest()
	}
	return x.list()
}

func (x *threader) isDummy(node int32) bool { return int(node) >= len(x.items) }

func (x *threader) record(node int32) *keyRecord { return &x.table.records[x.items[node].record] }

func (x *threader) newDummy() int32 {
	x.parent = append(x.parent, noNode)
	return int32(len(x.parent) - 1)
}

// grow links children and roots. A dummy comes in the place of its first child.
func (x *threader) grow() {
	links := make([]int32, 3*len(x.parent))
	for i := range links {
		links[i] = noNode
	}
	n := len(x.parent)
	x.first, x.last, x.next = links[:n:n], links[n:2*n:2*n], links[2*n:]
	x.roots = x.roots[:0]
	for _, node := range x.byDate {
		up := x.parent[node]
		if up == noNode {
			x.roots = append(x.roots, node)
			continue
		}
		if x.first[up] == noNode {
			x.first[up] = node
			if x.isDummy(up) {
				x.roots = append(x.roots, up)
			}
		} else {
			x.next[x.last[up]] = node
		}
		x.last[up] = node
	}
}

// list returns the threads. It keeps its own stack: threads may be as deep as a folder is large.
func (x *threader) list() []ThreadNode {
	out := make([]ThreadNode, 0, len(x.parent))
	var stack []int32
	for _, root := range x.roots {
		for node := root; ; {
			at := len(out)
			out = append(out, ThreadNode{})
			if !x.isDummy(node) {
				out[at].Seq = x.items[node].seq
			}
			for child := x.first[node]; child != noNode; child = x.next[child] {
				out[at].Children++
			}
			if node != root && x.next[node] != noNode {
				stack = append(stack, x.next[node])
			}
			if node = x.first[node]; node == noNode {
				if len(stack) == 0 {
					break
				}
				node, stack = stack[len(stack)-1], stack[:len(stack)-1]
			}
		}
	}
	return out
}
