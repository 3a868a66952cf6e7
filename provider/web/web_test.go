package web_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/provider/web"
	"github.com/keywright/keywright/secret"
)

// marked is in every request, and must be in no error.
const marked = "marked-value-4711"

// patience is how long a call waits where it is meant to wait in vain. Within it, a
// connection on this machine must come about.
const patience = 2 * time.Second

func call(address string) web.Call {
	return web.Call{
		Doing: "try", Method: http.MethodPost, URL: address, Path: "/do", Query: "q=" + marked,
		Header: http.Header{"Authorization": {"Bearer " + marked}}, Body: []byte(`{"token":"` + marked + `"}`),
	}
}

// known fails unless the error is one of a provider, of this kind, and shows nothing.
func known(t *testing.T, err error, kind provider.Kind) *provider.Error {
	t.Helper()
	var e *provider.Error
	if !errors.As(err, &e) {
		t.Fatalf("%v is not of a provider", err)
	}
	if e.Kind != kind || e.Provider != "test" || e.Doing != "try" {
		t.Errorf("%s: %s, %s, %s; want kind %s", err, e.Provider, e.Doing, e.Kind, kind)
	}
	for err := error(e); err != nil; err = errors.Unwrap(err) {
		if text := fmt.Sprintf("%v %+v %#v", err, err, err); strings.Contains(text, marked) {
			t.Errorf("it shows what was sent: %s", text)
		}
	}
	return e
}

// raw is a server that does what it likes with a connection.
func raw(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go serve(c)
		}
	}()
	return "http://" + l.Addr().String()
}

// request reads a request up to the end of its body, and returns all of it.
func request(c net.Conn) string {
	var all strings.Builder
	b := make([]byte, 4096)
	for !strings.Contains(all.String(), `"}`) {
		n, err := c.Read(b)
		if err != nil {
			break
		}
		all.Write(b[:n])
	}
	return all.String()
}

// The faults of a way and of what is at its other end, and what is known after each.
func TestFaults(t *testing.T) {
	refused := func(t *testing.T) string {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		l.Close()
		return "http://" + l.Addr().String()
	}
	serve := func(h http.HandlerFunc) func(*testing.T) string {
		return func(t *testing.T) string {
			s := httptest.NewServer(h)
			t.Cleanup(s.Close)
			return s.URL
		}
	}
	over := make(chan struct{})
	t.Cleanup(func() { close(over) })
	for _, c := range []struct {
		name   string
		server func(*testing.T) string
		kind   provider.Kind
		code   string
		after  time.Duration
	}{
		{"connection refused", refused, provider.Unreached, "", 0},
		{"not TLS", func(t *testing.T) string {
			return strings.Replace(raw(t, func(c net.Conn) { fmt.Fprint(c, "220 mail\r\n"); c.Close() }), "http:", "https:", 1)
		}, provider.Unreached, "", 0},
		{"a certificate of somebody else", func(t *testing.T) string {
			s := httptest.NewUnstartedServer(http.NotFoundHandler())
			s.Config.ErrorLog = log.New(io.Discard, "", 0)
			s.StartTLS()
			t.Cleanup(s.Close)
			return s.URL
		}, provider.Unreached, "", 0},
		{"closed before the answer", func(t *testing.T) string {
			return raw(t, func(c net.Conn) { request(c); c.Close() })
		}, provider.Unclear, "", 0},
		{"reset in mid-answer", func(t *testing.T) string {
			return raw(t, func(c net.Conn) {
				request(c)
				fmt.Fprint(c, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"ok\":")
				c.(*net.TCPConn).SetLinger(0)
				c.Close()
			})
		}, provider.Unclear, "", 0},
		{"an answer that is our request", func(t *testing.T) string {
			return raw(t, func(c net.Conn) { fmt.Fprintf(c, "%s\r\n\r\n", request(c)); c.Close() })
		}, provider.Unclear, "", 0},
		{"a header that is our request", func(t *testing.T) string {
			return raw(t, func(c net.Conn) {
				fmt.Fprintf(c, "HTTP/1.1 200 %s\r\n%s\r\n\r\n", marked, marked)
				request(c)
				c.Close()
			})
		}, provider.Unclear, "", 0},
		{"nobody reads", func(t *testing.T) string {
			return raw(t, func(c net.Conn) { <-over; c.Close() })
		}, provider.Unclear, "", 0},
		{"read, and not answered", func(t *testing.T) string {
			return raw(t, func(c net.Conn) { request(c); <-over; c.Close() })
		}, provider.Unclear, "", 0},
		{"an answer that does not end", func(t *testing.T) string {
			return raw(t, func(c net.Conn) {
				request(c)
				fmt.Fprint(c, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{")
				<-over
				c.Close()
			})
		}, provider.Unclear, "", 0},
		{"429 for a while", serve(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Retry-After", "90")
			w.WriteHeader(429)
			io.Copy(w, r.Body)
		}), provider.Busy, "429", 90 * time.Second},
		{"500", serve(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(500); io.Copy(w, r.Body) }), provider.Unclear, "500", 0},
		{"503 for a while", serve(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Retry-After", "5")
			w.WriteHeader(503)
		}), provider.Unclear, "503", 5 * time.Second},
		{"401", serve(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(401); io.Copy(w, r.Body) }), provider.Forbidden, "401", 0},
		{"403", serve(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(403) }), provider.Forbidden, "403", 0},
		{"404", serve(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(404) }), provider.Refused, "404", 0},
		{"408", serve(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(408) }), provider.Unclear, "408", 0},
		{"a page", serve(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			fmt.Fprintf(w, "<html>%s", r.Header.Get("Authorization"))
		}), provider.Malformed, "200", 0},
		{"half of an answer", serve(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, `{"token":"`+marked) }), provider.Malformed, "200", 0},
		{"nothing", serve(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(204) }), provider.Malformed, "204", 0},
		{"another type", serve(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, `{"number":"`+marked+`"}`) }), provider.Malformed, "200", 0},
		{"a secret that is a number", serve(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, `{"token":4711}`) }), provider.Malformed, "200", 0},
		{"two answers", serve(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, `{}{"token":"`+marked+`"}`) }), provider.Malformed, "200", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			client := web.New("test", nil)
			client.Timeout = patience
			if c.after > 0 || c.code != "" || c.kind == provider.Malformed {
				client.Timeout = time.Minute // no wait is meant
			}
			a, err := client.Do(t.Context(), call(c.server(t)))
			if err == nil {
				if err = a.Refusal(); err == nil {
					var into struct {
						Token  web.Secret
						Number int
					}
					err = a.JSON(&into)
				}
			}
			e := known(t, err, c.kind)
			if e.Code != c.code || e.After != c.after {
				t.Errorf("code %q, after %v; want %q, %v", e.Code, e.After, c.code, c.after)
			}
		})
	}
}

