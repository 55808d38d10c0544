package index

import (
	"os/signal"
	"syscall"
	"testing"
	"time"
)

// On a full disk nothing is written any more, and what is there is used; later it goes on. A limit
// on the size of files stands for the disk.
func TestFullDisk(t *testing.T) {
	w := newWorld(t)
	f := New(w.opt)
	put(f, Head, span(1, 300)...)
	w.flush(f)
	size := int64(len(w.bytes()))

	signal.Ignore(syscall.SIGXFSZ)
	defer signal.Reset(syscall.SIGXFSZ)
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
		t.Fatal(err)
	}
	restore := func() {
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
			t.Error(err)
		}
	}
	defer restore()
	limit := old
	limit.Cur = uint64(size) + 200
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	put(f, Head, span(301, 400)...)
	w.flush(f)
	put(f, Head, span(401, 500)...)
	w.flush(f)
	restore()
	w.wantLog("can't write the index")
	if got := w.known(f, Head, 500); len(got) != 300 {
		t.Errorf("%d are known", len(got))
	}
	if got := int64(len(w.bytes())); got != size {
		t.Errorf("%d octets, want %d as before", got, size)
	}
	f.queue.pause(time.Time{})
	put(f, Head, span(301, 400)...)
	w.written(f)
	f = New(w.opt)
	defer f.Close()
	if got := w.known(f, Head, 500); len(got) != 400 {
		t.Errorf("%d are known after it", len(got))
	}
}
