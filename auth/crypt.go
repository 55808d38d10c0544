package auth

import (
	"crypto/md5"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/go-crypt/x/crypt"
	"github.com/go-crypt/x/yescrypt"
	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"
)

// Bounds of what one verification may cost. Who writes the user file may write what
// they like; these refuse what can only be a mistake, at about ten times the cost
// that anybody uses: some seconds, and 1 GiB of memory.
const (
	maxSHACryptRounds  = 5_000_000
	maxBcryptCost      = 16
	maxArgon2Memory    = 1 << 20 // KiB
	maxArgon2Work      = 1 << 23 // KiB times passes
	maxYescryptMemory  = 1 << 28 // bytes
	maxPBKDFIterations = 10_000_000
)

var errDES = errors.New("DES-CRYPT passwords are not supported (they are cut to 8 characters and can be guessed in hours): give the user a new password")

// parseCrypt is for what crypt(3) returns: the prefix says which hash it is.
func parseCrypt(s string) (stored, error) {
	id, _, _ := strings.Cut(strings.TrimPrefix(s, "$"), "$")
	switch {
	case s[0] == '!' || s[0] == '*' || s == "x":
		return stored{}, errLocked // as in shadow(5)
	case s[0] != '$':
		if len(s) == 13 || s[0] == '_' && len(s) == 20 {
			return stored{}, errDES
		}
		return stored{}, errors.New("this is no crypt(3) hash (a password in clear needs {PLAIN} before it)")
	case id == "1":
		return parseMD5Crypt(s)
	case id == "5":
		return parseSHA256Crypt(s)
	case id == "6":
		return parseSHA512Crypt(s)
	case id == "y":
		return parseYescrypt(s)
	case len(id) == 2 && id[0] == '2':
		return parseBcrypt(s)
	case id == "argon2i" || id == "argon2id":
		return parseArgon2(s)
	}
	return stored{}, fmt.Errorf("no support for crypt(3) hashes of the kind $%.10s$", id)
}

// parseMD5 is for {MD5}, which is MD5-CRYPT in new databases and PLAIN-MD5 in old.
func parseMD5(s string) (stored, error) {
	if strings.HasPrefix(s, "$1$") {
		return parseMD5Crypt(s)
	}
	raw, err := decode(s, inHex)
	if err != nil || len(raw) != md5.Size {
		return stored{}, errors.New("expected $1$ or 32 hexadecimal digits")
	}
	return digestParser("MD5", md5.New)(raw)
}

// parseMD5Crypt is for $1$salt$hash.
func parseMD5Crypt(s string) (stored, error) {
	f := strings.Split(s, "$")
	if len(f) != 4 || f[1] != "1" || len(f[3]) != 22 {
		return stored{}, errors.New("expected $1$salt$hash with a hash of 22 characters")
	}
	salt := f[2][:min(len(f[2]), 8)] // as crypt(3) cuts it
	return stored{cost: "MD5-CRYPT", slow: true, verify: func(_, password string) bool {
		return same(crypt.KeyMD5Crypt([]byte(password), []byte(salt)), []byte(f[3]))
	}}, nil
}

func parseSHA256Crypt(s string) (stored, error) { return parseSHACrypt(s, "5", sha256.New, 43) }
func parseSHA512Crypt(s string) (stored, error) { return parseSHACrypt(s, "6", sha512.New, 86) }

// parseSHACrypt is for $id$salt$hash and $id$rounds=n$salt$hash.
func parseSHACrypt(s, id string, h hashFunc, size int) (stored, error) {
	f := strings.Split(s, "$")
	rounds := 5000
	if len(f) == 5 {
		digits, ok := strings.CutPrefix(f[2], "rounds=")
		n, err := strconv.ParseUint(digits, 10, 32)
		if !ok || err != nil || n > maxSHACryptRounds {
			return stored{}, fmt.Errorf("expected rounds=n with n at most %d", maxSHACryptRounds)
		}
		rounds = max(int(n), 1000)
		f = append(f[:2], f[3:]...)
	}
	if len(f) != 4 || f[1] != id || len(f[3]) != size {
		return stored{}, fmt.Errorf("expected $%s$salt$hash or $%[1]s$rounds=n$salt$hash with a hash of %d characters", id, size)
	}
	salt := f[2][:min(len(f[2]), 16)] // as crypt(3) cuts it
	return stored{cost: fmt.Sprintf("$%s$ %d", id, rounds), slow: true, verify: func(_, password string) bool {
		return same(crypt.KeySHACrypt(h, []byte(password), []byte(salt), rounds), []byte(f[3]))
	}}, nil
}

