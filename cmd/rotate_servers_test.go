package cmd

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/provider/providertest"
	"github.com/keywright/keywright/provider/providertest/mysqlserver"
	"github.com/keywright/keywright/provider/providertest/pgserver"
	"github.com/keywright/keywright/provider/providertest/rabbitserver"
	"github.com/keywright/keywright/provider/providertest/redisserver"
	"github.com/keywright/keywright/provider/providertest/sshserver"
	"github.com/keywright/keywright/rotate"
	"github.com/keywright/keywright/secret"
)

// machine is where somebody keeps keys in a file, apart from those of others.
type machine struct {
	dir  string
	env  []string
	test string // whose copies are the verbs
}

func newMachine(t *testing.T, test string) machine {
	t.Helper()
	dir := t.TempDir()
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	m := machine{dir, []string{envKeystore + "=agefile", envIdentity + "=" + filepath.Join(dir, "identity"), envHome + "=" + filepath.Join(dir, "home")}, test}
	m.write(t, "identity", identity.String())
	return m
}

func (m machine) path(name string) string { return filepath.Join(m.dir, name) }

func (m machine) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(m.path(name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// verb is a process that runs a verb there, and is killed at a write if at is not 0.
func (m machine) verb(at int, stdin string, args ...string) *exec.Cmd {
	c := process(m.test, at, change{verb: verb{args: args, stdin: stdin}})
	c.Env = append(c.Env, m.env...)
	return c
}

// must runs a verb that must succeed, and returns what it prints.
func (m machine) must(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	out, err := m.verb(0, stdin, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v\n%s", args, err, out)
	}
	return string(out)
}

// set stores a credential of a provider, or of none.
func (m machine) set(t *testing.T, name, provider string, c provider.Credential, more ...string) {
	t.Helper()
	var stdin strings.Builder
	parts := slices.Sorted(maps.Keys(c.Parts))
	for _, p := range parts {
		if len(parts) > 1 {
			stdin.WriteString(p + "=")
		}
		stdin.Write(append(c.Part(p).Reveal(), '\n'))
	}
	args := []string{"set", name}
	if provider != "" {
		args = append(args, "--provider", provider)
	}
	if len(parts) > 1 {
		args = append(args, "--parts", strings.Join(parts, ","))
	}
	for param, value := range c.Params {
		args = append(args, "--param", param+"="+value)
	}
	m.must(t, stdin.String(), append(args, more...)...)
}

// journal is that of the rotation whose end a verb printed.
func (m machine) journal(t *testing.T, printed string) *rotate.Journal {
	t.Helper()
	over := regexp.MustCompile(`rotation (\S+) is over`).FindStringSubmatch(printed)
	if over == nil {
		t.Fatalf("no rotation is over:\n%s", printed)
	}
	e := evidence{Journal: &rotate.Journal{}}
	if err := json.Unmarshal([]byte(m.must(t, "", "rotate", "show", over[1], "--format", "json")), &e); err != nil {
		t.Fatal(err)
	}
	return e.Journal
}

// site is a server, and a key that programs log in to it with.
type site struct {
	admin    *provider.Credential // that makes changes; nil for the key itself
	key      provider.Credential
	login    func(c provider.Credential) (session, error) // with nothing of ours in between
	refused  string                                       // in the error of one with a dead key
	outlives bool                                         // sessions outlive the key that they were opened with
	log      func() string                                // all that the server has written down; nil if that is not looked at
}

// session is what somebody has opened who is logged in.
type session interface {
	Alive() bool // it is asked whether it goes on
	Close() error
}

// lives is a session.
type lives struct{ alive, close func() error }

func (l lives) Alive() bool  { return l.alive() == nil }
func (l lives) Close() error { return l.close() }

// sites start the servers.
var sites = []struct {
	name, provider string
	start          func(t *testing.T) site
}{
	{"PostgreSQL", "postgres", startPostgres},
	{"MariaDB", "mariadb", func(t *testing.T) site {
		s := mysqlserver.StartMariaDB(t)
		return mysqlSite(t, s, s.Two(t))
	}},
	{"MySQL", "mysql", func(t *testing.T) site {
		s := mysqlserver.StartMySQL(t)
		return mysqlSite(t, s, s.One(t))
	}},
	{"Redis, two users", "redis", func(t *testing.T) site {
		s := redisserver.Start(t, "acl file")
		return redisSite(s, s.Two(t))
	}},
	{"Redis, two passwords", "redis", func(t *testing.T) site {
		s := redisserver.Start(t, "config file")
		return redisSite(s, s.One(t))
	}},
	{"RabbitMQ", "rabbitmq", startRabbitMQ},
	{"sshd", "sshkey", startSSH},
}

func part(c provider.Credential, name string) string { return string(c.Part(name).Reveal()) }

func startPostgres(t *testing.T) site {
	pg := pgserver.Start(t)
	with := func(user, password string) provider.Credential {
		return provider.Credential{
			Parts:  map[string]secret.Value{"user": secret.New([]byte(user)), "password": secret.New([]byte(password))},
			Params: map[string]string{"host": pg.Host, "port": pg.Port, "sslmode": "disable"},
		}
	}
	admin, key := with("kwadmin", rand.Text()), with("app_a", rand.Text())
	key.Params["users"] = "app_a,app_b"
	pg.Exec(t, "CREATE ROLE kwadmin LOGIN CREATEROLE IN ROLE pg_signal_backend, pg_read_all_stats PASSWORD '"+part(admin, "password")+"'; "+
		"CREATE ROLE app; CREATE ROLE app_b LOGIN IN ROLE app; CREATE ROLE app_a LOGIN IN ROLE app PASSWORD '"+part(key, "password")+"'")
	ctx := context.WithoutCancel(t.Context())
	return site{admin: &admin, key: key, refused: "28P01", log: func() string { return pg.Log(t) }, login: func(c provider.Credential) (session, error) {
		conn, err := pgconn.Connect(ctx, fmt.Sprintf("host=%s port=%s dbname=postgres sslmode=disable user=%s password=%s", pg.Host, pg.Port, part(c, "user"), part(c, "password")))
		return lives{func() error { return conn.Exec(ctx, "SELECT 1").Close() }, func() error { return conn.Close(ctx) }}, err
	}}
}

func mysqlSite(t *testing.T, s *mysqlserver.Server, key provider.Credential) site {
	ctx := context.WithoutCancel(t.Context())
	return site{admin: &s.Admin, key: key, refused: "Error 1045", log: func() string { return s.Read(t, "general.log") }, login: func(c provider.Credential) (session, error) {
		login := func() (session, error) { return s.Login(ctx, part(c, "user"), part(c, "password")) }
		return again(key, login, func(err error) bool { return mysqlserver.Code(err) == 0 })
	}}
}

// again logs in until a server has answered. Where one user has both passwords all of its
// sessions are ended, also one that is being opened.
func again(key provider.Credential, login func() (session, error), silent func(error) bool) (session, error) {
	conn, err := login()
	for n := 0; key.Params["users"] == "" && n < 100 && err != nil && silent(err); n++ {
		conn, err = login()
	}
	return conn, err
}

func redisSite(s *redisserver.Server, key provider.Credential) site {
	admin := s.Admin()
	return site{admin: &admin, key: key, refused: "WRONGPASS", login: func(c provider.Credential) (session, error) {
		return again(key, func() (session, error) {
			conn, err := s.Login(part(c, "user"), part(c, "password"))
			return lives{func() error { _, err := conn.Do("PING"); return err }, func() error { return conn.Close() }}, err
		}, func(err error) bool { return !strings.Contains(err.Error(), "WRONGPASS") })
	}}
}

func startRabbitMQ(t *testing.T) site {
	s := rabbitserver.Start(t)
	return site{admin: &s.Admin, key: s.Two(t), refused: "403", login: func(c provider.Credential) (session, error) {
		conn, err := s.Login(c)
		return lives{func() error {
			channel, err := conn.Channel()
			if err != nil {
				return err
			}
			return channel.Close()
		}, func() error { return conn.Close() }}, err
	}}
}

func startSSH(t *testing.T) site {
	s := sshserver.Start(t)
	return site{key: s.One(t, ""), refused: "unable to authenticate", outlives: true, login: func(c provider.Credential) (session, error) {
		client, err := s.Login(c)
		return lives{func() error { _, _, err := client.SendRequest("keepalive@openssh.com", true, nil); return err }, func() error { return client.Close() }}, err
	}}
}

// settings is the file of a program, which has the parts of a key in it.
type settings string

func (s settings) consumer(c provider.Credential) string {
	fields := ""
	for _, p := range slices.Sorted(maps.Keys(c.Parts)) {
		fields += "," + p + "=KEY_" + strings.ToUpper(p)
	}
	return strings.TrimPrefix(filepath.Ext(string(s)), ".") + ":" + strings.ReplaceAll(string(s), ",", ",,") + fields
}

// write writes the file as its owner did. A .env file is not made for a private key.
func (s settings) write(c provider.Credential) error {
	text, values := "# ours\n", map[string]string{"other": "stays"}
	for p := range c.Parts {
		values["KEY_"+strings.ToUpper(p)] = part(c, p)
		text += "KEY_" + strings.ToUpper(p) + "=" + part(c, p) + "\n"
	}
	if filepath.Ext(string(s)) == ".json" {
		b, _ := json.Marshal(values)
		text = string(b)
	}
	return os.WriteFile(string(s), []byte(text), 0o600)
}

// read reads the file as a program does.
func (s settings) read() (c provider.Credential, err error) {
	b, err := os.ReadFile(string(s))
	values := map[string]string{}
	if filepath.Ext(string(s)) == ".json" {
		err = errors.Join(err, json.Unmarshal(b, &values))
	}
	for line := range strings.Lines(string(b)) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok && filepath.Ext(string(s)) == ".env" {
			values[name] = value
		}
	}
	c.Parts = map[string]secret.Value{}
	for name, value := range values {
		if p, ok := strings.CutPrefix(name, "KEY_"); ok {
			c.Parts[strings.ToLower(p)] = secret.New([]byte(value))
			c.ID = values["KEY_USER"]
		}
	}
	return c, err
}

func same(a, b provider.Credential) bool {
	return maps.EqualFunc(a.Parts, b.Parts, func(a, b secret.Value) bool { return bytes.Equal(a.Reveal(), b.Reveal()) })
}

// program logs in with whatever its file holds at that moment.
type program struct {
	as     atomic.Pointer[provider.Credential] // that it logged in with last
	logins atomic.Int64
	failed atomic.Int64 // of them
	end    func()
}

// start runs a program until the test ends: one that stays connected for as long as it can,
// or one that comes and goes.
func (s settings) start(t *testing.T, site site, stays bool) *program {
	p := &program{}
	stop, ended := make(chan struct{}), make(chan struct{})
	p.end = sync.OnceFunc(func() { close(stop); <-ended })
	t.Cleanup(p.end)
	go func() {
		defer close(ended)
		var open session
		for {
			select {
			case <-stop:
				if open != nil {
					open.Close()
				}
				return
			case <-time.After(30 * time.Millisecond):
			}
			if open != nil && stays && open.Alive() {
				continue
			}
			if open != nil {
				open.Close()
				open = nil
			}
			c, err := s.read()
			if err == nil {
				open, err = site.login(c)
			}
			p.logins.Add(1)
			if err != nil {
				t.Logf("a login failed: %v", err)
				p.failed.Add(1)
				open = nil
				continue
			}
			p.as.Store(&c)
		}
	}()
	return p
}

func (p *program) uses(c provider.Credential) bool {
	as := p.as.Load()
	return as != nil && same(*as, c)
}

// TestRotateServers replaces a key at a real server twice, so that it comes back to the
// first of two users. Programs that log in with whatever their file holds never meet a
// refusal: neither one that stays connected all along nor one that comes and goes. The
// first is not thrown out before the old key is revoked; then whoever has found that is
// refused by the server itself, and thrown out.
func TestRotateServers(t *testing.T) {
	inVerb(t)
	if testing.Short() {
		t.Skip("it waits for proofs")
	}
	t.Parallel() // it does little else
	var all sync.WaitGroup
	for _, s := range sites {
		all.Go(func() { // it waits for most of the time
			t.Run(s.name, func(t *testing.T) { rotateServer(t, s.provider, s.start(t)) })
		})
	}
	all.Wait()
}

func rotateServer(t *testing.T, of string, s site) {
	m := newMachine(t, "TestRotateServers")
	file := settings(m.path("app.env"))
	if s.admin == nil {
		file = settings(m.path("app.json"))
	}
	if err := file.write(s.key); err != nil {
		t.Fatal(err)
	}
	// Before anything is revoked, the file is taken up, which takes for as long as the test
	// looks round.
	m.write(t, "reload", `touch "$0.begun"; while [ ! -e "$0.over" ]; do sleep 0.02; done; rm "$0.begun" "$0.over"`)
	more := []string{"--consumer", file.consumer(s.key) + ",reload=/bin/sh " + strings.ReplaceAll(m.path("reload"), ",", ",,")}
	if s.admin != nil {
		m.set(t, "dev/ADMIN", of, *s.admin)
		more = append(more, "--admin", "dev/ADMIN")
	}
	m.set(t, "dev/KEY", of, s.key, more...)

	stays, comes := file.start(t, s, true), file.start(t, s, false)
	old := s.key
	providertest.Until(t, "they are connected", func() bool { return stays.uses(old) && comes.uses(old) })
	for range 2 {
		found, err := s.login(old) // by somebody who has found it
		if err != nil {
			t.Fatal(err)
		}
		defer found.Close()
		rotation := m.verb(0, "", "rotate", "dev/KEY")
		var out bytes.Buffer
		rotation.Stdout, rotation.Stderr = &out, &out
		if err := rotation.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- rotation.Wait() }()
		providertest.Until(t, "the file is taken up", func() bool {
			select {
			case err := <-ended:
				t.Fatalf("it ended: %v\n%s", err, out.String())
			default:
			}
			_, err := os.Stat(m.path("reload.begun"))
			return err == nil
		})
		next, err := file.read()
		if err != nil || same(next, old) {
			t.Fatalf("the file does not hold a new one: %v", err)
		}
		providertest.Until(t, "the new one is used", func() bool { return comes.uses(next) })
		if !s.outlives && !stays.uses(old) || !found.Alive() {
			t.Errorf("somebody was thrown out before the old one was revoked, in %d logins", stays.logins.Load())
		}
		m.write(t, "reload.over", "")
		if err := <-ended; err != nil {
			t.Fatalf("%v\n%s", err, out.String())
		}
		j := m.journal(t, out.String())
		if what, _ := j.Outage(); j.Result != rotate.Done || j.Mode != rotate.Overlap || j.Grade != rotate.RefusedDead || what != "" {
			t.Errorf("%s, %s, %s, outage %q", j.Result, j.Mode, j.Grade, what)
		}
		if again, err := s.login(old); err == nil {
			again.Close()
			t.Error("the old one is accepted")
		} else if !strings.Contains(err.Error(), s.refused) {
			t.Errorf("the server says of the old one: %v", err)
		}
		if found.Alive() != s.outlives {
			t.Errorf("a session of the old one goes on: %v", !s.outlives)
		}
		if !s.outlives {
			providertest.Until(t, "it is connected anew", func() bool { return stays.uses(next) })
		}
		old = next
	}
	stays.end()
	comes.end()
	t.Logf("%d and %d logins", stays.logins.Load(), comes.logins.Load())
	if n := stays.failed.Load() + comes.failed.Load(); n != 0 {
		t.Errorf("%d logins failed", n)
	}
	if s.log == nil {
		return
	}
	if log := s.log(); !strings.Contains(log, old.ID) || strings.Contains(log, part(old, "password")) {
		t.Error("the server has logged the password, or nothing at all")
	}
}
