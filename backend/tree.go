package backend

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"time"
)

// maxFolders is the greatest number of names that a tree has. What lies
// beyond is not shown.
const maxFolders = 100_000

// node is a name of the hierarchy.
type node struct {
	folder
	// base is where its children lie: Dir without DirName. "" for INBOX and
	// for the name of the namespace itself, whose children lie in the root.
	base     string
	exists   bool // there is a directory, it is not just the parent of others
	out      bool // a symlink that leads out of the root
	children bool
}

// tree is an account's hierarchy at one instant. Immutable.
type tree struct {
	nodes  []*node // INBOX first, then in order of names, parents before their children
	byName map[string]*node
}

// below calls yield for each node beneath name, in order.
func (t *tree) below(name string, sep byte) (nodes []*node) {
	for _, n := range t.nodes {
		if strings.HasPrefix(n.Name, name) && len(n.Name) > len(name) && n.Name[len(name)] == sep {
			nodes = append(nodes, n)
		}
	}
	return nodes
}

// listing is the directories in a directory.
type listing struct {
	stamp   stamp // before it was read
	entries []entry
	links   []link
	cur     bool // cur, or with DIRNAME that, is among entries
	failed  bool // it could not be read
}

type entry struct {
	name string
	out  bool // a symlink that leads out of the root
}

// link is a symlink, and what it led to. That comes and goes, as with a file system that is mounted, without a new time of the link's directory.
type link struct {
	entry
	isDir bool // one that may be shown
}

// treeToChange is the tree for CREATE, DELETE and RENAME, which hold folders.change: so no name means another
// mailbox than the one for which may has allowed it. A nil may allows all.
func (a *Account) treeToChange(may func() error) (*tree, error) {
	if may != nil {
		if err := may(); err != nil {
			return nil, err
		}
	}
	return a.readTree()
}

// readTree returns the tree as it is on disk now.
func (a *Account) readTree() (*tree, error) {
	a.folders.mu.Lock()
	defer a.folders.mu.Unlock()
	return a.treeLocked()
}

// forgetTree is called after a change of the tree.
func (a *Account) forgetTree() {
	a.folders.mu.Lock()
	defer a.folders.mu.Unlock()
	a.folders.tree = nil
	a.folders.listings = nil
	a.lookout.treeMoved()
}

// treeLocked is readTree with folders.mu held. Directories that have not moved are not read again.
func (a *Account) treeLocked() (*tree, error) {
	known := &a.folders
	if known.tree != nil && a.unmoved() {
		return known.tree, nil
	}
	r := treeReader{a: a, l: &a.loc, old: known.listings, listings: make(map[string]listing),
		tree: &tree{byName: make(map[string]*node)}, suffix: make(map[string]int)}
	if err := r.read(); err != nil {
		return nil, err
	}
	known.tree, known.listings = r.tree, r.listings
	if !known.swept {
		known.swept = true
		a.sweep(r.scratch)
	}
	return known.tree, nil
}

// unmoved reports whether all directories are as they were listed.
func (a *Account) unmoved() bool {
	for dir, l := range a.folders.listings {
		if l.failed {
			if f, err := a.root.Open(dir); err == nil {
				f.Close()
				return false
			}
			continue
		}
		fi, err := a.root.Stat(dir)
		if err != nil || l.stamp.moved(stamp{ctime: ctime(fi)}) || a.linksMoved(dir, l) {
			return false
		}
	}
	return true
}

// treeReader makes a tree from the directories.
type treeReader struct {
	a             *Account
	l             *Location
	old, listings map[string]listing
	tree          *tree
	suffix        map[string]int
	scratch       []string
}

func (r *treeReader) read() error {
	if !r.l.Shared {
		r.tree.byName[inboxName] = &node{folder: folder{Name: inboxName, Dir: r.l.inboxDir(), Selectable: true}, exists: true}
	}
	root, fi, err := r.list(".")
	if err != nil {
		return err
	}
	for _, e := range root.entries {
		if isScratch(e.name) {
			r.scratch = append(r.scratch, e.name)
		}
	}
	if r.l.Layout == FS {
		r.walk(".", []fs.FileInfo{fi}, "", root.entries)
	} else {
		r.flat(root.entries)
	}
	r.addParents()
	for _, n := range r.tree.byName {
		r.tree.nodes = append(r.tree.nodes, n)
	}
	slices.SortFunc(r.tree.nodes, func(a, b *node) int { return r.l.compareNames(a.Name, b.Name) })
	return nil
}

