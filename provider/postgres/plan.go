package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/secret"
)

// maxName is how many bytes of a name PostgreSQL takes.
const maxName = 63

// successor is the role that comes after a credential's, which may be itself.
func successor(doing string, c provider.Credential) (string, error) {
	next, err := provider.NextUser(c)
	switch {
	case err != nil:
		return "", incomplete(doing, err.Error())
	case len(next) > maxName:
		return "", incomplete(doing, fmt.Sprintf("the role %s has a name of more than %d bytes", next, maxName))
	}
	return next, nil
}

// validDays is for how long a new password is good; 0 for as long as it is now.
func validDays(doing string, c provider.Credential) (int, error) {
	text := c.Params[validity]
	if text == "" {
		return 0, nil
	}
	days, err := strconv.Atoi(text)
	if err != nil || days < 1 || days > 36500 {
		return 0, incomplete(doing, fmt.Sprintf("%s %q is not a number of days", validity, text))
	}
	return days, nil
}

// Plan implements provider.Planner. It does what the rotation will do, with a password
// that nobody has, in a transaction that is rolled back: rights depend on the server's
// version and on whoever runs it, and this asks for nothing else.
func (p Provider) Plan(ctx context.Context, admin, old provider.Credential) (provider.Plan, error) {
	from := provider.User(old)
	doing := "look whether the password of " + from + " can be changed"
	to, err := successor(doing, old)
	if err != nil {
		return provider.Plan{}, err
	}
	days, err := validDays(doing, old)
	if err != nil {
		return provider.Plan{}, err
	}
	as, err := provider.Acting(p, doing, admin, old)
	if err != nil {
		return provider.Plan{}, err
	}
	nobodys, err := scram(secret.Random(length, alphabet))
	if err != nil {
		return provider.Plan{}, err
	}
	plan := provider.Plan{InPlace: to == from}
	if plan.InPlace {
		plan.Outage = "from the change on, " + from + " can log in with the new password alone; sessions that are open go on until the end"
	}
	err = within(ctx, doing, as, func(ctx context.Context, s *session) error {
		if err := s.unused(ctx, from, to); err != nil {
			return err
		}
		if err := s.mayEnd(ctx, from, plan.InPlace); err != nil {
			return err
		}
		return s.transaction(ctx, "ROLLBACK", func() error {
			made, err := s.missing(ctx, to)
			if err != nil {
				return err
			}
			if err := s.ensure(ctx, from, to); err != nil {
				return forbidden(err, fmt.Sprintf("make the role %s, a member of the same roles as %s, or let the role that asks do it: CREATEROLE, and ADMIN OPTION for those roles", to, from))
			}
			if err := s.alike(ctx, from, to); err != nil {
				return err
			}
			if err := s.setPassword(ctx, to, nobodys, days); err != nil {
				return s.advise(err, from, to)
			}
			if !plan.InPlace {
				if err := s.exec(ctx, "ALTER ROLE %I NOLOGIN PASSWORD NULL", from); err != nil {
					return s.advise(err, from, to)
				}
			}
			if made {
				plan.Notes = append(plan.Notes, "the role "+to+" is made, like "+from)
			}
			note, err := s.expiry(ctx, to)
			if note != "" {
				plan.Notes = append(plan.Notes, note)
			}
			return err
		})
	}, old)
	if err != nil {
		return provider.Plan{}, err
	}
	return plan, nil
}

// unused checks that the role before is there, and that nobody uses the one after it,
// whose password is about to change.
func (s *session) unused(ctx context.Context, from, to string) error {
	if gone, err := s.missing(ctx, from); err != nil {
		return err
	} else if gone {
		return &refusal{code: undefinedObject, text: "there is no role " + from}
	}
	if from == to {
		return nil
	}
	rows, err := s.query(ctx, "SELECT count(*) FROM pg_stat_activity WHERE usename = $1", to)
	if err == nil && rows[0][0] != "0" {
		err = &refusal{text: fmt.Sprintf("%s is in use: %s sessions are open", to, rows[0][0]), hint: "its password would change; stop what uses it, or keep the key that is in use"}
	}
	return err
}

func (s *session) missing(ctx context.Context, role string) (bool, error) {
	rows, err := s.query(ctx, "SELECT FROM pg_roles WHERE rolname = $1", role)
	return len(rows) == 0, err
}

