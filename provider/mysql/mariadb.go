package mysql

import (
	"context"
	"errors"
	"strings"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/provider/server"
	"github.com/keywright/keywright/secret"
)

// MariaDB rotates the passwords of its users. The zero value is ready for use.
//
// With two users that take turns, "app_a,app_b", nothing is ever refused that worked
// before: while programs use one, the other gets a new password, and once they have it,
// the first is locked. Both have the same rights, which is seen to most easily by a role:
//
//	CREATE ROLE app;
//	GRANT SELECT, INSERT, UPDATE, DELETE ON shop.* TO app;
//	CREATE USER app_a@'%' IDENTIFIED BY '…';
//	CREATE USER app_b@'%' ACCOUNT LOCK;
//	GRANT app TO app_a@'%', app_b@'%';
//	SET DEFAULT ROLE app FOR app_a@'%';
//	SET DEFAULT ROLE app FOR app_b@'%';
//
// With one user its password is replaced in place. A user is all accounts of a name,
// app@localhost and app@'%': they have one password, and get one.
//
// MariaDB can also let an account log in by either of two passwords, as alternatives that
// it offers one after the other. That is not used: clients are there that give up at the
// second.
type MariaDB struct{}

var mariaDB = dialect{
	name: "mariadb",
	check: func(version string) error {
		if !strings.Contains(version, "MariaDB") {
			return &refusal{text: "this is MySQL, which differs in what a rotation needs", hint: "let the key's provider be mysql (keywright edit --provider)"}
		}
		return nil
	},
	hint: "MariaDB's users log in by " + native + " or " + ed25519 + "; if this is MySQL, let the key's provider be mysql (keywright edit --provider)",
}

// Info implements provider.Provider.
func (MariaDB) Info() provider.Info {
	return provider.Info{
		Name:  mariaDB.name,
		Title: "MariaDB",
		Parts: []provider.Part{{Name: user, Public: true}, {Name: password}},
		Params: []provider.Param{
			{Name: host, Meaning: "the server's name or address, or the path of its Unix socket", Required: true, Server: true},
			{Name: port, Meaning: "the server's port", Default: "3306", Server: true},
			{Name: sslMode, Meaning: "verify-full, or disable for a server on this machine", Default: server.VerifyFull},
			{Name: sslRoots, Meaning: "a file with the certificates that the server's is signed with, instead of the system's"},
			{Name: users, Meaning: "two users that take turns, as app_a,app_b; otherwise the password is replaced in place"},
		},
		Admin: "a user with CREATE USER, CONNECTION ADMIN and PROCESS, and SELECT on mysql.*",
		Sources: []string{
			"https://mariadb.com/kb/en/alter-user/",
			"https://mariadb.com/kb/en/authentication-plugin-mysql_native_password/",
			"https://mariadb.com/kb/en/authentication-plugin-ed25519/",
			"https://mariadb.com/kb/en/mariadb-error-codes/",
			"https://mariadb.com/kb/en/kill/",
		},
		Tested: "MariaDB 10.11",
	}
}

// RecognizeHost takes the addresses of servers, MySQL's too: to log in is the same. What
// the address says of TLS does not matter: a server that is not on this machine proves who
// it is.
func (MariaDB) RecognizeHost(rule string, parts map[string]secret.Value) (provider.Credential, bool) {
	c, _, ok := server.FoundAt(rule, parts, "mysql", "mariadb")
	if ok && server.Here(c.Params[host]) {
		c.Params[sslMode] = server.Disable
	}
	return c, ok && provider.User(c) != ""
}

// Verify logs in. Dead is a password that is refused (1045), as is the one of a user that
// is not there, and a user that is locked (4151), which is said to whoever knows the
// password alone. The server also says 1045 where a user may not come from this address,
// or not without TLS: then it refuses the new password alike. Of a password that was found,
// and that there is no new one of, it is not known.
func (p MariaDB) Verify(ctx context.Context, c provider.Credential) (provider.Probe, error) {
	return mariaDB.verify(ctx, c)
}

// Make implements provider.Maker: a new password, for the other of two users.
func (p MariaDB) Make(_ context.Context, old provider.Credential) (provider.Credential, error) {
	to, err := successor("make a password", old)
	if err != nil {
		return provider.Credential{}, err
	}
	return successorOf(old, to), nil
}