// What the way to a server ends at before there is a connection was never sent.
func TestNoConnectionInTime(t *testing.T) {
	client := web.New("test", &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { <-ctx.Done(); return nil, ctx.Err() },
	}})
	client.Timeout = 50 * time.Millisecond
	_, err := client.Do(t.Context(), call("https://api.example.com"))
	known(t, err, provider.Unreached)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Error("it does not say that it was the time")
	}
}

// A transport of which nothing is known may have sent everything.
func TestUnknownTransport(t *testing.T) {
	client := web.New("test", &http.Client{Transport: roundTrip(func(*http.Request) (*http.Response, error) {
		return nil, errors.New("lost " + marked)
	})})
	_, err := client.Do(t.Context(), call("https://api.example.com"))
	known(t, err, provider.Unclear)
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { cancel() }))
	s.Close()
	cancel()
	_, err := web.New("test", nil).Do(ctx, call(s.URL))
	known(t, err, provider.Unreached)
	if !errors.Is(err, context.Canceled) {
		t.Error("it does not say that it was cancelled")
	}

	ctx, cancel = context.WithCancel(t.Context())
	defer cancel()
	address := raw(t, func(c net.Conn) { request(c); cancel() })
	_, err = web.New("test", nil).Do(ctx, call(address))
	known(t, err, provider.Unclear)
	if !errors.Is(err, context.Canceled) {
		t.Error("it does not say that it was cancelled")
	}
}

// Neither another host nor the same one gets what a redirect would carry there, and
// nothing is asked twice.
func TestRedirects(t *testing.T) {
	var others, asked atomic.Int32
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { others.Add(1) }))
	defer other.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		for _, to := range []string{other.URL + "/do", "/again"} {
			asked.Store(0)
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				asked.Add(1)
				http.Redirect(w, r, to, status)
			}))
			a, err := web.New("test", s.Client()).Do(t.Context(), call(s.URL))
			if err != nil {
				t.Fatal(err)
			}
			known(t, a.Refusal(), provider.Refused)
			if asked.Load() != 1 || others.Load() != 0 {
				t.Errorf("%d to %s: asked %d times, the other %d", status, to, asked.Load(), others.Load())
			}
			s.Close()
		}
	}
}

