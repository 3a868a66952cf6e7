package sshkey_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/provider/providertest"
	"github.com/keywright/keywright/provider/sshkey"
	"github.com/keywright/keywright/secret"
)

// server is an sshd that listens on loopback alone, lets its own user in, and ends with
// its test.
type server struct {
	dir, port, user string
	host            ssh.PublicKey
	mu              sync.Mutex // of the file, for the tests' own changes
}

func start(t *testing.T) *server {
	t.Helper()
	program, err := exec.LookPath("sshd")
	if err != nil {
		program = "/usr/sbin/sshd"
	}
	if _, err := os.Stat(program); err != nil {
		if os.Getenv("KEYWRIGHT_REQUIRE_SERVICES") == "1" {
			t.Fatal("sshd is not installed, and KEYWRIGHT_REQUIRE_SERVICES=1")
		}
		t.Skip("sshd is not installed (the package openssh-server has it)")
	}
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 { // sshd asks for it, and Debian's service is what makes it
		if err := os.MkdirAll("/run/sshd", 0o755); err != nil {
			t.Fatal(err)
		}
	}
	s := &server{dir: t.TempDir(), user: me.Username}
	signer, text := newKey(t)
	s.host = signer.PublicKey()
	s.write(t, "host_key", text)
	s.write(t, "authorized_keys", "# our own\n\n")
	for range 5 { // another process may take the port meanwhile
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		_, s.port, _ = net.SplitHostPort(l.Addr().String())
		l.Close()
		config := fmt.Sprintf("Port %s\nListenAddress 127.0.0.1\nHostKey %[2]s/host_key\nAuthorizedKeysFile %[2]s/authorized_keys\nPidFile none\nStrictModes no\n"+
			"PasswordAuthentication no\nKbdInteractiveAuthentication no\nUsePAM no\nPermitRootLogin prohibit-password\nMaxStartups 100\n", s.port, s.dir)
		s.write(t, "config", config+"PerSourcePenalties no\n")
		if exec.Command(program, "-t", "-f", filepath.Join(s.dir, "config")).Run() != nil { // before OpenSSH 9.8 there are none
			s.write(t, "config", config)
		}
		if s.run(t, program) {
			return s
		}
	}
	t.Fatalf("sshd does not start: %s", s.read(t, "log"))
	return nil
}

// keep runs a server until its input ends, which it does with our process, however that
// ends.
const keep = `"$@" </dev/null & server=$!; { cat; kill $server; } <&3 3<&- & wait $server`

