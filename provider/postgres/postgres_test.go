package postgres_test

import (
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/provider/postgres"
	"github.com/keywright/keywright/provider/providertest"
	"github.com/keywright/keywright/provider/providertest/pgserver"
	"github.com/keywright/keywright/secret"
)

// bench is a server, and a role without more rights than the provider asks for.
type bench struct {
	*pgserver.Server
	admin provider.Credential
}

// TestPostgres starts the server that all the tests share.
func TestPostgres(t *testing.T) {
	b := bench{Server: pgserver.Start(t,
		"host all barred 127.0.0.1/32 reject",
		"host all trusted 127.0.0.1/32 trust",
		"host all plain 127.0.0.1/32 password",
		"host all hashed 127.0.0.1/32 md5",
	)}
	b.admin = b.credential("kwadmin", rand.Text())
	b.Exec(t, "CREATE ROLE kwadmin LOGIN CREATEROLE IN ROLE pg_signal_backend, pg_read_all_stats PASSWORD '"+reveal(b.admin)+"'")
	for _, test := range []struct {
		name string
		run  func(*testing.T, bench)
	}{
		{"conformance", testConformance},
		{"names", testNames},
		{"sessions in place", testSessionsInPlace},
		{"by itself", testByItself},
		{"another has come", testAnotherHasCome},
		{"plan", testPlan},
		{"in use", testInUse},
		{"valid days", testValidDays},
		{"states", testStates},
		{"scopes", testScopes},
		{"environment", testEnvironment},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, b) })
	}
}

func reveal(c provider.Credential) string { return string(c.Part("password").Reveal()) }

func (b bench) credential(user, password string) provider.Credential {
	return provider.Credential{
		ID:     user,
		Parts:  map[string]secret.Value{"user": secret.New([]byte(user)), "password": secret.New([]byte(password))},
		Params: map[string]string{"host": b.Host, "port": b.Port, "sslmode": "disable"},
	}
}

