package message

import "sync/atomic"

// Structure is what Scan found in one message. Immutable, and safe for
// concurrent use.
type Structure struct {
	Root *Part
	// Size is the size on disk and WireSize the RFC822.SIZE: the size with
	// every line end counted as CRLF. Both in octets.
	Size, WireSize int64

	root  Part
	marks []mark
	nul   bool // there are NUL octets somewhere

	// HasGlobal says that there is a message/global (RFC 6532 §3.7), which has two forms in BODYSTRUCTURE.
	HasGlobal bool
}

// Part is one MIME part, the message itself being the root. The only child of
// a message/rfc822 or message/global part is the message in it. A multipart in which no
// part begins has one empty text part, since the grammar of BODYSTRUCTURE
// wants one.
type Part struct {
	Header, Body Range
	Children     []*Part
	// Lines is the number of line ends in Body. A last line without line end
	// isn't counted, nor is the line end before a boundary, which belongs to that.
	Lines int64
	// MediaType is type and subtype in lower case: "text/plain".
	MediaType string
	// Charset is the charset parameter as it is written, "" for none.
	Charset string

	kind      kind
	encoding  cte
	isMessage bool   // the header is a message's: the root, or in a message/rfc822
	envelope  []byte // of a message, ready to send
	fields    []byte // type, subtype, parameters, id, description, encoding; of a multipart only the subtype
	extension []byte // md5 (parameters for a multipart), disposition, language, location

	decoded atomic.Pointer[decodeMap] // what Binary found out, once it did
}

// Range is a stretch of the file: [Start, End) on disk, Wire octets on the
// wire.
type Range struct {
	Start, End, Wire int64

	wireStart int64 // octet of the file as it is sent
}

// kind is what a part's type means for its structure.
type kind uint8

const (
	leaf kind = iota
	text
	multipart
	rfc822 // message/rfc822 and message/global
)

// global is the media type of a message with UTF-8 in its header.
const global = "message/global"

// position is where a scanner or a copy stands in a file.
type position struct{ disk, wire, lines int64 }

// mark says that the octet at disk is octet wire of the file as it is sent.
// The octet before disk is no CR, so that reading may begin here.
type mark struct{ disk, wire int64 }

// markEvery is the distance of marks in octets on the wire.
const markEvery = 64 << 10
