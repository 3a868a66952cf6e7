package mysql

import (
	"context"
	"crypto/sha512"
	"encoding/base64"
	"fmt"
	"regexp"
	"strings"

	"filippo.io/edwards25519"

	"github.com/keywright/keywright/secret"
)

// The methods to log in by that are known here.
const (
	native  = "mysql_native_password"
	ed25519 = "ed25519"
)

// entry is an account: a user's name, and from where it may come.
type entry struct {
	user, host string
	method     string // to log in by
	digest     string // the server's hash of the password; empty if it has none
	rest       string // of what the server says of it: how, how often and until when it may be used
	own        bool   // the session is this one's, and sees no other of the name
}

func (a entry) String() string { return a.user + "@" + a.host }

// usable refuses an account that logs in by other means than a password of ours.
func (a entry) usable() error {
	if a.method == native || a.method == ed25519 {
		return nil
	}
	return &refusal{text: fmt.Sprintf("%s logs in by %s", a, a.method), hint: "one of " + native + " and " + ed25519 + " alone is what a new password can be set for"}
}

// hash is how MariaDB keeps a password, by an account's method. There is no salt. The
// hash is not enough to log in; for the older method it is with a login that somebody
// listened to, which TLS prevents, and for ed25519 it is a public key.
func (a entry) hash(password secret.Value) string {
	if a.method == native {
		return nativeHash(password)
	}
	// As crypto/ed25519 makes a key of a seed, but of a seed of any length.
	seed := sha512.Sum512(password.Reveal())
	defer clear(seed[:])
	scalar, err := edwards25519.NewScalar().SetBytesWithClamping(seed[:32])
	if err != nil {
		panic(err) // it has 32 bytes
	}
	return base64.RawStdEncoding.EncodeToString(new(edwards25519.Point).ScalarBaseMult(scalar).Bytes())
}

// has reports whether a password is an account's, as far as can be told.
func (a entry) has(password secret.Value) bool {
	return password.IsZero() || a.usable() != nil || a.digest == a.hash(password)
}

// accounts are all of a user's, by their hosts. One that may not look up others finds
// itself.
func (s *session) accounts(ctx context.Context, user string) ([]entry, error) {
	rows, err := s.query(ctx, "SELECT Host FROM mysql.user WHERE User = ? AND is_role = 'N' ORDER BY Host", user)
	if refused(err, tableDenied) && user == s.user {
		a, err := s.self(ctx)
		if err != nil {
			return nil, err
		}
		return []entry{a}, nil
	}
	var all []entry
	for _, r := range rows {
		a := entry{user: user, host: r[0]}
		shown, err := s.query(ctx, "SHOW CREATE USER ?@?", a.user, a.host)
		if err != nil {
			return nil, err
		}
		if err := a.read(shown); err != nil {
			return nil, err
		}
		all = append(all, a)
	}
	return all, err
}

// self is the account that a session belongs to.
func (s *session) self(ctx context.Context) (entry, error) {
	rows, err := s.query(ctx, "SELECT CURRENT_USER()")
	if err != nil {
		return entry{}, err
	}
	if len(rows) != 1 {
		return entry{}, errNonsense
	}
	at := strings.LastIndexByte(rows[0][0], '@')
	if at < 0 || rows[0][0][:at] != s.user {
		return entry{}, &refusal{text: fmt.Sprintf("%s was let in as %s", s.user, rows[0][0])}
	}
	a := entry{user: s.user, host: rows[0][0][at+1:], own: true}
	shown, err := s.query(ctx, "SHOW CREATE USER CURRENT_USER()")
	if err != nil {
		return entry{}, err
	}
	return a, a.read(shown)
}

// login is how an account is let in, in the answer to SHOW CREATE USER.
var login = regexp.MustCompile(`^ IDENTIFIED (?:BY PASSWORD '([^']*)'|VIA (\w+)(?: USING '([^']*)')?)( OR )?`)

// state are the parts of that answer that a rotation changes.
var state = regexp.MustCompile(` ACCOUNT LOCK\b| PASSWORD EXPIRE$`)

// read takes in the answer to SHOW CREATE USER.
func (a *entry) read(rows [][]string) error {
	if len(rows) != 1 {
		return errNonsense
	}
	rest, ok := strings.CutPrefix(rows[0][0], "CREATE USER "+quoted(a.user)+"@"+quoted(a.host))
	if !ok {
		return errNonsense
	}
	a.method = native // by no password at all
	if m := login.FindStringSubmatch(rest); m != nil {
		a.digest = m[1] + m[3]
		if rest = rest[len(m[0]):]; m[2] != "" {
			a.method = m[2]
		}
		if m[4] != "" {
			a.method += ", or other ways"
		}
	}
	a.rest = strings.TrimSpace(state.ReplaceAllString(rest, ""))
	return nil
}

// quoted is a name as the server shows it.
func quoted(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" }
