package auth

import (
	"bytes"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/emersion/go-sasl"
)

// ErrMalformed is what a mechanism returns for a response that its RFC does not
// allow: the client gets BAD, and no attempt to log in was made.
var ErrMalformed = errors.New("malformed SASL response")

// mechanisms in the order in which they are announced. Each server gets verify of
// NewServer; one that needs more than a password (SCRAM's keys, a token) gets its
// own function here and in NewServer's signature.
var mechanisms = []struct {
	name string
	new  func(Verify) sasl.Server
}{
	{"PLAIN", func(v Verify) sasl.Server { return &plainServer{verify: v} }},
	{"LOGIN", func(v Verify) sasl.Server { return &loginServer{verify: v} }},
}

// Verify is called with what a client gave. other says that he wants to act for somebody else than user, which nobody may: the
// answer is another one then, but only where the password is right (RFC 5530 §3 AUTHORIZATIONFAILED).
type Verify func(user, password string, other bool) error

// Mechanisms returns the names of the SASL mechanisms, in upper case, in the order
// in which to announce them.
func Mechanisms() []string {
	names := make([]string, len(mechanisms))
	for i, m := range mechanisms {
		names[i] = m.name
	}
	return names
}

// NewServer returns the server's side of one exchange by the mechanism mech (in
// upper case), which calls verify with what the client gave. Its Next returns
// verify's error as it is, and ErrMalformed for what is not in the mechanism's format, is longer than any
// name or password, or is not UTF-8. An error ends the exchange.
//
// Next(nil) begins an exchange without an initial response.
func NewServer(mech string, verify Verify) (sasl.Server, error) {
	for _, m := range mechanisms {
		if m.name == mech {
			return m.new(verify), nil
		}
	}
	return nil, fmt.Errorf("unknown SASL mechanism %.20q", mech)
}

// checkText refuses what can't be a name or password (RFC 4616 §2: UTF-8 without
// NUL). Empty ones are left to verify: they are wrong, but people do send them.
func checkText(b []byte, maxLen int) error {
	if len(b) > maxLen || bytes.IndexByte(b, 0) >= 0 || !utf8.Valid(b) {
		return ErrMalformed
	}
	return nil
}

// plainServer is PLAIN (RFC 4616). go-sasl's own doesn't tell a malformed response
// from a wrong password.
type plainServer struct {
	verify Verify
	done   bool
}

func (s *plainServer) Next(response []byte) (challenge []byte, done bool, err error) {
	if s.done {
		return nil, false, sasl.ErrUnexpectedClientResponse
	}
	if response == nil {
		return []byte{}, false, nil
	}
	s.done = true
	authzid, rest, ok1 := bytes.Cut(response, []byte{0})
	user, password, ok2 := bytes.Cut(rest, []byte{0})
	if !ok1 || !ok2 {
		return nil, false, ErrMalformed
	}
	if err := checkText(user, MaxName); err != nil {
		return nil, false, err
	}
	if err := checkText(password, maxPassword); err != nil {
		return nil, false, err
	}
	other := len(authzid) > 0 && Normalize(string(authzid)) != Normalize(string(user))
	if err := s.verify(string(user), string(password), other); err != nil {
		return nil, false, err
	}
	return nil, true, nil
}

// loginServer is LOGIN, which no RFC describes but an expired draft
// (draft-murchison-sasl-login) and all clients: the user's name, then the password,
// each after a prompt. An initial response is the name.
type loginServer struct {
	verify Verify
	user   string
	state  loginState
}

type loginState int

const (
	loginBegins loginState = iota
	loginWantsUser
	loginWantsPassword
	loginDone
)

func (s *loginServer) Next(response []byte) (challenge []byte, done bool, err error) {
	switch s.state {
	case loginBegins, loginWantsUser:
		if response == nil && s.state == loginBegins {
			s.state = loginWantsUser
			return []byte("Username:"), false, nil
		}
		if err := checkText(response, MaxName); err != nil {
			s.state = loginDone
			return nil, false, err
		}
		s.user, s.state = string(response), loginWantsPassword
		return []byte("Password:"), false, nil
	case loginWantsPassword:
		s.state = loginDone
		if err := checkText(response, maxPassword); err != nil {
			return nil, false, err
		}
		if err := s.verify(s.user, string(response), false); err != nil {
			return nil, false, err
		}
		return nil, true, nil
	}
	return nil, false, sasl.ErrUnexpectedClientResponse
}