// parseBcrypt is for $2a$, $2b$ and $2y$, which mean the same, and for $2x$, which
// does for passwords in ASCII.
func parseBcrypt(s string) (stored, error) {
	if len(s) != 60 || s[:2] != "$2" || !strings.Contains("abxy", s[2:3]) {
		return stored{}, errors.New("expected 60 characters from $2a$, $2b$, $2x$ or $2y$ on")
	}
	cost, err := bcrypt.Cost([]byte(s))
	if err != nil {
		return stored{}, err
	}
	if cost > maxBcryptCost {
		return stored{}, fmt.Errorf("a cost of %d is more than %d", cost, maxBcryptCost)
	}
	return stored{cost: fmt.Sprint("bcrypt ", cost), slow: true, verify: func(_, password string) bool {
		return bcrypt.CompareHashAndPassword([]byte(s), []byte(password)) == nil
	}}, nil
}

// parseYescrypt is for $y$parameters$salt$hash with the parameters that libxcrypt
// makes: j, then N and r as one character each.
func parseYescrypt(s string) (stored, error) {
	f := strings.Split(s, "$")
	if len(f) != 5 || f[1] != "y" || len(f[4]) != 43 {
		return stored{}, errors.New("expected $y$parameters$salt$hash with a hash of 43 characters")
	}
	_, logN, r, err := yescrypt.DecodeSetting([]byte(f[2]))
	if err != nil || logN < 10 || logN > 18 || r < 1 || r > 32 || 128*r<<logN > maxYescryptMemory {
		return stored{}, errors.New("parameters out of the supported range")
	}
	if yescrypt.Decode64([]byte(f[3])) == nil {
		return stored{}, errors.New("malformed salt")
	}
	return stored{cost: "$y$ " + f[2], slow: true, verify: func(_, password string) bool {
		got, err := yescrypt.Hash([]byte(password), []byte(s))
		return err == nil && same(got, []byte(s))
	}}, nil
}

// argon2Format is for the verifiers that libsodium and crypt(3) write.
const argon2Format = "$argon2%s$v=19$m=%d,t=%d,p=%d$%s$%s"

// parseArgon2 is for $argon2i$ and $argon2id$, of Argon2's version 1.3 (RFC 9106).
func parseArgon2(s string) (stored, error) {
	f := strings.Split(s, "$")
	if len(f) != 6 || f[0] != "" || f[1] != "argon2i" && f[1] != "argon2id" || f[2] != "v=19" {
		return stored{}, errors.New("expected $argon2i$ or $argon2id$, then v=19$m=…,t=…,p=…$salt$hash")
	}
	m, t, p, err := argon2Params(f[3])
	if err != nil {
		return stored{}, err
	}
	salt, err1 := base64.RawStdEncoding.DecodeString(f[4])
	key, err2 := base64.RawStdEncoding.DecodeString(f[5])
	if err1 != nil || err2 != nil || len(salt) > 1024 || len(key) < 12 || len(key) > 1024 {
		return stored{}, errors.New("malformed salt or hash")
	}
	derive := argon2.Key
	if f[1] == "argon2id" {
		derive = argon2.IDKey
	}
	return stored{cost: f[1] + " " + f[3], slow: true, verify: func(_, password string) bool {
		return same(derive([]byte(password), salt, t, m, p, uint32(len(key))), key)
	}}, nil
}

// argon2Params reads m=memory in KiB, t=passes, p=lanes.
func argon2Params(s string) (m, t uint32, p uint8, err error) {
	f := strings.Split(s, ",")
	if len(f) != 3 {
		return 0, 0, 0, errors.New("expected m=…,t=…,p=…")
	}
	var n [3]uint64
	for i, name := range []string{"m=", "t=", "p="} {
		digits, ok := strings.CutPrefix(f[i], name)
		if n[i], err = strconv.ParseUint(digits, 10, 32); err != nil || !ok || n[i] == 0 {
			return 0, 0, 0, errors.New("expected m=…,t=…,p=…, each at least 1")
		}
	}
	if n[0] > maxArgon2Memory || n[0]*n[1] > maxArgon2Work || n[2] > 255 {
		return 0, 0, 0, fmt.Errorf("m=%d,t=%d,p=%d costs too much: expected m at most %d, m times t at most %d, p at most 255",
			n[0], n[1], n[2], maxArgon2Memory, maxArgon2Work)
	}
	return uint32(n[0]), uint32(n[1]), uint8(n[2]), nil
}