func TestLongAnswer(t *testing.T) {
	var written atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		chunk := []byte(strings.Repeat(marked, 1000))
		for written.Load() < 1<<30 {
			n, err := w.Write(chunk)
			written.Add(int64(n))
			if err != nil {
				return
			}
		}
	}))
	defer s.Close()
	client := web.New("test", nil)
	client.Timeout = time.Minute
	_, err := client.Do(t.Context(), call(s.URL))
	known(t, err, provider.Malformed)
	if n := written.Load(); n > 1<<28 {
		t.Errorf("%d bytes were taken", n)
	}
}

func TestAddresses(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.URL.Path) }))
	defer s.Close()
	port := s.Listener.Addr().(*net.TCPAddr).Port
	for _, good := range []string{s.URL, s.URL + "/", s.URL + "/api/v3", fmt.Sprintf("http://localhost:%d", port)} {
		if _, err := web.New("test", nil).Do(t.Context(), call(good)); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for _, bad := range []string{
		"", "api.example.com", "http://api.example.com", "http://127.0.0.1.example.com", "http://10.0.0.1", "ftp://127.0.0.1",
		"https://" + marked + "@api.example.com", "https://api.example.com/?" + marked, "https://api.example.com/#" + marked, "https:api.example.com", "https://[::1", "https://a\x00b",
	} {
		_, err := web.New("test", nil).Do(t.Context(), call(bad))
		known(t, err, provider.Incomplete)
	}
}

func TestHeaderThatIsNone(t *testing.T) {
	c := call("https://api.example.com")
	c.Header.Set("X-Key", marked+"\r\nHost: other")
	_, err := web.New("test", nil).Do(t.Context(), c)
	known(t, err, provider.Incomplete)
}

func TestClock(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/mute/do" {
			w.Header()["Date"] = nil
		}
	}))
	defer s.Close()
	client := web.New("test", nil)
	client.Now = func() time.Time { return time.Now().Add(-10 * time.Minute) }
	a, err := client.Do(t.Context(), call(s.URL))
	if err != nil || a.Ahead < -10*time.Minute-30*time.Second || a.Ahead > -10*time.Minute+30*time.Second {
		t.Errorf("ahead by %v, %v; want ten minutes behind", a.Ahead, err)
	}
	if a, err := client.Do(t.Context(), call(s.URL+"/mute")); err != nil || a.Ahead != 0 {
		t.Errorf("ahead by %v, %v, without a date", a.Ahead, err)
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		"":                              0,
		"0":                             0,
		"-5":                            0,
		"soon":                          0,
		"120":                           2 * time.Minute,
		"4294967295":                    24 * time.Hour,
		"99999999999999999999":          0,
		"Sun, 01 Mar 2026 12:00:30 GMT": 30 * time.Second,
		"Sun, 01 Mar 2026 11:00:00 GMT": 0,
	} {
		client := web.New("test", &http.Client{Transport: roundTrip(func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 429, Header: http.Header{"Retry-After": {text}}, Body: http.NoBody}, nil
		})})
		client.Now = func() time.Time { return now }
		a, err := client.Do(t.Context(), call("https://api.example.com"))
		if err != nil {
			t.Fatal(err)
		}
		if got := known(t, a.Refusal(), provider.Busy).After; got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}

// answered is an answer of a status, in words or none.
func answered(t *testing.T, status int, kind, body string) web.Answer {
	t.Helper()
	client := web.New("test", &http.Client{Transport: roundTrip(func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {kind}}, Body: io.NopCloser(strings.NewReader(body))}, nil
	})})
	a, err := client.Do(t.Context(), call("https://api.example.com"))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// Only the status that is documented, and no page, says that it was done.
func TestDone(t *testing.T) {
	if err := answered(t, 204, "", "").Done(204); err != nil {
		t.Error(err)
	}
	if err := answered(t, 200, "application/json", "{}").Done(200); err != nil {
		t.Error(err)
	}
	known(t, answered(t, 200, "", "").Done(204), provider.Malformed)
	known(t, answered(t, 200, "text/html; charset=utf-8", marked).Done(200), provider.Malformed)
	known(t, answered(t, 404, "", marked).Done(204), provider.Refused)
	known(t, answered(t, 500, "", marked).Done(204), provider.Unclear)
}

