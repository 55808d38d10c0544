package auth

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/emersion/go-sasl"
)

func TestMechanisms(t *testing.T) {
	if got := Mechanisms(); !slices.Equal(got, []string{"PLAIN", "LOGIN"}) {
		t.Errorf("got %v", got)
	}
	if _, err := NewServer("NTLM", nil); err == nil {
		t.Error("NTLM is known")
	}
}

func TestServers(t *testing.T) {
	errDown := errors.New("database is down")
	long := strings.Repeat("a", 2000)
	for _, tt := range []struct {
		name, mech string
		responses  []string // "-" is none: the exchange begins without initial response
		challenges string   // those before the end, with | between
		got        string   // user/password of verify, and "/other"; "" if it is not called
		verify     error
		err        error
	}{
		{"initial response", "PLAIN", []string{"\x00bob\x0000000000"}, "", "bob/00000000", nil, nil},
		{"no initial response", "PLAIN", []string{"-", "\x00bob\x00pw"}, "", "bob/pw", nil, nil},
		{"for oneself", "PLAIN", []string{"Bob\x00bob\x00pw"}, "", "bob/pw", nil, nil},
		{"for another", "PLAIN", []string{"root\x00bob\x00pw"}, "", "bob/pw/other", ErrInvalid, ErrInvalid},
		{"wrong", "PLAIN", []string{"\x00bob\x00pw"}, "", "bob/pw", ErrInvalid, ErrInvalid},
		{"down", "PLAIN", []string{"\x00bob\x00pw"}, "", "bob/pw", errDown, errDown},
		{"empty password", "PLAIN", []string{"\x00bob\x00"}, "", "bob/", ErrInvalid, ErrInvalid},
		{"one NUL", "PLAIN", []string{"bob\x00pw"}, "", "", nil, ErrMalformed},
		{"three NULs", "PLAIN", []string{"\x00bob\x00pw\x00"}, "", "", nil, ErrMalformed},
		{"empty", "PLAIN", []string{""}, "", "", nil, ErrMalformed},
		{"long", "PLAIN", []string{"\x00bob\x00" + long}, "", "", nil, ErrMalformed},
		{"long name", "PLAIN", []string{"\x00" + long + "\x00pw"}, "", "", nil, ErrMalformed},
		{"not UTF-8", "PLAIN", []string{"\x00b\xffb\x00pw"}, "", "", nil, ErrMalformed},

		{"no initial response", "LOGIN", []string{"-", "bob", "pw"}, "Username:|Password:", "bob/pw", nil, nil},
		{"initial response", "LOGIN", []string{"bob", "pw"}, "Password:", "bob/pw", nil, nil},
		{"wrong", "LOGIN", []string{"bob", "pw"}, "Password:", "bob/pw", ErrInvalid, ErrInvalid},
		{"NUL", "LOGIN", []string{"bo\x00b"}, "", "", nil, ErrMalformed},
		{"NUL in password", "LOGIN", []string{"bob", "p\x00w"}, "Password:", "", nil, ErrMalformed},
		{"long", "LOGIN", []string{long}, "", "", nil, ErrMalformed},
		{"long password", "LOGIN", []string{"bob", long}, "Password:", "", nil, ErrMalformed},
	} {
		t.Run(tt.mech+" "+tt.name, func(t *testing.T) {
			var got string
			s, err := NewServer(tt.mech, func(user, password string, other bool) error {
				if got != "" {
					t.Error("verified twice")
				}
				got = user + "/" + password
				if other {
					got += "/other"
				}
				return tt.verify
			})
			check(t, err)
			var challenges []string
			var done bool
			for i, r := range tt.responses {
				var response, challenge []byte
				if r != "-" {
					response = []byte(r)
				}
				challenge, done, err = s.Next(response)
				if err != nil || done {
					if i != len(tt.responses)-1 {
						t.Fatalf("ends at response %d: %v", i, err)
					}
					break
				}
				if challenge == nil {
					t.Error("a challenge must not be nil")
				}
				if len(challenge) > 0 {
					challenges = append(challenges, string(challenge))
				}
			}
			if got != tt.got || !errors.Is(err, tt.err) || done != (tt.err == nil) {
				t.Errorf("verified %q, error %v, done %v; want %q, %v", got, err, done, tt.got, tt.err)
			}
			if c := strings.Join(challenges, "|"); c != tt.challenges {
				t.Errorf("challenges %q, want %q", c, tt.challenges)
			}
			if _, done, err := s.Next([]byte("\x00bob\x00pw")); done || !errors.Is(err, sasl.ErrUnexpectedClientResponse) {
				t.Errorf("after the end: done %v, error %v", done, err)
			}
		})
	}
}

func FuzzServers(f *testing.F) {
	f.Add([]byte("\x00bob\x00pw"), []byte("pw"))
	f.Fuzz(func(t *testing.T, first, second []byte) {
		for _, mech := range Mechanisms() {
			s, err := NewServer(mech, func(user, password string, _ bool) error {
				if len(user) > MaxName || len(password) > maxPassword || strings.Contains(user+password, "\x00") {
					t.Errorf("verify gets %q, %q", user, password)
				}
				return nil
			})
			check(t, err)
			for _, r := range [][]byte{first, second} {
				if _, done, err := s.Next(r); done || err != nil {
					break
				}
			}
		}
	})
}
