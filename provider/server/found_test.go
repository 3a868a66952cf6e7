package server_test

import (
	"crypto/tls"
	"testing"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/provider/server"
	"github.com/keywright/keywright/secret"
)

func TestFoundAt(t *testing.T) {
	const rule = "database-url-password"
	type parts = map[string]string
	for _, c := range []struct {
		rule  string
		parts parts
		want  string // user password host port database; empty for none
	}{
		{rule, parts{"scheme": "one", "user": "app", "secret": "pw", "host": "db.corp.net", "port": "5433", "database": "shop"}, "app pw db.corp.net 5433 shop"},
		{rule, parts{"scheme": "ONE", "driver": "asyncpg", "secret": "pw", "host": "DB.corp.net"}, " pw db.corp.net  "},
		{rule, parts{"scheme": "two", "user": "a%40b", "secret": "p%2fw%20+", "host": "[2001:DB8::1]", "database": "a%2eb"}, "a@b p/w + 2001:db8::1  a.b"},
		{"http-url-password", parts{"scheme": "one", "secret": "pw", "host": "db"}, ""},
		{rule, parts{"scheme": "three", "secret": "pw", "host": "db"}, ""},
		{rule, parts{"secret": "pw", "host": "db"}, ""},
		{rule, parts{"scheme": "one", "secret": "pw"}, ""},
		{rule, parts{"scheme": "one", "host": "db"}, ""},
		{rule, parts{"scheme": "one", "secret": "pw", "host": "db", "port": "0"}, ""},
		{rule, parts{"scheme": "one", "secret": "pw", "host": "db", "port": "65536"}, ""},
		{rule, parts{"scheme": "one", "driver": "sentinel", "secret": "pw", "host": "db"}, ""}, // somebody else is asked there
		{rule, parts{"scheme": "one", "driver": "srv", "secret": "pw", "host": "db"}, ""},
		{rule, parts{"scheme": "one", "driver": "x:y", "secret": "pw", "host": "db"}, ""},
		{rule, parts{"scheme": "one", "secret": "p%zz", "host": "db"}, ""},
		// Nothing that another protocol could take for its own.
		{rule, parts{"scheme": "one", "secret": "p%0d%0aFLUSHALL%0d%0a", "host": "db"}, ""},
		{rule, parts{"scheme": "one", "user": "a%00b", "secret": "pw", "host": "db"}, ""},
		{rule, parts{"scheme": "one", "secret": "pw", "host": "db", "database": "a%0ab"}, ""},
		{rule, parts{"scheme": "one", "secret": "p%ff", "host": "db"}, ""},
	} {
		found := map[string]secret.Value{}
		for role, text := range c.parts {
			found[role] = secret.New([]byte(text))
		}
		got, _, ok := server.FoundAt(c.rule, found, "one", "two")
		text := ""
		if ok {
			text = provider.User(got) + " " + string(got.Part("password").Reveal()) + " " + got.Params[server.Host] + " " + got.Params[server.Port] + " " + got.Params[server.Database]
		}
		if text != c.want || ok && !got.Found {
			t.Errorf("%s %v: %q, want %q", c.rule, c.parts, text, c.want)
		}
	}
}

// TestDialled: what is not protected stays on this machine, and what was found leads to
// none of the addresses that mean something else on each link.
func TestDialled(t *testing.T) {
	const chosen, found = 1, 2
	for address, who := range map[string]struct{ plain, protected int }{
		"127.0.0.1:1":                {chosen | found, chosen | found},
		"[::1]:1":                    {chosen | found, chosen | found},
		"[::ffff:127.0.0.1]:1":       {chosen | found, chosen | found},
		"10.0.0.1:1":                 {0, chosen | found},
		"[2001:db8::1]:1":            {0, chosen | found},
		"169.254.169.254:80":         {0, chosen},
		"[::ffff:169.254.169.254]:1": {0, chosen},
		"[fe80::1%lo]:1":             {0, chosen},
		"0.0.0.0:1":                  {0, chosen},
		"224.0.0.1:1":                {0, chosen},
		"nonsense":                   {0, 0},
	} {
		for _, c := range []struct {
			protected bool
			bits      int
		}{{false, who.plain}, {true, who.protected}} {
			for _, isFound := range []bool{false, true} {
				bit := chosen
				if isFound {
					bit = found
				}
				var config *tls.Config
				if c.protected {
					config = &tls.Config{MinVersion: tls.VersionTLS12}
				}
				err := server.Dialer(provider.Credential{Found: isFound}, config).Control("tcp", address, nil)
				if (err == nil) != (c.bits&bit != 0) {
					t.Errorf("%s, protected %v, found %v: %v", address, c.protected, isFound, err)
				}
			}
		}
	}
	if err := server.Dialer(provider.Credential{}, nil).Control("unix", "/run/db", nil); err != nil {
		t.Error(err)
	}
}
