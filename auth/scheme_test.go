package auth

import (
	"errors"
	"strings"
	"testing"
)

// vectors are stored passwords that other programs wrote: Dovecot's doveadm pw, and
// crypt(3) of libxcrypt. The password is "secret", the user alice.
var vectors = []string{
	"{PLAIN}secret",
	"{CLEAR}secret",
	"{CLEARTEXT}secret",
	"{plain}secret",
	"{PLAIN.HEX}736563726574",
	"{PLAIN.b64}c2VjcmV0",
	"{PLAIN.base64}c2VjcmV0",
	"{CRYPT}$2y$05$TpcbhNgiPw4nHVn9uorxV.VZYm6tQB61F/1c1VImc63n6sLS4pjQ2",
	"$2y$05$TpcbhNgiPw4nHVn9uorxV.VZYm6tQB61F/1c1VImc63n6sLS4pjQ2",
	"$2b$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a",
	"{BLF-CRYPT}$2y$05$FKglb56OsYwPDsH0zJOSreTV4lUGYfKOVd5.xtVYbTpJ/KUVDjDFW",
	"{BLF-CRYPT.B64}JDJ5JDA1JDdDMmc5SkVNSFpWR3N6bWhrd3VuVXU3RUZ4eFlvUW0uUVBQYzZ6TnBYYWY4MjJVQUtzNTlh",
	"{SHA256-CRYPT}$5$txHYrxikbmKJsahw$gJO2C6be7q0G5l44J/2bkvuRB6QDejo1UlirL.3nST8",
	"$5$rounds=1000$abcdefgh$XIppta5rT8zJUu4vAOKQXrwq9uY4Ijlz6VjyOmkx5i4",
	"{SHA512-CRYPT}$6$G7F1s7mfmNECgMYh$IxAeIIAxlFLRthgklCtXJO3HfXUrEDuJ1LIhPxdeSeOEPh31uaj79itTRlqlPIg94i53iKKeAAxaehWIjJbZZ/",
	"$6$rounds=1400$anotherlongsalts$Twf2eP6WMY29NT9yg1Nff0x6Ul/TWD9vkV2VVPyEX7uifmXI0FHGx3rX27ttfZtfB9phxv3003yyBPq3nGFb8.",
	"{MD5-CRYPT}$1$uoFOOFvq$6T9YvS6IB9gNNYcjtiARJ.",
	"{MD5}$1$GMSrxBdW$TTPPrrk9ok70cRw6gMrYN.",
	"{MD5}5ebe2294ecd0e0f08eab7690d2a6ee69",
	"$1$longsalt$ylo2I6ZmFJynsTtqJGKWf0",
	"$y$j9T$abcdefgh$IUWJt2doU4Kf6E/JP1UkAT3S5O3Q7SSA8SJirXIlEu9",
	"{ARGON2I}$argon2i$v=19$m=32768,t=4,p=1$YTamvh/7Hn8mekqlGV42Mg$yet6pK+rH1UI/bb4CGiHEvxf9HJlKTxLsttLv6PeNBg",
	"{ARGON2ID}$argon2id$v=19$m=65536,t=3,p=1$Tk8Gmcxp5eMuTCTXqAKicw$llyQ8RMlia2d/rWpm/zjdZ2/nI0Vtsq/XoF4VXw8lLA",
	"$argon2id$v=19$m=65536,t=3,p=1$Tk8Gmcxp5eMuTCTXqAKicw$llyQ8RMlia2d/rWpm/zjdZ2/nI0Vtsq/XoF4VXw8lLA",
	"{PBKDF2}$1$YFZGRPMGQYiajxut$5000$eea950fb40fad7fee92ff43db9415d6f05461d30",
	"{SCRAM-SHA-256}4096,la1JjVslBBVgN9yoaVC6aA==,EsDqy+CAskaqrAIXaPKCOObCZzzISmZ9VYsij3J1KRE=,1xqn5VH+3LNU6liongBvt2FQYGGaoA+qz4cOSbwIe1E=",
	"{SCRAM-SHA-1}4096,/TkyTZQlEvNOw9KOvPoJGw==,lFESbqTTVHHbvm0jNrfQjfKT7GE=,1n28pp6B2Q9vJslIXl09VdgHZ2c=",
	"{CRAM-MD5}cd3ba7deaad6e5ca23448ba42e379747a9e0f7f1fbc00c8a81bbaac395731b56",
	"{HMAC-MD5}cd3ba7deaad6e5ca23448ba42e379747a9e0f7f1fbc00c8a81bbaac395731b56",
	"{CRAM-MD5.B64}zTun3qrW5cojRIukLjeXR6ng9/H7wAyKgbuqw5VzG1Y=",
	"{DIGEST-MD5}cc3a3506aba601d2feee7bf9b34237ce",
	"{SSHA}u8gqlWlwFdUNi7dminihK7lFR6PGJy7A",
	"{SSHA256}w62ENMrreh7w7nQt6gzVHTCjWOR7r7cAKwBDtJhE34ooPAlv",
	"{SSHA256.HEX}d08876c8f4f870b642a53395febf8ab31b35ac8cc6e9a4edae5548aecb89798e96d2161a",
	"{SSHA512}2LiR847f5jHhrNluzkQCQWgvTMAxts3Hk0wJdXQeqlHTqN6viXf2SdfMp/KJ6LLxMMED8pkNItLSL0ufzFEQwQOaksY=",
	"{SMD5}/QIH/xFnMTazt8kFdVo39jTEkPM=",
	"{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=",
	"{SHA1}5en6G6MezRroT3XKqkdPOmY/BfQ=",
	"{SHA1}e5e9fa1ba31ecd1ae84f75caaa474f3a663f05f4", // hex shows in the length
	"{SHA256}K7gNU3sdo+OL0wNhqoVWhr3g6s1xYv72ol/pe/Unols=",
	"{SHA256.HEX}2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b",
	"{SHA512}vSsar3708Jvp9Szi2NWZZ02Bqp1qRCFpbcTZPdBhnWgs5WtNZKnvCXdhztmeD2cmW192CF5bDufKRpayrW/isg==",
	"{PLAIN-MD5}5ebe2294ecd0e0f08eab7690d2a6ee69",
	"{LDAP-MD5}Xr4ilOzQ4PCOq3aQ0qbuaQ==",
	"{PLAIN-MD4}67d3dafef63ff00603aeef3769cfbf0d",
}

