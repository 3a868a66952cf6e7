package mysql_test

import (
	"crypto/rand"
	"errors"
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

// TestMySQL starts the server that all the tests share.
func TestMySQL(t *testing.T) {
	t.Parallel() // with MariaDB's: both wait for most of the time
	s := mysqlserver.StartMySQL(t)
	for _, test := range []struct {
		name string
		run  func(*testing.T, *mysqlserver.Server)
	}{
		{"conformance", testDualConformance},
		{"names", testDualNames},
		{"sessions", testDualSessions},
		{"again", testDualAgain},
		{"several hosts", testDualSeveralHosts},
		{"keeps what it has", testDualKeeps},
		{"another form of hashes", testDualForms},
		{"another has come", testDualAnotherHasCome},
		{"no room", testDualNoRoom},
		{"by itself", testDualByItself},
		{"plan", testDualPlan},
		{"states", testDualStates},
		{"ways", testDualWays},
		{"found", testFoundAtMySQL},
		{"the other kind", testMariaDBAtMySQL},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, s) })
	}
}

func testDualConformance(t *testing.T, s *mysqlserver.Server) {
	providertest.Provider(t, providertest.Subject{
		Provider: mysql.MySQL{}, Admin: s.Admin, New: s.One, Accepts: s.Accepts, DeadCode: "1045",
		Addr: net.JoinHostPort("127.0.0.1", s.Port), Wire: true,
		At: func(addr string, c provider.Credential) (provider.Provider, provider.Credential) {
			_, c = at(addr, c)
			return mysql.MySQL{}, c
		},
	})
}

// next makes a successor.
func next(t *testing.T, s *mysqlserver.Server, old provider.Credential) provider.Credential {
	t.Helper()
	p := mysql.MySQL{}
	must(p.Plan(t.Context(), s.Admin, old))(t)
	c := must(p.Make(t.Context(), old))(t)
	if err := p.Apply(t.Context(), s.Admin, old, c); err != nil {
		t.Fatal(err)
	}
	return c
}

func testDualNames(t *testing.T, s *mysqlserver.Server) {
	for _, name := range []string{`Up per`, `qu"ote`, `apo'strophe`, "back`tick", `per%cent?`, `x'; DROP USER kwadmin; --`, `back\slash`, `ünïcode`, `at@sign`, `x TO y`, strings.Repeat("n", 32)} {
		t.Run(name, func(t *testing.T) {
			old := s.Credential(name, rand.Text())
			s.Do(t, "CREATE USER "+quoted(name)+"@'%' IDENTIFIED BY '"+reveal(old)+"'")
			c := next(t, s, old)
			if !s.Accepts(t, c) || !s.Accepts(t, old) {
				t.Error("one of them is refused")
			}
			if err := (mysql.MySQL{}).Revoke(t.Context(), s.Admin, old, c); err != nil {
				t.Fatal(err)
			}
			if !s.Accepts(t, c) || s.Accepts(t, old) {
				t.Error("the server accepts the wrong one")
			}
		})
	}
}

// Sessions go on until the old password is revoked, and all of the user end then, and of
// nobody else.
func testDualSessions(t *testing.T, s *mysqlserver.Server) {
	old, other := s.One(t), s.One(t)
	upper := s.Credential(strings.ToUpper(old.ID), rand.Text())
	s.Do(t, "CREATE USER "+upper.ID+"@'%' IDENTIFIED BY '"+reveal(upper)+"'")
	before, beside, like := s.Connect(t, old), s.Connect(t, other), s.Connect(t, upper)
	c := next(t, s, old)
	after := s.Connect(t, c)
	if !before.Alive() {
		t.Error("a session was ended early")
	}
	if err := (mysql.MySQL{}).Revoke(t.Context(), s.Admin, old, c); err != nil {
		t.Fatal(err)
	}
	if before.Alive() || after.Alive() {
		t.Error("a session of the user goes on")
	}
	if !beside.Alive() || !like.Alive() {
		t.Error("a session of another user was ended")
	}
}

// passwords are how many accounts of a user have a primary and a secondary one.
func passwords(t *testing.T, s *mysqlserver.Server, user string) string {
	t.Helper()
	return strings.Join(s.Do(t, "SELECT CONCAT(COUNT(NULLIF(authentication_string, '')), ' and ', COUNT(User_attributes->>'$.additional_password')) FROM mysql.user WHERE User = '"+user+"'"), "")
}

