package rabbitmq_test

import (
	"crypto/rand"
	"errors"
	"maps"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/provider/providertest"
	"github.com/keywright/keywright/provider/rabbitmq"
)

// TestRabbitMQ starts the server that all the tests share.
func TestRabbitMQ(t *testing.T) {
	s := start(t)
	s.admin = s.credential("kwadmin", rand.Text())
	s.make(t, "kwadmin", reveal(s.admin), "administrator")
	for _, test := range []struct {
		name string
		run  func(*testing.T, *server)
	}{
		{"conformance", testConformance},
		{"names", testNames},
		{"a program goes on", testProgramGoesOn},
		{"connections in place", testConnectionsInPlace},
		{"another has come", testAnotherHasCome},
		{"by itself", testByItself},
		{"plan", testPlan},
		{"states", testStates},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, s) })
	}
}

// one makes a user.
func (s *server) one(t *testing.T) provider.Credential {
	t.Helper()
	c := s.credential("app_"+strings.ToLower(rand.Text()[:8]), rand.Text())
	s.make(t, c.ID, reveal(c), "")
	return c
}

// two makes users that take turns, and returns the one that is in use.
func (s *server) two(t *testing.T) provider.Credential {
	t.Helper()
	c := s.one(t)
	s.make(t, c.ID+"_b", rand.Text(), "")
	c.Params["users"] = c.ID + " , " + c.ID + "_b"
	return c
}

func at(addr string, c provider.Credential) (provider.Provider, provider.Credential) {
	c.Params = maps.Clone(c.Params)
	c.Params["url"] = "http://" + addr
	_, c.Params["port"], _ = net.SplitHostPort(addr)
	return rabbitmq.New(nil), c
}

