package watcher

import "strconv"

// Op says what happened to a name.
type Op uint8

const (
	Appeared  Op = iota // created, linked or renamed to this name
	Removed             // unlinked under this name
	MovedAway           // renamed; the new name may come in this batch, a later one, or never
)

func (o Op) String() string {
	switch o {
	case Appeared:
		return "appeared"
	case Removed:
		return "removed"
	case MovedAway:
		return "moved away"
	}
	return "Op(" + strconv.Itoa(int(o)) + ")"
}

// Change is one name that was touched. Name is the file name without
// directory, New says whether it lies in new/ (else cur/).
type Change struct {
	Name string
	New  bool
	Op   Op
}

// Batch is what happened within one coalescing window (25 ms from the first
// event), in the order in which it happened; at most 16384 changes. Rescan asks
// for a look at the whole folder, and then Changes is empty: there were more
// changes than that, events were lost, or the folder is polled and has changed.
//
// Changes is shared by all who watch the folder: not to be written to.
type Batch struct {
	Changes []Change
	Rescan  bool
}

// maxChanges bounds a batch, at what the kernel's own queue holds by default. A client that flags
// thousands of messages makes two events for each; in a large folder, looking at these names costs less than reading
// the directory.
const maxChanges = 16384
