package auth

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// parsePBKDF2 is for $1$salt$rounds$hash: HMAC-SHA1, the salt's text as it stands,
// 20 bytes in hexadecimal.
func parsePBKDF2(s string) (stored, error) {
	f := strings.Split(s, "$")
	if len(f) != 5 || f[0] != "" || f[1] != "1" {
		return stored{}, errors.New("expected $1$salt$rounds$hash")
	}
	rounds, err := iterations(f[3])
	if err != nil {
		return stored{}, err
	}
	key, err := decode(f[4], inHex)
	if err != nil || len(key) != sha1.Size {
		return stored{}, errors.New("expected a hash of 40 hexadecimal digits")
	}
	return stored{cost: fmt.Sprint("PBKDF2 ", rounds), slow: true, verify: func(_, password string) bool {
		return same(derive(sha1.New, password, f[2], rounds), []byte(key))
	}}, nil
}

// scramParser is for iterations,salt,StoredKey,ServerKey, the last three in base64
// (RFC 5802 §3).
func scramParser(name string, h hashFunc) parser {
	size := h().Size()
	return func(s string) (stored, error) {
		f := strings.Split(s, ",")
		if len(f) != 4 {
			return stored{}, errors.New("expected iterations,salt,StoredKey,ServerKey")
		}
		rounds, err := iterations(f[0])
		if err != nil {
			return stored{}, err
		}
		salt, err1 := base64.StdEncoding.DecodeString(f[1])
		storedKey, err2 := base64.StdEncoding.DecodeString(f[2])
		serverKey, err3 := base64.StdEncoding.DecodeString(f[3])
		if errors.Join(err1, err2, err3) != nil || len(storedKey) != size || len(serverKey) != size {
			return stored{}, fmt.Errorf("expected salt and keys in base64, the keys of %d bytes", size)
		}
		return stored{cost: fmt.Sprint(name, " ", rounds), slow: true, verify: func(_, password string) bool {
			got, _ := scramKeys(h, password, string(salt), rounds)
			return same(got, storedKey)
		}}, nil
	}
}

// scramKeys returns StoredKey and ServerKey of RFC 5802 §3. The password is used as
// it is, without SASLprep, as the databases are written.
func scramKeys(h hashFunc, password, salt string, rounds int) (storedKey, serverKey []byte) {
	salted := derive(h, password, salt, rounds)
	mac := func(s string) []byte {
		m := hmac.New(h, salted)
		m.Write([]byte(s))
		return m.Sum(nil)
	}
	return sum(h, string(mac("Client Key"))), mac("Server Key")
}

// derive is PBKDF2 (RFC 8018 §5.2) with HMAC, to a key as long as the hash.
func derive(h hashFunc, password, salt string, rounds int) []byte {
	key, err := pbkdf2.Key(h, password, []byte(salt), rounds, h().Size())
	if err != nil {
		return nil // FIPS mode refuses short salts: no password matches then
	}
	return key
}

func iterations(s string) (int, error) {
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil || n == 0 || n > maxPBKDFIterations {
		return 0, fmt.Errorf("expected a number of iterations from 1 to %d", maxPBKDFIterations)
	}
	return int(n), nil
}
