package auth

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"strings"

	//lint:ignore SA1019 old databases have such hashes, and their users log in to change them
	"golang.org/x/crypto/md4"
)

// stored is a password as a database has it, ready to be compared with.
type stored struct {
	// cost is the same for all that take equally long to verify: the scheme and
	// its parameters.
	cost string
	// slow says that verifying takes more than a millisecond or so, on purpose.
	slow bool
	// verify reports whether password is the one. user is the normalised name.
	verify func(user, password string) bool
}

// errLocked says that a stored password matches no password, on purpose.
var errLocked = errors.New("locked: no password matches")

// A scheme turns the text after {SCHEME} into something to compare with.
type scheme struct {
	parse parser
	enc   encoding // of the text, unless a suffix names another
	// size of the decoded text in bytes, where it is the same for all. The
	// encoding then shows in the length, and the suffix does not count.
	size int
}

type parser func(data string) (stored, error)

type encoding int

const (
	text encoding = iota
	inHex
	inBase64
)

// schemes by their names in upper case.
var schemes = map[string]scheme{
	"PLAIN":     {parse: parsePlain},
	"CLEAR":     {parse: parsePlain},
	"CLEARTEXT": {parse: parsePlain},

	"CRYPT":        {parse: parseCrypt},
	"BLF-CRYPT":    {parse: parseBcrypt},
	"SHA256-CRYPT": {parse: parseSHA256Crypt},
	"SHA512-CRYPT": {parse: parseSHA512Crypt},
	"MD5-CRYPT":    {parse: parseMD5Crypt},
	"MD5":          {parse: parseMD5},
	"ARGON2I":      {parse: parseArgon2},
	"ARGON2ID":     {parse: parseArgon2},
	"PBKDF2":       {parse: parsePBKDF2},

	"SCRAM-SHA-1":   {parse: scramParser("SCRAM-SHA-1", sha1.New)},
	"SCRAM-SHA-256": {parse: scramParser("SCRAM-SHA-256", sha256.New)},
	"CRAM-MD5":      {parse: parseCRAMMD5, enc: inHex, size: 2 * md5.Size},
	"HMAC-MD5":      {parse: parseCRAMMD5, enc: inHex, size: 2 * md5.Size},
	"DIGEST-MD5":    {parse: parseDigestMD5, enc: inHex, size: md5.Size},

	"SHA":       {digestParser("SHA", sha1.New), inBase64, sha1.Size},
	"SHA1":      {digestParser("SHA", sha1.New), inBase64, sha1.Size},
	"SHA256":    {digestParser("SHA256", sha256.New), inBase64, sha256.Size},
	"SHA512":    {digestParser("SHA512", sha512.New), inBase64, sha512.Size},
	"PLAIN-MD5": {digestParser("MD5", md5.New), inHex, md5.Size},
	"LDAP-MD5":  {digestParser("MD5", md5.New), inBase64, md5.Size},
	"PLAIN-MD4": {digestParser("MD4", md4.New), inHex, md4.Size},

	"SSHA":    {parse: saltedParser("SSHA", sha1.New), enc: inBase64},
	"SSHA256": {parse: saltedParser("SSHA256", sha256.New), enc: inBase64},
	"SSHA512": {parse: saltedParser("SSHA512", sha512.New), enc: inBase64},
	"SMD5":    {parse: saltedParser("SMD5", md5.New), enc: inBase64},
}

// parseStored reads a password of a database: {SCHEME}data or {SCHEME.encoding}data,
// without which it is {CRYPT}. Scheme and encoding are in any case. errLocked means
// that the user has no password to log in with. No error shows the data.
func parseStored(s string) (stored, error) {
	name, data := "CRYPT", s
	if strings.HasPrefix(s, "{") {
		var closed bool
		if name, data, closed = strings.Cut(s[1:], "}"); !closed {
			return stored{}, errors.New("the password's {SCHEME has no }")
		}
	}
	name, suffix, hasSuffix := strings.Cut(strings.ToUpper(name), ".")
	sch, ok := schemes[name]
	if !ok {
		return stored{}, unsupported(name)
	}
	enc := sch.enc
	if hasSuffix {
		switch suffix {
		case "HEX":
			enc = inHex
		case "B64", "BASE64":
			enc = inBase64
		default:
			return stored{}, fmt.Errorf("unknown encoding %.20q of the %s password: expected b64, base64 or hex", suffix, name)
		}
	}
	if sch.size > 0 {
		if enc = inBase64; len(data) == 2*sch.size {
			enc = inHex
		}
	}
	if data == "" {
		return stored{}, errLocked
	}
	data, err := decode(data, enc)
	if err == nil && sch.size > 0 && len(data) != sch.size {
		err = fmt.Errorf("expected %d bytes, found %d", sch.size, len(data))
	}
	if err != nil {
		return stored{}, fmt.Errorf("malformed %s password: %w", name, err)
	}
	if data == "" { // decoded from padding alone
		return stored{}, errLocked
	}
	p, err := sch.parse(data)
	switch {
	case errors.Is(err, errLocked):
		return stored{}, err
	case err != nil:
		return stored{}, fmt.Errorf("malformed or unsupported %s password: %w", name, err)
	}
	return p, nil
}

func unsupported(name string) error {
	switch name {
	case "DES-CRYPT":
		return errDES
	case "OTP", "SKEY", "RPA", "LANMAN", "NTLM", "PLAIN-TRUNC", "CRYPT-DES":
		return fmt.Errorf("password scheme %s is not supported: give the user a new password", name)
	}
	return fmt.Errorf("unknown password scheme %.40q", name)
}

// decode returns what an encoded text stands for. Its errors don't show it.
func decode(data string, enc encoding) (string, error) {
	switch enc {
	case inHex:
		raw, err := hex.DecodeString(data)
		if err != nil {
			return "", errors.New("expected hexadecimal digits, two per byte")
		}
		return string(raw), nil
	case inBase64:
		raw, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(data, "="))
		if err != nil {
			return "", errors.New("expected base64")
		}
		return string(raw), nil
	}
	return data, nil
}

// hashFunc is the constructor of a hash.
type hashFunc = func() hash.Hash
