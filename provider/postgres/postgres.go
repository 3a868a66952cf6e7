// Package postgres rotates the passwords of PostgreSQL's roles.
//
// With two roles that take turns, "app_a,app_b", nothing is ever refused that worked
// before: while programs use one, the other gets a new password, and once they have it,
// the first may no longer log in. Both are members of a third role that cannot log in
// and owns everything, so that they may do the same things:
//
//	CREATE ROLE app NOLOGIN;
//	CREATE ROLE app_a LOGIN IN ROLE app;
//	CREATE ROLE app_b LOGIN IN ROLE app;
//	ALTER ROLE app_a SET role = app; -- what it makes is app's
//	ALTER ROLE app_b SET role = app;
//
// With one role its password is replaced in place.
package postgres

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/provider/server"
	"github.com/keywright/keywright/secret"
)

// Provider is PostgreSQL. The zero value is ready for use.
type Provider struct{}

const (
	name = "postgres"

	user     = provider.UserPart
	password = server.Password

	host     = server.Host
	port     = server.Port
	database = server.Database
	sslMode  = server.SSLMode
	sslRoots = server.SSLRoots
	users    = provider.UsersParam
	validity = "valid_days"
)

// Info implements provider.Provider.
func (Provider) Info() provider.Info {
	return provider.Info{
		Name:  name,
		Title: "PostgreSQL",
		Parts: []provider.Part{{Name: user, Public: true}, {Name: password}},
		Params: []provider.Param{
			{Name: host, Meaning: "the server's name or address, or the directory of its Unix socket", Required: true, Server: true},
			{Name: port, Meaning: "the server's port", Default: "5432", Server: true},
			{Name: database, Meaning: "the database to log in to", Default: "postgres"},
			{Name: sslMode, Meaning: "verify-full, or disable for a server on this machine", Default: server.VerifyFull},
			{Name: sslRoots, Meaning: "a file with the certificates that the server's is signed with, instead of the system's"},
			{Name: users, Meaning: "two roles that take turns, as app_a,app_b; otherwise the password is replaced in place"},
			{Name: validity, Meaning: "for how many days a new password is good (VALID UNTIL); otherwise that stays as it is"},
		},
		Admin: "a role that may change the user's password (CREATEROLE, since PostgreSQL 16 with ADMIN OPTION for the user; or the user itself), end its sessions (pg_signal_backend) and, in place, see when they began (pg_read_all_stats)",
		Sources: []string{
			"https://www.postgresql.org/docs/current/sql-alterrole.html",
			"https://www.postgresql.org/docs/current/predefined-roles.html",
			"https://www.postgresql.org/docs/current/errcodes-appendix.html",
			"https://www.postgresql.org/docs/current/catalog-pg-authid.html",
			"RFC 5802",
			"RFC 7677",
		},
		Tested: "PostgreSQL 15",
	}
}

// RecognizeHost takes the addresses of servers. What the address says of TLS does not
// matter: one that is not on this machine proves who it is.
func (Provider) RecognizeHost(rule string, parts map[string]secret.Value) (provider.Credential, bool) {
	c, _, ok := server.FoundAt(rule, parts, "postgres", "postgresql")
	if ok && server.Here(c.Params[host]) {
		c.Params[sslMode] = server.Disable
	}
	return c, ok && provider.User(c) != ""
}

// Verify logs in. Dead is a password that is refused (28P01), as is the one of a role
// that is not there, and a role that may not log in (28000, told apart from other
// refusals by the server's routine, as texts are translated). A server that asks for no
// password cannot tell.
func (p Provider) Verify(ctx context.Context, c provider.Credential) (provider.Probe, error) {
	var probe provider.Probe
	err := within(ctx, "log in as "+provider.User(c), c, func(ctx context.Context, s *session) error {
		rows, err := s.query(ctx, `SELECT current_database(), to_char(NULLIF(rolvaliduntil, 'infinity') AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
			FROM pg_roles WHERE rolname = session_user`)
		if err != nil {
			return err
		}
		if len(rows) != 1 {
			return errNonsense
		}
		probe.State, probe.Who.ID, probe.Who.Account = provider.Alive, provider.User(c), rows[0][0]
		if rows[0][1] != "" {
			if probe.Who.Expires, err = time.Parse(time.RFC3339, rows[0][1]); err != nil {
				return errNonsense
			}
		}
		pair, _ := provider.Users(c)
		probe.Who.Scopes, err = s.scopes(ctx, pair)
		return err
	})
	if no := (*refusal)(nil); errors.As(err, &no) && no.code != "" {
		return no.probe(), nil
	}
	if err != nil {
		return provider.Probe{}, err
	}
	return probe, nil
}