func TestVectors(t *testing.T) {
	for _, v := range vectors {
		s, err := parseStored(v)
		if err != nil {
			t.Errorf("%s: %v", v, err)
			continue
		}
		if !s.verify("alice", "secret") {
			t.Errorf("%s: the right password is refused", v)
		}
		wrong := []string{"secrets", "", "Secret", "secre"}
		if s.slow {
			wrong = wrong[:1]
		}
		for _, wrong := range wrong {
			if s.verify("alice", wrong) {
				t.Errorf("%s: %q is accepted", v, wrong)
			}
		}
	}
}

// What crypt(3) makes of a long password beyond ASCII.
func TestVectorsLongPassword(t *testing.T) {
	password := strings.Repeat("pässwörd", 9)
	for _, v := range []string{
		"$5$rounds=1000$abcdefgh$fRnwY5QqSHZFi3BVK2xwOABUTe/d68Srr1/MAwdUD/9",
		"$6$rounds=1400$anotherlongsalts$5af53JebHKlMLUQ7knFFFP2fiU9PuBJLVPI.l/VCg2rH2B0YVBvHtBg4qYStcgXPMRqB7Gyei7ko3.FhsmF.8.",
		"$y$j9T$abcdefgh$PX5riIw5hJ9q2t7BPz1iLuXwFR0vVMBeuB912iYMn86",
		"$2b$05$abcdefghijklmnopqrstuunyLBQubUyDvoCiJg7jzH7zA6rbNO34a",
		"$1$longsalt$CjGrLWRsAvf4YcBIn/TPU/",
	} {
		s, err := parseStored(v)
		check(t, err)
		if !s.verify("alice", password) {
			t.Errorf("%s: the right password is refused", v)
		}
	}
}

func TestDigestMD5Realm(t *testing.T) {
	s, err := parseStored("{DIGEST-MD5}543e1aec5d3614f03141652d6ada51b2")
	check(t, err)
	if !s.verify("alice@example.org", "secret") || s.verify("alice", "secret") {
		t.Error("the realm does not count")
	}
}

