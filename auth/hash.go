package auth

import (
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/go-crypt/x/crypt"
	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"
)

// DefaultScheme of new passwords. ARGON2ID resists guessing better, but it takes
// 64 MiB for each log-in, and Dovecot, to which a user file should be able to go
// back, has it only where it was built with libsodium and its processes are allowed
// the memory. bcrypt takes 4 KiB, and every Dovecot from 2.3 on knows it.
const DefaultScheme = "BLF-CRYPT"

const bcryptCost = 10 // some 60 ms; clients that log in again and again still can

// hashers make stored passwords, by scheme.
var hashers = map[string]func(password string) (string, error){
	"BLF-CRYPT": func(password string) (string, error) {
		b, err := bcrypt.GenerateFromPassword([]byte(password), bcryptCost)
		if errors.Is(err, bcrypt.ErrPasswordTooLong) {
			return "", errors.New("BLF-CRYPT takes passwords of up to 72 bytes: choose ARGON2ID for longer ones")
		}
		return strings.Replace(string(b), "$2a$", "$2y$", 1), err // the prefix that Dovecot writes
	},
	"ARGON2ID": func(password string) (string, error) {
		const m, t, p = 64 << 10, 3, 1 // what Dovecot writes, and more than RFC 9106 §4 asks for at p=1
		salt := randomBytes(16)
		key := argon2.IDKey([]byte(password), salt, t, m, p, 32)
		b64 := base64.RawStdEncoding
		return fmt.Sprintf(argon2Format, "id", m, t, p, b64.EncodeToString(salt), b64.EncodeToString(key)), nil
	},
	"SHA256-CRYPT": func(password string) (string, error) { return hashSHACrypt("5", sha256.New, password) },
	"SHA512-CRYPT": func(password string) (string, error) { return hashSHACrypt("6", sha512.New, password) },
	"PBKDF2": func(password string) (string, error) {
		const rounds = 600_000
		salt := randomText(16)
		return fmt.Sprintf("$1$%s$%d$%x", salt, rounds, derive(sha1.New, password, salt, rounds)), nil
	},
	"SCRAM-SHA-1":   func(password string) (string, error) { return hashSCRAM(sha1.New, password) },
	"SCRAM-SHA-256": func(password string) (string, error) { return hashSCRAM(sha256.New, password) },
	"CRAM-MD5":      func(password string) (string, error) { return hex.EncodeToString(cramMD5(password)), nil },
	"SSHA":          func(password string) (string, error) { return hashSalted(sha1.New, password) },
	"SSHA256":       func(password string) (string, error) { return hashSalted(sha256.New, password) },
	"SSHA512":       func(password string) (string, error) { return hashSalted(sha512.New, password) },
	"PLAIN":         func(password string) (string, error) { return password, nil },
}

// HashSchemes returns the names of the schemes that Hash knows, sorted.
func HashSchemes() []string { return slices.Sorted(maps.Keys(hashers)) }

// Hash returns {SCHEME}data for a user file; the scheme's name is in any case. It
// fails for a scheme that is not in HashSchemes and for a password that nobody could
// log in with: an empty one, one of more than 1024 bytes or (BLF-CRYPT) 72, one that is not
// UTF-8 or has control characters.
func Hash(scheme, password string) (string, error) {
	scheme = strings.ToUpper(scheme)
	h := hashers[scheme]
	switch {
	case h == nil:
		return "", fmt.Errorf("no new passwords are made with scheme %.40q: choose one of %s", scheme, strings.Join(HashSchemes(), ", "))
	case password == "":
		return "", errors.New("the password is empty")
	case len(password) > maxPassword:
		return "", fmt.Errorf("the password has more than %d bytes", maxPassword)
	case !utf8.ValidString(password): // RFC 4616 §2
		return "", errors.New("the password is not UTF-8")
	case strings.ContainsFunc(password, isControl):
		return "", errors.New("the password has control characters")
	}
	data, err := h(password)
	if err != nil {
		return "", err
	}
	if scheme == "PLAIN" && strings.Contains(password, ":") { // which ends the field in a user file
		return "{PLAIN.b64}" + base64.StdEncoding.EncodeToString([]byte(data)), nil
	}
	return "{" + scheme + "}" + data, nil
}

func hashSHACrypt(id string, h hashFunc, password string) (string, error) {
	// Between the 5,000 of the default and what makes a log-in slow: about 50 ms.
	const rounds = 50_000
	salt := randomText(16)
	key := crypt.KeySHACrypt(h, []byte(password), []byte(salt), rounds)
	return fmt.Sprintf("$%s$rounds=%d$%s$%s", id, rounds, salt, key), nil
}

func hashSCRAM(h hashFunc, password string) (string, error) {
	const rounds = 10_000 // clients with SCRAM do this work too, some of them on telephones
	salt := randomBytes(16)
	storedKey, serverKey := scramKeys(h, password, string(salt), rounds)
	b64 := base64.StdEncoding
	return fmt.Sprintf("%d,%s,%s,%s", rounds, b64.EncodeToString(salt), b64.EncodeToString(storedKey), b64.EncodeToString(serverKey)), nil
}

func hashSalted(h hashFunc, password string) (string, error) {
	salt := randomBytes(8)
	return base64.StdEncoding.EncodeToString(append(sum(h, password, string(salt)), salt...)), nil
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	rand.Read(b) // never fails
	return b
}

// randomText returns n characters of crypt(3)'s alphabet.
func randomText(n int) string {
	const alphabet = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	b := randomBytes(n)
	for i := range b {
		b[i] = alphabet[b[i]%64]
	}
	return string(b)
}
