package mysql_test

import (
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/provider/mysql"
	"github.com/keywright/keywright/provider/providertest"
	"github.com/keywright/keywright/provider/providertest/mysqlserver"
)

// TestMariaDB starts the server that all the tests share.
func TestMariaDB(t *testing.T) {
	t.Parallel()
	s := mysqlserver.StartMariaDB(t)
	for _, test := range []struct {
		name string
		run  func(*testing.T, *mysqlserver.Server)
	}{
		{"conformance", testConformance},
		{"names", testNames},
		{"sessions in place", testSessionsInPlace},
		{"by itself", testByItself},
		{"several hosts", testSeveralHosts},
		{"keeps what it has", testKeeps},
		{"another has come", testAnotherHasCome},
		{"plan", testPlan},
		{"the server's settings", testSettings},
		{"states", testStates},
		{"scopes", testScopes},
		{"the other kind", testMySQLAtMariaDB},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, s) })
	}
}

func at(addr string, c provider.Credential) (provider.Provider, provider.Credential) {
	c.Params = maps.Clone(c.Params)
	c.Params["host"], c.Params["port"], _ = net.SplitHostPort(addr)
	return mysql.MariaDB{}, c
}

func testConformance(t *testing.T, s *mysqlserver.Server) {
	subject := providertest.Subject{
		Provider: mysql.MariaDB{}, Admin: s.Admin, Accepts: s.Accepts, DeadCode: "1045", ByID: true,
		Addr: net.JoinHostPort("127.0.0.1", s.Port), At: at, Wire: true,
	}
	t.Run("two users", func(t *testing.T) {
		subject.New = s.Two
		providertest.Provider(t, subject)
	})
	t.Run("two users, ed25519", func(t *testing.T) {
		subject := subject
		subject.At = nil
		subject.New = func(t *testing.T) provider.Credential {
			c := s.Two(t)
			s.Do(t, "ALTER USER "+c.ID+"@'%' IDENTIFIED VIA ed25519 USING PASSWORD('"+reveal(c)+"');\nALTER USER "+c.ID+"_b@'%' IDENTIFIED VIA ed25519 USING PASSWORD('')")
			return c
		}
		providertest.Provider(t, subject)
	})
	t.Run("in place, with TLS", func(t *testing.T) {
		subject.InPlace = true
		subject.New = func(t *testing.T) provider.Credential {
			c := s.One(t)
			delete(c.Params, "sslmode")
			c.Params["sslrootcert"] = s.Path("roots.pem")
			return c
		}
		subject.Admin.Params = nil // it takes the way that the others take
		subject.At = func(addr string, c provider.Credential) (provider.Provider, provider.Credential) {
			if c.ID == s.Admin.ID {
				return mysql.MariaDB{}, c
			}
			return at(addr, c)
		}
		providertest.Provider(t, subject)
	})
}

