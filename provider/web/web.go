// Package web is how providers are talked to over HTTP with a credential. A call is made
// once, within a deadline, over TLS; what comes back is bounded, and shows nowhere: not in
// a log, not in an error. No redirect is followed, for it would take the credential along.
//
// Every error is a *provider.Error, in words of our own: what a server writes may hold what
// it was sent.
package web

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/secret"
)

// The bounds of a call.
const (
	deadline = 10 * time.Second // up to the end of the answer
	longest  = 1 << 20          // bytes of an answer that are read
	latest   = 24 * time.Hour   // that a server is believed to want to be left alone for
)

// ErrLong is in the error of a call whose answer is longer than what is read.
var ErrLong = fmt.Errorf("the answer is longer than %d bytes", longest)

// Client makes calls to one provider. It may be used concurrently.
type Client struct {
	Provider string       // named in errors
	HTTP     *http.Client // whose transport is used; nil for one of our own
	Timeout  time.Duration
	Now      func() time.Time
}

// New returns a Client with the transport of h, which may be nil, and a deadline of ten
// seconds.
func New(provider string, h *http.Client) Client {
	c := Client{Provider: provider, Timeout: deadline, Now: time.Now, HTTP: &http.Client{}}
	if h != nil {
		c.HTTP.Transport = h.Transport
	}
	if c.HTTP.Transport == nil {
		c.HTTP.Transport = &http.Transport{
			Proxy:             http.ProxyFromEnvironment,
			TLSClientConfig:   &tls.Config{MinVersion: tls.VersionTLS12},
			ForceAttemptHTTP2: true,
			// Calls are few. On a connection that was kept, it would be found out only
			// after a request was written that the other side had closed it.
			DisableKeepAlives: true,
		}
	}
	c.HTTP.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return c
}

// Call is what is asked.
type Call struct {
	Doing  string // for errors: "list the keys of sub-account 1"
	Method string
	URL    string // the base address of the service, as the user gave it
	Path   string // below that
	Query  string // encoded
	Header http.Header
	Body   []byte

	unwritten bool // what was to be the body cannot be written
}

// Answer is what came back, whole.
type Answer struct {
	Status int
	Header http.Header
	Ahead  time.Duration // how far our clock is ahead of the server's, to the second; zero if it did not say
	After  time.Duration // when it may be asked again; zero if it did not say

	client Client
	doing  string
	body   []byte
}

// Do makes a call, once. There is no error if an answer came, whatever it says. The
// error's kind is Unreached if nothing can have been sent, and Unclear if something may
// have been.
func (c Client) Do(ctx context.Context, call Call) (Answer, error) {
	base, err := c.base(call)
	if err != nil {
		return Answer{}, err
	}
	if call.unwritten {
		return Answer{}, c.failed(call.Doing, provider.Incomplete, errors.New("what is to be sent cannot be written in JSON"))
	}
	req, err := http.NewRequestWithContext(ctx, call.Method, base+call.Path, bytes.NewReader(call.Body))
	if err != nil {
		return Answer{}, c.failed(call.Doing, provider.Incomplete, errors.New("the address or the method is not one"))
	}
	req.URL.RawQuery = call.Query
	if call.Header != nil {
		req.Header = call.Header.Clone()
	}
	req.Header.Set("User-Agent", "keywright")
	sent := c.Now()
	resp, err := c.Send(req, call.Doing)
	if err != nil {
		return Answer{}, err
	}
	a := Answer{Status: resp.StatusCode, Header: resp.Header, client: c, doing: call.Doing}
	got := c.Now()
	if date, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		a.Ahead = sent.Add(got.Sub(sent) / 2).Sub(date.Add(time.Second / 2)).Round(time.Second)
	}
	a.After = retryAfter(resp.Header.Get("Retry-After"), got)
	a.body, err = io.ReadAll(resp.Body)
	return a, err
}

func (c Client) failed(doing string, kind provider.Kind, err error) error {
	return &provider.Error{Provider: c.Provider, Doing: doing, Kind: kind, Err: err}
}

