package rabbitmq_test

import (
	"crypto/rand"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/provider/providertest"
	"github.com/keywright/keywright/provider/providertest/daemon"
	"github.com/keywright/keywright/provider/providertest/rabbitserver"
	"github.com/keywright/keywright/provider/rabbitmq"
)

const host = daemon.Host

// TestRabbitMQ starts the server that all the tests share.
func TestRabbitMQ(t *testing.T) {
	s := rabbitserver.Start(t)
	var waiting sync.WaitGroup
	defer waiting.Wait()
	waiting.Go(func() { t.Run("frozen", func(t *testing.T) { testFrozen(t, s) }) })
	waiting.Go(func() { t.Run("counted for ever", func(t *testing.T) { testCountedForEver(t, s) }) })
	for _, test := range []struct {
		name string
		run  func(*testing.T, *rabbitserver.Server)
	}{
		{"conformance", testConformance},
		{"names", testNames},
		{"connections in place", testConnectionsInPlace},
		{"another has come", testAnotherHasCome},
		{"by itself", testByItself},
		{"plan", testPlan},
		{"states", testStates},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, s) })
	}
}

func at(addr string, c provider.Credential) (provider.Provider, provider.Credential) {
	c.Params = maps.Clone(c.Params)
	c.Params["url"] = "http://" + addr
	_, c.Params["port"], _ = net.SplitHostPort(addr)
	return rabbitmq.New(nil), c
}