// names that would do harm if they were not quoted.
func testNames(t *testing.T, s *mysqlserver.Server) {
	for _, name := range []string{`Up per`, `qu"ote`, `apo'strophe`, "back`tick", `per%cent?`, `x'; DROP USER kwadmin; --`, `back\slash`, `ünïcode`, `at@sign`, ` TO x`, strings.Repeat("n", 78)} {
		t.Run(name, func(t *testing.T) {
			old := s.Credential(name, rand.Text())
			s.Do(t, "CREATE USER "+quoted(name)+"@'%' IDENTIFIED BY '"+reveal(old)+"';\nCREATE USER "+quoted(name+"_b")+"@'%'")
			old.Params["users"] = name + "," + name + "_b"
			if strings.TrimSpace(name) != name {
				delete(old.Params, "users")
			}
			p := mysql.MariaDB{}
			if _, err := p.Plan(t.Context(), s.Admin, old); err != nil {
				t.Fatal(err)
			}
			next := must(p.Make(t.Context(), old))(t)
			if err := p.Apply(t.Context(), s.Admin, old, next); err != nil {
				t.Fatal(err)
			}
			if err := p.Revoke(t.Context(), s.Admin, old, next); err != nil {
				t.Fatal(err)
			}
			if !s.Accepts(t, next) || s.Accepts(t, old) {
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

// In place, a session goes on until the old password is revoked, and all end then.
func testSessionsInPlace(t *testing.T, s *mysqlserver.Server) {
	p := mysql.MariaDB{}
	old, other := s.One(t), s.One(t)
	before, beside := s.Connect(t, old), s.Connect(t, other)
	next := must(p.Make(t.Context(), old))(t)
	if err := p.Apply(t.Context(), s.Admin, old, next); err != nil {
		t.Fatal(err)
	}
	if !before.Alive() {
		t.Error("a session was ended early")
	}
	if err := p.Revoke(t.Context(), s.Admin, old, next); err != nil {
		t.Fatal(err)
	}
	if before.Alive() {
		t.Error("a session of the old password goes on")
	}
	if !beside.Alive() {
		t.Error("a session of another user was ended")
	}
	if !s.Accepts(t, next) || s.Accepts(t, old) {
		t.Error("the server accepts the wrong one")
	}
}

// A user that may do nothing else can change its own password, and be asked twice.
func testByItself(t *testing.T, s *mysqlserver.Server) {
	for _, method := range []string{"mysql_native_password", "ed25519"} {
		p := mysql.MariaDB{}
		old := s.One(t)
		s.Do(t, "ALTER USER "+old.ID+"@'%' IDENTIFIED VIA "+method+" USING PASSWORD('"+reveal(old)+"')")
		if plan := must(p.Plan(t.Context(), old, old))(t); !plan.InPlace {
			t.Errorf("%+v", plan)
		}
		open := s.Connect(t, old)
		next := must(p.Make(t.Context(), old))(t)
		for range 2 {
			if err := p.Apply(t.Context(), old, old, next); err != nil {
				t.Fatal(err)
			}
		}
		if err := p.Revoke(t.Context(), next, old, next); err != nil || open.Alive() {
			t.Errorf("a session goes on: %v", err)
		}
		if !s.Accepts(t, next) || s.Accepts(t, old) {
			t.Error("the server accepts the wrong one")
		}
		never := must(p.Make(t.Context(), old))(t)
		if err := p.Apply(t.Context(), old, old, never); kind(err) != provider.Forbidden {
			t.Errorf("by a password that is gone: %v", err)
		}
	}
}

func kind(err error) provider.Kind {
	if e := new(provider.Error); errors.As(err, &e) {
		return e.Kind
	}
	return ""
}

// All accounts of a name are one user: the old password is dead from wherever it comes.
func testSeveralHosts(t *testing.T, s *mysqlserver.Server) {
	p := mysql.MariaDB{}
	for _, turns := range []bool{false, true} {
		old := s.One(t)
		names := []string{old.ID}
		if turns {
			names = append(names, old.ID+"_b")
			s.Do(t, "CREATE USER "+names[1]+"@'%'")
			old.Params["users"] = strings.Join(names, ",")
		}
		for _, n := range names {
			s.Do(t, "CREATE USER "+n+"@'10.%' IDENTIFIED BY '"+reveal(old)+"';\nCREATE USER "+n+"@localhost IDENTIFIED BY '"+reveal(old)+"'")
		}
		if turns {
			s.Do(t, "SET PASSWORD FOR "+names[1]+"@'%' = PASSWORD('"+reveal(old)+"')")
		}
		must(p.Plan(t.Context(), s.Admin, old))(t)
		next := must(p.Make(t.Context(), old))(t)
		if err := p.Apply(t.Context(), s.Admin, old, next); err != nil {
			t.Fatal(err)
		}
		if err := p.Revoke(t.Context(), s.Admin, old, next); err != nil {
			t.Fatal(err)
		}
		hash := s.Do(t, "SELECT PASSWORD('"+reveal(next)+"')")[0]
		if got := s.Do(t, "SELECT authentication_string FROM mysql.user WHERE User = '"+next.ID+"'"); !slices.Equal(got, []string{hash, hash, hash}) {
			t.Errorf("the new password has the hash %s, and the accounts have %s", hash, got)
		}
		hash = s.Do(t, "SELECT PASSWORD('"+reveal(old)+"')")[0]
		if n := s.Do(t, "SELECT COUNT(*) FROM mysql.user WHERE User = '"+old.ID+"' AND authentication_string = '"+hash+"'"); n[0] != "0" {
			t.Errorf("%s accounts have the old password", n)
		}
	}
}

// What an account must do to be let in, and how often it may, stays.
func testKeeps(t *testing.T, s *mysqlserver.Server) {
	p := mysql.MariaDB{}
	old := s.Two(t)
	other := old.ID + "_b"
	for _, u := range []string{old.ID, other} {
		s.Do(t, "ALTER USER "+u+"@'%' REQUIRE SSL WITH MAX_USER_CONNECTIONS 7 PASSWORD EXPIRE INTERVAL 90 DAY")
	}
	show := func() string {
		all := s.Do(t, "SHOW CREATE USER "+other+"@'%'")
		_, rest, _ := strings.Cut(all[0], "REQUIRE")
		return rest
	}
	before := show()
	must(p.Plan(t.Context(), s.Admin, old))(t)
	next := must(p.Make(t.Context(), old))(t)
	if err := p.Apply(t.Context(), s.Admin, old, next); err != nil {
		t.Fatal(err)
	}
	if want := strings.ReplaceAll(before, " ACCOUNT LOCK", ""); show() != want || !strings.Contains(want, "90 DAY") {
		t.Errorf("%s: it was %s", show(), want)
	}
}

// Who has got another password since is left alone.
func testAnotherHasCome(t *testing.T, s *mysqlserver.Server) {
	p := mysql.MariaDB{}
	old := s.Two(t)
	next := must(p.Make(t.Context(), old))(t)
	if err := p.Apply(t.Context(), s.Admin, old, next); err != nil {
		t.Fatal(err)
	}
	newer := s.Credential(old.ID, rand.Text())
	s.Do(t, "SET PASSWORD FOR "+old.ID+"@'%' = PASSWORD('"+reveal(newer)+"')")
	if err := p.Revoke(t.Context(), s.Admin, old, next); err != nil {
		t.Fatal(err)
	}
	if !s.Accepts(t, newer) || s.Accepts(t, old) {
		t.Error("the server accepts the wrong one")
	}
}

// state is all that the server knows of users.
func state(t *testing.T, s *mysqlserver.Server) string {
	t.Helper()
	return strings.Join(slices.Concat(
		s.Do(t, "SELECT CONCAT_WS(' ', Host, User, Priv) FROM mysql.global_priv ORDER BY 1"),
		s.Do(t, "SELECT CONCAT_WS(' ', Host, User, Role, Admin_option) FROM mysql.roles_mapping ORDER BY 1"),
		s.Do(t, "SELECT CONCAT_WS(' ', Host, User, Db, Select_priv, Insert_priv) FROM mysql.db ORDER BY 1")), "\n")
}

func testPlan(t *testing.T, s *mysqlserver.Server) {
	s.Do(t, "CREATE DATABASE shop;\nCREATE TABLE shop.orders (id INT, price INT);\nCREATE ROLE keepers;\nGRANT CREATE USER, CONNECTION ADMIN, PROCESS ON *.* TO keepers;\nGRANT SELECT ON mysql.* TO keepers")
	for _, c := range []struct {
		name   string
		sql    string   // before; OLD and NEXT are the two users
		single bool     // there is but one
		admin  []string // what is granted to who asks, instead of the usual
		params map[string]string
		kind   provider.Kind // "" for none
		want   string        // in the error and its hint, or in the notes
	}{
		{name: "all is well"},
		{name: "in place", single: true, want: "all sessions of OLD are ended"},
		{name: "by a role", admin: []string{"keepers"}},
		{name: "by one who may do everything", admin: []string{"ALL PRIVILEGES ON *.*"}},
		{name: "may not change users", admin: []string{"CONNECTION ADMIN, PROCESS ON *.*", "SELECT ON mysql.*"}, kind: provider.Forbidden, want: "lacks CREATE USER → GRANT CREATE USER ON *.* TO"},
		{name: "may not end sessions", admin: []string{"CREATE USER, PROCESS ON *.*", "SELECT ON mysql.*"}, kind: provider.Forbidden, want: "lacks CONNECTION ADMIN"},
		{name: "may not see sessions", single: true, admin: []string{"CREATE USER, CONNECTION ADMIN ON *.*", "SELECT ON mysql.*"}, kind: provider.Forbidden, want: "lacks PROCESS"},
		{name: "may do nothing", single: true, admin: []string{"SELECT ON mysql.*"}, kind: provider.Forbidden, want: "lacks CREATE USER, CONNECTION ADMIN, PROCESS"},
		{name: "may not see users", admin: []string{"CREATE USER, CONNECTION ADMIN, PROCESS ON *.*"}, kind: provider.Forbidden, want: "GRANT SELECT ON mysql.* TO"},
		{name: "the user is not there", sql: "DROP USER OLD@'%'", kind: provider.Refused, want: "no user OLD"},
		{name: "the other is not there", sql: "DROP USER NEXT@'%'", kind: provider.Refused, want: "no user NEXT"},
		{name: "it is a role", sql: "DROP USER NEXT@'%';\nCREATE ROLE NEXT", kind: provider.Refused, want: "no user NEXT"},
		{name: "none of the two", params: map[string]string{"users": "x,y"}, kind: provider.Incomplete, want: "none of the users"},
		{name: "not two", params: map[string]string{"users": "x,y,z"}, kind: provider.Incomplete, want: "not two users"},
		{name: "not even one", params: map[string]string{"users": "x,x"}, kind: provider.Incomplete, want: "not two users"},
		{name: "a right more", sql: "GRANT INSERT ON shop.* TO NEXT@'%'", kind: provider.Refused, want: "NEXT@% alone has INSERT ON `shop`.*"},
		{name: "a right less", sql: "GRANT INSERT ON shop.orders TO OLD@'%'", kind: provider.Refused, want: "OLD@% alone has INSERT ON `shop`.`orders`"},
		{name: "a right of a column", sql: "GRANT UPDATE (price) ON shop.orders TO OLD@'%'", kind: provider.Refused, want: "UPDATE (`price`)"},
		{name: "a right everywhere", sql: "GRANT FILE ON *.* TO OLD@'%'", kind: provider.Refused, want: "FILE ON *.*"},
		{name: "a right to give", sql: "GRANT SELECT ON shop.* TO OLD@'%';\nGRANT SELECT ON shop.* TO NEXT@'%' WITH GRANT OPTION", kind: provider.Refused, want: "WITH GRANT OPTION"},
		{name: "both have it", sql: "GRANT INSERT ON shop.* TO OLD@'%';\nGRANT INSERT ON shop.* TO NEXT@'%'"},
		{name: "another role", sql: "SET DEFAULT ROLE NONE FOR NEXT@'%'", kind: provider.Refused, want: "SET DEFAULT ROLE"},
		{name: "another limit", sql: "ALTER USER NEXT@'%' WITH MAX_USER_CONNECTIONS 3", kind: provider.Refused, want: "MAX_USER_CONNECTIONS 3"},
		{name: "needs TLS", sql: "ALTER USER NEXT@'%' REQUIRE SSL", kind: provider.Refused, want: "REQUIRE SSL"},
		{name: "expires", sql: "ALTER USER NEXT@'%' PASSWORD EXPIRE INTERVAL 9 DAY", kind: provider.Refused, want: "INTERVAL 9 DAY"},
		{name: "has expired", sql: "ALTER USER NEXT@'%' PASSWORD EXPIRE"},
		{name: "another method", sql: "ALTER USER NEXT@'%' IDENTIFIED VIA ed25519 USING PASSWORD('x')", kind: provider.Refused, want: "NEXT@% by ed25519"},
		{name: "no password", single: true, sql: "ALTER USER OLD@'%' IDENTIFIED VIA unix_socket", kind: provider.Refused, want: "logs in by unix_socket"},
		{name: "two ways", single: true, sql: "ALTER USER OLD@'%' IDENTIFIED VIA mysql_native_password USING PASSWORD('x') OR ed25519 USING PASSWORD('y')", kind: provider.Refused, want: "or other ways"},
		{name: "another host", sql: "RENAME USER NEXT@'%' TO NEXT@'10.%'", kind: provider.Refused, want: "there is no NEXT@% beside OLD@%"},
		{name: "a host more", sql: "CREATE USER NEXT@localhost", kind: provider.Refused, want: "there is no OLD@localhost beside NEXT@localhost"},
		{name: "two passwords", single: true, sql: "CREATE USER OLD@localhost IDENTIFIED BY 'x'", kind: provider.Refused, want: "not the same password"},
		{name: "another server without TLS", params: map[string]string{"host": "db.example.com"}, kind: provider.Incomplete, want: "on this machine"},
		{name: "another mode", params: map[string]string{"sslmode": "prefer"}, kind: provider.Incomplete, want: "prefer"},
		{name: "no port", params: map[string]string{"port": "70000"}, kind: provider.Incomplete, want: "70000"},
		{name: "no certificates", params: map[string]string{"sslmode": "", "sslrootcert": "/dev/null"}, kind: provider.Incomplete, want: "no certificate"},
		{name: "not its certificate", params: map[string]string{"sslmode": ""}, kind: provider.Unreached, want: "certificate"},
		{name: "a socket", params: map[string]string{"host": s.Path("socket"), "sslmode": ""}},
		{name: "by name", params: map[string]string{"host": "localhost"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			old, next := provider.Credential{}, ""
			if c.single {
				old = s.One(t)
			} else {
				old = s.Two(t)
				next = old.ID + "_b"
			}
			maps.Copy(old.Params, c.params)
			named := strings.NewReplacer("OLD", old.ID, "NEXT", next)
			if c.sql != "" {
				s.Do(t, named.Replace(c.sql))
			}
			admin := s.Admin
			if c.admin != nil {
				admin = s.One(t)
				for _, right := range c.admin {
					s.Do(t, "GRANT "+right+" TO "+admin.ID+"@'%'")
				}
				if !strings.Contains(c.admin[0], " ") {
					s.Do(t, "SET DEFAULT ROLE "+c.admin[0]+" FOR "+admin.ID+"@'%'")
				}
			}
			admin.Params = nil
			before := state(t, s)
			plan, err := mysql.MariaDB{}.Plan(t.Context(), admin, old)
			if state(t, s) != before {
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
	t.Run("in use", func(t *testing.T) {
		old := s.Two(t)
		s.Do(t, "ALTER USER "+old.ID+"_b@'%' IDENTIFIED BY '"+reveal(old)+"' ACCOUNT UNLOCK")
		s.Connect(t, s.Credential(old.ID+"_b", reveal(old)))
		if _, err := (mysql.MariaDB{}).Plan(t.Context(), s.Admin, old); kind(err) != provider.Refused || !strings.Contains(err.Error(), "in use: 1 sessions") {
			t.Error(err)
		}
	})
}

// Settings of the server that a rotation would fail at, half-way.
func testSettings(t *testing.T, s *mysqlserver.Server) {
	for _, c := range []struct {
		name, set, reset, want string
		two                    bool // so that two users may take turns all the same
	}{
		{"read-only", "SET GLOBAL read_only = 1", "SET GLOBAL read_only = 0", "name the primary", false},
		{"validated", "INSTALL SONAME 'simple_password_check'", "UNINSTALL SONAME 'simple_password_check'", "strict_password_validation", false},
		{"few errors", "SET GLOBAL max_password_errors = 3", "SET GLOBAL max_password_errors = 4294967295", "max_password_errors", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			old, two := s.One(t), s.Two(t)
			s.Do(t, c.set)
			defer s.Do(t, c.reset)
			_, err := mysql.MariaDB{}.Plan(t.Context(), s.Admin, old)
			e := new(provider.Error)
			if !errors.As(err, &e) || e.Kind != provider.Refused || !strings.Contains(e.Error()+e.Hint, c.want) {
				t.Errorf("%v, %+v", err, e)
			}
			if _, err := (mysql.MariaDB{}).Plan(t.Context(), s.Admin, two); (err == nil) != c.two {
				t.Errorf("two that take turns: %v", err)
			}
		})
	}
	t.Run("not strictly", func(t *testing.T) {
		old := s.One(t)
		s.Do(t, "INSTALL SONAME 'simple_password_check';\nSET GLOBAL strict_password_validation = 0")
		defer s.Do(t, "SET GLOBAL strict_password_validation = 1;\nUNINSTALL SONAME 'simple_password_check'")
		p := mysql.MariaDB{}
		must(p.Plan(t.Context(), s.Admin, old))(t)
		if err := p.Apply(t.Context(), s.Admin, old, must(p.Make(t.Context(), old))(t)); err != nil {
			t.Error(err)
		}
	})
}

// What the server says of a credential, and what that means.
func testStates(t *testing.T, s *mysqlserver.Server) {
	for _, c := range []struct {
		name   string
		sql    string // U is the user
		params map[string]string
		want   provider.State
		code   string
	}{
		{name: "live", want: provider.Alive},
		{name: "locked", sql: "ALTER USER U ACCOUNT LOCK", want: provider.Dead, code: "4151"},
		{name: "dropped", sql: "DROP USER U", want: provider.Dead, code: "1045"},
		{name: "expired", sql: "ALTER USER U PASSWORD EXPIRE", want: provider.Narrow, code: "1820 "},
		{name: "expired, and thrown out", sql: "SET GLOBAL disconnect_on_expired_password = 1;\nALTER USER U PASSWORD EXPIRE", want: provider.Narrow, code: "18"},
		{name: "crowded", sql: "ALTER USER U WITH MAX_CONNECTIONS_PER_HOUR 1", want: provider.Throttled, code: "1226 "},
		{name: "needs TLS, has it", sql: "ALTER USER U REQUIRE SSL", params: map[string]string{"sslmode": "verify-full", "sslrootcert": s.Path("roots.pem")}, want: provider.Alive},
		{name: "blocked for wrong ones", sql: "SET GLOBAL max_password_errors = 1", want: provider.Unknown, code: "4150 "},
		{name: "ed25519", sql: "ALTER USER U IDENTIFIED VIA ed25519 USING PASSWORD('PASS')", want: provider.Alive},
	} {
		t.Run(c.name, func(t *testing.T) {
			cred := s.One(t)
			defer s.Do(t, "SET GLOBAL disconnect_on_expired_password = 0;\nSET GLOBAL max_password_errors = 4294967295;\nFLUSH PRIVILEGES")
			if c.sql != "" {
				s.Do(t, strings.NewReplacer("USER U", "USER "+cred.ID+"@'%'", "PASS'", reveal(cred)+"'").Replace(c.sql))
			}
			switch c.want {
			case provider.Throttled:
				s.Accepts(t, cred)
			case provider.Unknown:
				s.Accepts(t, providertest.Wrong(cred, "password"))
			}
			maps.Copy(cred.Params, c.params)
			probe, err := mysql.MariaDB{}.Verify(t.Context(), cred)
			t.Log(probe, err)
			if err != nil || probe.State != c.want || !strings.HasPrefix(probe.Code, c.code) {
				t.Errorf("%+v, %v", probe, err)
			}
		})
	}
}

// Two that take turns have the same scopes, in which nobody's hash is.
func testScopes(t *testing.T, s *mysqlserver.Server) {
	p := mysql.MariaDB{}
	old := s.Two(t)
	next := must(p.Make(t.Context(), old))(t)
	if err := p.Apply(t.Context(), s.Admin, old, next); err != nil {
		t.Fatal(err)
	}
	a, b := must(p.Verify(t.Context(), old))(t), must(p.Verify(t.Context(), next))(t)
	want := []string{"`" + old.ID + "_role`", "SELECT ON `shop`.*", "SET DEFAULT ROLE `" + old.ID + "_role`"}
	if !slices.Equal(a.Who.Scopes, want) || !slices.Equal(b.Who.Scopes, want) || a.Who.ID == b.Who.ID {
		t.Errorf("%+v and %+v", a.Who, b.Who)
	}
	if text := fmt.Sprint(a, b); strings.Contains(text, "IDENTIFIED") {
		t.Error(text)
	}
}

func reveal(c provider.Credential) string { return string(c.Part("password").Reveal()) }

func quoted(name string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(name) + "'"
}

// A key that is said to be MySQL's, at a MariaDB.
func testMySQLAtMariaDB(t *testing.T, s *mysqlserver.Server) {
	for _, mode := range []string{"verify-full", "disable"} {
		old := s.One(t)
		old.Params["sslmode"], old.Params["sslrootcert"] = mode, s.Path("roots.pem")
		_, err := mysql.MySQL{}.Plan(t.Context(), s.Admin, old)
		if e := new(provider.Error); !errors.As(err, &e) || e.Kind != provider.Refused || !strings.Contains(e.Hint, "provider be mariadb") {
			t.Errorf("%s: %v", mode, err)
		}
	}
}
