// Package message understands RFC 5322 and MIME as IMAP sees them: where the
// header and the parts of a message begin and end in its file, the envelope,
// the body structure, sections and partial ranges, and decoded text to search.
//
//	Scan        reads a file once, from start to end, and returns its Structure:
//	            ENVELOPE, BODYSTRUCTURE, and every section by offset
//	ReadHeader  reads just enough of a file for its header: ENVELOPE,
//	            HEADER.FIELDS, dates, search in fields
//	Matcher     looks for a text in either, as SEARCH does
//	Digest      tells messages apart by their octets, whatever their line ends
//	LFWriter, EncodeBinary
//	            bring what APPEND sends into the form in which it is kept
//
// # Line ends
//
// Files have LF, CRLF or mixed line ends; the wire has CRLF, and every size
// that leaves this package is counted with CRLF. A lone CR is text. Scan keeps
// a sparse table of marks, one for each 64 KiB on the wire, that say which octet of
// the file is which on the wire: so BODY[]<n.65536> begins to read at the mark before n.
//
// # Broken messages
//
// Scan takes any file. An empty line ends a header, and nothing else does but the
// boundary of a multipart around it; lines that are no field are passed over; a multipart ends
// where one around it goes on; what is nested too deep or is too many stays text of the part
// around it. Where the RFCs leave a choice we do as Dovecot does, so
// that sizes and part numbers that clients keep stay true; the tests have its
// answers to a number of odd messages, and the reason where ours is another.
//
// Memory is bounded whatever the file is: of a header only the fields that
// ENVELOPE and BODYSTRUCTURE need are kept, and no more than a megabyte of these; a body
// is never held.
//
// NUL can't be sent in a literal (RFC 3501 §4.3): sections have 0x80 in its
// place, ENVELOPE and BODYSTRUCTURE leave it out, and only Binary has it.
//
// # Concurrency
//
// A Structure is immutable after Scan and may be shared by goroutines, as may a
// Matcher. Nothing here opens files, locks or logs. The package imports imapd/wire (to quote
// strings in ENVELOPE and BODYSTRUCTURE) and nothing else of this module.
package message
