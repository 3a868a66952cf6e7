package rabbitmq_test

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
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/secret"
)

// server is a RabbitMQ that listens on loopback alone, and ends with its test.
type server struct {
	dir        string
	amqp, http string // ports
	addr       string // where both are: who begins with AMQP gets that
	boss       string // the password of an administrator
	admin      provider.Credential
}

const host = "127.0.0.1"

func (s *server) path(name string) string { return filepath.Join(s.dir, name) }

// start starts a server, and skips the test where none is installed.
func start(t *testing.T) *server {
	t.Helper()
	// Debian's own command asks for root, and becomes another user.
	program := installed(t, "/usr/lib/rabbitmq/bin/rabbitmq-server")
	epmd := installed(t, "epmd")
	s := &server{dir: t.TempDir(), boss: rand.Text()}
	var err error
	for range 3 { // another process may take a port meanwhile
		s.amqp, s.http = free(t), free(t)
		names, distribution := free(t), free(t)
		s.write(t, "plugins", "[rabbitmq_management].\n")
		s.write(t, "rabbitmq.conf", strings.Join([]string{
			"management.tcp.ip = " + host, "management.tcp.port = " + s.http,
			"default_user = boss", "default_pass = " + s.boss, "default_user_tags.administrator = true", ""}, "\n"))
		env := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + s.dir, "LANG=C.UTF-8",
			"ERL_EPMD_ADDRESS=" + host, "ERL_EPMD_PORT=" + names,
			"RABBITMQ_NODENAME=kw@localhost", "RABBITMQ_NODE_IP_ADDRESS=" + host, "RABBITMQ_NODE_PORT=" + s.amqp, "RABBITMQ_DIST_PORT=" + distribution,
			"RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=-kernel inet_dist_use_interface {127,0,0,1}",
			"RABBITMQ_MNESIA_BASE=" + s.path("mnesia"), "RABBITMQ_LOG_BASE=" + s.path("logs"), "RABBITMQ_PID_FILE=" + s.path("pid"),
			"RABBITMQ_CONF_ENV_FILE=/dev/null", "RABBITMQ_CONFIG_FILE=" + s.path("rabbitmq.conf"), "RABBITMQ_ENABLED_PLUGINS_FILE=" + s.path("plugins")}
		// Without this one, Erlang would leave a daemon of its own behind.
		stopNames, _ := s.keep(t, env, epmd, "-address", host, "-port", names)
		stop, ended := s.keep(t, env, program)
		if err = s.wait(t, ended); err == nil {
			t.Cleanup(func() { stop(); stopNames() })
			s.both(t)
			return s
		}
		stop()
		stopNames()
		os.RemoveAll(s.path("mnesia"))
	}
	t.Fatalf("RabbitMQ does not start: %v", err)
	return nil
}

func installed(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if os.Getenv("KEYWRIGHT_REQUIRE_SERVICES") == "1" {
			t.Fatal("RabbitMQ is not installed, and KEYWRIGHT_REQUIRE_SERVICES=1")
		}
		t.Skip("RabbitMQ is not installed (the package rabbitmq-server has it)")
	}
	return path
}

func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", host+":0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// keeping runs a server until its input ends, which it does with our process, however that
// ends. Its data is not needed any more then.
const keeping = `"$@" </dev/null & server=$!; { cat; kill -TERM $server; sleep 2; kill -KILL $server; } <&3 3<&- 2>/dev/null & wait $server`

// keep runs a program.
func (s *server) keep(t *testing.T, env []string, args ...string) (stop func(), ended chan struct{}) {
	t.Helper()
	lives, ours, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer lives.Close()
	log, err := os.OpenFile(s.path("log"), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.Command("/bin/sh", append([]string{"-c", keeping, "sh"}, args...)...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = s.dir, env, log, log, []*os.File{lives}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended = make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	return func() { ours.Close(); <-ended }, ended
}

// wait waits until the server answers, which takes it ten seconds of computing.
func (s *server) wait(t *testing.T, ended chan struct{}) error {
	for {
		status, _, err := s.ask("boss", s.boss, http.MethodGet, "/whoami", "")
		if err == nil && status == http.StatusOK {
			conn, err := net.Dial("tcp", net.JoinHostPort(host, s.amqp))
			if err == nil {
				conn.Close()
				return nil
			}
		}
		select {
		case <-ended:
			b, _ := os.ReadFile(s.path("log"))
			return fmt.Errorf("it ended: %s", b)
		case <-t.Context().Done():
			return t.Context().Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// both listens for AMQP and HTTP at one address.
func (s *server) both(t *testing.T) {
	t.Helper()
	l, err := net.Listen("tcp", host+":0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	s.addr = l.Addr().String()
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
				port := s.http
				if first[0] == 'A' {
					port = s.amqp
				}
				up, err := net.Dial("tcp", net.JoinHostPort(host, port))
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

func (s *server) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(s.path(name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// ask calls the HTTP API with nothing of ours in between.
func (s *server) ask(user, password, method, path, body string) (status int, answer string, err error) {
	req, err := http.NewRequest(method, "http://"+net.JoinHostPort(host, s.http)+"/api"+path, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	req.SetBasicAuth(user, password)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b), err
}

// do does something as the administrator.
func (s *server) do(t *testing.T, method, path, body string) string {
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

// make makes a user with all rights to the virtual host.
func (s *server) make(t *testing.T, user, password, tags string) {
	t.Helper()
	s.do(t, http.MethodPut, "/users/"+url.PathEscape(user), text(map[string]string{"password": password, "tags": tags}))
	s.do(t, http.MethodPut, "/permissions/%2F/"+url.PathEscape(user), `{"configure":".*","write":".*","read":".*"}`)
}

func (s *server) credential(user, password string) provider.Credential {
	return provider.Credential{
		ID:    user,
		Parts: map[string]secret.Value{"user": secret.New([]byte(user)), "password": secret.New([]byte(password))},
		Params: map[string]string{"url": "http://" + net.JoinHostPort(host, s.http), "port": s.amqp,
			"sslmode": "disable"},
	}
}

func reveal(c provider.Credential) string { return string(c.Part("password").Reveal()) }

// accepts asks the server itself: it says of a user without a tag, if the password is
// right, that it is no user of the management plugin.
func (s *server) accepts(t *testing.T, c provider.Credential) bool {
	t.Helper()
	status, answer, err := s.ask(string(c.Part("user").Reveal()), reveal(c), http.MethodGet, "/whoami", "")
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
