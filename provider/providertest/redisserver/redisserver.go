// Package redisserver starts a Redis for tests.
package redisserver

import (
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gomodule/redigo/redis"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/provider/providertest/daemon"
	"github.com/keywright/keywright/secret"
)

// Server is a Redis that listens on loopback alone, and ends with its test.
type Server struct {
	Dir, Port string
	Boss      string // the password of a user that may do everything
	TLS       string // a port with TLS, if it has a file

	args []string
	stop func()
}

// Rights are those of the user kwadmin: no more than the provider asks for.
const Rights = "-@all +acl|getuser +acl|setuser +acl|list +acl|save +acl|dryrun +client|kill +client|list +config|get +config|rewrite +info"

// Start starts a server that keeps its users in an "acl file", in its "config file", or in
// "no file". It skips the test where none is installed.
func Start(t *testing.T, mode string) *Server {
	t.Helper()
	program := daemon.Program(t, "Redis", "redis-server", "redis-server")
	s := &Server{Dir: t.TempDir(), Boss: rand.Text(), args: []string{program}}
	config := []string{"bind 127.0.0.1", "save ''", "dir " + s.Dir}
	users := []string{"user boss on >" + s.Boss + " ~* &* +@all", "user kwadmin on >kwadmin-" + s.Boss + " " + Rights, "user default off"}
	switch mode {
	case "acl file":
		s.write(t, "users.acl", strings.Join(users, "\n")+"\n")
		config = append(config, "aclfile "+filepath.Join(s.Dir, "users.acl"))
		fallthrough
	case "config file":
		if mode == "config file" {
			config = append(config, users[:2]...)
			config = append(config, "requirepass default-"+s.Boss)
		}
		daemon.Certify(t, s.Dir, "server", "client")
		config = append(config, "tls-port TLSPORT", "tls-cert-file server.pem", "tls-key-file server.key", "tls-ca-cert-file roots.pem")
		s.write(t, "redis.conf", strings.Join(config, "\n")+"\n")
		s.args = append(s.args, filepath.Join(s.Dir, "redis.conf"))
	case "no file":
		s.args = append(s.args, "--bind", "127.0.0.1", "--save", "", "--dir", s.Dir)
		for _, u := range users {
			s.args = append(append(s.args, "--user"), strings.Fields(u)[1:]...)
		}
	}
	var err error
	for range 5 { // another process may take the port meanwhile
		s.Port = daemon.Port(t)
		args := append(s.args[:len(s.args):len(s.args)], "--port", s.Port)
		if mode != "no file" {
			s.TLS = daemon.Port(t)
			s.write(t, "redis.conf", strings.ReplaceAll(s.Read(t, "redis.conf"), "TLSPORT", s.TLS)+"port "+s.Port+"\n")
			args = s.args
		}
		s.args = args
		if err = s.run(t); err == nil {
			return s
		}
	}
	t.Fatalf("Redis does not start: %v", err)
	return nil
}

func (s *Server) run(t *testing.T) error {
	t.Helper()
	// Redis is not asked to save anything.
	c := daemon.Command{Args: s.args, Dir: s.Dir, Log: filepath.Join(s.Dir, "log"), Stop: "kill -KILL $server"}
	stop, err := c.Start(t, func() error {
		conn, err := s.Login("boss", s.Boss)
		if err == nil {
			conn.Close()
		}
		return err
	}, func(err error) bool { return strings.Contains(err.Error(), "WRONGPASS") })
	s.stop = stop
	return err
}

// Restart is as after a power failure.
func (s *Server) Restart(t *testing.T) {
	t.Helper()
	s.stop()
	if err := s.run(t); err != nil {
		t.Fatal(err)
	}
}

func (s *Server) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(s.Dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Read is what is in a file of its directory.
func (s *Server) Read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(s.Dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// Login opens a connection with nothing of ours in between.
func (s *Server) Login(user, pass string) (redis.Conn, error) {
	conn, err := redis.Dial("tcp", "127.0.0.1:"+s.Port)
	if err != nil {
		return nil, err
	}
	if _, err := conn.Do("AUTH", user, pass); err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

// Do does something as the one who may. A no-break space stands for one in an argument.
func (s *Server) Do(t *testing.T, line string) any {
	t.Helper()
	conn, err := s.Login("boss", s.Boss)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	var args []any
	words := strings.Fields(line)
	for _, w := range words[1:] {
		args = append(args, strings.ReplaceAll(w, "\u00a0", " "))
	}
	answer, err := conn.Do(words[0], args...)
	if err != nil {
		t.Fatalf("%s: %v", words[:2], err)
	}
	return answer
}

// Credential is one of its users, as keywright has it.
func (s *Server) Credential(user, pass string) provider.Credential {
	return provider.Credential{
		ID:     user,
		Parts:  map[string]secret.Value{"user": secret.New([]byte(user)), "password": secret.New([]byte(pass))},
		Params: map[string]string{"host": "127.0.0.1", "port": s.Port},
	}
}

// Admin is a user without more rights than the provider asks for.
func (s *Server) Admin() provider.Credential { return s.Credential("kwadmin", "kwadmin-"+s.Boss) }

// One makes a user.
func (s *Server) One(t *testing.T) provider.Credential {
	t.Helper()
	c := s.Credential("app_"+strings.ToLower(rand.Text()[:8]), rand.Text())
	s.Do(t, "ACL SETUSER "+c.ID+" on >"+password(c)+" ~* &* +@all -@dangerous")
	return c
}

// Two is the first of two users that take turns, of which the other is not there yet.
func (s *Server) Two(t *testing.T) provider.Credential {
	t.Helper()
	c := s.One(t)
	c.Params["users"] = c.ID + ", " + c.ID + "_b"
	return c
}

// Accepts asks the server itself.
func (s *Server) Accepts(t *testing.T, c provider.Credential) bool {
	t.Helper()
	conn, err := s.Login(string(c.Part("user").Reveal()), password(c))
	if err != nil {
		if said := redis.Error(""); !errors.As(err, &said) {
			t.Fatal(err)
		}
		return false
	}
	conn.Close()
	return true
}

func password(c provider.Credential) string { return string(c.Part("password").Reveal()) }
