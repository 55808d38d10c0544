package watcher

// A warning is given once in a Watcher's life: it is about the host, and every
// folder would repeat it.
type warning int

const (
	warnInstance warning = iota
	warnWatches
	warnRefused
	warnOverflow
	warnNetwork
	numWarnings
)

// What is the matter, and what the administrator can do about it.
var warnings = [numWarnings]struct{ msg, advice string }{
	warnInstance: {"inotify is not to be had: folders are polled, new mail shows later",
		"raise the sysctl fs.inotify.max_user_instances, or this process's limit of open files"},
	warnWatches: {"no more inotify watches are to be had: some folders are polled, new mail shows later there",
		"raise the sysctl fs.inotify.max_user_watches (each takes about 1 KB of the kernel's memory, each folder two)"},
	warnRefused: {"inotify does not watch a directory: such folders are polled, new mail shows later there",
		"see that this process may read the directory"},
	warnOverflow: {"the kernel lost file events: all watched folders are read again",
		"if this repeats, raise the sysctl fs.inotify.max_queued_events"},
	warnNetwork: {"a mail folder lies on a network file system: it is polled, mail that another host delivers shows later",
		"deliver on this host, or mount with a short attribute cache (NFS: actimeo)"},
}

func (w *Watcher) warnLocked(what warning, path string, err error) {
	if w.warned[what] {
		return
	}
	w.warned[what] = true
	args := []any{"advice", warnings[what].advice}
	if path != "" {
		args = append(args, "path", path)
	}
	if err != nil {
		args = append(args, "err", err)
	}
	w.log.Warn(warnings[what].msg, args...)
}