func testConformance(t *testing.T, s *rabbitserver.Server) {
	subject := providertest.Subject{
		Provider: rabbitmq.New(nil), Admin: s.Admin, Accepts: s.Accepts, DeadCode: "403 ACCESS_REFUSED", ByID: true,
		Addr: s.Addr, At: at, New: s.Two, Wire: true,
	}
	t.Run("two users", func(t *testing.T) { providertest.Provider(t, subject) })
	subject.At = func(addr string, c provider.Credential) (provider.Provider, provider.Credential) {
		c.Params = maps.Clone(c.Params)
		c.Params["url"] = "http://" + addr
		return rabbitmq.New(nil), c
	}
	t.Run("answers", func(t *testing.T) { providertest.Answers(t, subject) })
	subject.InPlace, subject.New, subject.At = true, s.One, nil
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
func testNames(t *testing.T, s *rabbitserver.Server) {
	for _, name := range []string{"with space", "a/b", "../boss", "per%2Fcent", "what?x=y#z", "ünïcode", `quo"te`} {
		t.Run(name, func(t *testing.T) {
			p := rabbitmq.New(nil)
			old := s.Credential(name, rand.Text())
			old.Params["users"] = name + "," + name + "_b"
			s.Make(t, name, reveal(old), "monitoring,policymaker")
			s.Make(t, name+"_b", rand.Text(), "policymaker,monitoring")
			must(p.Plan(t.Context(), s.Admin, old))(t)
			next := must(p.Make(t.Context(), old))(t)
			if err := p.Apply(t.Context(), s.Admin, old, next); err != nil {
				t.Fatal(err)
			}
			if err := p.Revoke(t.Context(), s.Admin, old, next); err != nil {
				t.Fatal(err)
			}
			if !s.Accepts(t, next) || s.Accepts(t, old) {
				t.Error("the server accepts the wrong one")
			}
			for _, u := range []string{name, name + "_b"} {
				if got := s.Do(t, http.MethodGet, "/users/"+url.PathEscape(u), ""); !strings.Contains(got, "monitoring") || !strings.Contains(got, "policymaker") {
					t.Errorf("its tags are gone: %s", got)
				}
			}
		})
	}
}

// A program that does not answer is given half a minute by the broker to close its connection.
func testFrozen(t *testing.T, s *rabbitserver.Server) {
	if testing.Short() {
		t.Skip("it waits for half a minute")
	}
	p := rabbitmq.New(nil)
	old := s.Two(t)
	frozen := make(chan struct{})
	conn := must(s.LoginOver(old, func(c net.Conn) net.Conn { return freezing{c, frozen} }))(t)
	defer conn.Close()
	defer close(frozen)
	next := must(p.Make(t.Context(), old))(t)
	if err := errors.Join(p.Apply(t.Context(), s.Admin, old, next), p.Revoke(t.Context(), s.Admin, old, next)); err != nil {
		t.Fatal(err)
	}
	if left := s.Sessions(t, old.ID); left != "" {
		t.Errorf("it goes on: %s", left)
	}
}

// freezing is a connection from which nothing is read, once it is open, until it ends.
type freezing struct {
	net.Conn
	end chan struct{}
}

func (f freezing) Read(b []byte) (int, error) {
	n, err := f.Conn.Read(b)
	// A method of the class connection, in a frame of its own: that it shall be closed.
	if n > 10 && b[0] == 1 && b[8] == 10 && b[10] == 50 {
		<-f.end
	}
	return n, err
}

// A connection that has ended may be counted for ever. It is told from one that is open.
func testCountedForEver(t *testing.T, s *rabbitserver.Server) {
	p, old := rabbitmq.New(nil), s.Two(t)
	broker, err := url.Parse(old.Params["url"])
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(broker)
	proxy.ModifyResponse = func(r *http.Response) error {
		if r.Request.Method == http.MethodGet && strings.HasPrefix(r.Request.URL.Path, "/api/connections/username/") {
			r.Body.Close()
			b := `[{"name":"127.0.0.1:1 -> 127.0.0.1:2","user":"gone"}]`
			r.Body, r.ContentLength = io.NopCloser(strings.NewReader(b)), int64(len(b))
			r.Header.Set("Content-Length", strconv.Itoa(len(b)))
		}
		return nil
	}
	before := httptest.NewServer(proxy)
	defer before.Close()
	admin := s.Admin
	admin.Params = maps.Clone(admin.Params)
	old.Params["url"], admin.Params["url"] = before.URL, before.URL
	var both sync.WaitGroup
	defer both.Wait()
	both.Go(func() {
		if _, err := p.Plan(t.Context(), admin, old); err != nil {
			t.Error(err)
		}
	})
	both.Go(func() {
		if err := p.Revoke(t.Context(), admin, old, old); err != nil {
			t.Error(err)
		}
	})
}

// In place, a connection goes on until the old password is revoked, and all end then.
func testConnectionsInPlace(t *testing.T, s *rabbitserver.Server) {
	p := rabbitmq.New(nil)
	old, other := s.One(t), s.One(t)
	before, beside := must(s.Login(old))(t), must(s.Login(other))(t)
	defer beside.Close()
	next := must(p.Make(t.Context(), old))(t)
	if err := p.Apply(t.Context(), s.Admin, old, next); err != nil {
		t.Fatal(err)
	}
	if before.IsClosed() {
		t.Error("a connection was closed early")
	}
	done := make(chan struct{})
	var program sync.WaitGroup
	defer program.Wait()
	defer close(done)
	program.Go(func() { // with the new one, that comes again at once
		for {
			conn, err := s.Login(next)
			if err != nil {
				t.Error(err)
				return
			}
			select {
			case <-done:
				conn.Close()
				return
			case <-conn.NotifyClose(make(chan *amqp.Error, 1)):
			}
		}
	})
	if err := p.Revoke(t.Context(), s.Admin, old, next); err != nil {
		t.Fatal(err)
	}
	providertest.Until(t, "the connection of the old password is closed", before.IsClosed)
	if beside.IsClosed() {
		t.Error("a connection of another user was closed")
	}
	if !s.Accepts(t, next) || s.Accepts(t, old) {
		t.Error("the server accepts the wrong one")
	}
}

// Who has got another password since is left alone.
func testAnotherHasCome(t *testing.T, s *rabbitserver.Server) {
	p := rabbitmq.New(nil)
	old := s.Two(t)
	next := must(p.Make(t.Context(), old))(t)
	if err := p.Apply(t.Context(), s.Admin, old, next); err != nil {
		t.Fatal(err)
	}
	newer := s.Credential(old.ID, rand.Text())
	s.Make(t, newer.ID, reveal(newer), "")
	if err := p.Revoke(t.Context(), s.Admin, old, next); err != nil {
		t.Fatal(err)
	}
	if !s.Accepts(t, newer) || s.Accepts(t, old) {
		t.Error("the server accepts the wrong one")
	}
}

// An administrator can change its own password, and be asked twice.
func testByItself(t *testing.T, s *rabbitserver.Server) {
	p := rabbitmq.New(nil)
	old := s.One(t)
	s.Make(t, old.ID, reveal(old), "administrator")
	must(p.Plan(t.Context(), old, old))(t)
	next := must(p.Make(t.Context(), old))(t)
	for range 2 {
		if err := p.Apply(t.Context(), old, old, next); err != nil {
			t.Fatal(err)
		}
	}
	if !s.Accepts(t, next) || s.Accepts(t, old) {
		t.Error("the server accepts the wrong one")
	}
	if err := p.Apply(t.Context(), old, old, must(p.Make(t.Context(), old))(t)); kind(err) != provider.Forbidden {
		t.Errorf("by a password that is gone: %v", err)
	}
}

func testPlan(t *testing.T, s *rabbitserver.Server) {
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
			old := s.Two(t)
			maps.Copy(old.Params, c.params)
			named := strings.NewReplacer("OLD", old.ID, "NEXT", old.ID+"_b")
			if c.before[0] != "" {
				s.Do(t, c.before[0], named.Replace(c.before[1]), c.before[2])
			}
			admin := s.Admin
			if c.tags != "" {
				admin = s.One(t)
				s.Make(t, admin.ID, reveal(admin), strings.TrimPrefix(c.tags, "none"))
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
		old := s.Two(t)
		other := s.Credential(old.ID+"_b", rand.Text())
		s.Make(t, other.ID, reveal(other), "")
		conn := must(s.Login(other))(t)
		defer conn.Close()
		if _, err := rabbitmq.New(nil).Plan(t.Context(), s.Admin, old); kind(err) != provider.Refused || !strings.Contains(err.Error(), "in use: 1 connections") {
			t.Error(err)
		}
	})
}

// What the broker says of a credential, and what that means.
func testStates(t *testing.T, s *rabbitserver.Server) {
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
			cred := s.One(t)
			maps.Copy(cred.Params, c.params)
			if c.before[0] != "" {
				s.Do(t, c.before[0], strings.ReplaceAll(c.before[1], "USER", cred.ID), c.before[2])
			}
			probe, err := rabbitmq.New(nil).Verify(t.Context(), cred)
			t.Log(probe, err)
			if probe.State != c.want || probe.Code != c.code || (err == nil) != (c.want != "") {
				t.Errorf("%+v, %v", probe, err)
			}
		})
	}
}

func reveal(c provider.Credential) string { return string(c.Part("password").Reveal()) }