// Apply implements provider.Maker. The server is given a hash of the password, not the
// password: it writes statements into its logs as they are. Each account keeps the method
// that it logs in by, as its clients may know no other.
func (p MariaDB) Apply(ctx context.Context, admin, old, next provider.Credential) error {
	from, to := provider.User(old), provider.User(next)
	doing := "change the password of " + to
	if from == "" || to == "" || next.Part(password).IsZero() {
		return mariaDB.incomplete(doing, "the user and the new password are needed")
	}
	as, err := provider.Acting(p, doing, admin, next)
	if err != nil {
		return err
	}
	err = mariaDB.within(ctx, doing, as, func(ctx context.Context, s *session) error {
		all, err := s.accounts(ctx, to)
		if err != nil {
			return err
		}
		if len(all) == 0 {
			return &refusal{text: "there is no user " + to}
		}
		for _, a := range all { // all of them or none
			if err := a.usable(); err != nil {
				return err
			}
		}
		for _, a := range all {
			if err := s.setPassword(ctx, a, next.Part(password)); err != nil {
				return err
			}
		}
		return nil
	}, old, next)
	// A user that changes its own password cannot do that twice: the one that it logs in
	// with is gone.
	if no := (*refusal)(nil); errors.As(err, &no) && no.login && no.code == accessDenied && provider.User(admin) == to {
		if probe, err := p.Verify(ctx, next); err == nil && probe.State.Lives() {
			return nil
		}
	}
	return err
}

// setPassword also lets the user log in, if it may not.
func (s *session) setPassword(ctx context.Context, a entry, to secret.Value) error {
	digest := a.hash(to)
	if a.own {
		return s.exec(ctx, "SET PASSWORD = ?", digest)
	}
	return s.exec(ctx, "ALTER USER ?@? IDENTIFIED VIA "+a.method+" USING ? ACCOUNT UNLOCK", a.user, a.host, digest)
}

// Disable implements provider.Disabler: the user is locked, and keeps its password. Its
// sessions are ended.
func (p MariaDB) Disable(ctx context.Context, admin, c provider.Credential) error {
	return p.change(ctx, "lock", admin, c, func(ctx context.Context, s *session, all []entry) error {
		for _, a := range all {
			if err := s.exec(ctx, "ALTER USER ?@? ACCOUNT LOCK", a.user, a.host); err != nil {
				return err
			}
		}
		return s.end(ctx, provider.User(c))
	})
}

// Enable implements provider.Disabler.
func (p MariaDB) Enable(ctx context.Context, admin, c provider.Credential) error {
	return p.change(ctx, "unlock", admin, c, func(ctx context.Context, s *session, all []entry) error {
		if len(all) == 0 {
			return &refusal{text: "there is no user " + provider.User(c)}
		}
		for _, a := range all {
			if err := s.exec(ctx, "ALTER USER ?@? ACCOUNT UNLOCK", a.user, a.host); err != nil {
				return err
			}
		}
		return nil
	})
}

// Revoke implements provider.Revoker. A user that is not the other's is locked, and gets a
// password that nobody has; it stays, as views and procedures may run in its name. One
// that has another password than the credential's is left as it is. The server does not say
// when a session began: all of the user are ended, in place, too.
func (p MariaDB) Revoke(ctx context.Context, admin, c, other provider.Credential) error {
	return p.change(ctx, "end", admin, c, func(ctx context.Context, s *session, all []entry) error {
		for _, a := range all {
			if provider.User(c) == provider.User(other) || !a.has(c.Part(password)) {
				continue
			}
			sql, args := "ALTER USER ?@?", []string{a.user, a.host}
			if a.usable() == nil {
				sql += " IDENTIFIED VIA " + a.method + " USING ?"
				args = append(args, a.hash(secret.Random(length, alphabet)))
			}
			if err := s.exec(ctx, sql+" ACCOUNT LOCK", args...); err != nil {
				return err
			}
		}
		return s.end(ctx, provider.User(c))
	})
}

// change does something to all accounts of a credential's user, of which there may be
// none.
func (p MariaDB) change(ctx context.Context, verb string, admin, c provider.Credential, do func(context.Context, *session, []entry) error) error {
	if provider.User(c) == "" {
		return mariaDB.incomplete(verb+" a user", "the user is needed")
	}
	doing := verb + " " + provider.User(c)
	as, err := provider.Acting(p, doing, admin, c)
	if err != nil {
		return err
	}
	return mariaDB.within(ctx, doing, as, func(ctx context.Context, s *session) error {
		all, err := s.accounts(ctx, provider.User(c))
		if err != nil {
			return err
		}
		return do(ctx, s, all)
	}, c)
}

// successor is the user that comes after a credential's, which may be itself.
func successor(doing string, c provider.Credential) (string, error) {
	next, err := provider.NextUser(c)
	if err != nil {
		return "", mariaDB.incomplete(doing, err.Error())
	}
	return next, nil
}
