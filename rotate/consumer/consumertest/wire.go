package consumertest

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/rotate"
)

// Wire is a transport on which tests make trouble. It may be used concurrently.
type Wire struct {
	// Writes reports whether a request changes something; nil for all that do not GET.
	Writes func(*http.Request) bool

	mu     sync.Mutex
	act    func(write bool) (answer *http.Response, lose bool)
	shown  bool // an address held what must be in none
	redone int  // requests that wrote
}

// RoundTrip sends a request, if nothing comes between.
func (w *Wire) RoundTrip(r *http.Request) (*http.Response, error) {
	write := r.Method != http.MethodGet
	if w.Writes != nil {
		write = w.Writes(r)
	}
	w.mu.Lock()
	w.shown = w.shown || strings.Contains(r.URL.String(), mark)
	if write {
		w.redone++
	}
	act := w.act
	w.mu.Unlock()
	lose := false
	if act != nil {
		var answer *http.Response
		if answer, lose = act(write); answer != nil {
			answer.Request = r
			return answer, nil
		}
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil || !lose {
		return resp, err
	}
	resp.Body.Close()
	return nil, io.ErrUnexpectedEOF
}

// on lets requests be acted upon from now on; nil ends that.
func (w *Wire) on(act func(write bool) (*http.Response, bool)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.act, w.redone = act, 0
}

// writes is how many there were since on was called.
func (w *Wire) writes() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.redone
}

func answer(status int, header http.Header, body string) *http.Response {
	if header == nil {
		header = http.Header{}
	}
	return &http.Response{
		StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: header, Body: io.NopCloser(strings.NewReader(body)),
	}
}

// refusals are answers that are not what a service gives when it does what it is asked for.
var refusals = []struct {
	name   string
	status int
	header http.Header
	body   string
	kind   provider.Kind // empty for whichever it says
}{
	{"not authenticated", 401, nil, `{"message": "marked-"}`, provider.Forbidden},
	{"not permitted", 403, nil, `{"message": "marked-"}`, provider.Forbidden},
	{"not there", 404, nil, `{"message": "marked-"}`, provider.Refused},
	{"another came first", 409, nil, `{"message": "marked-"}`, ""},
	{"too often", 429, http.Header{"Retry-After": {"7"}}, `marked-`, provider.Busy},
	{"elsewhere", 302, http.Header{"Location": {"http://127.0.0.1:1/marked-"}}, "", provider.Refused},
	{"a page", 200, http.Header{"Content-Type": {"text/html"}}, "<html>marked-</html>", ""},
	{"nothing", 200, nil, "", ""},
	{"other JSON", 200, nil, `["marked-"]`, ""},
	{"another object", 200, nil, `{"message": "marked-"}`, ""},
	{"broken", 500, nil, "marked-", ""},
}

// What a service says that is not yes is never taken for it, whether it says so of what is
// read or of what is written; nothing is done twice in one call.
func (s suite) refusals(t *testing.T) {
	old, next := s.marked(), s.marked()
	p := s.open(t, old)
	if p.Wire == nil {
		t.Skip("it is at no service")
	}
	for _, r := range refusals {
		for _, writes := range []bool{false, true} {
			before := p.Stamp(t)
			p.Wire.on(func(write bool) (*http.Response, bool) {
				if write != writes {
					return nil, false
				}
				return answer(r.status, r.header, r.body), false
			})
			err := p.Consumer.Deliver(t.Context(), secrets(old), secrets(next))
			written := p.Wire.writes()
			_, held := p.Consumer.Holds(t.Context())
			p.Wire.on(nil)
			if fine := held == nil || errors.Is(held, rotate.ErrUnreadable); fine != writes {
				t.Errorf("%s, written %v: it holds: %v", r.name, writes, held)
			}
			var e *provider.Error
			if !errors.As(err, &e) || r.kind != "" && e.Kind != r.kind {
				t.Errorf("%s, written %v: %v", r.name, writes, err)
				continue
			}
			known := e.Kind != provider.Unclear && e.Kind != provider.Malformed
			if said := untouched(err); said != (!writes || known && !p.Apart) {
				t.Errorf("%s, written %v: it says that nothing has changed: %v", r.name, writes, said)
			}
			if r.status == 429 && e.After != 7*time.Second {
				t.Errorf("%s: it may be asked again after %v", r.name, e.After)
			}
			if p.Stamp(t) != before || written > max(1, p.Writes) {
				t.Errorf("%s, written %v: %d writes", r.name, writes, written)
			}
			quiet(t, err)
		}
	}
	deliver(t, p, old, next)
	if p.Wire.shown {
		t.Error("an address holds a secret")
	}
}

// A write whose answer is lost is found out by reading; where that cannot be, it is an
// error that does not say whether it happened. Either way it can be done again, and taken
// back.
func (s suite) lostAnswers(t *testing.T) {
	old, next := s.marked(), s.marked()
	p := s.open(t, old)
	if p.Wire == nil {
		t.Skip("it is at no service")
	}
	p.Wire.on(func(write bool) (*http.Response, bool) { return nil, write })
	err := p.Consumer.Deliver(t.Context(), secrets(old), secrets(next))
	p.Wire.on(nil)
	whole := len(p.Got(t)) == 1 || !p.Apart // the first lost answer ends it
	var e *provider.Error
	if readable(t, p.Consumer) && whole {
		if err != nil {
			t.Error(err)
		}
	} else if !errors.As(err, &e) || e.Kind != provider.Unclear || untouched(err) {
		t.Errorf("the answer was lost: %v", err)
	}
	quiet(t, err)
	deliver(t, p, old, next)
	deliver(t, p, next, old)
}

// What somebody else writes between the look and the write is not overwritten.
func (s suite) meanwhile(t *testing.T) {
	old, next := s.marked(), s.marked()
	p := s.open(t, old)
	if !p.Guarded {
		t.Skip("it cannot know")
	}
	part := ""
	for part = range p.Got(t) {
		break
	}
	p.Wire.on(func(write bool) (*http.Response, bool) {
		if write {
			p.Wire.on(nil)
			p.Put(t, part, mark+"other")
		}
		return nil, false
	})
	err := p.Consumer.Deliver(t.Context(), secrets(old), secrets(next))
	if err == nil || !strings.Contains(err.Error(), "somebody else has changed it") {
		t.Errorf("somebody else wrote meanwhile: %v", err)
	}
	quiet(t, err)
	if got := p.Got(t)[part]; got != mark+"other" {
		t.Errorf("%s is %q", part, got)
	}
	if err := p.Consumer.Deliver(t.Context(), secrets(old), secrets(next)); !errors.Is(err, rotate.ErrDrift) {
		t.Errorf("the next time: %v", err)
	}
}
