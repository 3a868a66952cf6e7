package mysql

import (
	"context"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/go-crypt/x/crypt"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/provider/server"
	"github.com/keywright/keywright/secret"
)

// MySQL rotates the passwords of its users, from 8.0.14 on. The zero value is ready for use.
//
// A user may have two passwords (RETAIN CURRENT PASSWORD), so that one user is enough: the
// new one becomes the primary password and the old one the secondary, until nothing uses it
// any more, and it is discarded. There is room for two: to retain the old one would end
// another that was retained before. The server does not say which password a session was
// opened with, nor when: all of the user are ended, and those that know the new password
// come back. A user is all accounts of a name, app@localhost and app@'%': they have one
// password, and are changed by one statement, all or none.
//
// The server is given hashes alone. A user may replace its own password with
// APPLICATION_PASSWORD_ADMIN, but would have to send the password itself, and could not see
// that another is retained: that is not used.
type MySQL struct{}

var mySQL = dialect{
	name: "mysql",
	check: func(version string) error {
		if strings.Contains(version, "MariaDB") {
			return &refusal{text: "this is MariaDB, where no user has two passwords", hint: "let the key's provider be mariadb (keywright edit --provider)"}
		}
		if !recent(version) {
			return &refusal{text: "this is " + version + ": MySQL keeps two passwords of a user from 8.0.14 on"}
		}
		return nil
	},
	itself: true,
	hint:   "MySQL's users log in over TLS (sslmode verify-full, or verify-ca with the server's ca.pem as sslrootcert) or by its Unix socket, and by " + sha2 + " or " + native,
}

// recent reports whether a server has dual passwords.
func recent(version string) bool {
	var major, minor, patch int
	_, err := fmt.Sscanf(version, "%d.%d.%d", &major, &minor, &patch)
	return err == nil && (major > 8 || major == 8 && (minor > 0 || patch >= 14))
}

// Info implements provider.Provider.
func (MySQL) Info() provider.Info {
	return provider.Info{
		Name:  mySQL.name,
		Title: "MySQL",
		Parts: []provider.Part{{Name: user, Public: true}, {Name: password}},
		Params: []provider.Param{
			{Name: host, Meaning: "the server's name or address, or the path of its Unix socket", Required: true, Server: true},
			{Name: port, Meaning: "the server's port", Default: "3306", Server: true},
			{Name: sslMode, Meaning: "verify-full; verify-ca for a certificate that the server has made itself, with its ca.pem as sslrootcert; or disable for users of " + native + " on this machine", Default: server.VerifyFull},
			{Name: sslRoots, Meaning: "a file with the certificates that the server's is signed with, instead of the system's"},
		},
		Admin: "a user with CREATE USER, CONNECTION_ADMIN and PROCESS, and SELECT on mysql.*; SYSTEM_USER, too, if the key's user has it",
		Sources: []string{
			"https://dev.mysql.com/doc/refman/9.7/en/password-management.html",
			"https://dev.mysql.com/doc/refman/9.7/en/alter-user.html",
			"https://dev.mysql.com/doc/refman/9.7/en/caching-sha2-pluggable-authentication.html",
			"https://dev.mysql.com/doc/mysql-errors/9.7/en/server-error-reference.html",
			"https://dev.mysql.com/worklog/task/?id=11540",
		},
		Tested: "MySQL 9.7, which has no users of " + native,
	}
}

// Verify logs in. Dead is a password that is refused (1045), as is the one of a user that
// is not there, and a user that is locked (3118), which is said to whoever knows the
// password alone.
func (MySQL) Verify(ctx context.Context, c provider.Credential) (provider.Probe, error) {
	return mySQL.verify(ctx, c)
}

// Make implements provider.Maker: a new password.
func (MySQL) Make(_ context.Context, old provider.Credential) (provider.Credential, error) {
	if provider.User(old) == "" {
		return provider.Credential{}, mySQL.incomplete("make a password", "the user is needed")
	}
	return successorOf(old, provider.User(old)), nil
}

