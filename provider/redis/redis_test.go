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
		s := start(t, "config file")
		providertest.Provider(t, providertest.Subject{
			Provider: ours.Provider{}, Admin: s.admin(), New: s.one, Accepts: s.accepts, DeadCode: "WRONGPASS",
			Addr: "127.0.0.1:" + s.port, At: at, Wire: true,
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
		s := start(t, "acl file")
		providertest.Provider(t, providertest.Subject{
			Provider: ours.Provider{}, Admin: s.admin(), New: s.two, Accepts: s.accepts, DeadCode: "WRONGPASS", ByID: true,
			Addr: "127.0.0.1:" + s.port, At: at, Wire: true,
		})
	})
	t.Run("TLS", func(t *testing.T) {
		s := start(t, "config file")
		providertest.Provider(t, providertest.Subject{
			Provider: ours.Provider{}, Accepts: s.accepts, DeadCode: "WRONGPASS",
			Admin: provider.Credential{ID: "kwadmin", Parts: s.admin().Parts}, // it takes the way that the others take
			New: func(t *testing.T) provider.Credential {
				c := s.one(t)
				c.Params = map[string]string{"host": "127.0.0.1", "port": s.tls, "tls": "yes", "cacert": filepath.Join(s.dir, "roots.pem"),
					"cert": filepath.Join(s.dir, "client.pem"), "key": filepath.Join(s.dir, "client.key")}
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

type session struct{ redis.Conn }

func (s session) Alive() bool {
	_, err := s.Do("PING")
	return err == nil
}

// A program that is connected all along never meets a refusal, through two rotations; and
// what it was logged in with is dead then, connections and all.
func TestProgramGoesOn(t *testing.T) {
	for mode, make := range map[string]func(*server, *testing.T) provider.Credential{"config file": (*server).one, "acl file": (*server).two} {
		t.Run(mode, func(t *testing.T) {
			s := start(t, mode)
			providertest.Turns{
				Provider: ours.Provider{}, Admin: s.admin(), Old: make(s, t), DeadCode: "WRONGPASS", Refusal: "WRONGPASS",
				Login: func(c provider.Credential) (providertest.Session, error) {
					conn, err := s.login(c.ID, reveal(c))
					for again := 0; again < 100 && err != nil && !strings.Contains(err.Error(), "WRONGPASS"); again++ { // that is killed as it logs in
						conn, err = s.login(c.ID, reveal(c))
					}
					return session{conn}, err
				},
			}.GoesOn(t)
		})
	}
}

// What was done is what holds after a power failure, of the user that requirepass made,
// too.
func TestRestart(t *testing.T) {
	for mode, make := range map[string]func(*server, *testing.T) provider.Credential{
		"acl file": (*server).two, "config file": func(s *server, _ *testing.T) provider.Credential { return s.credential("default", "default-"+s.boss) },
	} {
		t.Run(mode, func(t *testing.T) {
			s, p := start(t, mode), ours.Provider{}
			old := make(s, t)
			if !s.accepts(t, old) {
				t.Fatal("the old one is refused to begin with")
			}
			next := must(p.Make(t.Context(), old))(t)
			if err := p.Apply(t.Context(), s.admin(), old, next); err != nil {
				t.Fatal(err)
			}
			s.restart(t)
			if !s.accepts(t, next) || !s.accepts(t, old) {
				t.Error("after a restart, one of the two is refused")
			}
			if err := p.Revoke(t.Context(), s.admin(), old, next); err != nil {
				t.Fatal(err)
			}
			s.restart(t)
			if !s.accepts(t, next) || s.accepts(t, old) {
				t.Error("after a restart, the wrong one is accepted")
			}
		})
	}
}

// A server that cannot save says so, and what was asked for is not called done.
func TestNotSaved(t *testing.T) {
	s, p := start(t, "acl file"), ours.Provider{}
	old := s.one(t)
	next := must(p.Make(t.Context(), old))(t)
	if err := os.Rename(s.dir, s.dir+".away"); err != nil {
		t.Fatal(err)
	}
	err := p.Apply(t.Context(), s.admin(), old, next)
	if kind(err) != provider.Unclear || !strings.Contains(err.Error(), "not saved") {
		t.Error(err)
	}
	if err := os.Rename(s.dir+".away", s.dir); err != nil {
		t.Fatal(err)
	}
	if err := p.Apply(t.Context(), s.admin(), old, next); err != nil {
		t.Fatal(err)
	}
	s.restart(t)
	if !s.accepts(t, next) {
		t.Error("it was not saved the second time")
	}
}

// The password does not go to the server before somebody logs in with it.
func TestNoPasswordOnTheWire(t *testing.T) {
	s, p := start(t, "config file"), ours.Provider{}
	old := s.one(t)
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
		up, err := net.Dial("tcp", "127.0.0.1:"+s.port)
		if err != nil {
			return
		}
		go func() { _, _ = io.Copy(client, up) }()
		_, _ = io.Copy(up, io.TeeReader(client, &all))
		up.Close()
	}()
	admin := s.admin()
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
	s, p := start(t, "no file"), ours.Provider{}
	for _, rules := range []string{
		"~app:* %R~read:* resetchannels &news.* -@all +@read +@write -keys +config|get",
		"allkeys allchannels allcommands",
		"-@all +ping (+get\u00a0~one:*) (+set\u00a0-@dangerous\u00a0%W~two:*)",
		"skip-sanitize-payload ~* nocommands",
	} {
		old := s.two(t)
		s.do(t, "ACL SETUSER "+old.ID+" reset on >"+reveal(old)+" "+rules)
		s.do(t, "ACL SETUSER "+old.ID+"_b on nopass ~other:* +flushall (+del\u00a0~three:*)")
		next := must(p.Make(t.Context(), old))(t)
		if err := p.Apply(t.Context(), s.admin(), old, next); err != nil {
			t.Fatal(err)
		}
		line := func(c provider.Credential) string {
			for _, l := range must(redis.Strings(s.do(t, "ACL LIST"), nil))(t) {
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
		if !s.accepts(t, next) || s.accepts(t, providertest.Wrong(next, "password")) {
			t.Error("it is not let in with its password, or with any")
		}
	}
}

// A password that was replaced long ago is not a reason to turn its user off.
func TestLeakedLongAgo(t *testing.T) {
	s, p := start(t, "no file"), ours.Provider{}
	live := s.two(t)
	if err := p.Revoke(t.Context(), s.admin(), providertest.Wrong(live, "password"), provider.Credential{}); err != nil {
		t.Fatal(err)
	}
	if !s.accepts(t, live) {
		t.Error("the live one is gone")
	}
	// One of the same user that is still accepted beside it is taken away alone.
	leaked := providertest.Wrong(live, "password")
	s.do(t, "ACL SETUSER "+live.ID+" >"+reveal(leaked))
	if err := p.Revoke(t.Context(), s.admin(), leaked, live); err != nil {
		t.Fatal(err)
	}
	if s.accepts(t, leaked) || !s.accepts(t, live) {
		t.Error("the wrong one is accepted")
	}
}

func TestPlan(t *testing.T) {
	s := start(t, "acl file")
	bare := start(t, "no file")
	for _, c := range []struct {
		name   string
		at     *server
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
			old := at.two(t)
			if c.single {
				delete(old.Params, "users")
			}
			switch c.rules {
			case "":
			case "-":
				at.do(t, "ACL DELUSER "+old.ID)
			default:
				at.do(t, "ACL SETUSER "+old.ID+" "+c.rules)
			}
			if c.other != "" {
				at.do(t, "ACL SETUSER "+old.ID+"_b "+c.other)
			}
			admin := at.credential("adm"+old.ID, reveal(old))
			rights := c.admin
			if rights == "" {
				rights = kwadmin + " " + c.less
			}
			at.do(t, "ACL SETUSER "+admin.ID+" on >"+reveal(old)+" "+rights)
			maps.Copy(old.Params, c.params)
			admin.Params = nil
			before := must(redis.Strings(at.do(t, "ACL LIST"), nil))(t)
			plan, err := ours.Provider{}.Plan(t.Context(), admin, old)
			if !slices.Equal(before, must(redis.Strings(at.do(t, "ACL LIST"), nil))(t)) {
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
		old := s.two(t)
		s.do(t, "ACL SETUSER "+old.ID+"_b on >"+reveal(old)+" +ping")
		defer must(s.login(old.ID+"_b", reveal(old)))(t).Close()
		if _, err := (ours.Provider{}).Plan(t.Context(), s.admin(), old); kind(err) != provider.Refused || !strings.Contains(err.Error(), "in use: 1 connections") {
			t.Error(err)
		}
	})
	t.Run("replicas", func(t *testing.T) {
		bare.do(t, "CONFIG SET masteruser boss masterauth "+s.boss)
		bare.do(t, "REPLICAOF 127.0.0.1 "+s.port)
		p, old := ours.Provider{}, s.one(t)
		providertest.Until(t, "the primary tells of it", func() bool {
			plan := must(p.Plan(t.Context(), s.admin(), old))(t)
			return strings.Contains(strings.Join(plan.Notes, "; "), "1 replicas have their own")
		})
		plan := must(p.Plan(t.Context(), bare.admin(), bare.one(t)))(t)
		if text := strings.Join(plan.Notes, "; "); !strings.Contains(text, "this is a replica") {
			t.Error(text)
		}
	})
}

// What the server says of a credential, and what that means.
func TestStates(t *testing.T) {
	s := start(t, "no file")
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
			cred := s.one(t)
			if c.rules == "-" {
				s.do(t, "ACL DELUSER "+cred.ID)
			} else {
				s.do(t, "ACL SETUSER "+cred.ID+" "+c.rules)
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
