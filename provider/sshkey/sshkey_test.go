package sshkey_test

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/provider/providertest"
	"github.com/keywright/keywright/provider/providertest/sshserver"
	"github.com/keywright/keywright/provider/sshkey"
	"github.com/keywright/keywright/secret"
)

func wrong(t *testing.T) func(provider.Credential, string) provider.Credential {
	return func(c provider.Credential, part string) provider.Credential {
		_, text := sshserver.NewKey(t)
		c.Parts = map[string]secret.Value{part: secret.New([]byte(text))}
		return c
	}
}

func TestConformance(t *testing.T) {
	s := sshserver.Start(t)
	admin := s.One(t, "")
	admin.Params = nil
	providertest.Provider(t, providertest.Subject{
		Provider: sshkey.Provider{}, Admin: admin, Accepts: s.Accepts, DeadCode: "publickey", ByID: true, Wrong: wrong(t),
		New:  func(t *testing.T) provider.Credential { return s.One(t, "") },
		Addr: "127.0.0.1:" + s.Port, Wire: true,
		At: func(addr string, c provider.Credential) (provider.Provider, provider.Credential) {
			c.Params = maps.Clone(c.Params)
			if c.Params != nil {
				c.Params["host"], c.Params["port"], _ = net.SplitHostPort(addr)
				c.Params["known_hosts"] = s.Knows(t, addr)
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

// The key changes itself; the options stay, and what else is in the file, and its mode.
func TestKeepsTheFile(t *testing.T) {
	s, p := sshserver.Start(t), sshkey.Provider{}
	const options = `no-pty,from="127.0.0.1,10.0.0.0/8",environment="A=b, \"c\"" `
	old := s.One(t, options)
	if err := os.Chmod(filepath.Join(s.Dir, "authorized_keys"), 0o640); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		before := s.Read(t, "authorized_keys")
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
		if err := p.Revoke(t.Context(), next, old, next); err != nil {
			t.Fatal(err)
		}
		if s.Accepts(t, old) || !s.Accepts(t, next) {
			t.Error("the host accepts the wrong one")
		}
		after := s.Read(t, "authorized_keys")
		line := strings.TrimPrefix(after, "# our own\n\n# after it, with a blank \n")
		if before == after || !strings.HasPrefix(line, options+"ssh-ed25519 ") || strings.Count(line, "\n") != 1 || strings.Count(line, " deploy@ci keywright-") != 1 {
			t.Errorf("%s", after)
		}
		old = next
	}
	if info, err := os.Stat(filepath.Join(s.Dir, "authorized_keys")); err != nil || info.Mode().Perm() != 0o640 {
		t.Error(info.Mode(), err)
	}
	if left, _ := filepath.Glob(filepath.Join(s.Dir, "*keywright*")); len(left) > 0 {
		t.Error(left)
	}
	// OpenSSH's own programs read what was made.
	s.Write(t, "made", string(old.Part("value").Reveal()))
	if out, err := exec.Command("ssh-keygen", "-l", "-f", filepath.Join(s.Dir, "made")).CombinedOutput(); err != nil || !strings.Contains(string(out), old.ID) {
		t.Errorf("%s %v", out, err)
	}
}

// Removing a key's line ends no session that was opened with it, as Info says.
func TestSessionsGoOn(t *testing.T) {
	s, p := sshserver.Start(t), sshkey.Provider{}
	old, other := s.One(t, ""), s.One(t, "")
	client, err := s.Login(old)
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
	if _, _, err := client.SendRequest("keepalive@openssh.com", true, nil); err != nil || s.Accepts(t, old) {
		t.Errorf("the session has ended, or the key is accepted: %v", err)
	}
}

// What is no answer of the right host is not taken for one, and what cannot be done says
// why.
func TestRefusals(t *testing.T) {
	s, p := sshserver.Start(t), sshkey.Provider{}
	with := func(c provider.Credential, param, value string) provider.Credential {
		c.Params = maps.Clone(c.Params)
		c.Params[param] = value
		return c
	}
	live := s.One(t, "")
	other, _ := sshserver.NewKey(t)
	s.Write(t, "other_hosts", fmt.Sprintf("[127.0.0.1]:%s %s", s.Port, ssh.MarshalAuthorizedKey(other.PublicKey())))
	s.Write(t, "no_hosts", "")
	for _, c := range []struct {
		param, value string
		kind         provider.Kind
	}{
		{"known_hosts", filepath.Join(s.Dir, "other_hosts"), provider.Unreached},
		{"known_hosts", filepath.Join(s.Dir, "no_hosts"), provider.Incomplete},
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
	bound := s.One(t, `command="echo hello" `)
	if _, err := p.Plan(t.Context(), bound, bound); err == nil || !strings.Contains(err.Error(), "not the one of a shell") {
		t.Error(err)
	}
	if probe, err := p.Verify(t.Context(), bound); err != nil || probe.State != provider.Alive {
		t.Error(probe, err)
	}
	if _, err := p.Plan(t.Context(), live, wrong(t)(live, "value")); kind(err) != provider.Refused || !strings.Contains(err.Error(), "does not list") {
		t.Error(err)
	}
	if _, err := p.Plan(t.Context(), live, with(live, "authorized_keys", s.Dir+"/nothing here's")); kind(err) != provider.Refused || !strings.Contains(err.Error(), "No such file") {
		t.Error(err)
	}
	if err := os.Symlink("authorized_keys", filepath.Join(s.Dir, "link")); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Plan(t.Context(), live, with(live, "authorized_keys", s.Dir+"/link")); kind(err) != provider.Refused || !strings.Contains(err.Error(), "symbolic link") {
		t.Error(err)
	}
	junk := live
	junk.Parts = map[string]secret.Value{"value": secret.New([]byte("-----BEGIN NOTHING-----"))}
	if _, err := p.Verify(t.Context(), junk); kind(err) != provider.Incomplete {
		t.Error(err)
	}
}