// compareNames puts INBOX and what is beneath it first, and each name before those beneath it.
func (l *Location) compareNames(a, b string) int {
	if x, y := l.underInbox(a), l.underInbox(b); x != y {
		if x {
			return -1
		}
		return 1
	}
	for i := range min(len(a), len(b)) {
		if x, y := a[i], b[i]; x != y {
			if x == l.separator() {
				return -1
			} else if y == l.separator() {
				return 1
			}
			return cmp.Compare(x, y)
		}
	}
	return cmp.Compare(len(a), len(b))
}

// found is a directory on its way into the tree.
type found struct {
	node
	exact bool
}

// flat takes the Maildir++ folders.
func (r *treeReader) flat(entries []entry) {
	var all []found
	for _, e := range entries {
		if e.name[0] != '.' || isScratch(e.name) || e.name == r.l.Inbox {
			continue
		}
		levels := strings.Split(e.name[1:], ".")
		if len(levels) > maxLevels {
			continue
		}
		f := found{node: node{base: e.name, exists: true, out: e.out}}
		f.Dir, f.Selectable = e.name, true
		f.Name, f.exact = r.l.nameOf(levels)
		all = append(all, f)
	}
	r.insert(all)
}

// walk takes the folders of LAYOUT=fs in dir, whose entries are given. up is
// dir and those that it lies in, name what it is called ("" for the root).
func (r *treeReader) walk(dir string, up []fs.FileInfo, name string, entries []entry) {
	type sub struct {
		found
		l  listing
		fi fs.FileInfo
	}
	var subs []sub
	for _, e := range entries {
		p := path.Join(dir, e.name)
		if isMaildirPart(e.name) || e.name == r.l.DirName || isScratch(e.name) || r.ours(p) {
			continue
		}
		s := sub{found: found{node: node{base: p, exists: true, out: e.out}}}
		s.Dir, s.Selectable = path.Join(p, r.l.DirName), true
		s.Name, s.exact = r.l.nameOf([]string{e.name})
		if name != "" {
			s.Name = name + string(r.l.separator()) + r.l.decode(e.name)
		}
		if !e.out {
			var err error
			if s.l, s.fi, err = r.list(p); err != nil {
				s.Selectable = false                  // one that can't be read is shown, the rest goes on
				r.listings[p] = listing{failed: true} // and it is tried again
			} else {
				s.Selectable = s.l.cur
			}
		}
		if s.fi != nil && slices.ContainsFunc(up, func(fi fs.FileInfo) bool { return os.SameFile(fi, s.fi) }) {
			continue // a symlink that leads back
		}
		subs = append(subs, s)
	}
	var all []found
	for i := range subs {
		// The directory INBOX has the children of INBOX, and is nothing by itself.
		if s := &subs[i]; !r.l.Shared && s.Dir == r.l.inboxDir() || s.Name == inboxName && !s.Selectable {
			r.walkInto(s.base, up, s.fi, inboxName, s.l)
		} else {
			all = append(all, s.found)
		}
	}
	names := r.insert(all)
	for i := range subs {
		if s := &subs[i]; names[s.base] != "" && !s.out {
			child := names[s.base]
			if s.Name == inboxName {
				child = inboxName
			}
			r.walkInto(s.base, up, s.fi, child, s.l)
		}
	}
}

func (r *treeReader) walkInto(dir string, up []fs.FileInfo, fi fs.FileInfo, name string, l listing) {
	if len(l.entries) > 0 && len(up) < maxLevels {
		r.walk(dir, append(slices.Clip(up), fi), name, l.entries)
	}
}

