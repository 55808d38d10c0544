package backend

import (
	"context"
	"errors"
	"io/fs"
	"time"
)

// folderUsage is what a folder had when its directories looked like this.
type folderUsage struct {
	parts [2]partUsage // cur, new
}

type partUsage struct {
	at   stamp
	used Usage
}

// count sums up the mail of all folders, and makes maildirsize anew where that says otherwise. Who
// comes while another counts takes part in the result of the next count.
func (q *quota) count(ctx context.Context) error {
	select {
	case q.counting <- struct{}{}:
		defer func() { <-q.counting }()
	case <-ctx.Done():
		return ctx.Err()
	}
	// What is changed meanwhile may be in the sum or not: once more. Where changes never end, the next count
	// will set it right.
	const tries = 3
	for try := 1; ; try++ {
		q.mu.Lock()
		_, err := q.lookLocked()
		before := q.change
		q.mu.Unlock()
		if err != nil {
			return err
		}
		sum, err := q.sum(ctx)
		if err != nil {
			return err
		}
		if done, err := q.settle(sum, before, try == tries); done || err != nil {
			return err
		}
	}
}

// settle takes the sum over, unless something has changed since before.
func (q *quota) settle(sum Usage, before uint64, anyway bool) (done bool, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	known, err := q.lookLocked()
	if err != nil {
		return false, err
	}
	if q.change != before && !anyway {
		return false, nil
	}
	q.counted = time.Now()
	if q.limits == (Usage{}) || known && q.used == sum && q.file.Size() < maildirsizeFull {
		return true, nil
	}
	q.used = sum
	q.change++
	text := appendMaildirsizeLine(appendMaildirsizeHeader(nil, q.limits), sum)
	if err := q.a.replaceFile(maildirsizeFile, text); err != nil {
		// The mail can be read-only. What there is, is known all the same.
		q.trouble(err)
		q.file = nil
		return true, nil
	}
	q.header = q.limits
	q.file, err = q.a.control.Stat(maildirsizeFile)
	return true, err
}

// sum adds up all folders. Those that have not moved since the last time are not read.
func (q *quota) sum(ctx context.Context) (total Usage, err error) {
	t, err := q.a.readTree()
	if err != nil {
		return total, err
	}
	old := q.folders
	q.folders = make(map[string]folderUsage, len(old))
	for _, n := range t.nodes {
		if err := ctx.Err(); err != nil {
			return total, err
		}
		if !n.Selectable {
			continue
		}
		f, err := q.folder(ctx, n, old[n.Dir])
		if errors.Is(err, fs.ErrNotExist) {
			continue // deleted since
		} else if err != nil {
			return total, err
		}
		q.folders[n.Dir] = f
		total = total.plus(f.parts[0].used).plus(f.parts[1].used)
	}
	return total, nil
}

// folder counts one folder.
func (q *quota) folder(ctx context.Context, n *node, old folderUsage) (folderUsage, error) {
	q.a.folders.mu.Lock()
	f, err := q.a.placed(n)
	q.a.folders.mu.Unlock()
	if err != nil {
		return old, err
	}
	for i, part := range []string{"cur", "new"} {
		d := dir{}
		if d.f, err = f.mail.root.Open(f.mail.dir + "/" + part); errors.Is(err, fs.ErrNotExist) {
			old.parts[i] = partUsage{} // it is made when somebody opens the mailbox
			continue
		} else if err != nil {
			return old, err
		}
		now, err := d.stamp()
		if err == nil && old.parts[i].at.moved(now) {
			old.parts[i], err = d.usage(ctx, now)
		}
		if err = errors.Join(err, d.f.Close()); err != nil {
			return old, err
		}
	}
	return old, nil
}

// usage counts the messages in a directory: by the sizes in their names, else by a look at the file.
func (d dir) usage(ctx context.Context, at stamp) (partUsage, error) {
	u := partUsage{at: at}
	names, err := d.names()
	if err != nil {
		return u, err
	}
	for i, name := range names {
		if i%1024 == 0 && ctx.Err() != nil {
			return u, ctx.Err()
		}
		size, ok := sizeIn(baseOf(name), 'S')
		if !ok {
			st, err := d.stat(name)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			} else if err != nil {
				return u, err
			}
			size = st.Size
		}
		u.used = u.used.plus(Usage{size, 1})
	}
	return u, nil
}

// usage is what a message counts in the quota: the size that its name says, as others count it, else that of
// its file. The turn is held, or the message one that cannot go away.
func (mb *Mailbox) usage(m *msg) Usage {
	if size, ok := sizeIn(m.base(), 'S'); ok {
		return Usage{size, 1}
	}
	st, err := mb.d.of(m.inNew).stat(m.name)
	if err != nil {
		return Usage{0, 1} // it is gone by now, or the next count finds it
	}
	return Usage{st.Size, 1}
}
