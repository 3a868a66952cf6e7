package cmd

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/scan"
	"github.com/keywright/keywright/scan/rules"
	"github.com/keywright/keywright/secret"
)

// oracle answers for each secret what it was told to, and counts.
type oracle struct {
	name   string
	nonce  bool
	others string
	says   map[string]provider.Probe
	asked  []string
}

func (o *oracle) Info() provider.Info {
	return provider.Info{Name: o.name, Nonce: o.nonce, Others: o.others}
}

func (o *oracle) Recognize(rule string, parts map[string]secret.Value) (provider.Credential, bool) {
	return provider.Credential{Parts: parts}, rule == o.name+"-token"
}

func (o *oracle) Verify(_ context.Context, c provider.Credential) (provider.Probe, error) {
	value := string(c.Part(scan.RoleSecret).Reveal())
	o.asked = append(o.asked, value)
	probe, ok := o.says[value]
	if !ok {
		return probe, &provider.Error{Provider: o.name, Doing: "ask", Kind: provider.Unreached, Err: errors.New("of " + value)}
	}
	return probe, nil
}

func findingOf(rule, value string) scan.Finding {
	return scan.Finding{Rule: &scan.Rule{ID: rule}, Secret: secret.New([]byte(value))}
}

// TestVerifyFindings: each secret is asked about once, at its own provider; only what is
// refused as not valid is dead; and after a provider asked for patience it is left alone.
func TestVerifyFindings(t *testing.T) {
	o := &oracle{name: "one", says: map[string]provider.Probe{
		"lives":   {State: provider.Alive, Code: "200", Who: provider.Identity{Account: "ada"}},
		"narrow":  {State: provider.Narrow, Code: "403"},
		"blocked": {State: provider.Blocked, Code: "10010"},
		"dead":    {State: provider.Dead, Code: "401"},
		"odd":     {State: provider.Unknown, Code: "502"},
		"much":    {State: provider.Throttled, Code: "429"},
		"later":   {State: provider.Dead, Code: "401"},
	}}
	other := &oracle{name: "other", says: map[string]provider.Probe{"lives": {State: provider.Dead, Code: "no"}}}
	r := &scan.Report{}
	for _, value := range []string{"lives", "narrow", "blocked", "dead", "odd", "silent", "much", "later"} {
		r.Findings = append(r.Findings, findingOf("one-token", value))
	}
	r.Findings = append(r.Findings, findingOf("none-token", "lives"))
	s := newScreen()
	if err := verifyFindings(t.Context(), &s.terminal, []provider.Provider{o, other}, r, false, 0); err != nil {
		t.Fatal(err)
	}
	want := []scan.Answer{
		{Life: scan.Alive, Code: "200", Account: "ada"},
		{Life: scan.Alive, Code: "alive, with fewer rights: 403"},
		{Life: scan.Alive, Code: "blocked by address: 10010"},
		{Life: scan.Dead, Code: "401"},
		{Life: scan.Unknown, Code: "unknown: 502"},
		{Life: scan.Unknown, Code: "not reached"},
		{Life: scan.Unknown, Code: "throttled: 429"},
		{Life: scan.Unknown, Code: "not asked: throttled"},
	}
	for i, w := range want {
		if got := r.Findings[i].Answer; got == nil || *got != w {
			t.Errorf("%s: %+v, want %+v", r.Findings[i].Secret.Reveal(), got, w)
		}
	}
	if r.Findings[len(want)].Answer != nil || len(other.asked) > 0 {
		t.Error("somebody was asked about what is not his")
	}
	if slices.Contains(o.asked, "later") || len(o.asked) != len(want)-1 {
		t.Errorf("asked about %q", o.asked)
	}
}

// TestVerifyOthers: what is refused where others issue the same form of credentials is not
// called dead, as they were not asked; and those that are known to are said to be.
func TestVerifyOthers(t *testing.T) {
	o := &oracle{name: "one", others: "a server of your own", says: map[string]provider.Probe{
		"dead": {State: provider.Dead, Code: "401"}, "lives": {State: provider.Alive, Code: "200"},
	}}
	r := &scan.Report{Findings: []scan.Finding{findingOf("one-token", "dead"), findingOf("one-token", "lives")}}
	s := newScreen()
	if err := verifyFindings(t.Context(), &s.terminal, []provider.Provider{o}, r, false, 0); err != nil {
		t.Fatal(err)
	}
	if want := (scan.Answer{Life: scan.Unknown, Code: "401; it may be of a server of your own"}); *r.Findings[0].Answer != want {
		t.Errorf("%+v, want %+v", *r.Findings[0].Answer, want)
	}
	if r.Findings[1].Answer.Life != scan.Alive {
		t.Errorf("%+v", *r.Findings[1].Answer)
	}
	for _, p := range verifiable(providers(), false) {
		shared := []string{"aws", "binance", "bybit", "coinmarketcap", "github", "gitlab", "kraken", "sendgrid", "slack"}
		if info := p.Info(); (info.Others != "") != slices.Contains(shared, info.Name) {
			t.Errorf("%s: others %q", info.Name, info.Others)
		}
	}
}

