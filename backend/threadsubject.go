package backend

// groupBySubject makes the threads of ORDEREDSUBJECT: the messages of one base subject are the children of the first of
// them.
func (x *threader) groupBySubject() {
	first := x.noNodes(len(x.table.strings))
	for _, node := range x.byDate {
		if subject := x.record(node).strings[subjectKey]; first[subject] == noNode {
			first[subject] = node
		} else {
			x.parent[node] = first[subject]
		}
	}
}

func (x *threader) noNodes(n int) []int32 {
	nodes := make([]int32, n)
	for i := range nodes {
		nodes[i] = noNode
	}
	return nodes
}

// mergeBySubject puts threads with the same base subject together: step 5 of REFERENCES (RFC 5256 §3). It needs
// what grow makes, and grow must come after it.
func (x *threader) mergeBySubject() {
	table := x.noNodes(len(x.table.strings)) // the thread of a subject
	for _, root := range x.roots {
		subject := x.threadSubject(root).strings[subjectKey]
		if subject == 0 {
			continue
		}
		if there := table[subject]; there == noNode || !x.isDummy(there) && (x.isDummy(root) || x.isReply(there) && !x.isReply(root)) {
			table[subject] = root
		}
	}
	for _, root := range x.roots {
		subject := x.threadSubject(root).strings[subjectKey]
		there := table[subject]
		if subject == 0 || there == root {
			continue
		}
		switch {
		case x.isDummy(there) && x.isDummy(root):
			for child := x.first[root]; child != noNode; child = x.next[child] {
				x.parent[child] = there
			}
		case x.isDummy(there) || x.isReply(root) && !x.isReply(there):
			x.parent[root] = there
		default:
			both := x.newDummy()
			x.parent[there], x.parent[root] = both, both
			table[subject] = both
		}
	}
}

// threadSubject is the message that has the subject of a thread.
func (x *threader) threadSubject(root int32) *keyRecord {
	if x.isDummy(root) {
		root = x.first[root]
	}
	return x.record(root)
}

// isReply tells whether a thread begins with a reply or a forwarded message. Of a dummy it is not asked.
func (x *threader) isReply(root int32) bool { return !x.isDummy(root) && x.record(root).reply }
