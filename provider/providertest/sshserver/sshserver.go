// Package sshserver starts an OpenSSH for tests.
package sshserver

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/provider/providertest/daemon"
	"github.com/keywright/keywright/secret"
)

// Server is an sshd that listens on loopback alone, lets its own user in, and ends with
// its test.
type Server struct {
	Dir, Port, User string
	host            ssh.PublicKey
	mu              sync.Mutex // of authorized_keys, for the tests' own changes
}

// Start starts a server, and skips the test where none is installed.
func Start(t *testing.T) *Server {
	t.Helper()
	program := daemon.Program(t, "sshd", "openssh-server", "sshd", "/usr/sbin/sshd")
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 { // sshd asks for it, and Debian's service is what makes it
		if err := os.MkdirAll("/run/sshd", 0o755); err != nil {
			t.Fatal(err)
		}
	}
	s := &Server{Dir: t.TempDir(), User: me.Username}
	signer, text := NewKey(t)
	s.host = signer.PublicKey()
	s.Write(t, "host_key", text)
	s.Write(t, "authorized_keys", "# our own\n\n")
	for range 5 { // another process may take the port meanwhile
		s.Port = daemon.Port(t)
		config := fmt.Sprintf("Port %s\nListenAddress 127.0.0.1\nHostKey %[2]s/host_key\nAuthorizedKeysFile %[2]s/authorized_keys\nPidFile none\nStrictModes no\n"+
			"PasswordAuthentication no\nKbdInteractiveAuthentication no\nUsePAM no\nPermitRootLogin prohibit-password\nMaxStartups 100\n", s.Port, s.Dir)
		s.Write(t, "config", config+"PerSourcePenalties no\n")
		if exec.Command(program, "-t", "-f", filepath.Join(s.Dir, "config")).Run() != nil { // before OpenSSH 9.8 there are none
			s.Write(t, "config", config)
		}
		c := daemon.Command{Args: []string{program, "-D", "-e", "-f", filepath.Join(s.Dir, "config")}, Log: filepath.Join(s.Dir, "log"), Stop: "kill $server"}
		_, err = c.Start(t, func() error {
			conn, err := net.Dial("tcp", "127.0.0.1:"+s.Port)
			if err == nil {
				conn.Close()
			}
			return err
		}, func(error) bool { return false })
		if err == nil {
			return s
		}
	}
	t.Fatalf("sshd does not start: %v", err)
	return nil
}

// Write writes a file in its directory.
func (s *Server) Write(t *testing.T, name, text string) {
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

// NewKey makes a key, and returns it in the form of a private key's file, too.
func NewKey(t *testing.T) (ssh.Signer, string) {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return signer, string(pem.EncodeToMemory(block))
}

// Knows is the path of a known_hosts that has the server at an address.
func (s *Server) Knows(t *testing.T, addr string) string {
	t.Helper()
	host, port, _ := net.SplitHostPort(addr)
	name := "known_hosts-" + port
	s.Write(t, name, fmt.Sprintf("[%s]:%s %s", host, port, ssh.MarshalAuthorizedKey(s.host)))
	return filepath.Join(s.Dir, name)
}

// One makes a key, and lists it between others.
func (s *Server) One(t *testing.T, options string) provider.Credential {
	t.Helper()
	signer, text := NewKey(t)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Write(t, "authorized_keys", s.Read(t, "authorized_keys")+options+strings.TrimSpace(string(ssh.MarshalAuthorizedKey(signer.PublicKey())))+" deploy@ci\n# after it, with a blank \n")
	addr := "127.0.0.1:" + s.Port
	return provider.Credential{
		ID:     ssh.FingerprintSHA256(signer.PublicKey()),
		Parts:  map[string]secret.Value{"value": secret.New([]byte(text))},
		Params: map[string]string{"host": "127.0.0.1", "port": s.Port, "user": s.User, "known_hosts": s.Knows(t, addr), "authorized_keys": filepath.Join(s.Dir, "authorized_keys")},
	}
}

// Login opens a session with nothing of ours in between.
func (s *Server) Login(c provider.Credential) (*ssh.Client, error) {
	signer, err := ssh.ParsePrivateKey(c.Part("value").Reveal())
	if err != nil {
		return nil, err
	}
	return ssh.Dial("tcp", "127.0.0.1:"+s.Port, &ssh.ClientConfig{User: s.User, Auth: []ssh.AuthMethod{ssh.PublicKeys(signer)}, HostKeyCallback: ssh.FixedHostKey(s.host)})
}

// Accepts asks the server itself.
func (s *Server) Accepts(t *testing.T, c provider.Credential) bool {
	t.Helper()
	client, err := s.Login(c)
	if err == nil {
		client.Close()
	} else if !strings.Contains(err.Error(), "unable to authenticate") {
		t.Fatal(err)
	}
	return err == nil
}