// Send makes a call as Do does, for those who have a client of their own to put on top. The
// answer's body is there whole.
func (c Client) Send(req *http.Request, doing string) (*http.Response, error) {
	fail := func(kind provider.Kind, err error) (*http.Response, error) { return nil, c.failed(doing, kind, err) }
	for name, values := range req.Header {
		for _, v := range values {
			if strings.ContainsFunc(v, func(r rune) bool { return r < ' ' || r == 0x7f }) {
				return fail(provider.Incomplete, fmt.Errorf("what goes into the header %s holds characters that none can", name))
			}
		}
	}
	if !safe(req.URL) {
		return fail(provider.Incomplete, errUnsafe)
	}
	ctx, cancel := context.WithTimeout(req.Context(), c.Timeout)
	defer cancel()
	if ctx.Err() != nil {
		return fail(provider.Unreached, ctx.Err())
	}
	var looked, connected atomic.Bool
	resp, err := c.HTTP.Do(req.WithContext(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn: func(string) { looked.Store(true) },
		GotConn: func(httptrace.GotConnInfo) { connected.Store(true) },
	})))
	if err != nil {
		kind := provider.Unclear
		if looked.Load() && !connected.Load() { // name, connection or TLS
			kind = provider.Unreached
		}
		return fail(kind, words(ctx, err))
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, longest+1))
	if err != nil {
		return fail(provider.Unclear, words(ctx, err))
	}
	if len(body) > longest {
		return fail(provider.Malformed, ErrLong)
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, nil
}

// base checks the address of a service.
func (c Client) base(call Call) (string, error) {
	wrong := func(why string) (string, error) {
		return "", c.failed(call.Doing, provider.Incomplete, errors.New("the address of the service "+why))
	}
	u, err := url.Parse(call.URL)
	switch {
	case err != nil || u.Host == "" || u.Opaque != "":
		return wrong("is not one, like https://api.example.com")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return wrong("holds more than a host and a path")
	case !safe(u):
		return "", c.failed(call.Doing, provider.Incomplete, errUnsafe)
	}
	return strings.TrimSuffix(u.String(), "/"), nil
}

var errUnsafe = errors.New("the address of the service must begin with https://: a credential would be read by everybody on the way")

// safe reports whether nobody on the way can read along.
func safe(u *url.URL) bool {
	return u.Scheme == "https" || u.Scheme == "http" && loopback(u.Hostname())
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// words says why no answer came. Errors of the transport can quote what the server sent.
func words(ctx context.Context, err error) error {
	var (
		dial net.Error
		op   *net.OpError
		dns  *net.DNSError
		cert *tls.CertificateVerificationError
	)
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return context.Canceled
	case ctx.Err() != nil || errors.As(err, &dial) && dial.Timeout():
		return fmt.Errorf("no answer in time: %w", context.DeadlineExceeded)
	case errors.As(err, &cert):
		return cert
	case errors.As(err, &dns):
		return dns
	case errors.As(err, &op) && op.Op == "dial":
		return op
	}
	return errors.New("the connection broke off, or what came was not HTTP")
}

// retryAfter reads a header Retry-After (RFC 9110, section 10.2.3).
func retryAfter(text string, now time.Time) time.Duration {
	var d time.Duration
	if n, err := strconv.ParseUint(text, 10, 32); err == nil {
		d = time.Duration(n) * time.Second
	} else if at, err := http.ParseTime(text); err == nil {
		d = at.Sub(now)
	}
	return min(max(d, 0), latest)
}

// OK reports whether the status says that it was done.
func (a Answer) OK() bool { return a.Status >= 200 && a.Status < 300 }

// JSON decodes the answer, and forgets it: there may be secrets in it, which belong into
// fields of the type Secret. The error's kind is Malformed.
func (a *Answer) JSON(v any) error {
	err := json.Unmarshal(a.body, v)
	clear(a.body)
	if err == nil {
		return nil
	}
	why := errors.New("it is not JSON") // and what it is instead is not quoted
	var kind *json.UnmarshalTypeError
	switch {
	case len(a.body) == 0:
		why = errors.New("it is empty")
	case errors.As(err, &kind):
		why = fmt.Errorf("at byte %d there is something else than expected", kind.Offset)
	case strings.HasPrefix(a.Header.Get("Content-Type"), "text/html"):
		why = errors.New("it is a page, not JSON")
	}
	return a.Failure(provider.Malformed, "", why)
}

// Failure is an error about the answer. Code is the provider's own, in words of ours if
// it is more than a number; if it is empty, it is the status. Err may be nil.
func (a Answer) Failure(kind provider.Kind, code string, err error) *provider.Error {
	if code == "" {
		code = strconv.Itoa(a.Status)
	}
	return &provider.Error{Provider: a.client.Provider, Doing: a.doing, Kind: kind, Code: code, After: a.After, Err: err}
}