// mayEnd checks the right to end a role's sessions and, in place, to see when they began.
func (s *session) mayEnd(ctx context.Context, role string, inPlace bool) error {
	rows, err := s.query(ctx, `SELECT session_user,
			r.rolsuper OR (NOT o.rolsuper AND (pg_has_role(r.oid, o.oid, 'USAGE') OR pg_has_role(r.oid, 'pg_signal_backend', 'USAGE'))),
			r.rolsuper OR pg_has_role(r.oid, o.oid, 'USAGE') OR pg_has_role(r.oid, 'pg_read_all_stats', 'USAGE')
		FROM pg_roles r, pg_roles o WHERE r.rolname = current_user AND o.rolname = $1`, role)
	switch {
	case err != nil:
		return err
	case len(rows) != 1:
		return errNonsense
	case rows[0][1] != "t":
		return &refusal{code: insufficientPrivilege, text: rows[0][0] + " may not end sessions of " + role, hint: "GRANT pg_signal_backend TO " + rows[0][0]}
	case inPlace && rows[0][2] != "t":
		return &refusal{code: insufficientPrivilege, text: rows[0][0] + " may not see when sessions of " + role + " began", hint: "GRANT pg_read_all_stats TO " + rows[0][0]}
	default:
		return nil
	}
}

// ensure makes the role that comes after another if it is not there: a member of the
// same roles. Plan has compared what else they have.
func (s *session) ensure(ctx context.Context, from, to string) error {
	if gone, err := s.missing(ctx, to); err != nil || !gone {
		return err
	}
	if from == to {
		return &refusal{code: undefinedObject, text: "there is no role " + from}
	}
	rows, err := s.query(ctx, "SELECT CASE WHEN rolinherit THEN '' ELSE 'NOINHERIT ' END || 'CONNECTION LIMIT ' || rolconnlimit FROM pg_roles WHERE rolname = $1", from)
	if err != nil {
		return err
	}
	if len(rows) != 1 {
		return &refusal{code: undefinedObject, text: "there is no role " + from}
	}
	if err := s.exec(ctx, "CREATE ROLE %I NOLOGIN "+rows[0][0], to); err != nil {
		return err
	}
	groups, err := s.groups(ctx, from)
	for _, g := range groups {
		if err = errors.Join(err, s.exec(ctx, "GRANT %I TO %I", g, to)); err != nil {
			return err
		}
	}
	return err
}

// groups are the roles that a role was made a member of.
func (s *session) groups(ctx context.Context, role string) (names []string, err error) {
	rows, err := s.query(ctx, `SELECT DISTINCT g.rolname FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid JOIN pg_roles r ON r.oid = m.member WHERE r.rolname = $1`, role)
	for _, r := range rows {
		names = append(names, r[0])
	}
	return names, err
}

