package imapd

import (
	"errors"
	"strconv"

	"maildir-imapd/imapd/wire"
	"maildir-imapd/message"
)

// errUnknownCTE ends a FETCH of BINARY (RFC 3516 §4.3).
var errUnknownCTE = no("UNKNOWN-CTE", "Unknown Content-Transfer-Encoding")

// parseBinary takes the section and partial of BINARY and BINARY.PEEK.
func parseBinary(setsSeen bool) func(f *fetch, d *wire.Decoder) {
	return func(f *fetch, d *wire.Decoder) {
		path := d.SectionPart()
		f.addContent(d, binaryName("BINARY[", path), setsSeen, func(f *fetch) (message.Content, bool, error) {
			return f.binary(path)
		})
	}
}

// parseBinarySize takes the section of BINARY.SIZE.
func parseBinarySize(f *fetch, d *wire.Decoder) {
	path := d.SectionPart()
	name := binaryName("BINARY.SIZE[", path)
	f.add(fetchItem{name: name, write: func(f *fetch, b []byte) ([]byte, error) {
		content, ok, err := f.binary(path)
		switch {
		case err != nil:
			return b, err
		case !ok:
			return append(b, '0'), nil // the grammar has no NIL here
		}
		return strconv.AppendInt(b, content.Len(), 10), nil
	}})
}

func binaryName(prefix string, path []int) string {
	return string(append(appendPath([]byte(prefix), path), ']'))
}

// binary finds a part and decodes it.
func (f *fetch) binary(path []int) (message.Content, bool, error) {
	file, err := f.open()
	if err != nil {
		return nil, false, err
	}
	s, err := file.Structure()
	if err != nil {
		return nil, false, err
	}
	content, ok, err := s.Binary(file, path)
	if errors.Is(err, message.ErrUnknownCTE) {
		err = errUnknownCTE
	}
	return content, ok, err
}
