package backend

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"maildir-imapd/message"
)

// mail is a message as threads see it.
type mail struct {
	subject  string
	day      int // sent
	id, refs string
}

// threadTable makes the table of a mailbox with these messages.
func threadTable(mails []mail) (*keyTable, []sortItem) {
	names := newKeyNames()
	t := &keyTable{names: names}
	items := make([]sortItem, len(mails))
	for i, m := range mails {
		header := fmt.Sprintf("Subject: %s\nMessage-ID: %s\nReferences: %s\nDate: %s\n\n", m.subject, m.id, m.refs,
			time.Date(2000, 1, m.day, 0, 0, 0, 0, time.UTC).Format(time.RFC1123Z))
		h, err := message.ReadHeader(strings.NewReader(header), int64(len(header)))
		if err != nil {
			panic(err)
		}
		var k message.SortKeys
		k.ReadSortKeys(h)
		t.records = append(t.records, names.record(uint32(i+1), &k))
		items[i] = sortItem{seq: uint32(i + 1), record: uint32(i)}
	}
	t.strings, t.numIDs = names.strings, len(names.ids)
	return t, items
}

// threads writes threads as THREAD does, by recursion.
func threads(nodes []ThreadNode) string {
	var b strings.Builder
	var node func()
	node = func() {
		n := nodes[0]
		nodes = nodes[1:]
		if n.Seq > 0 {
			fmt.Fprint(&b, n.Seq)
		}
		if n.Children == 1 {
			b.WriteByte(' ')
			node()
			return
		}
		if n.Seq > 0 && n.Children > 0 {
			b.WriteByte(' ')
		}
		for range n.Children {
			b.WriteByte('(')
			node()
			b.WriteByte(')')
		}
	}
	for len(nodes) > 0 {
		b.WriteByte('(')
		node()
		b.WriteByte(')')
	}
	return b.String()
}

func thread(by ThreadAlgorithm, mails []mail) string {
	t, items := threadTable(mails)
	return threads(newThreader(t, items).threads(by))
}

func TestThread(t *testing.T) {
	tests := []struct {
		name  string
		mails []mail
		want  [3]string // by algorithm
	}{
		{"nothing", nil, [3]string{}},
		{"chain", []mail{{"x", 1, "<1@x>", ""}, {"Re: x", 2, "<2@x>", "<1@x>"}, {"Re: x", 3, "<3@x>", "<1@x> <2@x>"}},
			[3]string{"(1 (2)(3))", "(1 2 3)", "(1 2 3)"}},
		{"replies before", []mail{{"Re: x", 3, "<3@x>", "<1@x> <2@x>"}, {"Re: x", 2, "<2@x>", "<1@x>"}, {"x", 1, "<1@x>", ""}},
			[3]string{"(3 (2)(1))", "(3 2 1)", "(3 2 1)"}},
		{"missing parent of one", []mail{{"a", 1, "<1@x>", "<0@x>"}}, [3]string{"(1)", "(1)", "(1)"}},
		{"missing parent of two", []mail{{"a", 2, "<1@x>", "<0@x>"}, {"b", 1, "<2@x>", "<0@x>"}}, [3]string{"(2)(1)", "((2)(1))", "((2)(1))"}},
		{"missing between", []mail{{"a", 1, "<1@x>", ""}, {"b", 2, "<3@x>", "<1@x> <2@x>"}, {"c", 3, "<4@x>", "<1@x> <2@x>"}},
			[3]string{"(1)(2)(3)", "(1 (2)(3))", "(1 (2)(3))"}},
		{"two missing, one above the other", []mail{{"a", 1, "<1@x>", "<8@x> <9@x>"}, {"b", 2, "<2@x>", "<8@x>"}},
			[3]string{"(1)(2)", "((1)(2))", "((1)(2))"}},
		{"two missing above two", []mail{{"a", 1, "<1@x>", "<8@x> <9@x>"}, {"b", 2, "<2@x>", "<8@x> <9@x>"}},
			[3]string{"(1)(2)", "((1)(2))", "((1)(2))"}},
		{"itself", []mail{{"a", 1, "<1@x>", "<1@x>"}, {"b", 2, "<2@x>", "<1@x> <2@x> <1@x>"}}, [3]string{"(1)(2)", "(1 2)", "(1 2)"}},
		{"circle", []mail{{"a", 1, "<1@x>", "<2@x>"}, {"b", 2, "<2@x>", "<1@x>"}}, [3]string{"(1)(2)", "(2 1)", "(2 1)"}},
		{"same ID", []mail{{"a", 1, "<1@x>", ""}, {"b", 2, "<1@x>", ""}, {"c", 3, "<3@x>", "<1@x>"}}, [3]string{"(1)(2)(3)", "(1 3)(2)", "(2)(1 3)"}},
		{"truncated references", []mail{{"a", 1, "<1@x>", ""}, {"b", 2, "<2@x>", "<1@x>"}, {"c", 3, "<3@x>", "<1@x> <2@x>"}, {"d", 4, "<4@x>", "<1@x> <3@x>"}},
			[3]string{"(1)(2)(3)(4)", "(1 2 3 4)", "(1 2 3 4)"}},
		{"by subject", []mail{{"x", 1, "<1@x>", ""}, {"Re: x", 2, "<2@x>", ""}, {"x", 3, "<3@x>", ""}, {"Re: x", 4, "<4@x>", ""}},
			[3]string{"(1 (2)(3)(4))", "((1 2)(3)(4))", "(1)(2)(3)(4)"}},
		{"reply first", []mail{{"Re: x", 1, "<1@x>", ""}, {"x", 2, "<2@x>", ""}}, [3]string{"(1 2)", "(2 1)", "(1)(2)"}},
		{"two replies", []mail{{"Re: x", 1, "<1@x>", ""}, {"Re: x", 2, "<2@x>", ""}}, [3]string{"(1 2)", "((1)(2))", "(1)(2)"}},
		{"dummies by subject", []mail{
			{"x", 1, "<1@x>", "<8@x>"}, {"y", 2, "<2@x>", "<8@x>"}, {"x", 3, "<3@x>", "<9@x>"}, {"z", 4, "<4@x>", "<9@x>"}, {"x", 5, "<5@x>", ""},
		}, [3]string{"(1 (3)(5))(2)(4)", "((1)(2)(3)(4)(5))", "((1)(2))((3)(4))(5)"}},
		{"no subject", []mail{{"", 1, "<1@x>", ""}, {"Re:", 2, "<2@x>", ""}}, [3]string{"(1 2)", "(1)(2)", "(1)(2)"}},
		{"siblings by date", []mail{{"a", 1, "<1@x>", ""}, {"b", 4, "<2@x>", "<1@x>"}, {"c", 3, "<3@x>", "<1@x>"}, {"d", 3, "<4@x>", "<1@x>"}},
			[3]string{"(1)(3)(4)(2)", "(1 (3)(4)(2))", "(1 (3)(4)(2))"}},
		{"newest last", []mail{{"a", 1, "<1@x>", ""}, {"b", 2, "<2@x>", ""}, {"Re: a", 3, "<3@x>", "<1@x>"}},
			[3]string{"(1 3)(2)", "(1 3)(2)", "(2)(1 3)"}},
	}
	for _, test := range tests {
		for by, want := range test.want {
			if got := thread(ThreadAlgorithm(by), test.mails); got != want {
				t.Errorf("%s, algorithm %d: got %s, want %s", test.name, by, got, want)
			}
		}
	}
}