func testConformance(t *testing.T, s *server) {
	subject := providertest.Subject{
		Provider: rabbitmq.New(nil), Admin: s.admin, Accepts: s.accepts, DeadCode: "403 ACCESS_REFUSED", ByID: true,
		Addr: s.addr, At: at, New: s.two, Wire: true,
	}
	t.Run("two users", func(t *testing.T) { providertest.Provider(t, subject) })
	subject.At = func(addr string, c provider.Credential) (provider.Provider, provider.Credential) {
		c.Params = maps.Clone(c.Params)
		c.Params["url"] = "http://" + addr
		return rabbitmq.New(nil), c
	}
	t.Run("answers", func(t *testing.T) { providertest.Answers(t, subject) })
	subject.InPlace, subject.New, subject.At = true, s.one, nil
	t.Run("in place", func(t *testing.T) { providertest.Provider(t, subject) })
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

// names that would lead elsewhere if they were not escaped. Tags stay.
func testNames(t *testing.T, s *server) {
	for _, name := range []string{"with space", "a/b", "../boss", "per%2Fcent", "what?x=y#z", "ünïcode", `quo"te`} {
		t.Run(name, func(t *testing.T) {
			p := rabbitmq.New(nil)
			old := s.credential(name, rand.Text())
			old.Params["users"] = name + "," + name + "_b"
			s.make(t, name, reveal(old), "monitoring,policymaker")
			s.make(t, name+"_b", rand.Text(), "policymaker,monitoring")
			must(p.Plan(t.Context(), s.admin, old))(t)
			next := must(p.Make(t.Context(), old))(t)
			if err := p.Apply(t.Context(), s.admin, old, next); err != nil {
				t.Fatal(err)
			}
			if err := p.Revoke(t.Context(), s.admin, old, next); err != nil {
				t.Fatal(err)
			}
			if !s.accepts(t, next) || s.accepts(t, old) {
				t.Error("the server accepts the wrong one")
			}
			for _, u := range []string{name, name + "_b"} {
				if got := s.do(t, http.MethodGet, "/users/"+url.PathEscape(u), ""); !strings.Contains(got, "monitoring") || !strings.Contains(got, "policymaker") {
					t.Errorf("its tags are gone: %s", got)
				}
			}
		})
	}
}

func (s *server) connect(c provider.Credential) (*amqp.Connection, error) {
	u := url.URL{Scheme: "amqp", Host: net.JoinHostPort(host, s.amqp), User: url.UserPassword(c.ID, reveal(c)), Path: "/"}
	return amqp.Dial(u.String())
}

type connection struct{ *amqp.Connection }

func (c connection) Alive() bool {
	channel, err := c.Channel()
	return err == nil && channel.Close() == nil
}

// A program that is connected all along never meets a refusal, through two rotations and
// back to the first user; and what it was logged in with is dead then, connections and all.
func testProgramGoesOn(t *testing.T, s *server) {
	left := providertest.Turns{
		Provider: rabbitmq.New(nil), Admin: s.admin, Old: s.two(t), DeadCode: "403 ACCESS_REFUSED", Refusal: "403",
		Login: func(c provider.Credential) (providertest.Session, error) {
			conn, err := s.connect(c)
			return connection{conn}, err
		},
		Sessions: func(t *testing.T, user string) string {
			return strings.TrimPrefix(s.do(t, http.MethodGet, "/connections/username/"+user, ""), "[]")
		},
	}.GoesOn(t)
	if conn, err := s.connect(s.credential(left.ID+"x", reveal(left))); err == nil { // the client that programs use sees refusals
		conn.Close()
		t.Error("anybody is let in")
	}
}

// In place, a connection goes on until the old password is revoked, and all end then.
func testConnectionsInPlace(t *testing.T, s *server) {
	p := rabbitmq.New(nil)
	old, other := s.one(t), s.one(t)
	before, beside := must(s.connect(old))(t), must(s.connect(other))(t)
	defer beside.Close()
	next := must(p.Make(t.Context(), old))(t)
	if err := p.Apply(t.Context(), s.admin, old, next); err != nil {
		t.Fatal(err)
	}
	if before.IsClosed() {
		t.Error("a connection was closed early")
	}
	if err := p.Revoke(t.Context(), s.admin, old, next); err != nil {
		t.Fatal(err)
	}
	providertest.Until(t, "the connection of the old password is closed", before.IsClosed)
	if beside.IsClosed() {
		t.Error("a connection of another user was closed")
	}
	if !s.accepts(t, next) || s.accepts(t, old) {
		t.Error("the server accepts the wrong one")
	}
}

// Who has got another password since is left alone.
func testAnotherHasCome(t *testing.T, s *server) {
	p := rabbitmq.New(nil)
	old := s.two(t)
	next := must(p.Make(t.Context(), old))(t)
	if err := p.Apply(t.Context(), s.admin, old, next); err != nil {
		t.Fatal(err)
	}
	newer := s.credential(old.ID, rand.Text())
	s.make(t, newer.ID, reveal(newer), "")
	if err := p.Revoke(t.Context(), s.admin, old, next); err != nil {
		t.Fatal(err)
	}
	if !s.accepts(t, newer) || s.accepts(t, old) {
		t.Error("the server accepts the wrong one")
	}
}

// An administrator can change its own password, and be asked twice.
func testByItself(t *testing.T, s *server) {
	p := rabbitmq.New(nil)
	old := s.one(t)
	s.make(t, old.ID, reveal(old), "administrator")
	must(p.Plan(t.Context(), old, old))(t)
	next := must(p.Make(t.Context(), old))(t)
	for range 2 {
		if err := p.Apply(t.Context(), old, old, next); err != nil {
			t.Fatal(err)
		}
	}
	if !s.accepts(t, next) || s.accepts(t, old) {
		t.Error("the server accepts the wrong one")
	}
	if err := p.Apply(t.Context(), old, old, must(p.Make(t.Context(), old))(t)); kind(err) != provider.Forbidden {
		t.Errorf("by a password that is gone: %v", err)
	}
}

func testPlan(t *testing.T, s *server) {
	for _, c := range []struct {
		name   string
		before [3]string // a call: method, path, body; OLD and NEXT are the two users
		tags   string    // of who asks, instead of administrator
		params map[string]string
		kind   provider.Kind // "" for none
		want   string
	}{
		{name: "all is well"},
		{name: "no administrator", tags: "monitoring", kind: provider.Forbidden, want: "set_user_tags"},
		{name: "no tag at all", tags: "none", kind: provider.Forbidden},
		{name: "the user is not there", before: [3]string{http.MethodDelete, "/users/OLD", ""}, kind: provider.Refused, want: "no user OLD"},
		{name: "the other is not there", before: [3]string{http.MethodDelete, "/users/NEXT", ""}, kind: provider.Refused, want: "no user NEXT"},
		{name: "another permission", before: [3]string{http.MethodPut, "/permissions/%2F/NEXT", `{"configure":"","write":".*","read":".*"}`}, kind: provider.Refused, want: "NEXT alone has the permission"},
		{name: "another tag", before: [3]string{http.MethodPut, "/users/NEXT", `{"password":"x","tags":"management"}`}, kind: provider.Refused, want: "the tag management"},
		{name: "a limit", before: [3]string{http.MethodPut, "/user-limits/OLD/max-connections", `{"value":5}`}, kind: provider.Refused, want: "OLD alone has the limits"},
		{name: "topics", before: [3]string{http.MethodPut, "/topic-permissions/%2F/OLD", `{"exchange":"amq.topic","write":"^a","read":".*"}`}, kind: provider.Refused, want: "for topics"},
		{name: "none of the two", params: map[string]string{"users": "x,y"}, kind: provider.Incomplete, want: "none of the users"},
		{name: "not two", params: map[string]string{"users": "x,x"}, kind: provider.Incomplete, want: "not two users"},
		{name: "no address", params: map[string]string{"url": ""}, kind: provider.Incomplete, want: "url"},
		{name: "in the clear", params: map[string]string{"url": "http://mq.example.com:15672"}, kind: provider.Incomplete, want: "https://"},
	} {
		t.Run(c.name, func(t *testing.T) {
			old := s.two(t)
			maps.Copy(old.Params, c.params)
			named := strings.NewReplacer("OLD", old.ID, "NEXT", old.ID+"_b")
			if c.before[0] != "" {
				s.do(t, c.before[0], named.Replace(c.before[1]), c.before[2])
			}
			admin := s.admin
			if c.tags != "" {
				admin = s.one(t)
				s.make(t, admin.ID, reveal(admin), strings.TrimPrefix(c.tags, "none"))
			}
			admin.Params = nil
			_, err := rabbitmq.New(nil).Plan(t.Context(), admin, old)
			said := ""
			if e := new(provider.Error); errors.As(err, &e) {
				said = e.Error() + " → " + e.Hint
			}
			t.Log(said)
			if kind(err) != c.kind || (err != nil) != (c.kind != "") || !strings.Contains(said, named.Replace(c.want)) {
				t.Errorf("%q: %v", kind(err), said)
			}
		})
	}
	t.Run("in use", func(t *testing.T) {
		old := s.two(t)
		other := s.credential(old.ID+"_b", rand.Text())
		s.make(t, other.ID, reveal(other), "")
		conn := must(s.connect(other))(t)
		defer conn.Close()
		if _, err := rabbitmq.New(nil).Plan(t.Context(), s.admin, old); kind(err) != provider.Refused || !strings.Contains(err.Error(), "in use: 1 connections") {
			t.Error(err)
		}
	})
}

// What the broker says of a credential, and what that means.
func testStates(t *testing.T, s *server) {
	for _, c := range []struct {
		name   string
		before [3]string
		params map[string]string
		want   provider.State // "" for an error
		code   string
	}{
		{name: "live", want: provider.Alive},
		{name: "deleted", before: [3]string{http.MethodDelete, "/users/USER", ""}, want: provider.Dead, code: "403 ACCESS_REFUSED"},
		{name: "without a password", before: [3]string{http.MethodPut, "/users/USER", `{"password_hash":"","tags":""}`}, want: provider.Dead, code: "403 ACCESS_REFUSED"},
		{name: "no right to the virtual host", before: [3]string{http.MethodDelete, "/permissions/%2F/USER", ""}, want: provider.Narrow, code: "530 NOT_ALLOWED"},
		{name: "no such virtual host", params: map[string]string{"vhost": "nosuch"}, want: provider.Narrow, code: "530 NOT_ALLOWED"},
		{name: "crowded", before: [3]string{http.MethodPut, "/user-limits/USER/max-connections", `{"value":0}`}, want: provider.Throttled, code: "530 NOT_ALLOWED"},
		{name: "without TLS elsewhere", params: map[string]string{"host": "mq.example.com"}},
		{name: "no TLS here", params: map[string]string{"sslmode": "verify-full"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			cred := s.one(t)
			maps.Copy(cred.Params, c.params)
			if c.before[0] != "" {
				s.do(t, c.before[0], strings.ReplaceAll(c.before[1], "USER", cred.ID), c.before[2])
			}
			probe, err := rabbitmq.New(nil).Verify(t.Context(), cred)
			t.Log(probe, err)
			if probe.State != c.want || probe.Code != c.code || (err == nil) != (c.want != "") {
				t.Errorf("%+v, %v", probe, err)
			}
		})
	}
}