func TestUnusableStoredPasswords(t *testing.T) {
	for _, tt := range []struct{ stored, err string }{
		{"", "locked"},
		{"{PLAIN}", "locked"},
		{"{PLAIN.b64}=", "locked"},
		{"!", "locked"},
		{"*", "locked"},
		{"!!$6$G7F1s7mfmNECgMYh$IxAeIIAxlFLRthgklCtXJO3HfXUrEDuJ1LIhPxdeSeOEPh31uaj79itTRlqlPIg94i53iKKeAAxaehWIjJbZZ/", "locked"},
		{"x", "locked"},
		{"{PLAIN", "no }"},
		{"{ROT13}frperg", "unknown password scheme"},
		{"{OTP}x", "OTP is not supported"},
		{"{DES-CRYPT}GGZzd9DpuMxNk", "DES-CRYPT passwords are not supported"},
		{"GGZzd9DpuMxNk", "DES-CRYPT passwords are not supported"},
		{"secret", "{PLAIN}"},
		{"$7$CU..../....abcd$QxDUCn6gp/./qDMeQRQr.V0apj1LxDDglRdXXTde7R8", "kind $7$"},
		{"{SHA256.rot}x", "unknown encoding"},
		{"{SHA256}secret", "malformed"},
		{"{SHA256}c2VjcmV0", "expected 32 bytes, found 6"},
		{"{SSHA}c2VjcmV0", "expected at least 20 bytes"},
		{"{BLF-CRYPT}$2y$31$FKglb56OsYwPDsH0zJOSreTV4lUGYfKOVd5.xtVYbTpJ/KUVDjDFW", "31 is more than"},
		{"$6$rounds=999999999$anotherlongsalts$Twf2eP6WMY29NT9yg1Nff0x6Ul/TWD9vkV2VVPyEX7uifmXI0FHGx3rX27ttfZtfB9phxv3003yyBPq3nGFb8.", "rounds"},
		{"$argon2id$v=19$m=4294967295,t=3,p=1$Tk8Gmcxp5eMuTCTXqAKicw$llyQ8RMlia2d/rWpm/zjdZ2/nI0Vtsq/XoF4VXw8lLA", "costs too much"},
		{"$argon2id$v=19$m=65536,t=4294967295,p=1$Tk8Gmcxp5eMuTCTXqAKicw$llyQ8RMlia2d/rWpm/zjdZ2/nI0Vtsq/XoF4VXw8lLA", "costs too much"},
		{"$argon2id$v=19$m=0,t=3,p=1$Tk8Gmcxp5eMuTCTXqAKicw$llyQ8RMlia2d/rWpm/zjdZ2/nI0Vtsq/XoF4VXw8lLA", "at least 1"},
		{"$y$jzz$abcdefgh$IUWJt2doU4Kf6E/JP1UkAT3S5O3Q7SSA8SJirXIlEu9", "range"},
		{"{PBKDF2}$1$YFZGRPMGQYiajxut$4000000000$eea950fb40fad7fee92ff43db9415d6f05461d30", "iterations"},
		{"{SCRAM-SHA-1}0,/TkyTZQlEvNOw9KOvPoJGw==,lFESbqTTVHHbvm0jNrfQjfKT7GE=,1n28pp6B2Q9vJslIXl09VdgHZ2c=", "iterations"},
	} {
		_, err := parseStored(tt.stored)
		if err == nil || !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%s: error %v, want one with %q", tt.stored, err, tt.err)
		}
		if (tt.err == "locked") != errors.Is(err, errLocked) {
			t.Errorf("%s: %v: locked or not?", tt.stored, err)
		}
	}
}

func TestHash(t *testing.T) {
	const password = "pässword:1"
	unsalted := map[string]bool{"PLAIN": true, "CRAM-MD5": true}
	for _, name := range HashSchemes() {
		h, err := Hash(strings.ToLower(name), password)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !strings.HasPrefix(h, "{"+name) || strings.ContainsAny(h, ":\n") {
			t.Errorf("%s: made %s", name, h)
		}
		s, err := parseStored(h)
		if err != nil {
			t.Errorf("%s: %v", h, err)
			continue
		}
		if !s.verify("alice", password) {
			t.Errorf("%s does not verify", h)
		}
		if again, _ := Hash(name, password); again == h && !unsalted[name] {
			t.Errorf("%s: no salt", name)
		}
	}
	if _, ok := hashers[DefaultScheme]; !ok {
		t.Errorf("%s is the default and not known", DefaultScheme)
	}
}

func TestHashRefuses(t *testing.T) {
	for _, tt := range []struct{ scheme, password, err string }{
		{"ROT13", "secret", "choose one of ARGON2ID, BLF-CRYPT"},
		{"PLAIN", "", "empty"},
		{"PLAIN", "a\nb", "control"},
		{"SSHA", "p\xe4ssword", "UTF-8"},
		{"PLAIN", strings.Repeat("a", 1025), "1024"},
		{"BLF-CRYPT", strings.Repeat("a", 73), "72 bytes"},
	} {
		if _, err := Hash(tt.scheme, tt.password); err == nil || !strings.Contains(err.Error(), tt.err) {
			t.Errorf("Hash(%s, %.20q): %v, want %q", tt.scheme, tt.password, err, tt.err)
		}
	}
}

// FuzzParseStored: no stored password may make a log-in crash or take long.
func FuzzParseStored(f *testing.F) {
	for _, v := range vectors {
		f.Add(v, "secret")
	}
	f.Add("{PLAIN.b64}=", "")
	f.Add("$y$j..$$", "x")
	f.Fuzz(func(t *testing.T, data, password string) {
		s, err := parseStored(data)
		if err != nil {
			return
		}
		if s.cost == "" || s.verify == nil {
			t.Fatal("half a stored password")
		}
		if cheap(s.cost) {
			s.verify("alice", password)
		}
	})
}

// cheap leaves out what takes its time by right.
func cheap(cost string) bool {
	for _, slow := range []string{"argon2", "bcrypt 1", "bcrypt 2", "$y$", "PBKDF2", "SCRAM"} {
		if strings.HasPrefix(cost, slow) {
			return false
		}
	}
	return !strings.HasPrefix(cost, "$") || len(cost) <= len("$6$ 9999")
}

func BenchmarkDefaultScheme(b *testing.B) {
	h, err := Hash(DefaultScheme, "secret")
	check(b, err)
	s, err := parseStored(h)
	check(b, err)
	for b.Loop() {
		s.verify("alice", "secret")
	}
}
