//go:build !linux

package watcher

import (
	"errors"
	"time"
)

// Polling a folder costs two stat calls, and here it is all there is.
const defaultPollInterval = time.Second

// hostSystem polls: with kqueue, fsnotify opens every file of a directory that it
// watches, and a folder of 50,000 messages would take as many descriptors.
var hostSystem = system{
	open:    func() (*kernel, error) { return nil, errors.ErrUnsupported },
	stat:    statDir,
	network: func(string) bool { return false }, // polled anyway
}
