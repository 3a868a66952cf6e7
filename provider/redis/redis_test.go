package redis_test

import (
	"errors"
	"io"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomodule/redigo/redis"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/provider/providertest"
	"github.com/keywright/keywright/provider/providertest/redisserver"
	ours "github.com/keywright/keywright/provider/redis"
	"github.com/keywright/keywright/secret"
)

// says is a server that answers everything with one text.
func says(text string) func(net.Conn) {
	return func(c net.Conn) {
		b := make([]byte, 1<<16)
		for {
			if _, err := c.Read(b); err != nil {
				return
			}
			if _, err := io.WriteString(c, text); err != nil {
				return
			}
		}
	}
}

func TestConformance(t *testing.T) {
	at := func(addr string, c provider.Credential) (provider.Provider, provider.Credential) {
		c.Params = maps.Clone(c.Params)
		c.Params["host"], c.Params["port"], _ = net.SplitHostPort(addr)
		return ours.Provider{}, c
	}
	t.Run("one user", func(t *testing.T) {
		s := redisserver.Start(t, "config file")
		providertest.Provider(t, providertest.Subject{
			Provider: ours.Provider{}, Admin: s.Admin(), New: s.One, Accepts: s.Accepts, DeadCode: "WRONGPASS",
			Addr: "127.0.0.1:" + s.Port, At: at, Wire: true,
			Faults: []providertest.Fault{
				{Name: "a long text is announced", Serve: says("$2000000000\r\n"), Kind: provider.Malformed},
				{Name: "many elements are announced", Serve: says("*2000000000\r\n"), Kind: provider.Malformed},
				{Name: "more than a number can be", Serve: says("*9999999999999999999999\r\n"), Kind: provider.Malformed},
				{Name: "arrays in arrays", Serve: says(strings.Repeat("*9999\r\n", 1000)), Kind: provider.Malformed},
				{Name: "it starts up", Serve: says("-LOADING Redis is loading the dataset in memory\r\n"), Kind: provider.Busy},
				{Name: "always an array", Serve: says("*1\r\n:7\r\n"), Kind: provider.Malformed},
			},
		})
	})
	t.Run("two users", func(t *testing.T) {
		s := redisserver.Start(t, "acl file")
		providertest.Provider(t, providertest.Subject{
			Provider: ours.Provider{}, Admin: s.Admin(), New: s.Two, Accepts: s.Accepts, DeadCode: "WRONGPASS", ByID: true,
			Addr: "127.0.0.1:" + s.Port, At: at, Wire: true,
		})
	})
	t.Run("TLS", func(t *testing.T) {
		s := redisserver.Start(t, "config file")
		providertest.Provider(t, providertest.Subject{
			Provider: ours.Provider{}, Accepts: s.Accepts, DeadCode: "WRONGPASS",
			Admin: provider.Credential{ID: "kwadmin", Parts: s.Admin().Parts}, // it takes the way that the others take
			New: func(t *testing.T) provider.Credential {
				c := s.One(t)
				c.Params = map[string]string{"host": "127.0.0.1", "port": s.TLS, "tls": "yes", "cacert": filepath.Join(s.Dir, "roots.pem"),
					"cert": filepath.Join(s.Dir, "client.pem"), "key": filepath.Join(s.Dir, "client.key")}
				return c
			},
		})
	})
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

func kind(err error) provider.Kind {
	if e := new(provider.Error); errors.As(err, &e) {
		return e.Kind
	}
	return ""
}

// What was done is what holds after a power failure, of the user that requirepass made,
// too.
func TestRestart(t *testing.T) {
	for mode, make := range map[string]func(*redisserver.Server, *testing.T) provider.Credential{
		"acl file": (*redisserver.Server).Two, "config file": func(s *redisserver.Server, _ *testing.T) provider.Credential {
			return s.Credential("default", "default-"+s.Boss)
		},
	} {
		t.Run(mode, func(t *testing.T) {
			s, p := redisserver.Start(t, mode), ours.Provider{}
			old := make(s, t)
			if !s.Accepts(t, old) {
				t.Fatal("the old one is refused to begin with")
			}
			next := must(p.Make(t.Context(), old))(t)
			if err := p.Apply(t.Context(), s.Admin(), old, next); err != nil {
				t.Fatal(err)
			}
			s.Restart(t)
			if !s.Accepts(t, next) || !s.Accepts(t, old) {
				t.Error("after a restart, one of the two is refused")
			}
			if err := p.Revoke(t.Context(), s.Admin(), old, next); err != nil {
				t.Fatal(err)
			}
			s.Restart(t)
			if !s.Accepts(t, next) || s.Accepts(t, old) {
				t.Error("after a restart, the wrong one is accepted")
			}
		})
	}
}

// A server that cannot save says so, and what was asked for is not called done.
func TestNotSaved(t *testing.T) {
	s, p := redisserver.Start(t, "acl file"), ours.Provider{}
	old := s.One(t)
	next := must(p.Make(t.Context(), old))(t)
	if err := os.Rename(s.Dir, s.Dir+".away"); err != nil {
		t.Fatal(err)
	}
	err := p.Apply(t.Context(), s.Admin(), old, next)
	if kind(err) != provider.Unclear || !strings.Contains(err.Error(), "not saved") {
		t.Error(err)
	}
	if err := os.Rename(s.Dir+".away", s.Dir); err != nil {
		t.Fatal(err)
	}
	if err := p.Apply(t.Context(), s.Admin(), old, next); err != nil {
		t.Fatal(err)
	}
	s.Restart(t)
	if !s.Accepts(t, next) {
		t.Error("it was not saved the second time")
	}
}

// The password does not go to the server before somebody logs in with it.
func TestNoPasswordOnTheWire(t *testing.T) {
	s, p := redisserver.Start(t, "config file"), ours.Provider{}
	old := s.One(t)
	next := must(p.Make(t.Context(), old))(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	sent := make(chan string, 1)
	go func() {
		var all strings.Builder
		defer func() { sent <- all.String() }()
		client, err := l.Accept()
		if err != nil {
			return
		}
		defer client.Close()
		up, err := net.Dial("tcp", "127.0.0.1:"+s.Port)
		if err != nil {
			return
		}
		go func() { _, _ = io.Copy(client, up) }()
		_, _ = io.Copy(up, io.TeeReader(client, &all))
		up.Close()
	}()
	admin := s.Admin()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	admin.Params["port"], next.Params["port"] = port, port
	if err := p.Apply(t.Context(), admin, old, next); err != nil {
		t.Fatal(err)
	}
	if text := <-sent; !strings.Contains(text, "SETUSER") || strings.Contains(text, reveal(next)) {
		t.Errorf("it was sent, or nothing was: %d bytes", len(text))
	}
}

// The other of two users gets the rights of the first, all of them and no others.
func TestLikeTheFirst(t *testing.T) {
	s, p := redisserver.Start(t, "no file"), ours.Provider{}
	for _, rules := range []string{
		"~app:* %R~read:* resetchannels &news.* -@all +@read +@write -keys +config|get",
		"allkeys allchannels allcommands",
		"-@all +ping (+get\u00a0~one:*) (+set\u00a0-@dangerous\u00a0%W~two:*)",
		"skip-sanitize-payload ~* nocommands",
	} {
		old := s.Two(t)
		s.Do(t, "ACL SETUSER "+old.ID+" reset on >"+reveal(old)+" "+rules)
		s.Do(t, "ACL SETUSER "+old.ID+"_b on nopass ~other:* +flushall (+del\u00a0~three:*)")
		next := must(p.Make(t.Context(), old))(t)
		if err := p.Apply(t.Context(), s.Admin(), old, next); err != nil {
			t.Fatal(err)
		}
		line := func(c provider.Credential) string {
			for _, l := range must(redis.Strings(s.Do(t, "ACL LIST"), nil))(t) {
				if rest, ok := strings.CutPrefix(l, "user "+c.ID+" "); ok {
					before, after, _ := strings.Cut(rest, "#")
					return before + after[64:]
				}
			}
			return "none"
		}
		if line(old) != line(next) {
			t.Errorf("%s\n%s", line(old), line(next))
		}
		if !s.Accepts(t, next) || s.Accepts(t, providertest.Wrong(next, "password")) {
			t.Error("it is not let in with its password, or with any")
		}
	}
}

// A password that was replaced long ago is not a reason to turn its user off.
func TestLeakedLongAgo(t *testing.T) {
	s, p := redisserver.Start(t, "no file"), ours.Provider{}
	live := s.Two(t)
	if err := p.Revoke(t.Context(), s.Admin(), providertest.Wrong(live, "password"), provider.Credential{}); err != nil {
		t.Fatal(err)
	}
	if !s.Accepts(t, live) {
		t.Error("the live one is gone")
	}
	// One of the same user that is still accepted beside it is taken away alone.
	leaked := providertest.Wrong(live, "password")
	s.Do(t, "ACL SETUSER "+live.ID+" >"+reveal(leaked))
	if err := p.Revoke(t.Context(), s.Admin(), leaked, live); err != nil {
		t.Fatal(err)
	}
	if s.Accepts(t, leaked) || !s.Accepts(t, live) {
		t.Error("the wrong one is accepted")
	}
}

func TestPlan(t *testing.T) {
	s := redisserver.Start(t, "acl file")
	bare := redisserver.Start(t, "no file")
	for _, c := range []struct {
		name   string
		at     *redisserver.Server
		rules  string // for the user
		other  string // rules of the other of two, if it is there
		single bool
		less   string // rights that the admin lacks
		admin  string // its rights, instead
		params map[string]string
		kind   provider.Kind // "" for none
		want   string        // in the error and its hint, or in the notes
	}{
		{name: "one", single: true, want: "all connections of OLD are closed"},
		{name: "saved in a file of its own", single: true, want: "ACL SAVE"},
		{name: "the other is made", want: "OLD_b is made"},
		{name: "the other is there", other: "+get", want: "OLD_b gets the rights of OLD"},
		{name: "never saved", at: bare, single: true, want: "a restart would bring the old password back"},
		{name: "no user", rules: "-", kind: provider.Refused, want: "no user OLD"},
		{name: "any password", single: true, rules: "nopass", kind: provider.Refused, want: "nopass"},
		{name: "may not change", single: true, less: "-acl|setuser", kind: provider.Forbidden, want: "lacks +acl|setuser"},
		{name: "may not look", single: true, less: "-acl|getuser", kind: provider.Forbidden, want: "lacks +acl|getuser"},
		{name: "may not save", single: true, less: "-acl|save", kind: provider.Forbidden, want: "ACL SETUSER ADMIN +acl|save"},
		{name: "may not save there", at: bare, single: true, less: "-config|rewrite", kind: provider.Forbidden, want: "lacks +config|rewrite"},
		{name: "may not end connections", less: "-client|kill -client|list", kind: provider.Forbidden, want: "lacks +client|kill +client|list"},
		{name: "may not see settings", single: true, less: "-config|get", kind: provider.Forbidden, want: "+config|get"},
		{name: "may nothing", single: true, admin: "-@all", kind: provider.Forbidden, want: "NOPERM"},
		{name: "may not look whether it may", single: true, less: "-acl|dryrun", want: "was not looked at"},
		{name: "may not see replicas", single: true, less: "-info", want: "replicas was not looked at"},
		{name: "none of the two", params: map[string]string{"users": "x,y"}, kind: provider.Incomplete, want: "none of the users"},
		{name: "not two", params: map[string]string{"users": "x,x"}, kind: provider.Incomplete, want: "not two users"},
		{name: "the clear, elsewhere", params: map[string]string{"host": "192.0.2.1", "tls": "no"}, kind: provider.Incomplete, want: "on this machine"},
		{name: "perhaps TLS", params: map[string]string{"tls": "maybe"}, kind: provider.Incomplete, want: "neither yes nor no"},
		{name: "no port", params: map[string]string{"port": "70000"}, kind: provider.Incomplete, want: "not 1 to 65535"},
		{name: "no roots", params: map[string]string{"tls": "yes", "cacert": "/nowhere"}, kind: provider.Incomplete, want: "/nowhere"},
	} {
		t.Run(c.name, func(t *testing.T) {
			at := c.at
			if at == nil {
				at = s
			}
			old := at.Two(t)
			if c.single {
				delete(old.Params, "users")
			}
			switch c.rules {
			case "":
			case "-":
				at.Do(t, "ACL DELUSER "+old.ID)
			default:
				at.Do(t, "ACL SETUSER "+old.ID+" "+c.rules)
			}
			if c.other != "" {
				at.Do(t, "ACL SETUSER "+old.ID+"_b "+c.other)
			}
			admin := at.Credential("adm"+old.ID, reveal(old))
			rights := c.admin
			if rights == "" {
				rights = redisserver.Rights + " " + c.less
			}
			at.Do(t, "ACL SETUSER "+admin.ID+" on >"+reveal(old)+" "+rights)
			maps.Copy(old.Params, c.params)
			admin.Params = nil
			before := must(redis.Strings(at.Do(t, "ACL LIST"), nil))(t)
			plan, err := ours.Provider{}.Plan(t.Context(), admin, old)
			if !slices.Equal(before, must(redis.Strings(at.Do(t, "ACL LIST"), nil))(t)) {
				t.Error("it changed something")
			}
			text := strings.Join(plan.Notes, "; ")
			if e := new(provider.Error); errors.As(err, &e) {
				text = e.Error() + " → " + e.Hint
			}
			want := strings.NewReplacer("OLD", old.ID, "ADMIN", admin.ID).Replace(c.want)
			if kind(err) != c.kind || (err != nil) != (c.kind != "") || !strings.Contains(text, want) {
				t.Errorf("%q: %v", kind(err), text)
			}
		})
	}
	t.Run("in use", func(t *testing.T) {
		old := s.Two(t)
		s.Do(t, "ACL SETUSER "+old.ID+"_b on >"+reveal(old)+" +ping")
		defer must(s.Login(old.ID+"_b", reveal(old)))(t).Close()
		if _, err := (ours.Provider{}).Plan(t.Context(), s.Admin(), old); kind(err) != provider.Refused || !strings.Contains(err.Error(), "in use: 1 connections") {
			t.Error(err)
		}
	})
	t.Run("replicas", func(t *testing.T) {
		bare.Do(t, "CONFIG SET masteruser boss masterauth "+s.Boss)
		bare.Do(t, "REPLICAOF 127.0.0.1 "+s.Port)
		p, old := ours.Provider{}, s.One(t)
		providertest.Until(t, "the primary tells of it", func() bool {
			plan := must(p.Plan(t.Context(), s.Admin(), old))(t)
			return strings.Contains(strings.Join(plan.Notes, "; "), "1 replicas have their own")
		})
		plan := must(p.Plan(t.Context(), bare.Admin(), bare.One(t)))(t)
		if text := strings.Join(plan.Notes, "; "); !strings.Contains(text, "this is a replica") {
			t.Error(text)
		}
	})
}

// What the server says of a credential, and what that means.
func TestStates(t *testing.T) {
	s := redisserver.Start(t, "no file")
	for _, c := range []struct {
		name, rules string
		want        provider.State
		code        string
	}{
		{"live", "+@all", provider.Alive, ""},
		{"not even its name", "-@all +get", provider.Narrow, "NOPERM"},
		{"off", "off", provider.Dead, "WRONGPASS"},
		{"without a password", "resetpass", provider.Dead, "WRONGPASS"},
		{"gone", "-", provider.Dead, "WRONGPASS"},
		{"any password", "nopass +@all", provider.Alive, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			cred := s.One(t)
			if c.rules == "-" {
				s.Do(t, "ACL DELUSER "+cred.ID)
			} else {
				s.Do(t, "ACL SETUSER "+cred.ID+" "+c.rules)
			}
			probe, err := ours.Provider{}.Verify(t.Context(), cred)
			if err != nil || probe.State != c.want || probe.Code != c.code {
				t.Errorf("%+v, %v", probe, err)
			}
		})
	}
}

// What others than Redis answer is never taken for death, nor for life; and what they
// say back does not bring the password into an error.
func TestImpostors(t *testing.T) {
	for _, c := range []struct {
		name, answer string
		want         provider.State // "" for an error
		kind         provider.Kind
	}{
		{"yes to everything", "+OK\r\n", "", provider.Malformed},
		{"numbers", ":1\r\n", "", provider.Malformed},
		{"nothing", "$-1\r\n", "", provider.Malformed},
		{"a text in the wrong place", "$9\r\nWRONGPASS\r\n", "", provider.Malformed},
		{"a word that begins like it", "-WRONGPASSAGE\r\n", provider.Unknown, ""},
		{"an old server", "-ERR wrong number of arguments for 'auth' command\r\n", provider.Unknown, ""},
		{"an address", "-DENIED Redis is running in protected mode\r\n", provider.Blocked, ""},
		{"crowded", "-ERR max number of clients reached\r\n", provider.Throttled, ""},
		{"it starts up", "-LOADING Redis is loading the dataset in memory\r\n", provider.Unknown, ""},
		{"no code", "-\r\n", provider.Unknown, ""},
		{"what it was told, and what terminals obey", "-ERR PASSWORD \x1b[2J" + strings.Repeat(" long", 1000) + "\r\n", provider.Unknown, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			cred := provider.Credential{ID: "app", Parts: map[string]secret.Value{"user": secret.New([]byte("app")), "password": secret.Random(20, "abcdefgh")}}
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			answer := strings.ReplaceAll(c.answer, "PASSWORD", reveal(cred))
			go func() {
				if conn, err := l.Accept(); err == nil {
					says(answer)(conn)
					conn.Close()
				}
			}()
			cred.Params = map[string]string{}
			cred.Params["host"], cred.Params["port"], _ = net.SplitHostPort(l.Addr().String())
			probe, err := ours.Provider{}.Verify(t.Context(), cred)
			if probe.State != c.want || kind(err) != c.kind {
				t.Errorf("%+v, %v", probe, err)
			}
			if strings.Contains(probe.Code, reveal(cred)) || strings.ContainsAny(probe.Code, "\x1b\n") || len(probe.Code) > 1000 {
				t.Errorf("it says %q", probe.Code)
			}
		})
	}
}

func reveal(c provider.Credential) string { return string(c.Part("password").Reveal()) }