// What a process was killed in is done once more, and whatever was done by then, both
// passwords are what they are to be.
func testDualAgain(t *testing.T, s *mysqlserver.Server) {
	p := mysql.MySQL{}
	t.Run("to and fro", func(t *testing.T) {
		old := s.One(t)
		c := must(p.Make(t.Context(), old))(t)
		for range 2 {
			if err := p.Revoke(t.Context(), s.Admin, c, old); err != nil { // it was never applied
				t.Fatal(err)
			}
			for range 2 {
				if err := p.Apply(t.Context(), s.Admin, old, c); err != nil {
					t.Fatal(err)
				}
				if !s.Accepts(t, old) || !s.Accepts(t, c) || passwords(t, s, old.ID) != "1 and 1" {
					t.Fatal("it is not so that both are accepted")
				}
			}
			for range 2 {
				if err := p.Revoke(t.Context(), s.Admin, c, old); err != nil {
					t.Fatal(err)
				}
				if !s.Accepts(t, old) || s.Accepts(t, c) || passwords(t, s, old.ID) != "1 and 0" {
					t.Fatal("the old one is not the only one")
				}
			}
		}
	})
	t.Run("taken back half-way", func(t *testing.T) {
		old := s.One(t)
		c := next(t, s, old)
		s.Do(t, "SELECT CONCAT('ALTER USER "+old.ID+"@\\'%\\' IDENTIFIED WITH caching_sha2_password AS ', QUOTE(User_attributes->>'$.additional_password')) FROM mysql.user WHERE User = '"+old.ID+"' INTO @sql;\nPREPARE back FROM @sql;\nEXECUTE back")
		if !s.Accepts(t, old) || s.Accepts(t, c) || passwords(t, s, old.ID) != "1 and 1" {
			t.Fatal("the test has not brought it half-way")
		}
		must(p.Plan(t.Context(), s.Admin, old))(t) // what is there twice is no other
		if err := p.Revoke(t.Context(), s.Admin, c, old); err != nil {
			t.Fatal(err)
		}
		if !s.Accepts(t, old) || passwords(t, s, old.ID) != "1 and 0" {
			t.Error("the old one is not the only one")
		}
	})
	t.Run("some accounts only", func(t *testing.T) {
		old := s.One(t)
		c := next(t, s, old)
		s.Do(t, "CREATE USER "+old.ID+"@'127.0.0.1' IDENTIFIED BY '"+reveal(old)+"'")
		if err := p.Apply(t.Context(), s.Admin, old, c); err != nil {
			t.Fatal(err)
		}
		if !s.Accepts(t, old) || !s.Accepts(t, c) || passwords(t, s, old.ID) != "2 and 2" {
			t.Error("it is not so that both are accepted")
		}
	})
}

// All accounts of a name are one user: the old password is dead from wherever it comes.
func testDualSeveralHosts(t *testing.T, s *mysqlserver.Server) {
	p := mysql.MySQL{}
	old := s.One(t)
	s.Do(t, "CREATE USER "+old.ID+"@'127.%' IDENTIFIED BY '"+reveal(old)+"', "+old.ID+"@localhost IDENTIFIED BY '"+reveal(old)+"'")
	c := next(t, s, old)
	if passwords(t, s, old.ID) != "3 and 3" {
		t.Error(passwords(t, s, old.ID))
	}
	if err := p.Revoke(t.Context(), s.Admin, old, c); err != nil {
		t.Fatal(err)
	}
	if passwords(t, s, old.ID) != "3 and 0" {
		t.Error(passwords(t, s, old.ID))
	}
	for _, host := range []string{"127.%", "%"} { // from the most particular on, each is asked by itself
		if !s.Accepts(t, c) || s.Accepts(t, old) {
			t.Errorf("%s accepts the wrong one", host)
		}
		s.Do(t, "DROP USER "+old.ID+"@'"+host+"'")
	}
}