// differences are sentences on what two roles do not have in common, of all that decides
// what a program can do. Things that belong to the first or were granted to it are the
// second's too if it is a member of a role to which that was done, the first included.
const differences = `
WITH a AS (SELECT * FROM pg_roles WHERE rolname = $1), b AS (SELECT * FROM pg_roles WHERE rolname = $2),
had AS (
	SELECT d.* FROM pg_shdepend d, a WHERE d.refclassid = 'pg_authid'::regclass AND d.refobjid = a.oid AND d.deptype IN ('o', 'a')
)
SELECT format('%s the role %s, unlike %s', CASE WHEN x.of_a THEN 'it is not in' ELSE 'it is in' END, g.rolname, a.rolname)
FROM a, b, pg_roles g, LATERAL (SELECT pg_has_role(a.oid, g.oid, 'MEMBER') AS of_a, pg_has_role(b.oid, g.oid, 'MEMBER') AS of_b) x
WHERE g.oid NOT IN (a.oid, b.oid) AND x.of_a <> x.of_b
UNION ALL
SELECT format('it %s the rights of the role %s, unlike %s', CASE WHEN x.of_a THEN 'does not inherit' ELSE 'inherits' END, g.rolname, a.rolname)
FROM a, b, pg_roles g, LATERAL (SELECT pg_has_role(a.oid, g.oid, 'USAGE') AS of_a, pg_has_role(b.oid, g.oid, 'USAGE') AS of_b) x
WHERE g.oid NOT IN (a.oid, b.oid) AND x.of_a <> x.of_b AND pg_has_role(a.oid, g.oid, 'MEMBER') AND pg_has_role(b.oid, g.oid, 'MEMBER')
UNION ALL
SELECT format('it is %s, unlike %s', CASE WHEN x.of_a THEN 'not ' ELSE '' END || x.what, a.rolname)
FROM a, b, LATERAL (VALUES ('SUPERUSER', a.rolsuper, b.rolsuper), ('CREATEROLE', a.rolcreaterole, b.rolcreaterole), ('CREATEDB', a.rolcreatedb, b.rolcreatedb),
	('REPLICATION', a.rolreplication, b.rolreplication), ('BYPASSRLS', a.rolbypassrls, b.rolbypassrls)) x(what, of_a, of_b)
WHERE x.of_a <> x.of_b
UNION ALL
SELECT format('its connection limit is %s, that of %s is %s', b.rolconnlimit, a.rolname, a.rolconnlimit) FROM a, b WHERE a.rolconnlimit <> b.rolconnlimit
UNION ALL
SELECT format('its setting of %s%s is not that of %s', COALESCE(x.setting, y.setting), COALESCE(' in the database ' || COALESCE(x.datname, y.datname), ''), a.rolname)
FROM (SELECT split_part(c, '=', 1) AS setting, c, s.setdatabase, d.datname FROM a, pg_db_role_setting s LEFT JOIN pg_database d ON d.oid = s.setdatabase, unnest(s.setconfig) c WHERE s.setrole = a.oid) x
FULL JOIN (SELECT split_part(c, '=', 1) AS setting, c, s.setdatabase, d.datname FROM b, pg_db_role_setting s LEFT JOIN pg_database d ON d.oid = s.setdatabase, unnest(s.setconfig) c WHERE s.setrole = b.oid) y
	ON x.setting = y.setting AND x.setdatabase = y.setdatabase, a
WHERE x.c IS DISTINCT FROM y.c
UNION ALL
SELECT format('%s has %s objects or rights%s that it has not', a.rolname, count(*), COALESCE(' in the database ' || d.datname, ''))
FROM had h LEFT JOIN pg_database d ON d.oid = h.dbid, a, b
WHERE NOT b.rolsuper AND NOT EXISTS (
	SELECT FROM pg_shdepend e WHERE e.refclassid = 'pg_authid'::regclass AND pg_has_role(b.oid, e.refobjid, 'USAGE')
		AND e.dbid = h.dbid AND e.classid = h.classid AND e.objid = h.objid
		AND (e.deptype = 'o' OR e.deptype = 'a' AND h.deptype = 'a' AND e.objsubid IN (h.objsubid, 0)))
GROUP BY a.rolname, d.datname
ORDER BY 1`

// alike refuses a successor that can do other things than the one before it.
func (s *session) alike(ctx context.Context, from, to string) error {
	if from == to {
		return nil
	}
	rows, err := s.query(ctx, differences, from, to)
	if err != nil || len(rows) == 0 {
		return err
	}
	var all []string
	for _, r := range rows {
		all = append(all, r[0])
	}
	return &refusal{text: fmt.Sprintf("%s is not like %s: %s", to, from, strings.Join(all, "; ")),
		hint: "make both members of one role that owns everything, and of nothing else"}
}

// expiry refuses a role whose passwords are no longer good, and says until when they are.
func (s *session) expiry(ctx context.Context, role string) (note string, err error) {
	rows, err := s.query(ctx, `SELECT to_char(rolvaliduntil AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI "UTC"'), rolvaliduntil <= now()
		FROM pg_roles WHERE rolname = $1 AND isfinite(rolvaliduntil)`, role)
	switch {
	case err != nil || len(rows) == 0:
		return "", err
	case rows[0][1] == "t":
		return "", &refusal{text: fmt.Sprintf("passwords of %s were good until %s (VALID UNTIL), a new one is, too", role, rows[0][0]),
			hint: "set " + validity + " for the key, or ALTER ROLE … VALID UNTIL"}
	default:
		return "the new password is good until " + rows[0][0], nil
	}
}

// split is the version in which the right to change roles was split up.
const split = 16

// advise adds to a refusal what would help.
func (s *session) advise(err error, roles ...string) error {
	hint := "the role that asks needs CREATEROLE"
	if s.version >= split {
		hint += ", and GRANT " + strings.Join(slices.Compact(roles), ", ") + " to it WITH ADMIN OPTION"
	}
	return forbidden(err, hint)
}

// forbidden adds a hint to what the server refuses for want of a right.
func forbidden(err error, hint string) error {
	if said := (*pgconn.PgError)(nil); errors.As(err, &said) && said.Code == insufficientPrivilege {
		return &refusal{code: said.Code, text: said.Message, hint: hint}
	}
	return err
}
