// Package rabbitserver starts a RabbitMQ for tests.
package rabbitserver

import (
	"bufio"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/provider/providertest/daemon"
	"github.com/keywright/keywright/secret"
)

// Server is a RabbitMQ that listens on loopback alone, and ends with its test.
type Server struct {
	AMQP, HTTP string // ports
	Addr       string // where both are: who begins with AMQP gets that
	Admin      provider.Credential

	dir  string
	boss string // the password of an administrator
}

func (s *Server) path(name string) string { return filepath.Join(s.dir, name) }

// Start starts a server, and skips the test where none is installed.
func Start(t *testing.T) *Server {
	t.Helper()
	// Debian's own command asks for root, and becomes another user.
	program := daemon.Program(t, "RabbitMQ", "rabbitmq-server", "/usr/lib/rabbitmq/bin/rabbitmq-server")
	epmd := daemon.Program(t, "RabbitMQ", "rabbitmq-server", "epmd")
	s := &Server{dir: t.TempDir(), boss: rand.Text()}
	var err error
	for range 3 { // another process may take a port meanwhile
		s.AMQP, s.HTTP = daemon.Port(t), daemon.Port(t)
		names, distribution := daemon.Port(t), daemon.Port(t)
		s.write(t, "plugins", "[rabbitmq_management].\n")
		s.write(t, "rabbitmq.conf", strings.Join([]string{
			"management.tcp.ip = " + daemon.Host, "management.tcp.port = " + s.HTTP,
			"default_user = boss", "default_pass = " + s.boss, "default_user_tags.administrator = true", ""}, "\n"))
		env := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + s.dir, "LANG=C.UTF-8",
			"ERL_EPMD_ADDRESS=" + daemon.Host, "ERL_EPMD_PORT=" + names,
			"RABBITMQ_NODENAME=kw@localhost", "RABBITMQ_NODE_IP_ADDRESS=" + daemon.Host, "RABBITMQ_NODE_PORT=" + s.AMQP, "RABBITMQ_DIST_PORT=" + distribution,
			"RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=-kernel inet_dist_use_interface {127,0,0,1}",
			"RABBITMQ_MNESIA_BASE=" + s.path("mnesia"), "RABBITMQ_LOG_BASE=" + s.path("logs"), "RABBITMQ_PID_FILE=" + s.path("pid"),
			"RABBITMQ_CONF_ENV_FILE=/dev/null", "RABBITMQ_CONFIG_FILE=" + s.path("rabbitmq.conf"), "RABBITMQ_ENABLED_PLUGINS_FILE=" + s.path("plugins")}
		// Without this one, Erlang would leave a daemon of its own behind.
		run := func(stop string, args ...string) daemon.Command {
			return daemon.Command{Args: args, Env: env, Dir: s.dir, Log: s.path("log"), Stop: stop}
		}
		stopNames, _ := run("kill $server", epmd, "-address", daemon.Host, "-port", names).Run(t)
		t.Cleanup(stopNames)
		// Its data is not needed any more in the end.
		_, err = run("kill -TERM $server; sleep 2; kill -KILL $server", program).Start(t, s.ready, func(error) bool { return false })
		if err == nil {
			s.both(t)
			s.Admin = s.Credential("kwadmin", rand.Text())
			s.Make(t, "kwadmin", password(s.Admin), "administrator")
			return s
		}
		stopNames()
		os.RemoveAll(s.path("mnesia"))
	}
	t.Fatalf("RabbitMQ does not start: %v", err)
	return nil
}

// ready reports whether the server answers, which takes it ten seconds of computing.
func (s *Server) ready() error {
	status, _, err := s.ask("boss", s.boss, http.MethodGet, "/whoami", "")
	switch {
	case err != nil:
		return err
	case status != http.StatusOK:
		return fmt.Errorf("status %d", status)
	}
	conn, err := net.Dial("tcp", net.JoinHostPort(daemon.Host, s.AMQP))
	if err == nil {
		conn.Close()
	}
	return err
}

// both listens for AMQP and HTTP at one address.
func (s *Server) both(t *testing.T) {
	t.Helper()
	l, err := net.Listen("tcp", daemon.Host+":0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	s.Addr = l.Addr().String()
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer client.Close()
				said := bufio.NewReader(client)
				first, err := said.Peek(1)
				if err != nil {
					return
				}
				port := s.HTTP
				if first[0] == 'A' {
					port = s.AMQP
				}
				up, err := net.Dial("tcp", net.JoinHostPort(daemon.Host, port))
				if err != nil {
					return
				}
				defer up.Close()
				go func() {
					_, _ = io.Copy(up, said)
					_ = up.(*net.TCPConn).CloseWrite()
				}()
				_, _ = io.Copy(client, up)
			}()
		}
	}()
}