// TestOneRecognizes: no two providers take what one rule finds for theirs.
func TestOneRecognizes(t *testing.T) {
	parts := map[string]secret.Value{}
	for _, role := range []string{scan.RoleSecret, "id", "passphrase"} {
		parts[role] = secret.New([]byte("x"))
	}
	for _, rule := range rules.All() {
		var who []string
		for _, p := range verifiable(providers(), false) {
			if _, ok := p.(provider.Recognizer).Recognize(rule.ID, parts); ok {
				who = append(who, p.Info().Name)
			}
		}
		if len(who) > 1 {
			t.Errorf("%s is taken by %q", rule.ID, who)
		}
	}
}

// TestVerifyInterrupted: what was not asked has no answer.
func TestVerifyInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := &scan.Report{Findings: []scan.Finding{findingOf("one-token", "a"), findingOf("one-token", "b")}}
	s := newScreen()
	if err := verifyFindings(ctx, &s.terminal, []provider.Provider{&oracle{name: "one"}}, r, false, 1); err == nil {
		t.Error("no error")
	}
	if r.Findings[1].Answer != nil {
		t.Error("an answer to what was not asked")
	}
}

// TestVerifiers: what is bound to a nonce is asked only by its name.
func TestVerifiers(t *testing.T) {
	all := []provider.Provider{&oracle{name: "one"}, &oracle{name: "counts", nonce: true}, &issuer{}}
	for _, c := range []struct {
		names []string
		want  string
		fails bool
	}{
		{nil, "", false}, {[]string{everyVerifier}, "one", false}, {[]string{"counts"}, "counts", false},
		{[]string{"one", "counts"}, "one counts", false}, {[]string{"issuer"}, "", true}, {[]string{"nobody"}, "", true},
	} {
		got, err := verifiers(all, c.names, false)
		if strings.Join(namesOf(got), " ") != c.want || (err != nil) != c.fails {
			t.Errorf("%q: %q, %v", c.names, namesOf(got), err)
		}
	}
}

// TestRecognized: each provider that says that it knows a rule's findings can make a
// credential of what a scan of the rule's own samples finds, and knows some rule.
func TestRecognized(t *testing.T) {
	everything := map[string]secret.Value{}
	for _, role := range []string{scan.RoleSecret, "id", "passphrase"} {
		everything[role] = secret.New([]byte("x"))
	}
	for _, p := range verifiable(providers(), false) {
		known := false
		for seed := uint64(1); seed <= 8 && !known; seed++ { // a sample has one of the forms
			known = recognizesSamples(t, p, everything, seed)
		}
		if !known {
			t.Errorf("%s knows nothing that a scan finds", p.Info().Name)
		}
	}
}

// recognizesSamples reports whether a provider knows something of what a scan finds in the
// samples of the rules that may be its.
func recognizesSamples(t *testing.T, p provider.Provider, everything map[string]secret.Value, seed uint64) bool {
	t.Helper()
	r := p.(provider.Recognizer)
	for _, rule := range rules.All() {
		if _, ok := r.Recognize(rule.ID, everything); !ok && rule.Provider != p.Info().Name {
			continue // some look at the value, too
		}
		for _, text := range rule.Samples(scan.NewGen(seed)).Match {
			s := newScreen()
			s.terminal.in = bytes.NewReader([]byte(text))
			found, err := pipelineScan(t.Context(), &s.terminal, scanJob{mode: scanStdin, noCache: true, level: scan.Low})
			if err != nil {
				t.Fatal(err)
			}
			for i := range found.Findings {
				if _, ok := r.Recognize(found.Findings[i].Rule.ID, partsOf(found.Findings[i].Secret, found.Findings[i].Parts)); ok {
					return true
				}
			}
		}
	}
	return false
}