func quoted(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// one makes a role.
func (b bench) one(t *testing.T) provider.Credential {
	t.Helper()
	c := b.credential("app_"+strings.ToLower(rand.Text()[:8]), rand.Text())
	b.Exec(t, "CREATE ROLE "+c.ID+" LOGIN PASSWORD '"+reveal(c)+"'")
	return c
}

// two makes roles that take turns, and returns the one that is in use.
func (b bench) two(t *testing.T) provider.Credential {
	t.Helper()
	c := b.one(t)
	owner, other := c.ID+"_owner", c.ID+"_b"
	b.Exec(t, fmt.Sprintf("CREATE ROLE %[1]s; CREATE ROLE %[2]s LOGIN IN ROLE %[1]s; GRANT %[1]s TO %[3]s; ALTER ROLE %[2]s SET role = %[1]s; ALTER ROLE %[3]s SET role = %[1]s",
		owner, other, c.ID))
	c.Params["users"] = c.ID + "," + other
	return c
}

func (b bench) accepts(t *testing.T, c provider.Credential) bool {
	t.Helper()
	err := b.Login(t, string(c.Part("user").Reveal()), reveal(c))
	if refused := (*pgconn.PgError)(nil); err != nil && !errors.As(err, &refused) {
		t.Fatal(err)
	}
	return err == nil
}

func at(addr string, c provider.Credential) (provider.Provider, provider.Credential) {
	c.Params = maps.Clone(c.Params)
	c.Params["host"], c.Params["port"], _ = net.SplitHostPort(addr)
	return postgres.Provider{}, c
}

func testConformance(t *testing.T, b bench) {
	subject := providertest.Subject{
		Provider: postgres.Provider{}, Admin: b.admin, Accepts: b.accepts, DeadCode: "28P01", ByID: true,
		Addr: net.JoinHostPort(b.Host, b.Port), At: at, Wire: true,
	}
	t.Run("two roles", func(t *testing.T) {
		subject.New = b.two
		providertest.Provider(t, subject)
	})
	t.Run("the other is made", func(t *testing.T) {
		subject := subject
		subject.At = nil
		subject.New = func(t *testing.T) provider.Credential {
			c := b.one(t)
			c.Params["users"] = c.ID + "_b , " + c.ID
			return c
		}
		providertest.Provider(t, subject)
	})
	t.Run("in place, with TLS", func(t *testing.T) {
		subject.InPlace = true
		subject.New = func(t *testing.T) provider.Credential {
			c := b.one(t)
			delete(c.Params, "sslmode")
			c.Params["sslrootcert"] = b.Roots
			return c
		}
		subject.Admin.Params = nil // it takes the way that the others take
		subject.At = func(addr string, c provider.Credential) (provider.Provider, provider.Credential) {
			if c.ID == b.admin.ID {
				return postgres.Provider{}, c
			}
			return at(addr, c)
		}
		providertest.Provider(t, subject)
	})
}

// names that would do harm if they were not quoted.
func testNames(t *testing.T, b bench) {
	for _, name := range []string{`Upper`, `with space`, `qu"ote`, `apo'strophe`, `per%I%cent`, `x"; DROP ROLE kwadmin; --`, `back\slash`, `ünïcode`, `$1`, strings.Repeat("n", 61)} {
		t.Run(name, func(t *testing.T) {
			old := b.credential(name, rand.Text())
			b.Exec(t, "CREATE ROLE "+quoted(name)+" LOGIN PASSWORD '"+reveal(old)+"'")
			old.Params["users"] = name + "," + name + "_b"
			p := postgres.Provider{}
			if _, err := p.Plan(t.Context(), b.admin, old); err != nil {
				t.Fatal(err)
			}
			next := must(p.Make(t.Context(), old))(t)
			if err := p.Apply(t.Context(), b.admin, old, next); err != nil {
				t.Fatal(err)
			}
			if err := p.Revoke(t.Context(), b.admin, old, next); err != nil {
				t.Fatal(err)
			}
			if !b.accepts(t, next) || b.accepts(t, old) {
				t.Error("the server accepts the wrong one")
			}
		})
	}
}

func must[T any](v T, err error) func(t *testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// In place, sessions from before the change are ended, and no others.
func testSessionsInPlace(t *testing.T, b bench) {
	p := postgres.Provider{}
	old := b.one(t)
	before := b.Connect(t, old.ID, reveal(old))
	next := must(p.Make(t.Context(), old))(t)
	if err := p.Apply(t.Context(), b.admin, old, next); err != nil {
		t.Fatal(err)
	}
	next.Since = time.Now()
	if err := before.Exec(t.Context(), "SELECT 1").Close(); err != nil {
		t.Errorf("a session was ended early: %v", err)
	}
	time.Sleep(2 * time.Second) // the server's clock is read a moment late
	after := b.Connect(t, next.ID, reveal(next))
	if err := p.Revoke(t.Context(), b.admin, old, next); err != nil {
		t.Fatal(err)
	}
	if err := before.Exec(t.Context(), "SELECT 1").Close(); err == nil {
		t.Error("a session of the old password goes on")
	}
	if err := after.Exec(t.Context(), "SELECT 1").Close(); err != nil {
		t.Errorf("a session of the new password was ended: %v", err)
	}
	next.Since = time.Time{}
	if err := p.Revoke(t.Context(), b.admin, old, next); err != nil {
		t.Fatal(err)
	}
	if err := after.Exec(t.Context(), "SELECT 1").Close(); err == nil {
		t.Error("a session goes on, of which it is not known when the password changed")
	}
	if !b.accepts(t, next) {
		t.Error("the new password is refused")
	}
}

// A role that may do nothing else can change its own password, and be asked twice.
func testByItself(t *testing.T, b bench) {
	p := postgres.Provider{}
	old := b.one(t)
	if plan := must(p.Plan(t.Context(), old, old))(t); !plan.InPlace {
		t.Errorf("%+v", plan)
	}
	next := must(p.Make(t.Context(), old))(t)
	for range 2 {
		if err := p.Apply(t.Context(), old, old, next); err != nil {
			t.Fatal(err)
		}
	}
	if !b.accepts(t, next) || b.accepts(t, old) {
		t.Error("the server accepts the wrong one")
	}
	never := must(p.Make(t.Context(), old))(t)
	if err := p.Apply(t.Context(), old, old, never); kind(err) != provider.Forbidden {
		t.Errorf("by a password that is gone: %v", err)
	}
}

// Who has got another password since is left alone; who merely has an old one is not.
func testAnotherHasCome(t *testing.T, b bench) {
	p := postgres.Provider{}
	old := b.two(t)
	next := must(p.Make(t.Context(), old))(t)
	if err := p.Apply(t.Context(), b.admin, old, next); err != nil {
		t.Fatal(err)
	}
	newer := b.credential(old.ID, rand.Text())
	b.Exec(t, "ALTER ROLE "+old.ID+" PASSWORD '"+reveal(newer)+"'")
	session := b.Connect(t, old.ID, reveal(newer))
	for _, other := range []provider.Credential{next, {}} {
		if err := p.Revoke(t.Context(), b.admin, old, other); err != nil {
			t.Fatal(err)
		}
	}
	if !b.accepts(t, newer) || b.accepts(t, old) {
		t.Error("the server accepts the wrong one")
	}
	if err := session.Exec(t.Context(), "SELECT 1").Close(); err != nil {
		t.Errorf("a session of the newer password was ended: %v", err)
	}
	// One that has expired is refused as a wrong one is, and is the role's own.
	b.Exec(t, "ALTER ROLE "+old.ID+" VALID UNTIL '2001-01-01'")
	if err := p.Revoke(t.Context(), b.admin, newer, provider.Credential{}); err != nil {
		t.Fatal(err)
	}
	b.Exec(t, "ALTER ROLE "+old.ID+" VALID UNTIL 'infinity'")
	if b.accepts(t, newer) {
		t.Error("an expired password was left to its role")
	}
}

func kind(err error) provider.Kind {
	if e := new(provider.Error); errors.As(err, &e) {
		return e.Kind
	}
	return ""
}

// state is all that the server knows of roles.
func (b bench) state(t *testing.T) string {
	t.Helper()
	return strings.Join(slices.Concat(
		b.Exec(t, "SELECT (a.*)::text FROM pg_authid a ORDER BY oid"),
		b.Exec(t, "SELECT (m.*)::text FROM pg_auth_members m ORDER BY 1"),
		b.Exec(t, "SELECT (s.*)::text FROM pg_db_role_setting s ORDER BY 1")), "\n")
}

func testPlan(t *testing.T, b bench) {
	lame := func(t *testing.T, rights string) provider.Credential {
		c := b.credential("admin_"+strings.ToLower(rand.Text()[:8]), rand.Text())
		b.Exec(t, "CREATE ROLE "+c.ID+" LOGIN "+rights+" PASSWORD '"+reveal(c)+"'")
		return c
	}
	for _, c := range []struct {
		name   string
		sql    string // before; OLD and NEXT are the two roles
		single bool   // there is but one
		alone  bool   // the other is not there yet
		admin  string // the rights of who asks, instead of the usual
		params map[string]string
		kind   provider.Kind // "" for none
		want   string        // in the error and its hint, or in the notes
	}{
		{name: "all is well"},
		{name: "in place", single: true},
		{name: "the other is made", alone: true, want: "NEXT is made"},
		{name: "may not change roles", admin: "IN ROLE pg_signal_backend", kind: provider.Forbidden, want: "CREATEROLE"},
		{name: "may not change the one", single: true, admin: "IN ROLE pg_signal_backend, pg_read_all_stats", kind: provider.Forbidden, want: "CREATEROLE"},
		{name: "may not make the other", alone: true, admin: "IN ROLE pg_signal_backend", kind: provider.Forbidden, want: "make the role NEXT"},
		{name: "may not end sessions", admin: "CREATEROLE", kind: provider.Forbidden, want: "GRANT pg_signal_backend"},
		{name: "may not see sessions", single: true, admin: "CREATEROLE IN ROLE pg_signal_backend", kind: provider.Forbidden, want: "GRANT pg_read_all_stats"},
		{name: "of a superuser", single: true, sql: "ALTER ROLE OLD SUPERUSER", kind: provider.Forbidden, want: "end sessions"},
		{name: "the role is not there", sql: "DROP ROLE OLD", kind: provider.Refused, want: "no role OLD"},
		{name: "none of the two", params: map[string]string{"users": "x,y"}, kind: provider.Incomplete, want: "none of the users"},
		{name: "not two", params: map[string]string{"users": "x,y,z"}, kind: provider.Incomplete, want: "not two users"},
		{name: "not even one", params: map[string]string{"users": "x,x"}, kind: provider.Incomplete, want: "not two users"},
		{name: "a group less", sql: "CREATE ROLE more1; GRANT more1 TO OLD", kind: provider.Refused, want: "NEXT is not like OLD: it is not in the role more1"},
		{name: "a group more", sql: "CREATE ROLE more2; GRANT more2 TO NEXT", kind: provider.Refused, want: "it is in the role more2"},
		{name: "does not inherit", sql: "ALTER ROLE NEXT NOINHERIT", kind: provider.Refused, want: "does not inherit"},
		{name: "may more", sql: "ALTER ROLE NEXT CREATEDB", kind: provider.Refused, want: "it is CREATEDB"},
		{name: "may less", sql: "ALTER ROLE OLD BYPASSRLS", kind: provider.Refused, want: "it is not BYPASSRLS"},
		{name: "another limit", sql: "ALTER ROLE NEXT CONNECTION LIMIT 3", kind: provider.Refused, want: "connection limit is 3"},
		{name: "a setting", sql: "ALTER ROLE OLD SET search_path = x, public", kind: provider.Refused, want: "search_path is not that"},
		{name: "a setting of a database", sql: "ALTER ROLE NEXT IN DATABASE postgres SET work_mem = '8MB'", kind: provider.Refused, want: "work_mem in the database postgres"},
		{name: "owns a table", sql: "CREATE TABLE t1 (a int); ALTER TABLE t1 OWNER TO OLD", kind: provider.Refused, want: "OLD has 1 objects or rights in the database postgres"},
		{name: "was granted a table", sql: "CREATE TABLE t2 (a int); GRANT SELECT ON t2 TO OLD", kind: provider.Refused, want: "in the database postgres"},
		{name: "was granted a column", sql: "CREATE TABLE t3 (a int); GRANT SELECT (a) ON t3 TO OLD", kind: provider.Refused, want: "in the database postgres"},
		{name: "was granted a database", sql: "GRANT CREATE ON DATABASE postgres TO OLD", kind: provider.Refused, want: "OLD has 1 objects or rights that"},
		{name: "both were granted it", sql: "CREATE TABLE t4 (a int); GRANT SELECT ON t4 TO OLD, NEXT"},
		{name: "the owner was granted it", sql: "CREATE TABLE t5 (a int); GRANT SELECT ON t5 TO OLD, OLD_owner"},
		{name: "the owner owns it", sql: "CREATE TABLE t6 (a int); GRANT SELECT ON t6 TO OLD; ALTER TABLE t6 OWNER TO OLD_owner"},
		{name: "a member of the first", sql: "CREATE TABLE t7 (a int); ALTER TABLE t7 OWNER TO OLD; GRANT OLD TO NEXT"},
		{name: "the other can be no copy", alone: true, sql: "ALTER ROLE OLD SET work_mem = '8MB'", kind: provider.Refused, want: "work_mem"},
		{name: "good until then", sql: "ALTER ROLE NEXT VALID UNTIL '2999-01-01 00:00 UTC'", want: "good until 2999-01-01 00:00 UTC"},
		{name: "no longer good", sql: "ALTER ROLE NEXT VALID UNTIL '2001-01-01'", kind: provider.Refused, want: "valid_days"},
		{name: "good again", sql: "ALTER ROLE NEXT VALID UNTIL '2001-01-01'", params: map[string]string{"valid_days": "7"}, want: "good until"},
		{name: "no number", params: map[string]string{"valid_days": "soon"}, kind: provider.Incomplete, want: "number of days"},
		{name: "another host without TLS", params: map[string]string{"host": "db.example.com"}, kind: provider.Incomplete, want: "on this machine"},
		{name: "another mode", params: map[string]string{"sslmode": "prefer"}, kind: provider.Incomplete, want: "prefer"},
		{name: "no port", params: map[string]string{"port": "70000"}, kind: provider.Incomplete, want: "70000"},
		{name: "no certificates", params: map[string]string{"sslmode": "", "sslrootcert": "/dev/null"}, kind: provider.Incomplete, want: "no certificate"},
		{name: "not its certificate", params: map[string]string{"sslmode": ""}, kind: provider.Unreached, want: "certificate"},
		{name: "a socket", params: map[string]string{"host": b.Sockets, "sslmode": ""}},
		{name: "by name", params: map[string]string{"host": "localhost"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var old provider.Credential
			next := ""
			switch {
			case c.single:
				old = b.one(t)
			case c.alone:
				old = b.one(t)
				next = old.ID + "_b"
				old.Params["users"] = old.ID + "," + next
			default:
				old = b.two(t)
				next = old.ID + "_b"
			}
			maps.Copy(old.Params, c.params)
			named := strings.NewReplacer("OLD", old.ID, "NEXT", next)
			if c.sql != "" {
				b.Exec(t, named.Replace(c.sql))
			}
			admin := b.admin
			if c.admin != "" {
				admin = lame(t, c.admin)
			}
			admin.Params = nil
			before := b.state(t)
			plan, err := postgres.Provider{}.Plan(t.Context(), admin, old)
			if b.state(t) != before {
				t.Error("it changed something")
			}
			text := strings.Join(plan.Notes, "; ")
			if e := new(provider.Error); errors.As(err, &e) {
				text = e.Error() + " → " + e.Hint
			}
			t.Log(text)
			if kind(err) != c.kind || (err != nil) != (c.kind != "") || !strings.Contains(text, named.Replace(c.want)) {
				t.Errorf("%q: %v", kind(err), text)
			}
			if err == nil && plan.InPlace != c.single {
				t.Errorf("in place: %v", plan.InPlace)
			}
		})
	}
}

// The one whose password is about to change must not be one that somebody uses.
func testInUse(t *testing.T, b bench) {
	old := b.two(t)
	other := old.ID + "_b"
	b.Exec(t, "ALTER ROLE "+other+" PASSWORD '"+reveal(old)+"'")
	b.Connect(t, other, reveal(old))
	if _, err := (postgres.Provider{}).Plan(t.Context(), b.admin, old); kind(err) != provider.Refused || !strings.Contains(err.Error(), "in use: 1 sessions") {
		t.Error(err)
	}
}

func testValidDays(t *testing.T, b bench) {
	p := postgres.Provider{}
	old := b.one(t)
	old.Params["valid_days"] = "7"
	next := must(p.Make(t.Context(), old))(t)
	if err := p.Apply(t.Context(), b.admin, old, next); err != nil {
		t.Fatal(err)
	}
	probe := must(p.Verify(t.Context(), next))(t)
	if left := time.Until(probe.Who.Expires); left < 6*24*time.Hour || left > 8*24*time.Hour {
		t.Errorf("it is good for %v", left)
	}
}

// What the server says of a credential, and what that means.
func testStates(t *testing.T, b bench) {
	b.Exec(t, "CREATE DATABASE closed")
	b.Exec(t, "REVOKE CONNECT ON DATABASE closed FROM PUBLIC")
	for _, c := range []struct {
		name   string
		attrs  string
		params map[string]string
		want   provider.State // "" for an error
		code   string
	}{
		{name: "live", want: provider.Alive},
		{name: "nologin", attrs: "NOLOGIN", want: provider.Dead, code: "28000"},
		{name: "expired", attrs: "VALID UNTIL '2001-01-01'", want: provider.Dead, code: "28P01"},
		{name: "barred", want: provider.Blocked, code: "28000 pg_hba.conf rejects"},
		{name: "crowded", attrs: "CONNECTION LIMIT 0", want: provider.Throttled, code: "53300 too many"},
		{name: "elsewhere", params: map[string]string{"database": "nosuch"}, want: provider.Narrow, code: "3D000 database"},
		{name: "outside", params: map[string]string{"database": "closed"}, want: provider.Narrow, code: "42501 permission denied"},
		{name: "trusted", want: ""}, // any password would do
		{name: "plain", want: ""},   // it would be sent in the clear
		{name: "plain", params: map[string]string{"sslmode": "verify-full", "sslrootcert": b.Roots}, want: provider.Alive},
		{name: "hashed", want: provider.Alive},
	} {
		t.Run(c.name, func(t *testing.T) {
			cred := b.credential(c.name, rand.Text())
			b.Exec(t, "DROP ROLE IF EXISTS "+c.name+"; CREATE ROLE "+c.name+" LOGIN "+strings.ReplaceAll(c.attrs, "NOLOGIN", "")+" PASSWORD '"+reveal(cred)+"'")
			if c.attrs == "NOLOGIN" {
				b.Exec(t, "ALTER ROLE "+c.name+" NOLOGIN")
			}
			maps.Copy(cred.Params, c.params)
			probe, err := postgres.Provider{}.Verify(t.Context(), cred)
			t.Log(probe, err)
			if c.want == "" {
				if kind(err) != provider.Refused {
					t.Errorf("%+v, %v", probe, err)
				}
				return
			}
			if err != nil || probe.State != c.want || !strings.HasPrefix(probe.Code, c.code) {
				t.Errorf("%+v, %v", probe, err)
			}
		})
	}
}

// Two that take turns have the same scopes, though one may be a member of the other.
func testScopes(t *testing.T, b bench) {
	p := postgres.Provider{}
	old := b.two(t)
	b.Exec(t, "GRANT "+old.ID+" TO "+old.ID+"_b; GRANT pg_monitor TO "+old.ID+"_owner; ALTER ROLE "+old.ID+" CREATEDB; ALTER ROLE "+old.ID+"_b CREATEDB")
	next := must(p.Make(t.Context(), old))(t)
	if err := p.Apply(t.Context(), b.admin, old, next); err != nil {
		t.Fatal(err)
	}
	a, c := must(p.Verify(t.Context(), old))(t), must(p.Verify(t.Context(), next))(t)
	if !slices.Equal(a.Who.Scopes, c.Who.Scopes) || a.Who.Account != c.Who.Account || a.Who.ID == c.Who.ID {
		t.Errorf("%+v and %+v", a.Who, c.Who)
	}
	for _, s := range []string{"CREATEDB", "pg_monitor", old.ID + "_owner"} {
		if !slices.Contains(a.Who.Scopes, s) {
			t.Errorf("%s is not in %v", s, a.Who.Scopes)
		}
	}
}

// What the environment says of servers and passwords is not listened to.
func testEnvironment(t *testing.T, b bench) {
	for name, value := range map[string]string{"PGHOST": "db.example.com", "PGPORT": "1", "PGUSER": "x", "PGPASSWORD": "x", "PGDATABASE": "x", "PGSSLMODE": "require", "PGSSLROOTCERT": "/nowhere",
		"PGOPTIONS": "-c role=nobody", "PGTARGETSESSIONATTRS": "standby", "PGREQUIREAUTH": "none", "PGCHANNELBINDING": "require", "PGCONNECT_TIMEOUT": "x", "PGSSLNEGOTIATION": "direct", "PGSSLCERT": "/nowhere", "PGSSLKEY": "/nowhere"} {
		t.Setenv(name, value)
	}
	c := provider.Credential{Parts: map[string]secret.Value{"user": secret.New([]byte(b.User)), "password": secret.New([]byte(b.Password))},
		Params: map[string]string{"host": b.Host, "port": b.Port, "sslmode": "disable"}}
	if probe, err := (postgres.Provider{}).Verify(t.Context(), c); err != nil || probe.State != provider.Alive {
		t.Errorf("%+v, %v", probe, err)
	}
}
