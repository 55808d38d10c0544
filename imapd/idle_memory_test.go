//go:build !race

package imapd

import (
	"bufio"
	"net"
	"runtime"
	"testing"
)

// TestIdleMemory bounds what an idling connection costs in heap and stacks, in octets. The client's
// end of it, a socket without a buffer, is in this process and counts too.
func TestIdleMemory(t *testing.T) {
	const conns, limit = 300, 24 << 10
	s := start(t, func(_ *testServer, cfg *Config) { cfg.Limits.ConnsPerIP, cfg.Limits.ConnsPerUser = conns+1, conns+1 })
	reader := bufio.NewReader(nil)
	idle := func() {
		nc, err := net.Dial("tcp", s.addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { nc.Close() })
		reader.Reset(nc)
		c := &client{t, nc, reader}
		c.send("a LOGIN alice secret\r\nb SELECT INBOX\r\nc IDLE\r\n")
		c.find("+ idling")
	}
	memory := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC() // the second one empties pools
		runtime.ReadMemStats(&m)
		return m.HeapAlloc + m.StackInuse
	}
	idle() // pays for the mailbox
	before := memory()
	for range conns {
		idle()
	}
	each := (memory() - before) / conns
	t.Logf("%d octets for each of %d idling connections", each, conns)
	if each > limit {
		t.Errorf("an idling connection costs %d octets, want at most %d", each, limit)
	}
}