func (s *server) run(t *testing.T, program string) bool {
	t.Helper()
	lives, ours, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer lives.Close()
	cmd := exec.Command("/bin/sh", "-c", keep, "sh", program, "-D", "-e", "-f", filepath.Join(s.dir, "config"))
	s.write(t, "log", "")
	log, err := os.OpenFile(filepath.Join(s.dir, "log"), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = log, log, []*os.File{lives}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	for {
		if conn, err := net.Dial("tcp", "127.0.0.1:"+s.port); err == nil {
			conn.Close()
			t.Cleanup(func() { ours.Close(); <-ended })
			return true
		}
		select {
		case <-ended:
			ours.Close()
			return false
		case <-time.After(20 * time.Millisecond):
		}
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

func newKey(t *testing.T) (ssh.Signer, string) {
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

func (s *server) knows(t *testing.T, addr string) string {
	t.Helper()
	host, port, _ := net.SplitHostPort(addr)
	name := "known_hosts-" + port
	s.write(t, name, fmt.Sprintf("[%s]:%s %s", host, port, ssh.MarshalAuthorizedKey(s.host)))
	return filepath.Join(s.dir, name)
}

// one makes a key, and lists it between others.
func (s *server) one(t *testing.T, options string) provider.Credential {
	t.Helper()
	signer, text := newKey(t)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.write(t, "authorized_keys", s.read(t, "authorized_keys")+options+strings.TrimSpace(string(ssh.MarshalAuthorizedKey(signer.PublicKey())))+" deploy@ci\n# after it, with a blank \n")
	addr := "127.0.0.1:" + s.port
	return provider.Credential{
		ID:     ssh.FingerprintSHA256(signer.PublicKey()),
		Parts:  map[string]secret.Value{"value": secret.New([]byte(text))},
		Params: map[string]string{"host": "127.0.0.1", "port": s.port, "user": s.user, "known_hosts": s.knows(t, addr), "authorized_keys": filepath.Join(s.dir, "authorized_keys")},
	}
}

func (s *server) dial(c provider.Credential) (*ssh.Client, error) {
	signer, err := ssh.ParsePrivateKey(c.Part("value").Reveal())
	if err != nil {
		return nil, err
	}
	return ssh.Dial("tcp", "127.0.0.1:"+s.port, &ssh.ClientConfig{User: s.user, Auth: []ssh.AuthMethod{ssh.PublicKeys(signer)}, HostKeyCallback: ssh.FixedHostKey(s.host)})
}

func (s *server) accepts(t *testing.T, c provider.Credential) bool {
	t.Helper()
	client, err := s.dial(c)
	if err == nil {
		client.Close()
	} else if !strings.Contains(err.Error(), "unable to authenticate") {
		t.Fatal(err)
	}
	return err == nil
}

func wrong(t *testing.T) func(provider.Credential, string) provider.Credential {
	return func(c provider.Credential, part string) provider.Credential {
		_, text := newKey(t)
		c.Parts = map[string]secret.Value{part: secret.New([]byte(text))}
		return c
	}
}

func TestConformance(t *testing.T) {
	s := start(t)
	admin := s.one(t, "")
	admin.Params = nil
	providertest.Provider(t, providertest.Subject{
		Provider: sshkey.Provider{}, Admin: admin, Accepts: s.accepts, DeadCode: "publickey", ByID: true, Wrong: wrong(t),
		New:  func(t *testing.T) provider.Credential { return s.one(t, "") },
		Addr: "127.0.0.1:" + s.port, Wire: true,
		At: func(addr string, c provider.Credential) (provider.Provider, provider.Credential) {
			c.Params = maps.Clone(c.Params)
			if c.Params != nil {
				c.Params["host"], c.Params["port"], _ = net.SplitHostPort(addr)
				c.Params["known_hosts"] = s.knows(t, addr)
			}
			return sshkey.Provider{}, c
		},
	})
}

func kind(err error) provider.Kind {
	if e := new(provider.Error); errors.As(err, &e) {
		return e.Kind
	}
	return ""
}

// A program that logs in all the time, with whatever its file holds, is never refused;
// the key changes itself, the options stay, and what else is in the file, and its mode.
func TestProgramGoesOn(t *testing.T) {
	s, p := start(t), sshkey.Provider{}
	const options = `no-pty,from="127.0.0.1,10.0.0.0/8",environment="A=b, \"c\"" `
	old := s.one(t, options)
	if err := os.Chmod(filepath.Join(s.dir, "authorized_keys"), 0o640); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	holds, refused, logins := old, 0, 0
	stop, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-stop:
				return
			default:
			}
			mu.Lock()
			c := holds
			client, err := s.dial(c)
			mu.Unlock()
			if logins++; err != nil {
				refused++
				continue
			}
			client.Close()
		}
	}()
	for range 2 {
		before := s.read(t, "authorized_keys")
		plan, err := p.Plan(t.Context(), old, old)
		if err != nil || !strings.Contains(strings.Join(plan.Notes, ";"), "no-pty") {
			t.Fatal(plan, err)
		}
		next, err := p.Make(t.Context(), old)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Apply(t.Context(), old, old, next); err != nil {
			t.Fatal(err)
		}
		mu.Lock()
		holds = next
		mu.Unlock()
		if err := p.Revoke(t.Context(), next, old, next); err != nil {
			t.Fatal(err)
		}
		if s.accepts(t, old) || !s.accepts(t, next) {
			t.Error("the host accepts the wrong one")
		}
		after := s.read(t, "authorized_keys")
		line := strings.TrimPrefix(after, "# our own\n\n# after it, with a blank \n")
		if before == after || !strings.HasPrefix(line, options+"ssh-ed25519 ") || strings.Count(line, "\n") != 1 || strings.Count(line, " deploy@ci keywright-") != 1 {
			t.Errorf("%s", after)
		}
		old = next
	}
	close(stop)
	<-ended
	t.Logf("%d logins, %d refused", logins, refused)
	if refused > 0 || logins == 0 {
		t.Errorf("%d of %d logins were refused", refused, logins)
	}
	if info, err := os.Stat(filepath.Join(s.dir, "authorized_keys")); err != nil || info.Mode().Perm() != 0o640 {
		t.Error(info.Mode(), err)
	}
	if left, _ := filepath.Glob(filepath.Join(s.dir, "*keywright*")); len(left) > 0 {
		t.Error(left)
	}
	// OpenSSH's own programs read what was made.
	s.write(t, "made", string(old.Part("value").Reveal()))
	if out, err := exec.Command("ssh-keygen", "-l", "-f", filepath.Join(s.dir, "made")).CombinedOutput(); err != nil || !strings.Contains(string(out), old.ID) {
		t.Errorf("%s %v", out, err)
	}
}

// Removing a key's line ends no session that was opened with it, as Info says.
func TestSessionsGoOn(t *testing.T) {
	s, p := start(t), sshkey.Provider{}
	old, other := s.one(t, ""), s.one(t, "")
	client, err := s.dial(old)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if l := p.Info().Lingers; l.What == "" || l.Longest != 0 {
		t.Error(l)
	}
	if err := p.Revoke(t.Context(), other, old, provider.Credential{}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := client.SendRequest("keepalive@openssh.com", true, nil); err != nil || s.accepts(t, old) {
		t.Errorf("the session has ended, or the key is accepted: %v", err)
	}
}

// What is no answer of the right host is not taken for one, and what cannot be done says
// why.
func TestRefusals(t *testing.T) {
	s, p := start(t), sshkey.Provider{}
	with := func(c provider.Credential, param, value string) provider.Credential {
		c.Params = maps.Clone(c.Params)
		c.Params[param] = value
		return c
	}
	live := s.one(t, "")
	other, _ := newKey(t)
	s.write(t, "other_hosts", fmt.Sprintf("[127.0.0.1]:%s %s", s.port, ssh.MarshalAuthorizedKey(other.PublicKey())))
	s.write(t, "no_hosts", "")
	for _, c := range []struct {
		param, value string
		kind         provider.Kind
	}{
		{"known_hosts", filepath.Join(s.dir, "other_hosts"), provider.Unreached},
		{"known_hosts", filepath.Join(s.dir, "no_hosts"), provider.Incomplete},
		{"known_hosts", "/nowhere", provider.Incomplete},
		{"host", "", provider.Incomplete},
		{"port", "x", provider.Incomplete},
		{"user", "", provider.Incomplete},
	} {
		probe, err := p.Verify(t.Context(), wrong(t)(with(live, c.param, c.value), "value"))
		if kind(err) != c.kind || probe.State != "" {
			t.Errorf("%s %s: %+v, %v", c.param, c.value, probe, err)
		}
	}
	bound := s.one(t, `command="echo hello" `)
	if _, err := p.Plan(t.Context(), bound, bound); err == nil || !strings.Contains(err.Error(), "not the one of a shell") {
		t.Error(err)
	}
	if probe, err := p.Verify(t.Context(), bound); err != nil || probe.State != provider.Alive {
		t.Error(probe, err)
	}
	if _, err := p.Plan(t.Context(), live, wrong(t)(live, "value")); kind(err) != provider.Refused || !strings.Contains(err.Error(), "does not list") {
		t.Error(err)
	}
	if _, err := p.Plan(t.Context(), live, with(live, "authorized_keys", s.dir+"/nothing here's")); kind(err) != provider.Refused || !strings.Contains(err.Error(), "No such file") {
		t.Error(err)
	}
	if err := os.Symlink("authorized_keys", filepath.Join(s.dir, "link")); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Plan(t.Context(), live, with(live, "authorized_keys", s.dir+"/link")); kind(err) != provider.Refused || !strings.Contains(err.Error(), "symbolic link") {
		t.Error(err)
	}
	junk := live
	junk.Parts = map[string]secret.Value{"value": secret.New([]byte("-----BEGIN NOTHING-----"))}
	if _, err := p.Verify(t.Context(), junk); kind(err) != provider.Incomplete {
		t.Error(err)
	}
}
