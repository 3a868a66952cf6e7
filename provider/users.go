package provider

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// UserPart and UsersParam are those of a server with users and passwords, where two users
// may take turns: one goes on being accepted while the password of the other is replaced.
const (
	UserPart   = "user"
	UsersParam = "users"
)

// User is the user of a credential, or what it is known by.
func User(c Credential) string {
	if u := c.Part(UserPart); !u.IsZero() {
		return string(u.Reveal())
	}
	return c.ID
}

// Users are the two users that take turns, or none. Errors name no secret.
func Users(c Credential) ([]string, error) {
	text := c.Params[UsersParam]
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	names := strings.Split(text, ",")
	for i := range names {
		names[i] = strings.TrimSpace(names[i])
	}
	if len(names) != 2 || names[0] == "" || names[1] == "" || names[0] == names[1] {
		return nil, fmt.Errorf("users %q are not two users, as app_a,app_b", text)
	}
	return names, nil
}

// NextUser is the user that comes after a credential's: the other of the two, or the same
// if there are none.
func NextUser(c Credential) (string, error) {
	users, err := Users(c)
	user := User(c)
	switch at := slices.Index(users, user); {
	case err != nil:
		return "", err
	case user == "":
		return "", errors.New("the user is needed")
	case users == nil:
		return user, nil
	case at < 0:
		return "", fmt.Errorf("%s is none of the users %s", user, c.Params[UsersParam])
	default:
		return users[1-at], nil
	}
}