// ours reports whether p is where CONTROL= or INDEX= lie.
func (r *treeReader) ours(p string) bool {
	abs := r.a.path(p)
	return abs == r.l.Control || abs == r.l.Index
}

// insert gives each folder a name that no other has, those first that are
// called on disk as we would call them: so that all can be reached, and no
// directory that another program makes takes a folder's name away. It returns
// the names by directory.
func (r *treeReader) insert(all []found) map[string]string {
	slices.SortFunc(all, func(a, b found) int {
		if a.exact != b.exact {
			if a.exact {
				return -1
			}
			return 1
		}
		return strings.Compare(a.base, b.base)
	})
	names := make(map[string]string, len(all))
	for i := range all {
		n := &all[i].node
		if len(r.tree.byName) >= maxFolders {
			r.a.log().Warn("too many folders, some are not shown", "limit", maxFolders)
			break
		}
		for want := n.Name; r.tree.byName[n.Name] != nil; {
			r.suffix[want]++
			n.Name = fmt.Sprintf("%s~%d", want, r.suffix[want]+1)
		}
		r.tree.byName[n.Name] = n
		names[n.base] = n.Name
	}
	return names
}

// addParents adds the names that are there only as parents of others.
func (r *treeReader) addParents() {
	var all []*node
	for _, n := range r.tree.byName {
		all = append(all, n)
	}
	// In order, so that the spelling on disk is always taken from the same child.
	slices.SortFunc(all, func(a, b *node) int { return strings.Compare(a.base, b.base) })
	for _, n := range all {
		for name := r.l.parent(n.Name); name != ""; name = r.l.parent(name) {
			parent := r.tree.byName[name]
			known := parent != nil
			if !known {
				parent = &node{base: r.l.baseAbove(n.base)}
				parent.Name, parent.Dir = name, parent.base
				r.tree.byName[name] = parent
			}
			parent.children = true
			if known {
				break
			}
			n = parent
		}
	}
}

// baseAbove cuts the last level off a directory, "" where there is but one.
func (l *Location) baseAbove(base string) string {
	return base[:max(strings.LastIndexByte(base, l.diskSeparator()), 0)]
}

// list lists the directories in dir, from memory where it has not moved.
func (r *treeReader) list(dir string) (listing, fs.FileInfo, error) {
	read := time.Now()
	fi, err := r.a.root.Stat(dir)
	if err != nil {
		return listing{}, nil, err
	}
	if l, ok := r.old[dir]; ok && !l.stamp.moved(stamp{ctime: ctime(fi)}) && !r.a.linksMoved(dir, l) {
		r.listings[dir] = l
		return l, fi, nil
	}
	l := listing{stamp: stamp{ctime(fi), read}}
	f, err := r.a.root.Open(dir)
	if err != nil {
		return listing{}, nil, err
	}
	defer f.Close()
	for {
		batch, err := f.ReadDir(512)
		for _, d := range batch {
			e := entry{name: d.Name()}
			if d.Type() == fs.ModeSymlink {
				x := r.a.follow(dir, e.name)
				l.links = append(l.links, x)
				if e = x.entry; !x.isDir {
					continue
				}
			} else if !d.IsDir() {
				continue
			}
			if e.name == cmp.Or(r.l.DirName, "cur") {
				l.cur = true
			}
			l.entries = append(l.entries, e)
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return listing{}, nil, err
		}
	}
	r.listings[dir] = l
	return l, fi, nil
}

// follow finds out what a symlink leads to.
func (a *Account) follow(dir, name string) link {
	x := link{entry: entry{name: name}}
	p := path.Join(dir, name)
	fi, err := a.root.Stat(p)
	if err != nil && !errors.Is(err, fs.ErrNotExist) && a.loc.FollowSymlinks {
		fi, err = os.Stat(a.path(p))
		x.out = true
	}
	x.isDir = err == nil && fi.IsDir()
	return x
}

// linksMoved reports whether one of the symlinks in a directory leads to something else now.
func (a *Account) linksMoved(dir string, l listing) bool {
	return slices.ContainsFunc(l.links, func(x link) bool { return a.follow(dir, x.name) != x })
}