// What an account must do to be let in, and how often it may, stays, and policies for
// passwords that people choose are not in the way.
func testDualKeeps(t *testing.T, s *mysqlserver.Server) {
	p := mysql.MySQL{}
	s.Do(t, "INSTALL COMPONENT 'file://component_validate_password'")
	defer s.Do(t, "UNINSTALL COMPONENT 'file://component_validate_password'")
	old := s.Credential("keeps", "Aa1%"+rand.Text())
	s.Do(t, "CREATE USER keeps@'%' IDENTIFIED BY '"+reveal(old)+"' REQUIRE SSL WITH MAX_USER_CONNECTIONS 7 PASSWORD EXPIRE INTERVAL 90 DAY PASSWORD HISTORY 5 PASSWORD REUSE INTERVAL 365 DAY PASSWORD REQUIRE CURRENT FAILED_LOGIN_ATTEMPTS 4 PASSWORD_LOCK_TIME 3 ATTRIBUTE '{\"team\": \"shop\"}'")
	show := func() string {
		_, rest, _ := strings.Cut(s.Do(t, "SHOW CREATE USER keeps@'%'")[0], "REQUIRE")
		return rest
	}
	before := show()
	c := next(t, s, old)
	if show() != before || !strings.Contains(before, "90 DAY") || !strings.Contains(before, "shop") {
		t.Errorf("%s: it was %s", show(), before)
	}
	for range 2 { // there and back, although the old one was had before
		if err := p.Revoke(t.Context(), s.Admin, c, old); err != nil {
			t.Fatal(err)
		}
		if err := p.Apply(t.Context(), s.Admin, old, c); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Revoke(t.Context(), s.Admin, old, c); err != nil {
		t.Fatal(err)
	}
	if show() != before {
		t.Errorf("%s: it was %s", show(), before)
	}
}

// A server that would have whoever logs in change a password that is kept in another form is
// given the form that it wants.
func testDualForms(t *testing.T, s *mysqlserver.Server) {
	if len(s.Do(t, "SHOW VARIABLES LIKE 'caching_sha2_password_storage_format'")) == 0 {
		t.Skip("this MySQL knows one form")
	}
	p := mysql.MySQL{}
	old := s.One(t)
	defer s.Do(t, "SET GLOBAL caching_sha2_password_storage_format = DEFAULT;\nSET GLOBAL caching_sha2_password_enforce_storage_format = DEFAULT")
	s.Do(t, "SET GLOBAL caching_sha2_password_storage_format = 'PBKDF2_SHA512'")
	c := next(t, s, old) // from one to the other
	if err := p.Revoke(t.Context(), s.Admin, old, c); err != nil {
		t.Fatal(err)
	}
	s.Do(t, "ALTER USER kwadmin@'%' IDENTIFIED BY '"+reveal(s.Admin)+"', boss@'%' IDENTIFIED BY '"+s.Boss+"';\nSET GLOBAL caching_sha2_password_enforce_storage_format = ON")
	d := next(t, s, c)
	for _, c := range []provider.Credential{c, d} {
		if probe := must(p.Verify(t.Context(), c))(t); probe.State != provider.Alive {
			t.Error(probe)
		}
	}
	if err := p.Revoke(t.Context(), s.Admin, d, c); err != nil {
		t.Fatal(err)
	}
	if !s.Accepts(t, c) || s.Accepts(t, d) {
		t.Error("the server accepts the wrong one")
	}
}

// Who has got another password since is left alone.
func testDualAnotherHasCome(t *testing.T, s *mysqlserver.Server) {
	p := mysql.MySQL{}
	old := s.One(t)
	c := next(t, s, old)
	newer := s.Credential(old.ID, rand.Text())
	s.Do(t, "ALTER USER "+old.ID+"@'%' IDENTIFIED BY '"+reveal(newer)+"' RETAIN CURRENT PASSWORD")
	for range 2 {
		if err := p.Revoke(t.Context(), s.Admin, old, c); err != nil {
			t.Fatal(err)
		}
		if !s.Accepts(t, newer) || !s.Accepts(t, c) || s.Accepts(t, old) {
			t.Error("the server accepts the wrong ones")
		}
	}
}

// A password that would end is known before anything changes, and when it comes to that.
func testDualNoRoom(t *testing.T, s *mysqlserver.Server) {
	p := mysql.MySQL{}
	for _, c := range []struct {
		name, sql string // OLD is the old password
		kind      provider.Kind
		want      string
	}{
		{"one is retained", "ALTER USER U IDENTIFIED BY 'first';\nALTER USER U IDENTIFIED BY 'OLD' RETAIN CURRENT PASSWORD", provider.NoSlot, "DISCARD OLD PASSWORD"},
		{"it is the retained one", "ALTER USER U IDENTIFIED BY 'newer' RETAIN CURRENT PASSWORD", provider.NoSlot, "store the newer one"},
		{"it is none", "ALTER USER U IDENTIFIED BY 'other'", provider.Refused, "another password than the key's"},
		{"it is neither", "ALTER USER U IDENTIFIED BY 'other';\nALTER USER U IDENTIFIED BY 'third' RETAIN CURRENT PASSWORD", provider.Refused, "another password than the key's"},
	} {
		t.Run(c.name, func(t *testing.T) {
			old := s.One(t)
			s.Do(t, strings.NewReplacer(" U ", " "+old.ID+"@'%' ", "'OLD'", "'"+reveal(old)+"'").Replace(c.sql))
			made := must(p.Make(t.Context(), old))(t)
			before := dualState(t, s)
			_, err := p.Plan(t.Context(), s.Admin, old)
			for what, err := range map[string]error{"plan": err, "apply": p.Apply(t.Context(), s.Admin, old, made)} {
				e := new(provider.Error)
				if !errors.As(err, &e) || e.Kind != c.kind || !strings.Contains(e.Error()+" → "+e.Hint, c.want) {
					t.Errorf("%s: %v, %+v", what, err, e)
				}
			}
			if dualState(t, s) != before {
				t.Error("it changed something")
			}
		})
	}
}

// A user that may change all does so for itself, too. One that may change its own password
// alone would have to send it, and is refused.
func testDualByItself(t *testing.T, s *mysqlserver.Server) {
	p := mysql.MySQL{}
	old := s.One(t)
	s.Do(t, "GRANT APPLICATION_PASSWORD_ADMIN ON *.* TO "+old.ID+"@'%'")
	if _, err := p.Plan(t.Context(), old, old); kind(err) != provider.Forbidden {
		t.Error(err)
	}
	s.Do(t, "GRANT CREATE USER, PROCESS, CONNECTION_ADMIN, SYSTEM_USER ON *.* TO "+old.ID+"@'%';\nGRANT SELECT ON mysql.* TO "+old.ID+"@'%'")
	must(p.Plan(t.Context(), old, old))(t)
	c := must(p.Make(t.Context(), old))(t)
	for range 2 {
		if err := p.Apply(t.Context(), old, old, c); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Revoke(t.Context(), c, old, c); err != nil {
		t.Fatal(err)
	}
	if !s.Accepts(t, c) || s.Accepts(t, old) {
		t.Error("the server accepts the wrong one")
	}
}

// dualState is all that the server knows of users.
func dualState(t *testing.T, s *mysqlserver.Server) string {
	t.Helper()
	return strings.Join(slices.Concat(
		s.Do(t, "SELECT CONCAT_WS(' ', Host, User, plugin, authentication_string, User_attributes, account_locked, password_expired, password_last_changed) FROM mysql.user ORDER BY 1"),
		s.Do(t, "SELECT CONCAT_WS(' ', HOST, USER, PRIV) FROM mysql.global_grants ORDER BY 1")), "\n")
}

func testDualPlan(t *testing.T, s *mysqlserver.Server) {
	s.Do(t, "CREATE ROLE keepers;\nGRANT CREATE USER, CONNECTION_ADMIN, PROCESS ON *.* TO keepers;\nGRANT SELECT ON mysql.* TO keepers")
	for _, c := range []struct {
		name   string
		sql    string   // before; U is the user
		reset  string   // after
		admin  []string // what is granted to who asks, instead of the usual
		params map[string]string
		kind   provider.Kind // "" for none
		want   string        // in the error and its hint, or in the notes
	}{
		{name: "all is well", want: "all sessions of USER are ended"},
		{name: "by a role", admin: []string{"keepers"}},
		{name: "by one who may do everything", admin: []string{"ALL ON *.*"}},
		{name: "may not change users", admin: []string{"CONNECTION_ADMIN, PROCESS ON *.*", "SELECT ON mysql.*"}, kind: provider.Forbidden, want: "lacks CREATE USER → GRANT CREATE USER ON *.* TO"},
		{name: "may not end sessions", admin: []string{"CREATE USER, PROCESS ON *.*", "SELECT ON mysql.*"}, kind: provider.Forbidden, want: "lacks CONNECTION_ADMIN"},
		{name: "may not see sessions", admin: []string{"CREATE USER, CONNECTION_ADMIN ON *.*", "SELECT ON mysql.*"}, kind: provider.Forbidden, want: "lacks PROCESS"},
		{name: "may not see users", admin: []string{"CREATE USER, CONNECTION_ADMIN, PROCESS ON *.*"}, kind: provider.Forbidden, want: "GRANT SELECT ON mysql.* TO"},
		{name: "a user of the system's", sql: "GRANT SYSTEM_USER ON *.* TO U", kind: provider.Forbidden, want: "lacks SYSTEM_USER"},
		{name: "the user is not there", sql: "DROP USER U", kind: provider.Refused, want: "no user USER"},
		{name: "another method", sql: "ALTER USER U IDENTIFIED WITH sha256_password BY 'x'", kind: provider.Refused, want: "logs in by sha256_password"},
		{name: "two factors", sql: "INSTALL PLUGIN auth_socket SONAME 'auth_socket.so';\nALTER USER U ADD 2 FACTOR IDENTIFIED WITH auth_socket", kind: provider.Refused, want: "more than a password"},
		{name: "no password", sql: "ALTER USER U IDENTIFIED BY ''", kind: provider.Refused, want: "has no password"},
		{name: "two passwords", sql: "CREATE USER USER@localhost IDENTIFIED BY 'x'", kind: provider.Refused, want: "USER@localhost has another password"},
		{name: "blocked soon", sql: "ALTER USER U FAILED_LOGIN_ATTEMPTS 2 PASSWORD_LOCK_TIME 1", kind: provider.Refused, want: "FAILED_LOGIN_ATTEMPTS 3"},
		{name: "blocked late", sql: "ALTER USER U FAILED_LOGIN_ATTEMPTS 5 PASSWORD_LOCK_TIME 1", want: "blocked after 5 wrong passwords"},
		{name: "read-only", sql: "SET GLOBAL read_only = 1", reset: "SET GLOBAL read_only = 0", kind: provider.Refused, want: "name the primary"},
		{name: "another mode", params: map[string]string{"sslmode": "prefer"}, kind: provider.Incomplete, want: "prefer"},
		{name: "not its certificate", params: map[string]string{"sslrootcert": ""}, kind: provider.Unreached, want: "certificate"},
		{name: "anybody's certificate", params: map[string]string{"sslmode": "verify-ca", "sslrootcert": ""}, kind: provider.Incomplete, want: "needs sslrootcert"},
		{name: "without TLS", params: map[string]string{"sslmode": "disable"}, kind: provider.Refused, want: "Unix socket"},
		{name: "a socket", params: map[string]string{"host": s.Path("socket")}},
	} {
		t.Run(c.name, func(t *testing.T) {
			old := s.One(t)
			maps.Copy(old.Params, c.params)
			named := strings.NewReplacer("USER@", old.ID+"@", "of USER ", "of "+old.ID+" ", "no user USER", "no user "+old.ID, " U ", " "+old.ID+"@'%' ")
			if c.sql != "" {
				s.Do(t, strings.TrimSuffix(named.Replace(c.sql+" "), " "))
			}
			if c.reset != "" {
				defer s.Do(t, c.reset)
			}
			admin := s.Admin
			if c.admin != nil {
				admin = s.Credential("adm_"+strings.ToLower(rand.Text()[:8]), rand.Text())
				s.Do(t, "CREATE USER "+admin.ID+"@'%' IDENTIFIED BY '"+reveal(admin)+"'")
				for _, right := range c.admin {
					s.Do(t, "GRANT "+right+" TO "+admin.ID+"@'%'")
				}
				if !strings.Contains(c.admin[0], " ") {
					s.Do(t, "SET DEFAULT ROLE "+c.admin[0]+" TO "+admin.ID+"@'%'")
				}
			}
			admin.Params = nil
			before := dualState(t, s)
			plan, err := mysql.MySQL{}.Plan(t.Context(), admin, old)
			if dualState(t, s) != before {
				t.Error("it changed something")
			}
			text := strings.Join(plan.Notes, "; ")
			if e := new(provider.Error); errors.As(err, &e) {
				text = e.Error() + " → " + e.Hint
			}
			t.Log(text)
			if kind(err) != c.kind || (err != nil) != (c.kind != "") || !strings.Contains(text, named.Replace(c.want)) || plan.InPlace {
				t.Errorf("%q: %v", kind(err), text)
			}
		})
	}
}

// What the server says of a credential, and what that means.
func testDualStates(t *testing.T, s *mysqlserver.Server) {
	for _, c := range []struct {
		name string
		sql  string // U is the user
		want provider.State
		code string
	}{
		{name: "live", want: provider.Alive},
		{name: "locked", sql: "ALTER USER U ACCOUNT LOCK", want: provider.Dead, code: "3118"},
		{name: "dropped", sql: "DROP USER U", want: provider.Dead, code: "1045"},
		{name: "expired", sql: "ALTER USER U PASSWORD EXPIRE", want: provider.Narrow, code: "18"},
		{name: "crowded", sql: "ALTER USER U WITH MAX_CONNECTIONS_PER_HOUR 1", want: provider.Throttled, code: "1226 "},
		{name: "blocked for wrong ones", sql: "ALTER USER U FAILED_LOGIN_ATTEMPTS 1 PASSWORD_LOCK_TIME 1", want: provider.Unknown, code: "3955 "},
	} {
		t.Run(c.name, func(t *testing.T) {
			cred := s.One(t)
			if c.sql != "" {
				s.Do(t, strings.ReplaceAll(c.sql, "USER U", "USER "+cred.ID+"@'%'"))
			}
			switch c.want {
			case provider.Throttled:
				s.Accepts(t, cred)
			case provider.Unknown:
				s.Accepts(t, providertest.Wrong(cred, "password"))
			}
			probe, err := mysql.MySQL{}.Verify(t.Context(), cred)
			t.Log(probe, err)
			if err != nil || probe.State != c.want || !strings.HasPrefix(probe.Code, c.code) {
				t.Errorf("%+v, %v", probe, err)
			}
		})
	}
}

// The password is told over TLS, or at a Unix socket.
func testDualWays(t *testing.T, s *mysqlserver.Server) {
	for name, params := range map[string]map[string]string{"TLS": nil, "its own roots": {"sslmode": "verify-ca"}, "a socket": {"host": s.Path("socket"), "sslrootcert": ""}} {
		cred := s.One(t)
		maps.Copy(cred.Params, params)
		wrong := providertest.Wrong(cred, "password")
		for _, want := range []provider.State{provider.Dead, provider.Alive, provider.Alive} {
			c := cred
			if want == provider.Dead {
				c = wrong
			}
			if probe, err := (mysql.MySQL{}).Verify(t.Context(), c); err != nil || probe.State != want {
				t.Errorf("%s: %+v, %v", name, probe, err)
			}
		}
	}
}

// A key that is said to be MariaDB's, at a MySQL.
func testMariaDBAtMySQL(t *testing.T, s *mysqlserver.Server) {
	for _, mode := range []string{"verify-full", "disable"} {
		old := s.One(t)
		old.Params["sslmode"] = mode
		_, err := mysql.MariaDB{}.Plan(t.Context(), s.Admin, old)
		if e := new(provider.Error); !errors.As(err, &e) || e.Kind != provider.Refused || !strings.Contains(e.Hint, "provider be mysql") {
			t.Errorf("%s: %v", mode, err)
		}
	}
}

// Whoever found an address may try it: to log in is the same. What is refused may be refused
// for the address that it is tried from.
func testFoundAtMySQL(t *testing.T, s *mysqlserver.Server) {
	c := s.One(t)
	c.Found = true
	for tried, want := range map[*provider.Credential]provider.State{&c: provider.Alive, new(providertest.Wrong(c, "password")): provider.Unknown} {
		probe, err := mysql.MariaDB{}.Verify(t.Context(), *tried)
		if err != nil || probe.State != want {
			t.Errorf("%+v, %v; want %s", probe, err, want)
		}
	}
}