// Each message is in a thread once, whatever the references are, and the cost is that of the mail.
func TestThreadHostile(t *testing.T) {
	const n = 10_000
	id := func(i int) string { return fmt.Sprintf("<%d@x>", i) }
	kinds := map[string]func(i int) (refs string){
		"deep":               func(i int) string { return id(i - 1) },
		"deep, newest first": func(i int) string { return id(i + 1) },
		"one circle":         func(i int) string { return id((i + 1) % n) },
		"wide":               func(int) string { return id(-1) },
		"two ways":           func(i int) string { return id(i+1) + id(i-1) },
		"inside out":         func(i int) string { return id(n-i) + id(i/2) + id(i+1) + id(i-1) },
		"missing":            func(i int) string { return id(-i) + id(-i-1) },
		// Each message takes the top of one long chain away, and puts it back at its bottom.
		"re-hung": func(i int) string {
			if i < n/2 {
				return id(i + 1)
			}
			return id(i-n/2) + id(n/2)
		},
	}
	for name, refs := range kinds {
		mails := make([]mail, n)
		for i := range mails {
			mails[i] = mail{"x", 1 + i%28, id(i), refs(i)}
		}
		table, items := threadTable(mails)
		for by := range ThreadAlgorithm(3) {
			start := time.Now()
			nodes := newThreader(table, items).threads(by)
			if d := time.Since(start); d > 5*time.Second {
				t.Errorf("%s, algorithm %d: %v", name, by, d)
			}
			seen := make([]bool, n+1)
			left := 0 // children that are still to come
			for _, node := range nodes {
				if seen[node.Seq] && node.Seq > 0 {
					t.Fatalf("%s: message %d is there twice", name, node.Seq)
				}
				seen[node.Seq] = true
				left = max(left-1, 0) + int(node.Children)
			}
			if seen[0] = true; slices.Contains(seen, false) || left != 0 {
				t.Errorf("%s, algorithm %d: messages are missing", name, by)
			}
		}
	}
}

// The forest with its link-cut tree gives the answers of one that walks.
func TestForest(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	for range 300 {
		n := 1 + r.IntN(40)
		nodes := make([]int32, n)
		for i := range nodes {
			nodes[i] = noNode
		}
		walks, hops := newForest(slices.Clone(nodes)), newForest(slices.Clone(nodes))
		walks.steps = 1 << 30
		hops.steps = r.IntN(50)
		for range 200 {
			a, b := int32(r.IntN(n)), int32(r.IntN(n))
			switch {
			case r.IntN(20) == 0:
				walks.add()
				hops.add()
				n++
			case walks.parent[a] == noNode:
				walks.link(a, b)
				hops.link(a, b)
			default:
				walks.cut(a)
				hops.cut(a)
			}
			if !slices.Equal(walks.parent, hops.parent) {
				t.Fatalf("seed %d: got %v, want %v", seed, hops.parent, walks.parent)
			}
			if x := int32(r.IntN(n)); walks.top(x) != hops.top(x) {
				t.Fatalf("seed %d: top of %d is %d, want %d", seed, x, hops.top(x), walks.top(x))
			}
		}
	}
}

// The way up from the end of a long chain is not walked again and again.
func TestForestDeep(t *testing.T) {
	const n = 100_000
	nodes := make([]int32, n)
	for i := range nodes {
		nodes[i] = noNode
	}
	f := newForest(nodes)
	for i := range int32(n - 1) {
		f.link(i+1, i)
	}
	start := time.Now()
	for range n {
		if f.top(n-1) != 0 {
			t.Fatal("the top is another")
		}
	}
	if d := time.Since(start); d > 3*time.Second { // 10^10 steps take more
		t.Errorf("%v", d)
	}
}
