package imapd

import (
	"maildir-imapd/imapd/wire"
)

// searchOpts are the result options of an extended SEARCH (RFC 4731 §3.1, RFC 5182 §2, RFC 5267 §4).
type searchOpts uint8

const (
	searchMin searchOpts = 1 << iota
	searchMax
	searchAll
	searchPartial
	searchCount
	searchSave
	searchUpdate
	searchContext // a hint, of which we make nothing

	// searchShown are those that have an answer.
	searchShown = searchMin | searchMax | searchAll | searchPartial | searchCount
)

// searchOptions is the table of result options, by name.
var searchOptions = map[string]struct {
	caps  []string // the capabilities of which it needs one; see hasOption
	opt   searchOpts
	parse func(s *search, d *wire.Decoder) // what follows the name; nil: nothing
}{
	"MIN":     {caps: []string{"ESEARCH"}, opt: searchMin},
	"MAX":     {caps: []string{"ESEARCH"}, opt: searchMax},
	"ALL":     {caps: []string{"ESEARCH"}, opt: searchAll},
	"COUNT":   {caps: []string{"ESEARCH"}, opt: searchCount},
	"SAVE":    {caps: []string{"SEARCHRES"}, opt: searchSave},
	"PARTIAL": {caps: []string{"CONTEXT=", "PARTIAL"}, opt: searchPartial, parse: (*search).parsePartial},
	"UPDATE":  {caps: []string{"CONTEXT="}, opt: searchUpdate, parse: (*search).parseUpdate},
	"CONTEXT": {caps: []string{"CONTEXT="}, opt: searchContext},
}

// hasOption reports whether one of the capabilities is there; "CONTEXT=" is CONTEXT=SEARCH or CONTEXT=SORT, as the command is.
func (s *search) hasOption(caps []string) bool {
	for _, name := range caps {
		if name == "CONTEXT=" {
			name += s.name
		}
		if s.c.has(name) {
			return true
		}
	}
	return false
}

// parseReturn takes the list of result options. An empty one is ALL; so is CONTEXT, as Dovecot has it.
func (s *search) parseReturn(d *wire.Decoder) {
	s.extended = true
	d.ListOrEmpty(func() {
		o, ok := searchOptions[d.Keyword("a result option")]
		if !ok || !s.hasOption(o.caps) {
			d.Fail("a known result option")
			return
		}
		if o.parse != nil {
			o.parse(s, d)
		}
		s.options |= o.opt
	})
	if s.options&(searchAll|searchPartial) == searchAll|searchPartial {
		d.Fail("one of ALL and PARTIAL") // RFC 9394 §3.1
	}
	if s.options&^searchContext == 0 {
		s.options |= searchAll
	}
}

// respondExtended writes ESEARCH (RFC 4731 §3.1). SAVE alone has no answer (RFC 5182 §1). Where nothing was found,
// COUNT and an empty PARTIAL are all that can be told, but the response is there.
func (s *search) respondExtended(nums []uint32) {
	if s.options&(searchShown|searchUpdate) == 0 || s.mailbox != nil && len(nums) == 0 { // RFC 7377 §2.1
		return
	}
	out := &s.c.out
	b := wire.AppendQuoted(append(out.begin(), "* ESEARCH (TAG "...), s.c.tag)
	if s.mailbox != nil {
		b = s.c.appendMailbox(append(b, " MAILBOX "...), s.mailbox.Name())
		b = wire.AppendUint(append(b, " UIDVALIDITY "...), s.mailbox.UIDValidity())
	}
	b = append(b, ')')
	if s.uid {
		b = append(b, " UID"...)
	}
	if n := len(nums); n > 0 {
		if s.options&searchMin != 0 {
			b = wire.AppendUint(append(b, " MIN "...), nums[0])
		}
		if s.options&searchMax != 0 {
			b = wire.AppendUint(append(b, " MAX "...), nums[n-1])
		}
		if s.options&searchAll != 0 {
			b = wire.AppendNumbers(append(b, " ALL "...), nums)
		}
	}
	if s.options&searchPartial != 0 {
		b = append(s.partial.append(append(b, " PARTIAL ("...)), ' ')
		if part := s.partial.of(nums); len(part) > 0 {
			b = append(wire.AppendNumbers(b, part), ')')
		} else {
			b = append(b, "NIL)"...)
		}
	}
	if s.options&searchCount != 0 {
		b = wire.AppendUint(append(b, " COUNT "...), uint32(len(nums)))
	}
	if s.highest > 0 {
		b = wire.AppendUint(append(b, " MODSEQ "...), s.highest)
	}
	out.endLine(b)
}
