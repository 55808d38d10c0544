package message

import "bytes"

// transferDecoder undoes a Content-Transfer-Encoding of a stream that it gets
// piece by piece. It never fails: what is no valid encoding is skipped (base64) or kept as it
// stands (quoted-printable). The zero value, with encoding set, is ready.
type transferDecoder struct {
	encoding cte

	// of base64: bits that are not decoded yet
	acc  uint32
	have uint8 // number of characters in acc

	// of quoted-printable: a line of which the end has not come
	carry []byte
}

// maxCarry is the longest line of quoted-printable that is looked at as a whole.
const maxCarry = 4 << 10

// append appends what the next octets of the stream decode to. Whether they come in one piece or in
// several makes no difference.
func (d *transferDecoder) append(dst, src []byte) []byte {
	switch d.encoding {
	case cteBase64:
		return d.appendBase64(dst, src)
	case cteQuotedPrintable:
		return d.appendQuotedPrintable(dst, src)
	}
	return append(dst, src...)
}

// finish appends what is left at the end of the stream.
func (d *transferDecoder) finish(dst []byte) []byte {
	dst = d.flushBase64(dst)
	if len(d.carry) > 0 {
		dst = appendQPLine(dst, d.carry)
		d.carry = d.carry[:0]
	}
	return dst
}

// clean reports that the decoder holds nothing back, so that decoding may begin here.
func (d *transferDecoder) clean() bool { return d.have == 0 && len(d.carry) == 0 }

// base64Values maps characters to their 6 bits; 64 is "=", 0xff anything else.
var base64Values = func() (t [256]uint8) {
	for i := range t {
		t[i] = 0xff
	}
	for i, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/") {
		t[c] = uint8(i)
	}
	t['='] = 64
	return t
}()

func (d *transferDecoder) appendBase64(dst, src []byte) []byte {
	for len(src) > 0 {
		if d.have == 0 { // whole groups, as long as they last
			for len(src) >= 4 {
				a, b, c, e := base64Values[src[0]], base64Values[src[1]], base64Values[src[2]], base64Values[src[3]]
				if a|b|c|e > 63 {
					break
				}
				dst = append(dst, a<<2|b>>4, b<<4|c>>2, c<<6|e)
				src = src[4:]
			}
			if len(src) == 0 {
				break
			}
		}
		switch v := base64Values[src[0]]; {
		case v < 64:
			d.acc = d.acc<<6 | uint32(v)
			if d.have++; d.have == 4 {
				dst = append(dst, byte(d.acc>>16), byte(d.acc>>8), byte(d.acc))
				d.acc, d.have = 0, 0
			}
		case v == 64: // padding ends a group; another may follow
			dst = d.flushBase64(dst)
		}
		src = src[1:]
	}
	return dst
}

// flushBase64 appends the octets of an incomplete group.
func (d *transferDecoder) flushBase64(dst []byte) []byte {
	switch d.have {
	case 2:
		dst = append(dst, byte(d.acc>>4))
	case 3:
		dst = append(dst, byte(d.acc>>10), byte(d.acc>>2))
	}
	d.acc, d.have = 0, 0
	return dst
}

func (d *transferDecoder) appendQuotedPrintable(dst, src []byte) []byte {
	for len(src) > 0 {
		i := bytes.IndexByte(src, '\n')
		if len(d.carry) == 0 && i >= 0 {
			dst = appendQPLine(dst, src[:i+1])
			src = src[i+1:]
			continue
		}
		n := i + 1
		if i < 0 {
			n = len(src)
		}
		n = min(n, maxCarry-len(d.carry))
		d.carry = append(d.carry, src[:n]...)
		src = src[n:]
		switch {
		case complete(d.carry):
			dst = appendQPLine(dst, d.carry)
			d.carry = d.carry[:0]
		case len(d.carry) == maxCarry:
			// Cut where no "=XX" is split, nor white space that may turn out to end the line.
			cut := len(bytes.TrimRight(d.carry, "\r\t "))
			if i := bytes.LastIndexByte(d.carry[max(cut-2, 0):cut], '='); i >= 0 {
				cut = max(cut-2, 0) + i
			}
			if cut == 0 {
				cut = maxCarry
			}
			dst = appendQPOctets(dst, d.carry[:cut])
			d.carry = d.carry[:copy(d.carry, d.carry[cut:])]
		}
	}
	return dst
}

// appendQPLine decodes a line (RFC 2045 §6.7): white space at its end was added on the
// way, "=" there joins it with the next, any other line end is CRLF.
func appendQPLine(dst, line []byte) []byte {
	eol := complete(line)
	line = bytes.TrimRight(trimEOL(line), "\t ")
	if len(line) > 0 && line[len(line)-1] == '=' {
		return appendQPOctets(dst, line[:len(line)-1])
	}
	dst = appendQPOctets(dst, line)
	if eol {
		dst = append(dst, '\r', '\n')
	}
	return dst
}

// appendQPOctets decodes what is within a line.
func appendQPOctets(dst, b []byte) []byte {
	for {
		i := bytes.IndexByte(b, '=')
		if i < 0 {
			return append(dst, b...)
		}
		dst = append(dst, b[:i]...)
		b = b[i:]
		if len(b) > 2 {
			if hi, lo := unhex(b[1]), unhex(b[2]); hi >= 0 && lo >= 0 {
				dst = append(dst, byte(hi<<4|lo))
				b = b[3:]
				continue
			}
		}
		dst = append(dst, '=')
		b = b[1:]
	}
}
