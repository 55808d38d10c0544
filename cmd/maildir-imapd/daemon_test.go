package main

import (
	"io"
	"net"
	"strconv"
	"testing"

	"maildir-imapd/config"
)

// All interfaces of IPv4 are not those of IPv6 too, and the two can have the same port.
func TestListen(t *testing.T) {
	cfg := config.Default()
	cfg.Listen = []config.Listener{{Address: "0.0.0.0:0", TLS: config.TLSNone}}
	d, err := newDaemon(cfg, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	defer d.closeListeners()
	if err := d.listen(); err != nil {
		t.Fatal(err)
	}
	first := d.listeners[0].Addr().(*net.TCPAddr)
	if first.IP.To4() == nil {
		t.Errorf("0.0.0.0 listens on %s", first)
	}
	cfg.Listen[0].Address = "[::]:" + strconv.Itoa(first.Port)
	if err := d.listen(); err != nil {
		t.Errorf("beside 0.0.0.0: %v", err)
	}
}