func (s *Server) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(s.path(name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// ask calls the HTTP API with nothing of ours in between.
func (s *Server) ask(user, pass, method, path, body string) (status int, answer string, err error) {
	req, err := http.NewRequest(method, "http://"+net.JoinHostPort(daemon.Host, s.HTTP)+"/api"+path, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	req.SetBasicAuth(user, pass)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b), err
}

// Do does something as the administrator.
func (s *Server) Do(t *testing.T, method, path, body string) string {
	t.Helper()
	status, answer, err := s.ask("boss", s.boss, method, path, body)
	if err != nil || status >= 300 {
		t.Fatalf("%s %s: %d %s %v", method, path, status, answer, err)
	}
	return answer
}

func text(v any) string {
	b, _ := json.Marshal(v)
	return string(b)
}

// Make makes a user with all rights to the virtual host.
func (s *Server) Make(t *testing.T, user, password, tags string) {
	t.Helper()
	s.Do(t, http.MethodPut, "/users/"+url.PathEscape(user), text(map[string]string{"password": password, "tags": tags}))
	s.Do(t, http.MethodPut, "/permissions/%2F/"+url.PathEscape(user), `{"configure":".*","write":".*","read":".*"}`)
}

// Credential is one of its users, as keywright has it.
func (s *Server) Credential(user, password string) provider.Credential {
	return provider.Credential{
		ID:    user,
		Parts: map[string]secret.Value{"user": secret.New([]byte(user)), "password": secret.New([]byte(password))},
		Params: map[string]string{"url": "http://" + net.JoinHostPort(daemon.Host, s.HTTP), "port": s.AMQP,
			"sslmode": "disable"},
	}
}

func password(c provider.Credential) string { return string(c.Part("password").Reveal()) }

// Accepts asks the server itself: it says of a user without a tag, if the password is
// right, that it is no user of the management plugin.
func (s *Server) Accepts(t *testing.T, c provider.Credential) bool {
	t.Helper()
	status, answer, err := s.ask(string(c.Part("user").Reveal()), password(c), http.MethodGet, "/whoami", "")
	switch {
	case err != nil:
		t.Fatal(err)
	case status == http.StatusOK, strings.Contains(answer, "Not management user"):
		return true
	case !strings.Contains(answer, "Login failed"):
		t.Fatal(errors.New(answer))
	}
	return false
}

// One makes a user.
func (s *Server) One(t *testing.T) provider.Credential {
	t.Helper()
	c := s.Credential("app_"+strings.ToLower(rand.Text()[:8]), rand.Text())
	s.Make(t, c.ID, password(c), "")
	return c
}

// Two makes users that take turns, and returns the one that is in use.
func (s *Server) Two(t *testing.T) provider.Credential {
	t.Helper()
	c := s.One(t)
	s.Make(t, c.ID+"_b", rand.Text(), "")
	c.Params["users"] = c.ID + " , " + c.ID + "_b"
	return c
}

// Login opens a connection with nothing of ours in between.
func (s *Server) Login(c provider.Credential) (*amqp.Connection, error) {
	return s.LoginOver(c, func(conn net.Conn) net.Conn { return conn })
}

// LoginOver opens a connection over what over makes of one.
func (s *Server) LoginOver(c provider.Credential, over func(net.Conn) net.Conn) (*amqp.Connection, error) {
	u := url.URL{Scheme: "amqp", Host: net.JoinHostPort(daemon.Host, s.AMQP), User: url.UserPassword(c.ID, password(c)), Path: "/"}
	return amqp.DialConfig(u.String(), amqp.Config{Locale: "en_US", Heartbeat: 10 * time.Second, Dial: func(network, addr string) (net.Conn, error) {
		conn, err := amqp.DefaultDial(30*time.Second)(network, addr)
		if err != nil {
			return nil, err
		}
		return over(conn), nil
	}})
}

// Sessions is what the server itself says of the connections of a user; empty if there are
// none.
func (s *Server) Sessions(t *testing.T, user string) string {
	t.Helper()
	return strings.TrimPrefix(s.Do(t, http.MethodGet, "/connections/username/"+user, ""), "[]")
}