// scopes are what the role of a session may do: its attributes and the roles that it is
// a member of, without the one that it takes turns with.
func (s *session) scopes(ctx context.Context, pair []string) ([]string, error) {
	rows, err := s.query(ctx, `SELECT x FROM pg_roles r,
			LATERAL unnest(ARRAY[CASE WHEN rolsuper THEN 'SUPERUSER' END, CASE WHEN rolcreaterole THEN 'CREATEROLE' END, CASE WHEN rolcreatedb THEN 'CREATEDB' END,
				CASE WHEN rolreplication THEN 'REPLICATION' END, CASE WHEN rolbypassrls THEN 'BYPASSRLS' END]) x
		WHERE rolname = session_user AND x IS NOT NULL
		UNION ALL
		SELECT g.rolname FROM pg_roles g, pg_roles r WHERE r.rolname = session_user AND NOT r.rolsuper AND g.oid <> r.oid AND pg_has_role(r.oid, g.oid, 'MEMBER')`)
	var scopes []string
	for _, r := range rows {
		if !slices.Contains(pair, r[0]) {
			scopes = append(scopes, r[0])
		}
	}
	slices.Sort(scopes)
	return scopes, err
}

// alphabet is such that a password can stand in an address, a .env file and a shell
// without quotes. 40 of it are 238 bits.
const (
	alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	length   = 40
)

// Make implements provider.Maker: a new password, for the other of two roles.
func (p Provider) Make(_ context.Context, old provider.Credential) (provider.Credential, error) {
	const doing = "make a password"
	to, err := successor(doing, old)
	if err != nil {
		return provider.Credential{}, err
	}
	return provider.Credential{
		ID:     to,
		Parts:  map[string]secret.Value{user: secret.New([]byte(to)), password: secret.Random(length, alphabet)},
		Params: maps.Clone(old.Params),
	}, nil
}

// Apply implements provider.Maker. The server is given a verifier of the password, not
// the password: it is in no log of the server's.
func (p Provider) Apply(ctx context.Context, admin, old, next provider.Credential) error {
	from, to := provider.User(old), provider.User(next)
	doing := "change the password of " + to
	if from == "" || next.Part(password).IsZero() {
		return incomplete(doing, "the user and the new password are needed")
	}
	verifier, err := scram(next.Part(password))
	if err != nil {
		return &provider.Error{Provider: name, Doing: doing, Kind: provider.Refused, Err: err}
	}
	days, err := validDays(doing, next)
	if err != nil {
		return err
	}
	as, err := provider.Acting(p, doing, admin, next)
	if err != nil {
		return err
	}
	err = within(ctx, doing, as, func(ctx context.Context, s *session) error {
		return s.transaction(ctx, "COMMIT", func() error {
			if err := s.ensure(ctx, from, to); err != nil {
				return err
			}
			return s.setPassword(ctx, to, verifier, days)
		})
	}, next)
	// A role that changes its own password cannot do that twice: the one that it logs in
	// with is gone.
	if no := (*refusal)(nil); errors.As(err, &no) && no.login && no.code == invalidPassword && provider.User(admin) == to {
		if probe, err := p.Verify(ctx, next); err == nil && probe.State.Lives() {
			return nil
		}
	}
	return err
}

// setPassword also lets the role log in, if it may not.
func (s *session) setPassword(ctx context.Context, role, verifier string, days int) error {
	if err := s.exec(ctx, "ALTER ROLE %I PASSWORD %L", role, verifier); err != nil {
		return err
	}
	if days > 0 {
		rows, err := s.query(ctx, `SELECT (now() + make_interval(days => $1::int))::text`, strconv.Itoa(days))
		if err != nil {
			return err
		}
		if err := s.exec(ctx, "ALTER ROLE %I VALID UNTIL %L", role, rows[0][0]); err != nil {
			return err
		}
	}
	rows, err := s.query(ctx, "SELECT FROM pg_roles WHERE rolname = $1 AND NOT rolcanlogin", role)
	if err != nil || len(rows) == 0 {
		return err
	}
	return s.exec(ctx, "ALTER ROLE %I LOGIN", role)
}

