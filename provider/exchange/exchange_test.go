package exchange_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/provider/exchange"
	"github.com/keywright/keywright/provider/providertest"
	"github.com/keywright/keywright/provider/web"
	"github.com/keywright/keywright/secret"
)

// answer is one of a service whose clock is behind ours by so much.
func answer(t *testing.T, status int, behind time.Duration) web.Answer {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Date", time.Now().Add(-behind).UTC().Format(http.TimeFormat))
		w.WriteHeader(status)
	}))
	defer s.Close()
	a, err := web.New("test", nil).Do(t.Context(), web.Call{Doing: "test", Method: http.MethodGet, URL: s.URL})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestUncoded(t *testing.T) {
	for _, status := range []int{401, 403, 429} {
		r, err := exchange.Uncoded(answer(t, status, 0), errors.New("no JSON"))
		if err != nil || r.Code != fmt.Sprint(status) || r.Done {
			t.Errorf("%d: %+v, %v", status, r, err)
		}
	}
	for status, kind := range map[int]provider.Kind{200: provider.Malformed, 307: provider.Refused, 404: provider.Refused, 500: provider.Unclear} {
		_, err := exchange.Uncoded(answer(t, status, 0), nil)
		providertest.Quiet(t, err, kind)
	}
	why := errors.New("no JSON")
	if _, err := exchange.Uncoded(answer(t, 200, 0), why); !errors.Is(err, why) {
		t.Error(err)
	}
}

func TestReply(t *testing.T) {
	done := exchange.Reply{Answer: answer(t, 200, 0), Code: "0", Done: true}
	if probe, unheard := done.Probe(); unheard || probe.State != provider.Alive || probe.Code != "0" {
		t.Errorf("%+v, %v", probe, unheard)
	}
	unknown := exchange.Reply{Answer: answer(t, 200, time.Hour), Code: "7", Meaning: exchange.Means("", provider.Forbidden, "not known")}
	if probe, unheard := unknown.Probe(); !unheard || probe.State != "" || probe.Code != "7" {
		t.Errorf("%+v, %v", probe, unheard)
	}
	// How wrong the clock is is said where it matters.
	late := exchange.Reply{Answer: answer(t, 200, time.Hour), Code: "8", Meaning: exchange.Means(provider.Skewed, provider.Refused, "late", exchange.SetClock)}
	if probe, unheard := late.Probe(); unheard || probe.State != provider.Skewed || !strings.HasPrefix(probe.Code, "8, the clock here is ") || !strings.HasSuffix(probe.Code, " fast") {
		t.Errorf("%+v, %v", probe, unheard)
	}
	if e := providertest.Quiet(t, late.Decode(nil), provider.Refused); e.Hint != exchange.SetClock || !strings.HasPrefix(e.Code, "8, the clock") {
		t.Errorf("%+v", e)
	}
}

// What was decoded is in the fields of a secret, and nowhere else.
func TestDecode(t *testing.T) {
	for _, data := range []string{`{"secret":"` + providertest.Marked + `"}`, `["` + providertest.Marked + `"]`} {
		r := exchange.Reply{Answer: answer(t, 200, 0), Done: true, Data: json.RawMessage(data)}
		var into struct{ Secret web.Secret }
		err := r.Decode(&into)
		if data[0] == '{' {
			if err != nil || string(into.Secret.Reveal()) != providertest.Marked {
				t.Error(err)
			}
		} else {
			providertest.Quiet(t, err, provider.Malformed)
		}
		if strings.Contains(string(r.Data), providertest.Marked) {
			t.Error("it is still in the answer")
		}
	}
}

func TestIssued(t *testing.T) {
	old := provider.Credential{ID: "old", Params: map[string]string{"host": "https://api.example.com/"}}
	s := web.Secret{Value: secret.New([]byte("new secret"))}
	got, ok := exchange.Issued(old, "new", s)
	if !ok || exchange.Name(got) != "new" || string(got.Part("id").Reveal()) != "new" || string(got.Part("secret").Reveal()) != "new secret" || exchange.Host(got) != "https://api.example.com" {
		t.Errorf("%+v, %v", got, ok)
	}
	got.ID = ""
	if exchange.Name(got) != "new" {
		t.Error(exchange.Name(got))
	}
	for id, s := range map[string]web.Secret{"": s, "old": s, "new": {}} {
		if _, ok := exchange.Issued(old, id, s); ok {
			t.Errorf("%q", id)
		}
	}
}

func TestWords(t *testing.T) {
	if got := exchange.Words("b, a,,c "); !slices.Equal(got, []string{"a", "b", "c"}) {
		t.Errorf("%q", got)
	}
	if got := exchange.Words(" ,"); got != nil {
		t.Errorf("%q", got)
	}
}

func TestUnsure(t *testing.T) {
	for kind, want := range map[provider.Kind]bool{
		provider.Refused: true, provider.Unclear: true, provider.Malformed: true,
		provider.Forbidden: false, provider.Busy: false, provider.Unreached: false, provider.Incomplete: false, provider.NoSlot: false,
	} {
		if got := exchange.Unsure(fmt.Errorf("so: %w", &provider.Error{Kind: kind})); got != want {
			t.Errorf("%s: %v", kind, got)
		}
	}
	if exchange.Unsure(nil) || exchange.Unsure(errors.New("another")) {
		t.Error("of what is no error of a provider")
	}
}
