package providertest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/keywright/keywright/provider"
)

// Marked is to be in every secret of a fake, and in what it says in words. It must be in
// no error.
const Marked = "marked4711"

// HTTP is a fake of a service over HTTP. It is locked while a request is served, so that
// the state of the fake may be looked at when it is held.
type HTTP struct {
	sync.Mutex
	URL string
	// Answer may answer in place of the fake, and then returns true. What was asked for is
	// done by done.
	Answer func(w http.ResponseWriter, r *http.Request, done func()) bool

	calls []string
}

// Serve starts a fake, which ends with the test. What is asked for is recorded.
func Serve(t *testing.T, h http.HandlerFunc) *HTTP {
	t.Helper()
	s := &HTTP{}
	server := httptest.NewServer(Recorded(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.Lock()
		defer s.Unlock()
		s.calls = append(s.calls, r.Method+" "+r.URL.Path)
		if s.Answer != nil && s.Answer(w, r, func() { h(httptest.NewRecorder(), r) }) {
			return
		}
		h(w, r)
	})))
	t.Cleanup(server.Close)
	s.URL = server.URL
	return s
}

// Recorded is a fake of which what is asked for is written, for bench/openapi, to the
// directory that KEYWRIGHT_RECORD names, if it names one.
func Recorded(t *testing.T, h http.Handler) http.Handler {
	record := os.Getenv("KEYWRIGHT_RECORD")
	if record == "" {
		return h
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		note(t, record, r)
		h.ServeHTTP(w, r)
	})
}

// note writes a request down, without what it is authenticated with.
func note(t *testing.T, dir string, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client has gone
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	text, err := json.Marshal(map[string]string{"method": r.Method, "url": r.URL.RequestURI(), "type": r.Header.Get("Content-Type"), "body": string(body), "test": t.Name()})
	if err != nil {
		t.Error(err)
		return
	}
	f, err := os.CreateTemp(dir, "*.json")
	if err != nil {
		t.Error(err)
		return
	}
	if _, err := f.Write(text); err != nil {
		t.Error(err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
}

// Detour leads every call to one address, whatever host it is for, and is a transport.
type Detour string

// RoundTrip makes a call over HTTP. The server sees the host that it was for.
func (d Detour) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Host, r.URL.Scheme, r.URL.Host = r.URL.Host, "http", string(d)
	return (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
}

// Addr is where the fake listens.
func (s *HTTP) Addr() string { return strings.TrimPrefix(s.URL, "http://") }

// Count is how often something was asked for that begins so: "POST /v3/keys".
func (s *HTTP) Count(call string) (n int) {
	s.Lock()
	defer s.Unlock()
	for _, c := range s.calls {
		if strings.HasPrefix(c, call) {
			n++
		}
	}
	return n
}

// Changes is how many calls there were that may change something.
func (s *HTTP) Changes() (n int) {
	s.Lock()
	defer s.Unlock()
	for _, c := range s.calls {
		if !strings.HasPrefix(c, "GET ") && !strings.HasPrefix(c, "LIST ") {
			n++
		}
	}
	return n
}

// Quiet fails unless an error is one of a provider, of this kind, and shows no secret.
func Quiet(t *testing.T, err error, kind provider.Kind) *provider.Error {
	t.Helper()
	var e *provider.Error
	if !errors.As(err, &e) {
		t.Fatalf("%v is not of a provider", err)
	}
	if e.Kind != kind {
		t.Errorf("%v; want %s", err, kind)
	}
	for _, err := range unwrapped(err) {
		if text := fmt.Sprintf("%v %+v %#v", err, err, err); strings.Contains(text, Marked) {
			t.Errorf("it shows a secret: %s", text)
		}
	}
	return e
}

// Probe tries a credential, and fails if no answer comes, or if it shows a secret.
func Probe(t *testing.T, v provider.Verifier, c provider.Credential) provider.Probe {
	t.Helper()
	probe, err := v.Verify(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if text := fmt.Sprintf("%+v", probe); strings.Contains(text, Marked) {
		t.Errorf("it shows a secret: %s", text)
	}
	return probe
}

// Answer is what a fake does in place of answering: by done, what it was asked for.
type Answer func(w http.ResponseWriter, done func())

// Text answers something, and does nothing.
func Text(status int, body string) Answer {
	return func(w http.ResponseWriter, _ func()) { w.WriteHeader(status); fmt.Fprint(w, body) }
}

// After does what was asked for, and answers something else.
func After(answer Answer) Answer {
	return func(w http.ResponseWriter, done func()) { done(); answer(w, nil) }
}

// HangUp answers nothing.
func HangUp(http.ResponseWriter, func()) { panic(http.ErrAbortHandler) }

// Reply is an answer of a service, and what a probe is to make of it.
type Reply struct {
	Status int
	Header map[string]string
	Body   string
	State  provider.State // empty if it is an error
	Code   string
}

// Replies tries a credential, and has each of the replies given to the last call of it, or
// the only one.
func Replies(t *testing.T, s *HTTP, v provider.Verifier, c provider.Credential, call string, replies []Reply) {
	t.Helper()
	for _, reply := range replies {
		s.Answer = func(w http.ResponseWriter, r *http.Request, _ func()) bool {
			if !strings.HasPrefix(r.Method+" "+r.URL.Path, call) {
				return false
			}
			for name, value := range reply.Header {
				w.Header().Set(name, value)
			}
			w.WriteHeader(reply.Status)
			fmt.Fprint(w, reply.Body)
			return true
		}
		before := s.Count(call)
		probe, err := v.Verify(t.Context(), c)
		switch {
		case reply.State == "" && err == nil:
			t.Errorf("%d %s: %+v; want an error", reply.Status, reply.Body, probe)
		case reply.State != "" && (err != nil || probe.State != reply.State || probe.Code != reply.Code):
			t.Errorf("%d %s: %q (%q), %v; want %q (%q)", reply.Status, reply.Body, probe.State, probe.Code, err, reply.State, reply.Code)
		}
		if text := fmt.Sprintf("%+v %v", probe, err); strings.Contains(text, Marked) {
			t.Errorf("%d: it shows a secret: %s", reply.Status, text)
		}
		if n := s.Count(call) - before; n != 1 {
			t.Errorf("%d %s: asked %d times", reply.Status, reply.Body, n)
		}
	}
	s.Answer = nil
}
