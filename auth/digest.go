package auth

import (
	"crypto/md5"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"fmt"
	"strings"
)

// same compares secrets of the same known length in constant time.
func same(a, b []byte) bool { return subtle.ConstantTimeCompare(a, b) == 1 }

// sameText compares secrets of any length in a time that says nothing of where they
// differ nor of the stored one's length.
func sameText(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return same(x[:], y[:])
}

func parsePlain(data string) (stored, error) {
	return stored{cost: "PLAIN", verify: func(_, password string) bool { return sameText(password, data) }}, nil
}

// digestParser is for hash(password).
func digestParser(name string, h hashFunc) parser {
	return func(data string) (stored, error) {
		return stored{cost: name, verify: func(_, password string) bool {
			return same(sum(h, password), []byte(data))
		}}, nil
	}
}

// saltedParser is for hash(password ‖ salt) ‖ salt.
func saltedParser(name string, h hashFunc) parser {
	size := h().Size()
	return func(data string) (stored, error) {
		if len(data) < size {
			return stored{}, fmt.Errorf("expected at least %d bytes, found %d", size, len(data))
		}
		digest, salt := data[:size], data[size:]
		return stored{cost: name, verify: func(_, password string) bool {
			return same(sum(h, password, salt), []byte(digest))
		}}, nil
	}
}

// sum is the hash of the parts one after the other.
func sum(h hashFunc, parts ...string) []byte {
	d := h()
	for _, p := range parts {
		d.Write([]byte(p))
	}
	return d.Sum(nil)
}

// parseDigestMD5 is for MD5(user ":" realm ":" password) of RFC 2831 §2.1.2.1, where
// the realm is what follows the user name's @.
func parseDigestMD5(data string) (stored, error) {
	return stored{cost: "DIGEST-MD5", verify: func(user, password string) bool {
		name, realm, _ := strings.Cut(user, "@")
		return same(sum(md5.New, name, ":", realm, ":", password), []byte(data))
	}}, nil
}

func parseCRAMMD5(data string) (stored, error) {
	return stored{cost: "CRAM-MD5", verify: func(_, password string) bool {
		return same(cramMD5(password), []byte(data))
	}}, nil
}

// cramMD5 returns the two MD5 states from which HMAC-MD5 (RFC 2104) with the key
// password goes on: outer, then inner, each as four little-endian words.
func cramMD5(password string) []byte {
	key := []byte(password)
	if len(key) > md5.BlockSize {
		s := md5.Sum(key)
		key = s[:]
	}
	states := make([]byte, 0, 2*md5.Size)
	for _, pad := range []byte{0x5c, 0x36} {
		var block [md5.BlockSize]byte
		copy(block[:], key)
		for i := range block {
			block[i] ^= pad
		}
		states = append(states, md5State(&block)...)
	}
	return states
}

// md5State is MD5's state after one block. crypto/md5 gives it away in its
// marshalled form: a magic of four bytes, then four big-endian words.
func md5State(block *[md5.BlockSize]byte) []byte {
	h := md5.New()
	h.Write(block[:])
	b, err := h.(interface{ AppendBinary([]byte) ([]byte, error) }).AppendBinary(nil)
	if err != nil || len(b) < 4+md5.Size {
		panic("crypto/md5 can't be marshalled") // it can in every Go version from 1.24 on
	}
	state := make([]byte, 0, md5.Size)
	for i := range 4 {
		state = binary.LittleEndian.AppendUint32(state, binary.BigEndian.Uint32(b[4+4*i:]))
	}
	return state
}
