// Package watcher says "something changed in this folder". It watches the new/
// and cur/ of the folders that somebody looks at, with one fsnotify watcher for
// the whole process, and falls back to polling by itself where the kernel can't
// (watch or instance limits, network file systems, systems without inotify); the
// log says so once.
//
// Events are hints, the directory is the truth: a Batch names files to look at
// again, or asks for the whole folder to be looked at.
//
// Who must know at once what has happened up to now (a client's NOOP) calls
// Watch.Flush, which waits for no window and makes an event of its own in the kernel's queue.
//
// # Goroutines and locks
//
// One mutex, Watcher.mu, guards all state; notify functions and stat calls run
// without it, so neither a slow subscriber nor a hanging file server stops the
// others' events. Four goroutines live until Close:
//
//	deliver     calls the notify functions, one batch at a time, when due or flushed
//	look        stats folders: the polled ones often, the others now and then
//	pumpEvents  takes events from the kernel and files them under their folders
//	pumpErrors  takes errors from fsnotify. It must never wait for mu: fsnotify
//	            reports some errors with its own lock held, for which Watch waits
//	            with mu held.
//
// # What is polled, and how
//
// A folder that has no kernel watches is looked at once per PollInterval: when the
// ctime or the identity of new/ or cur/ moved, the batch asks for a rescan. File
// systems stamp directories with ticks of up to 2 s, so two changes within a tick
// leave one ctime: a directory that was changed less than 2 s before the look gets
// a second rescan 2 s later. Each look also tries to get the kernel's watches back.
//
// A folder on a network file system has kernel watches too, which show what this
// host changes at once; polling shows what others change.
//
// Folders with kernel watches are looked at six times less often, to notice what
// makes no event: a parent directory that was renamed, an unmount, an event lost.
//
// The package knows Maildir's new/ and cur/ and nothing else; it imports no other
// package of this module.
package watcher
