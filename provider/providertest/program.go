package providertest

import (
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keywright/keywright/provider"
)

// Session is what somebody has opened who is logged in.
type Session interface {
	Alive() bool // it is asked whether it goes on
	Close() error
}

// program is one that is connected all along. When its session ends, it logs in with
// whatever its file holds.
type program struct {
	file   atomic.Pointer[provider.Credential]
	as     atomic.Pointer[provider.Credential] // that it is logged in with
	logins atomic.Int64
	failed atomic.Int64 // of them
	end    func()
}

// start runs a program until the test ends.
func start(t *testing.T, c provider.Credential, login func(provider.Credential) (Session, error)) *program {
	t.Helper()
	p := &program{}
	p.file.Store(&c)
	stop, ended := make(chan struct{}), make(chan struct{})
	p.end = sync.OnceFunc(func() { close(stop); <-ended })
	t.Cleanup(p.end)
	go func() {
		defer close(ended)
		var open Session
		for {
			select {
			case <-stop:
				if open != nil {
					open.Close()
				}
				return
			case <-time.After(5 * time.Millisecond):
			}
			if open == nil {
				c := p.file.Load()
				p.logins.Add(1)
				s, err := login(*c)
				if err != nil {
					p.failed.Add(1)
					continue
				}
				open = s
				p.as.Store(c)
			}
			if !open.Alive() {
				open.Close()
				open = nil
			}
		}
	}()
	return p
}

// uses reports whether a program is logged in with a credential.
func (p *program) uses(c provider.Credential) bool {
	as := p.as.Load()
	return as != nil && as.ID == c.ID && string(as.Part("password").Reveal()) == string(c.Part("password").Reveal())
}

// Until waits for something that takes a moment.
func Until(t *testing.T, what string, is func() bool) {
	t.Helper()
	for began := time.Now(); !is(); time.Sleep(10 * time.Millisecond) {
		if time.Since(began) > time.Minute {
			t.Fatalf("a minute later it is not so: %s", what)
		}
	}
}

// Turns is a server whose users take turns, or whose user has two passwords for a while.
type Turns struct {
	Provider interface {
		provider.Verifier
		provider.Planner
		provider.Maker
		provider.Revoker
	}
	Admin, Old provider.Credential
	// Login logs in without the provider.
	Login func(c provider.Credential) (Session, error)
	// Sessions is what the server itself says of those of a user that are left, in words;
	// empty if there are none. It may be nil.
	Sessions func(t *testing.T, user string) string
	DeadCode string // what Verify gives for one that is dead
	Refusal  string // what is in the error of such a login
}

// GoesOn replaces a credential twice. A program that is connected all along with it never
// meets a refusal, and is not thrown out before the old one is revoked; what that was used
// for is dead then, sessions and all. The credential that is left is returned.
func (s Turns) GoesOn(t *testing.T) provider.Credential {
	t.Helper()
	old := s.Old
	program := start(t, old, s.Login)
	Until(t, "it is connected", func() bool { return program.uses(old) })
	for range 2 {
		found, err := s.Login(old) // by somebody who has found the password
		if err != nil {
			t.Fatal(err)
		}
		defer found.Close()
		plan, err := s.Provider.Plan(t.Context(), s.Admin, old)
		if err != nil || plan.InPlace || plan.Outage != "" {
			t.Fatalf("%+v, %v", plan, err)
		}
		next, err := s.Provider.Make(t.Context(), old)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Provider.Apply(t.Context(), s.Admin, old, next); err != nil {
			t.Fatal(err)
		}
		program.file.Store(&next)
		if !program.uses(old) || !found.Alive() {
			t.Errorf("somebody was thrown out before the old password was revoked, in %d logins", program.logins.Load())
		}
		if err := s.Provider.Revoke(t.Context(), s.Admin, old, next); err != nil {
			t.Fatal(err)
		}
		if found.Alive() {
			t.Fatal("a session of the old password goes on")
		}
		if s.Sessions != nil {
			if left := s.Sessions(t, old.ID); left != "" && old.ID != next.ID {
				t.Errorf("sessions of the old user are left: %s", left)
			}
		}
		Until(t, "it uses the new one", func() bool { return program.uses(next) })
		if again, err := s.Login(old); err == nil {
			again.Close()
			t.Error("the old one is accepted")
		} else if !strings.Contains(err.Error(), s.Refusal) {
			t.Errorf("the server says of the old one: %v", err)
		}
		if probe := Probe(t, s.Provider, old); probe.State != provider.Dead || probe.Code != s.DeadCode {
			t.Errorf("%+v", probe)
		}
		old = next
	}
	program.end()
	if n := program.failed.Load(); n != 0 {
		t.Errorf("%d of %d logins failed", n, program.logins.Load())
	}
	return old
}
