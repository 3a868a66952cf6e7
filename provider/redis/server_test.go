package redis_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/secret"
)

// server is a Redis that listens on loopback alone, and ends with its test.
type server struct {
	dir, port string
	boss      string // the password of a user that may do everything
	args      []string
	kill      func()
	tls       string // a port with TLS
}

// kwadmin is a user without more rights than the provider asks for.
const kwadmin = "-@all +acl|getuser +acl|setuser +acl|list +acl|save +acl|dryrun +client|kill +client|list +config|get +config|rewrite +info"

// start starts a server, and skips the test where none is installed.
func start(t *testing.T, mode string) *server {
	t.Helper()
	program, err := exec.LookPath("redis-server")
	if err != nil {
		if os.Getenv("KEYWRIGHT_REQUIRE_SERVICES") == "1" {
			t.Fatal("Redis is not installed, and KEYWRIGHT_REQUIRE_SERVICES=1")
		}
		t.Skip("Redis is not installed (the package redis-server has it)")
	}
	s := &server{dir: t.TempDir(), boss: rand.Text(), args: []string{program}}
	config := []string{"bind 127.0.0.1", "save ''", "dir " + s.dir}
	users := []string{"user boss on >" + s.boss + " ~* &* +@all", "user kwadmin on >kwadmin-" + s.boss + " " + kwadmin, "user default off"}
	switch mode {
	case "acl file":
		s.write(t, "users.acl", strings.Join(users, "\n")+"\n")
		config = append(config, "aclfile "+filepath.Join(s.dir, "users.acl"))
		fallthrough
	case "config file":
		if mode == "config file" {
			config = append(config, users[:2]...)
			config = append(config, "requirepass default-"+s.boss)
		}
		certify(t, s.dir)
		config = append(config, "tls-port TLSPORT", "tls-cert-file server.pem", "tls-key-file server.key", "tls-ca-cert-file roots.pem")
		s.write(t, "redis.conf", strings.Join(config, "\n")+"\n")
		s.args = append(s.args, filepath.Join(s.dir, "redis.conf"))
	case "no file":
		s.args = append(s.args, "--bind", "127.0.0.1", "--save", "", "--dir", s.dir)
		for _, u := range users {
			s.args = append(append(s.args, "--user"), strings.Fields(u)[1:]...)
		}
	}
	for range 5 { // another process may take the port meanwhile
		s.port = free(t)
		args := append(s.args[:len(s.args):len(s.args)], "--port", s.port)
		if mode != "no file" {
			s.tls = free(t)
			s.write(t, "redis.conf", strings.ReplaceAll(s.read(t, "redis.conf"), "TLSPORT", s.tls)+"port "+s.port+"\n")
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

func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// keep runs a server until its input ends, which it does with our process, however that
// ends. Redis is not asked to save anything.
const keep = `"$@" </dev/null & server=$!; { cat; kill -KILL $server; } <&3 3<&- & wait $server`

func (s *server) run(t *testing.T) error {
	t.Helper()
	lives, ours, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer lives.Close()
	cmd := exec.Command("/bin/sh", append([]string{"-c", keep, "sh"}, s.args...)...)
	s.write(t, "log", "")
	log, err := os.OpenFile(filepath.Join(s.dir, "log"), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd.Dir, cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = s.dir, log, log, []*os.File{lives}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	s.kill = func() { ours.Close(); <-ended }
	for {
		conn, err := s.login("boss", s.boss)
		if err == nil {
			conn.Close()
			t.Cleanup(s.kill)
			return nil
		}
		select {
		case <-ended:
			ours.Close()
			return fmt.Errorf("%w; it ended: %s", err, s.read(t, "log"))
		case <-t.Context().Done():
			s.kill()
			return t.Context().Err()
		case <-time.After(20 * time.Millisecond):
		}
		if strings.Contains(err.Error(), "WRONGPASS") {
			s.kill()
			return errors.New("another server has the port")
		}
	}
}

// restart is as after a power failure.
func (s *server) restart(t *testing.T) {
	t.Helper()
	s.kill()
	if err := s.run(t); err != nil {
		t.Fatal(err)
	}
}

func (s *server) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (s *server) read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(s.dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// login opens a connection with nothing of ours in between.
func (s *server) login(user, password string) (redis.Conn, error) {
	conn, err := redis.Dial("tcp", "127.0.0.1:"+s.port)
	if err != nil {
		return nil, err
	}
	if _, err := conn.Do("AUTH", user, password); err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

// do does something as the one who may.
func (s *server) do(t *testing.T, line string) any {
	t.Helper()
	conn, err := s.login("boss", s.boss)
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

func (s *server) credential(user, password string) provider.Credential {
	return provider.Credential{
		ID:     user,
		Parts:  map[string]secret.Value{"user": secret.New([]byte(user)), "password": secret.New([]byte(password))},
		Params: map[string]string{"host": "127.0.0.1", "port": s.port},
	}
}

func (s *server) admin() provider.Credential { return s.credential("kwadmin", "kwadmin-"+s.boss) }

// one makes a user.
func (s *server) one(t *testing.T) provider.Credential {
	t.Helper()
	c := s.credential("app_"+strings.ToLower(rand.Text()[:8]), rand.Text())
	s.do(t, "ACL SETUSER "+c.ID+" on >"+reveal(c)+" ~* &* +@all -@dangerous")
	return c
}

// two makes two users that take turns.
func (s *server) two(t *testing.T) provider.Credential {
	t.Helper()
	c := s.one(t)
	c.Params["users"] = c.ID + ", " + c.ID + "_b"
	return c
}

func (s *server) accepts(t *testing.T, c provider.Credential) bool {
	t.Helper()
	conn, err := s.login(string(c.Part("user").Reveal()), reveal(c))
	if err != nil {
		if said := redis.Error(""); !errors.As(err, &said) {
			t.Fatal(err)
		}
		return false
	}
	conn.Close()
	return true
}

func reveal(c provider.Credential) string { return string(c.Part("password").Reveal()) }

// certify makes a certificate for the server, one for clients, and the one that both are
// signed with.
func certify(t *testing.T, dir string) {
	t.Helper()
	from, until := time.Now().Add(-time.Hour), time.Now().Add(24*time.Hour)
	root := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test root"}, NotBefore: from, NotAfter: until,
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	var rootKey *ecdsa.PrivateKey
	for _, c := range []struct {
		name     string
		template *x509.Certificate
	}{
		{"roots", root},
		{"server", &x509.Certificate{SerialNumber: big.NewInt(2), NotBefore: from, NotAfter: until, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}},
		{"client", &x509.Certificate{SerialNumber: big.NewInt(3), NotBefore: from, NotAfter: until}},
	} {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if rootKey == nil {
			rootKey = key
		}
		signed, err := x509.CreateCertificate(rand.Reader, c.template, root, key.Public(), rootKey)
		if err != nil {
			t.Fatal(err)
		}
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		for file, block := range map[string]*pem.Block{".pem": {Type: "CERTIFICATE", Bytes: signed}, ".key": {Type: "PRIVATE KEY", Bytes: der}} {
			if err := os.WriteFile(filepath.Join(dir, c.name+file), pem.EncodeToMemory(block), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
}
