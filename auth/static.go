package auth

import "context"

// Single returns the database of one user, for local use. The user's name is
// normalised.
func Single(u User, password string) Database {
	u.Name = Normalize(u.Name)
	return &single{u, password}
}

type single struct {
	user     User
	password string
}

func (s *single) Verify(_ context.Context, name, password string) (*User, error) {
	if !plausible(name, password) {
		return nil, ErrInvalid
	}
	known, right := sameText(Normalize(name), s.user.Name), sameText(password, s.password)
	if !known || !right {
		return nil, ErrInvalid
	}
	u := s.user
	return &u, nil
}
