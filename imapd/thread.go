package imapd

import (
	"context"

	"maildir-imapd/backend"
	"maildir-imapd/imapd/wire"
)

// threadAlgorithms is the table of what THREAD knows; each needs the capability THREAD=name.
var threadAlgorithms = map[string]backend.ThreadAlgorithm{
	"ORDEREDSUBJECT": backend.OrderedSubject,
	"REFERENCES":     backend.References,
	"REFS":           backend.Refs,
}

// parseThread takes the arguments of THREAD and UID THREAD (RFC 5256 §3).
func parseThread(uid bool) parseFunc {
	return func(c *conn, d *wire.Decoder) runFunc {
		s := &search{c: c, name: "THREAD", uid: uid}
		d.SP()
		name := d.Keyword("a threading algorithm")
		algorithm, ok := threadAlgorithms[name]
		if !ok || !c.has("THREAD="+name) {
			d.Fail("a known threading algorithm")
		}
		d.SP()
		s.parseCriteria(d)
		return func(ctx context.Context, c *conn) error { return s.thread(ctx, algorithm) }
	}
}

// thread answers THREAD.
func (s *search) thread(ctx context.Context, by backend.ThreadAlgorithm) error {
	if s.err != nil {
		return s.err
	}
	var nodes []backend.ThreadNode
	err := s.c.withProgress(s.c.view, func() error {
		seqs, err := s.c.view.Search(ctx, &s.key)
		if err == nil {
			nodes, err = s.c.view.Thread(ctx, seqs, by)
		}
		return err
	})
	if err != nil {
		return err
	}
	if s.uid {
		for i := range nodes {
			if seq := nodes[i].Seq; seq > 0 {
				nodes[i].Seq = uint32(s.c.view.UID(seq))
			}
		}
	}
	s.c.threads(nodes)
	return nil
}

// threads writes the THREAD response (RFC 5256 §4): a chain is a list of numbers, and where there are several children, each
// has a list of its own. It keeps its own stack, since threads are as deep as their senders like.
func (c *conn) threads(nodes []backend.ThreadNode) {
	out := &c.out
	b := append(out.begin(), "* THREAD"...)
	if len(nodes) > 0 {
		b = append(b, ' ')
	}
	var open []uint32 // the lists that are open: how many lists are still to come beside each
	for _, n := range nodes {
		if len(open) == 0 { // a thread
			b, open = append(b, '('), append(open, 0)
		}
		if n.Seq > 0 {
			b = wire.AppendUint(b, n.Seq)
			if n.Children > 0 {
				b = append(b, ' ')
			}
		}
		switch {
		case n.Children > 1:
			b, open = append(b, '('), append(open, n.Children-1)
		case n.Children == 0: // the end of a list, and of those that end with it
			b = append(b, ')')
			for len(open) > 1 && open[len(open)-1] == 0 {
				b, open = append(b, ')'), open[:len(open)-1]
			}
			if last := len(open) - 1; open[last] > 0 {
				b = append(b, '(')
				open[last]--
			} else {
				open = open[:last]
			}
		}
		out.end(b)
		b = out.begin()
	}
	out.endLine(b)
}