// sha2 is the method to log in by that a user has if none is named.
const sha2 = "caching_sha2_password"

// dual is an account, a user's name and from where it may come, with its two passwords.
type dual struct {
	user, host string
	method     string // to log in by
	primary    string // the server's hash of the password; empty if it has none
	secondary  string // that of the one that was retained; empty if none was
	wrong      int    // passwords after which it is blocked; 0 if it never is
	factors    bool   // a password is not enough
	form       string // of new hashes, if the method is sha2
}

func (a dual) String() string { return a.user + "@" + a.host }

// duals are all accounts of a user's, by their hosts.
func (s *session) duals(ctx context.Context, user string) (all []dual, err error) {
	rows, err := s.query(ctx, `SELECT Host, plugin, HEX(authentication_string),
		HEX(User_attributes->>'$.additional_password'),
		User_attributes->>'$.Password_locking.failed_login_attempts',
		User_attributes->'$.multi_factor_authentication' IS NOT NULL
		FROM mysql.user WHERE User = ? ORDER BY Host`, user)
	if err != nil {
		return nil, forbidden(err, "GRANT SELECT ON mysql.* TO "+s.user)
	}
	form := "CRYPT5" // servers before 9.7 know no other
	set, err := s.query(ctx, "SHOW VARIABLES LIKE 'caching_sha2_password_storage_format'")
	if err != nil {
		return nil, err
	}
	if len(set) == 1 && len(set[0]) == 2 {
		form = set[0][1]
	}
	for _, r := range rows {
		a := dual{user: user, host: r[0], method: r[1], factors: r[5] != "0", form: forms[form]}
		for i, to := range map[int]*string{2: &a.primary, 3: &a.secondary} {
			b, err := hex.DecodeString(r[i])
			if err != nil {
				return nil, errNonsense
			}
			*to = string(b)
		}
		if r[4] != "" {
			if a.wrong, err = strconv.Atoi(r[4]); err != nil {
				return nil, errNonsense
			}
		}
		all = append(all, a)
	}
	return all, nil
}

// crypted is how caching_sha2_password keeps a password: a form, thousands of rounds in
// three hex digits, twenty bytes of salt, and a digest.
var crypted = regexp.MustCompile(`(?s)^\$([AB])\$([0-9A-F]{3})\$(.{20}).+$`)

// forms are those of hashes, by the names that a server has for what it prefers. It may let
// nobody work whose password is kept in another.
var forms = map[string]string{"CRYPT5": "A", "PBKDF2_SHA512": "B"}

// thousands is how many thousand rounds a hash made here has, which are the fewest: what is
// hashed cannot be guessed.
const thousands = 5

func sha2Hash(form string, password secret.Value, thousands int, salt string) string {
	var digest string
	if form == "A" {
		digest = string(crypt.KeySHACrypt(sha256.New, password.Reveal(), []byte(salt), thousands*1000))
	} else {
		key, err := pbkdf2.Key(sha512.New, string(password.Reveal()), []byte(salt), thousands*1000, sha512.Size)
		if err != nil {
			panic(err) // its length is one that there is
		}
		digest = base64.StdEncoding.EncodeToString(key)
	}
	return fmt.Sprintf("$%s$%03X$%s%s", form, thousands, salt, digest)
}

// hash is how an account may keep a password.
func (a dual) hash(password secret.Value) string {
	if a.method == native {
		return nativeHash(password)
	}
	return sha2Hash(a.form, password, thousands, rand.Text()[:20])
}

// is reports whether a hash of an account's is that of a password.
func (a dual) is(hash string, password secret.Value) bool {
	if password.IsZero() || hash == "" {
		return false
	}
	if a.method == native {
		return hash == nativeHash(password)
	}
	m := crypted.FindStringSubmatch(hash)
	if m == nil {
		return false
	}
	n, _ := strconv.ParseUint(m[2], 16, 16)
	return hash == sha2Hash(m[1], password, int(n), m[3])
}