// The status alone says that a credential is dead never.
func TestBare(t *testing.T) {
	for status, want := range map[int]provider.State{400: provider.Unknown, 401: provider.Unknown, 403: provider.Unknown, 409: provider.Unknown, 429: provider.Throttled} {
		if got, err := answered(t, status, "", marked).Bare(); err != nil || got.State != want || got.Code != fmt.Sprint(status) {
			t.Errorf("%d: %+v, %v", status, got, err)
		}
	}
	for status, want := range map[int]provider.Kind{200: provider.Malformed, 302: provider.Refused, 408: provider.Unclear, 500: provider.Unclear} {
		_, err := answered(t, status, "", marked).Bare()
		known(t, err, want)
	}
}

// What was decoded is in the fields of a secret, and nowhere else.
func TestSecret(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(w, r.Body)
	}))
	defer s.Close()
	a, err := web.New("test", nil).Do(t.Context(), call(s.URL))
	if err != nil {
		t.Fatal(err)
	}
	var into struct{ Token web.Secret }
	if err := a.JSON(&into); err != nil || string(into.Token.Reveal()) != marked {
		t.Fatalf("%v, %d bytes", err, into.Token.Len())
	}
	if text := fmt.Sprintf("%v %+v %#v %+v %#v", into, into, into, a, a); strings.Contains(text, marked) {
		t.Error(text)
	}
}

func TestBeforehand(t *testing.T) {
	for kind, want := range map[provider.Kind]provider.Kind{
		provider.Unclear: provider.Unreached, provider.Malformed: provider.Unreached,
		provider.Busy: provider.Busy, provider.Forbidden: provider.Forbidden,
	} {
		known(t, web.Beforehand(&provider.Error{Provider: "test", Doing: "try", Kind: kind}), want)
	}
	if web.Beforehand(nil) != nil {
		t.Error("an error of nothing")
	}
}

func TestWith(t *testing.T) {
	c := call("https://api.example.com")
	with := c.With(map[string]int{"n": 1})
	if c.Header.Get("Content-Type") != "" || string(with.Body) != `{"n":1}` || with.Header.Get("Content-Type") != "application/json" || with.Header.Get("Authorization") == "" {
		t.Errorf("%q %v, of %v", with.Body, with.Header, c.Header)
	}
	_, err := web.New("test", nil).Do(t.Context(), c.With(time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)))
	known(t, err, provider.Incomplete)
}

func TestToken(t *testing.T) {
	one, two := secret.New([]byte("1")), secret.New([]byte("2"))
	for _, c := range []struct {
		parts map[string]secret.Value
		want  string
	}{
		{nil, ""},
		{map[string]secret.Value{"token": one, "id": two}, "1"},
		{map[string]secret.Value{"value": two}, "2"},
		{map[string]secret.Value{"id": one, "secret": two}, ""}, // which of them it would be is not known
	} {
		if got := web.Token(provider.Credential{Parts: c.parts}, "token"); string(got.Reveal()) != c.want {
			t.Errorf("of %d parts %q, want %q", len(c.parts), got.Reveal(), c.want)
		}
	}
}

// TestAfterwards: whatever came of a second change, nobody takes it for nothing, and why is
// kept.
func TestAfterwards(t *testing.T) {
	for _, kind := range []provider.Kind{provider.Refused, provider.Forbidden, provider.NoSlot, provider.Busy, provider.Unreached, provider.Unclear, provider.Malformed, provider.Incomplete} {
		was := &provider.Error{Provider: "some", Doing: "delete it", Kind: kind, Code: "7", After: time.Second, Hint: "wait", Err: context.Canceled}
		err := web.Afterwards("it is out of use", was)
		want := *was
		var e *provider.Error
		if !errors.As(err, &e) || e.Kind != provider.Unclear || !errors.Is(err, context.Canceled) {
			t.Fatalf("%s: %v", kind, err)
		}
		want.Kind, want.Err = e.Kind, e.Err
		if *e != want || !strings.Contains(e.Error(), "it is out of use, and then: "+string(kind)+": context canceled") || was.Kind != kind {
			t.Errorf("%s: %v", kind, err)
		}
	}
	bare := web.Afterwards("it is out of use", &provider.Error{Kind: provider.Busy})
	if text := bare.Error(); !strings.HasSuffix(text, "it is out of use, and then: throttled") {
		t.Error(text)
	}
	if web.Afterwards("it is out of use", nil) != nil {
		t.Error("a call that went well is no error")
	}
}
