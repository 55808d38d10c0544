package auth

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

type remoteKey struct{}

// WithRemote returns a ctx for Verify that says where the client's connection comes
// from. Users with allow_nets can log in only with it.
func WithRemote(ctx context.Context, addr netip.Addr) context.Context {
	return context.WithValue(ctx, remoteKey{}, addr.Unmap().WithZone(""))
}

// parseNets reads a list of addresses and networks (192.0.2.0/24, 2001:db8::1) with
// commas between.
func parseNets(s string) ([]netip.Prefix, error) {
	nets := []netip.Prefix{} // not nil: an empty list allows nothing
	for one := range strings.SplitSeq(s, ",") {
		if one == "" {
			continue
		}
		if addr, err := netip.ParseAddr(one); err == nil {
			addr = addr.Unmap()
			nets = append(nets, netip.PrefixFrom(addr.WithZone(""), addr.BitLen()))
			continue
		}
		net, err := netip.ParsePrefix(one)
		if err != nil {
			return nil, fmt.Errorf("expected an address or a network as 192.0.2.0/24, found %.60q", one)
		}
		nets = append(nets, net.Masked())
	}
	return nets, nil
}

// allowedFrom reports whether the user may log in from where ctx says.
func (e *entry) allowedFrom(ctx context.Context) bool {
	if e.nets == nil {
		return true
	}
	addr, ok := ctx.Value(remoteKey{}).(netip.Addr)
	return ok && slices.ContainsFunc(e.nets, func(n netip.Prefix) bool { return n.Contains(addr) })
}