// Refusal is the error that the status alone amounts to; nil if it is none.
func (a Answer) Refusal() error {
	switch {
	case a.OK():
		return nil
	case a.Status >= 300 && a.Status < 400:
		return a.Failure(provider.Refused, "", errors.New("it points to another address, and a credential is not taken there"))
	case a.Status == http.StatusTooManyRequests:
		return a.Failure(provider.Busy, "", nil)
	case a.Status == http.StatusUnauthorized || a.Status == http.StatusForbidden:
		return a.Failure(provider.Forbidden, "", nil)
	case a.Status >= 400 && a.Status < 500 && a.Status != http.StatusRequestTimeout:
		return a.Failure(provider.Refused, "", nil)
	}
	return a.Failure(provider.Unclear, "", nil)
}

// Done is the error of an answer to what ends something, whose status says alone that it was
// done: of another status, or of a page, which is what something in between shows, it is
// Malformed.
func (a Answer) Done(status int) error {
	if a.OK() && (a.Status != status || strings.HasPrefix(a.Header.Get("Content-Type"), "text/html")) {
		return a.Failure(provider.Malformed, "", errors.New("it does not say that it was done"))
	}
	return a.Refusal()
}

// Bare is what the status alone says of the credential that asked. A refusal says nothing: it
// may be that of a proxy.
func (a Answer) Bare() (provider.Probe, error) {
	probe := provider.Probe{State: provider.Unknown, Code: strconv.Itoa(a.Status), After: a.After}
	switch {
	case a.Status == http.StatusTooManyRequests:
		probe.State = provider.Throttled
	case a.OK():
		return provider.Probe{}, a.Failure(provider.Malformed, "", errors.New("it says nothing of the credential"))
	case a.Status < 400 || a.Status >= 500 || a.Status == http.StatusRequestTimeout:
		return provider.Probe{}, a.Refusal()
	}
	return probe, nil
}

// Beforehand is the error of a call that reads only, made on the way to one that changes
// something: whatever became of it, nothing has happened.
func Beforehand(err error) error {
	var e *provider.Error
	if errors.As(err, &e) && (e.Kind == provider.Unclear || e.Kind == provider.Malformed) {
		c := *e
		c.Kind = provider.Unreached
		return &c
	}
	return err
}

// Afterwards is the error of a call made after one that has changed something, and what
// that was: whatever became of it, it is not true that nothing has happened.
func Afterwards(done string, err error) error {
	var e *provider.Error
	if !errors.As(err, &e) {
		return err
	}
	c := *e
	c.Kind, c.Err = provider.Unclear, fmt.Errorf("%s, and then: %s", done, e.Kind)
	if e.Err != nil {
		c.Err = fmt.Errorf("%w: %w", c.Err, e.Err)
	}
	return &c
}

// With is the call with a body in JSON. One that cannot be written is not sent: Do fails.
func (c Call) With(body any) Call {
	var err error
	c.Body, err = json.Marshal(body)
	c.unwritten = err != nil
	if c.Header = c.Header.Clone(); c.Header == nil {
		c.Header = http.Header{}
	}
	c.Header.Set("Content-Type", "application/json")
	return c
}

// Token is the part of a credential that goes into a header: the one of that name, or the
// only one there is, as a key to make changes with may be of no provider that names it.
func Token(c provider.Credential, name string) secret.Value {
	if v := c.Part(name); !v.IsZero() || len(c.Parts) != 1 {
		return v
	}
	for _, v := range c.Parts {
		return v
	}
	return secret.Value{}
}

// Secret is a field of JSON that holds a secret.
type Secret struct{ secret.Value }

// UnmarshalJSON takes a string.
func (s *Secret) UnmarshalJSON(b []byte) error {
	var text string
	if err := json.Unmarshal(b, &text); err != nil {
		return errors.New("a secret that is not a string")
	}
	s.Value = secret.New([]byte(text))
	return nil
}

// Plain is a secret that is sent as a string of JSON. It goes into the body of a request,
// and nowhere else.
type Plain struct{ secret.Value }

// MarshalJSON gives the secret away.
func (p Plain) MarshalJSON() ([]byte, error) { return json.Marshal(string(p.Reveal())) }

// Offset says how wrong the clock here is, by an Answer's Ahead.
func Offset(ahead time.Duration) string {
	if ahead < 0 {
		return (-ahead).String() + " slow"
	}
	return ahead.String() + " fast"
}

// Number is a service's code for what happened, which may be shown if it is a number.
func Number(code string) string {
	if n, err := strconv.ParseUint(code, 10, 32); err != nil || strconv.FormatUint(n, 10) != code {
		return "not a number"
	}
	return code
}
