package imapd

import (
	"maildir-imapd/imapd/wire"
)

// parsePreview takes PREVIEW (RFC 8970) or SNIPPET with its modifiers. FUZZY is of the drafts of that RFC
// (draft-slusarz-imap-fetch-snippet), which Dovecot announces as PREVIEW=FUZZY and SNIPPET=FUZZY: the answer is
// then a list of the algorithm's name and the text. SNIPPET is always answered so.
func parsePreview(name string) func(f *fetch, d *wire.Decoder) {
	return func(f *fetch, d *wire.Decoder) {
		lazy, fuzzy := false, name == "SNIPPET"
		// After the item that stands alone, a list of the modifiers of FETCH itself may follow.
		if d.Ahead(" (LAZY") || d.Ahead(" (FUZZY") {
			d.SP()
			d.List(func() {
				switch mod := d.Keyword("a modifier of " + name); {
				case mod == "LAZY":
					lazy = true
				case mod == "FUZZY" && f.c.has(name+"=FUZZY"):
					fuzzy = true
				case mod == "LAZY=FUZZY" && f.c.has(name+"=FUZZY"):
					lazy, fuzzy = true, true
				default:
					d.Fail("a known modifier of " + name)
				}
			})
		}
		key := name
		if lazy {
			key += " LAZY"
		}
		if fuzzy {
			key += " FUZZY"
		}
		f.add(fetchItem{name, key, previewWriter(lazy, fuzzy)})
	}
}

func previewWriter(lazy, fuzzy bool) func(f *fetch, b []byte) ([]byte, error) {
	return func(f *fetch, b []byte) ([]byte, error) {
		file, err := f.open()
		if err != nil {
			return b, err
		}
		text, ok, err := file.Preview(lazy)
		if err != nil {
			return b, err
		}
		if fuzzy {
			b = append(b, "(FUZZY "...)
		}
		b = wire.AppendNString(b, text, ok)
		if fuzzy {
			b = append(b, ')')
		}
		return b, nil
	}
}