// Disable implements provider.Disabler: the role may not log in, and keeps its password.
// Its sessions are ended.
func (p Provider) Disable(ctx context.Context, admin, c provider.Credential) error {
	doing := "take the login from " + provider.User(c)
	return p.change(ctx, doing, admin, c, func(ctx context.Context, s *session, role string) error {
		if err := s.exec(ctx, "ALTER ROLE %I NOLOGIN", role); err != nil {
			return ignore(err, undefinedObject)
		}
		return s.end(ctx, role, time.Time{})
	})
}

// Enable implements provider.Disabler.
func (p Provider) Enable(ctx context.Context, admin, c provider.Credential) error {
	return p.change(ctx, "give the login back to "+provider.User(c), admin, c, func(ctx context.Context, s *session, role string) error {
		return s.exec(ctx, "ALTER ROLE %I LOGIN", role)
	})
}

// Revoke implements provider.Revoker. A role that is not the other's loses its password
// and its login; it stays, as things may be its own. One that has got another password since
// is left as it is. Of the same role only sessions are ended, those that began before its
// password changed.
func (p Provider) Revoke(ctx context.Context, admin, c, other provider.Credential) error {
	if provider.User(c) == provider.User(other) {
		return p.change(ctx, "end the sessions of "+provider.User(c), admin, c, func(ctx context.Context, s *session, role string) error {
			return s.end(ctx, role, other.Since)
		})
	}
	return p.change(ctx, "end "+provider.User(c), admin, c, func(ctx context.Context, s *session, role string) error {
		if another, err := p.another(ctx, s, c); err != nil || another {
			return err
		}
		if err := s.exec(ctx, "ALTER ROLE %I NOLOGIN PASSWORD NULL", role); err != nil {
			return ignore(err, undefinedObject)
		}
		return s.end(ctx, role, time.Time{})
	})
}

// another reports whether a role is known to have another password than a credential's: it
// may log in, and that one is refused, though it has not expired. Hashes are shown to
// superusers alone.
func (p Provider) another(ctx context.Context, s *session, c provider.Credential) (bool, error) {
	rows, err := s.query(ctx, "SELECT FROM pg_roles WHERE rolname = $1 AND rolcanlogin AND COALESCE(rolvaliduntil > now(), true)", provider.User(c))
	if err != nil || len(rows) == 0 || c.Part(password).IsZero() {
		return false, err
	}
	probe, err := p.Verify(ctx, c)
	return err == nil && probe.State == provider.Dead && probe.Code == invalidPassword, nil
}

// change does something to a credential's role.
func (p Provider) change(ctx context.Context, doing string, admin, c provider.Credential, do func(context.Context, *session, string) error) error {
	if provider.User(c) == "" {
		return incomplete(strings.TrimSpace(doing)+" a role", "the user is needed")
	}
	as, err := provider.Acting(p, doing, admin, c)
	if err != nil {
		return err
	}
	return within(ctx, doing, as, func(ctx context.Context, s *session) error { return do(ctx, s, provider.User(c)) }, c)
}

// end ends the sessions of a role: those that began before a time, or all if that is
// zero. It waits until none is left.
func (s *session) end(ctx context.Context, role string, before time.Time) error {
	until := "infinity"
	if !before.IsZero() {
		// By the server's clock, and on the way there it goes on: rather too late.
		rows, err := s.query(ctx, `SELECT (clock_timestamp() - make_interval(secs => $1::float8))::text`, strconv.FormatFloat(time.Since(before).Seconds(), 'f', -1, 64))
		if err != nil {
			return err
		}
		until = rows[0][0]
	}
	return server.Drain(ctx, func() (open int, err error) {
		rows, err := s.query(ctx, `SELECT CASE WHEN backend_start IS NOT NULL OR $2 = 'infinity' THEN pg_terminate_backend(pid) END FROM pg_stat_activity
			WHERE usename = $1 AND pid <> pg_backend_pid() AND COALESCE(backend_start < $2::timestamptz, true)`, role, until)
		for _, r := range rows {
			if r[0] == "" {
				return 0, &refusal{code: insufficientPrivilege, text: "when sessions began is not shown", hint: "GRANT pg_read_all_stats to the role that asks"}
			}
		}
		return len(rows), err
	})
}