// usable refuses an account that logs in by other means than a password of ours.
func (a dual) usable() error {
	switch {
	case a.factors:
		return &refusal{text: a.String() + " needs more than a password to log in"}
	case a.method != native && a.method != sha2:
		return &refusal{text: fmt.Sprintf("%s logs in by %s", a, a.method), hint: "one of " + sha2 + " and " + native + " is what a new password can be set for"}
	case a.primary == "":
		return &refusal{text: a.String() + " has no password"}
	case a.method == sha2 && (a.form == "" || !crypted.MatchString(a.primary)):
		return &refusal{text: fmt.Sprintf("the password of %s is kept in a form that is not known here", a)}
	}
	return nil
}

// room refuses an account that would lose a password that is not the old one if another
// was set and the old one retained.
func (a dual) room(old secret.Value) error {
	switch first, second := a.is(a.primary, old), a.is(a.secondary, old); {
	case first && (second || a.secondary == ""):
		return nil
	case first:
		return &refusal{full: true, text: a.String() + " has an old password beside this one, which would end",
			hint: fmt.Sprintf("if nothing uses that any more: ALTER USER %s@%s DISCARD OLD PASSWORD", quoted(a.user), quoted(a.host))}
	case second:
		return &refusal{full: true, text: fmt.Sprintf("%s has got a newer password already: this one would end", a), hint: "store the newer one as the key's, and discard this one"}
	default:
		return &refusal{text: fmt.Sprintf("%s has another password than the key's", a), hint: "all accounts of " + a.user + " would get one: drop those that are not used, or give them another name"}
	}
}

// fewWrong is how many wrong passwords are too few for a proof that one is dead.
const fewWrong = 3

// Plan implements provider.Planner. The server cannot be asked whether something would be
// permitted: rights are looked up.
func (p MySQL) Plan(ctx context.Context, admin, old provider.Credential) (provider.Plan, error) {
	who := provider.User(old)
	doing := "look whether the password of " + who + " can be replaced"
	if err := complete(doing, old); err != nil {
		return provider.Plan{}, err
	}
	as, err := provider.Acting(p, doing, admin, old)
	if err != nil {
		return provider.Plan{}, err
	}
	plan := provider.Plan{Notes: []string{"all sessions of " + who + " are ended when the old password is discarded, as the server does not say with which one they were opened"}}
	err = mySQL.within(ctx, doing, as, func(ctx context.Context, s *session) error {
		all, err := s.duals(ctx, who)
		if err != nil {
			return err
		}
		if err := s.mayChange(ctx, who); err != nil {
			return err
		}
		if len(all) == 0 {
			return &refusal{text: "there is no user " + who}
		}
		for _, a := range all {
			if err := a.usable(); err != nil {
				return err
			}
			if err := a.room(old.Part(password)); err != nil {
				return err
			}
			switch {
			case a.wrong == 0:
			case a.wrong < fewWrong:
				return &refusal{text: fmt.Sprintf("%s is blocked after %d wrong passwords, and trying the old one would count", a, a.wrong),
					hint: fmt.Sprintf("ALTER USER %s@%s FAILED_LOGIN_ATTEMPTS %d", quoted(a.user), quoted(a.host), fewWrong)}
			default:
				plan.Notes = append(plan.Notes, fmt.Sprintf("%s is blocked after %d wrong passwords in a row: what goes on trying the old one can shut out all", a, a.wrong))
			}
		}
		return nil
	}, old)
	if err != nil {
		return provider.Plan{}, err
	}
	return plan, nil
}

func complete(doing string, c provider.Credential) error {
	if provider.User(c) == "" || c.Part(password).IsZero() {
		return mySQL.incomplete(doing, "the user and the password are needed")
	}
	return nil
}

// mayChange refuses a server where nothing can be changed, and an admin that lacks rights.
func (s *session) mayChange(ctx context.Context, user string) error {
	rows, err := s.query(ctx, "SELECT @@read_only, (SELECT COUNT(*) FROM mysql.global_grants WHERE USER = ? AND PRIV = 'SYSTEM_USER')", user)
	if err != nil {
		return err
	}
	if len(rows) != 1 {
		return errNonsense
	}
	if rows[0][0] != "0" {
		return &refusal{code: optionPrevents, text: "the server is read-only", hint: "this is a replica: name the primary server"}
	}
	needed := []string{"CREATE USER", "CONNECTION_ADMIN", "PROCESS"}
	if rows[0][1] != "0" {
		needed = append(needed, "SYSTEM_USER")
	}
	return s.may(ctx, needed...)
}

// Apply implements provider.Maker. The server is given a hash of the password, not the
// password. Each account keeps the method that it logs in by, as its clients may know no
// other. One that has the new password already is left alone: to set it once more would
// end the old one.
func (p MySQL) Apply(ctx context.Context, admin, old, next provider.Credential) error {
	who := provider.User(next)
	doing := "give " + who + " a new password"
	for _, c := range []provider.Credential{old, next} {
		if err := complete(doing, c); err != nil {
			return err
		}
	}
	as, err := provider.Acting(p, doing, admin, next)
	if err != nil {
		return err
	}
	return mySQL.within(ctx, doing, as, func(ctx context.Context, s *session) error {
		all, err := s.duals(ctx, who)
		if err != nil {
			return err
		}
		if len(all) == 0 {
			return &refusal{text: "there is no user " + who}
		}
		var c change
		for _, a := range all {
			if err := a.usable(); err != nil {
				return err
			}
			if a.is(a.primary, next.Part(password)) {
				continue
			}
			if err := a.room(old.Part(password)); err != nil {
				return err
			}
			c.add(a, "IDENTIFIED WITH "+a.method+" AS ? RETAIN CURRENT PASSWORD", a.hash(next.Part(password)))
		}
		return c.do(ctx, s, "")
	}, old, next)
}

// Revoke implements provider.Revoker. A password that was retained is discarded. If it is
// the other way round, and the primary one ends, the one that was retained takes its place;
// if none was, the user is locked with a password that nobody has. One that has got another
// password since is left as it is. All sessions of the user are ended.
func (p MySQL) Revoke(ctx context.Context, admin, c, _ provider.Credential) error {
	who := provider.User(c)
	doing := "take the password from " + who
	if err := complete(doing, c); err != nil { // the user may have another
		return err
	}
	as, err := provider.Acting(p, doing, admin, c)
	if err != nil {
		return err
	}
	return mySQL.within(ctx, doing, as, func(ctx context.Context, s *session) error {
		all, err := s.duals(ctx, who)
		if err != nil {
			return err
		}
		var back, lock, discard change
		for _, a := range all {
			first, second := a.is(a.primary, c.Part(password)), a.is(a.secondary, c.Part(password))
			switch {
			case first && a.secondary != "" && !second:
				back.add(a, "IDENTIFIED WITH "+a.method+" AS ?", a.secondary)
			case first:
				lock.add(a, "IDENTIFIED WITH "+a.method+" AS ?", a.hash(secret.Random(length, alphabet)))
			}
			// What took the primary one's place is there twice.
			if second || a.secondary != "" && (first || a.secondary == a.primary) {
				discard.add(a, "DISCARD OLD PASSWORD")
			}
		}
		if err := back.do(ctx, s, ""); err != nil {
			return err
		}
		if err := lock.do(ctx, s, " ACCOUNT LOCK"); err != nil {
			return err
		}
		if err := discard.do(ctx, s, ""); err != nil {
			return err
		}
		return s.end(ctx, who)
	}, c)
}

// change is a statement that changes several accounts, all or none.
type change struct {
	parts []string
	args  []string
}

func (c *change) add(a dual, what string, args ...string) {
	c.parts = append(c.parts, "?@? "+what)
	c.args = append(append(c.args, a.user, a.host), args...)
}

// do changes the accounts, if there are any, and all of them in a way.
func (c *change) do(ctx context.Context, s *session, also string) error {
	if len(c.parts) == 0 {
		return nil
	}
	return s.exec(ctx, "ALTER USER "+strings.Join(c.parts, ", ")+also, c.args...)
}
