package cmd

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/scan"
	"github.com/keywright/keywright/secret"
)

// everyVerifier is what --verify means without a list: all providers at which trying a key
// disturbs nobody.
const everyVerifier = "all"

// A provider is asked about one secret at a time, and no faster than this.
const (
	verifyPause   = 250 * time.Millisecond
	verifyTimeout = 20 * time.Second // for one answer
)

// verifiable are the providers that can be asked about what a scan finds.
func verifiable(all []provider.Provider) (some []provider.Provider) {
	for _, p := range all {
		if is[provider.Recognizer](p) && is[provider.Verifier](p) {
			some = append(some, p)
		}
	}
	return some
}

// verifiers are the providers that the names of --verify stand for.
func verifiers(all []provider.Provider, names []string) ([]provider.Provider, error) {
	some := verifiable(all)
	if slices.Equal(names, []string{everyVerifier}) {
		return slices.DeleteFunc(some, func(p provider.Provider) bool { return p.Info().Nonce }), nil
	}
	var chosen []provider.Provider
	for _, name := range names {
		i := slices.IndexFunc(some, func(p provider.Provider) bool { return p.Info().Name == name })
		if i < 0 {
			return nil, usagef("--verify alone asks all of: "+strings.Join(namesOf(some), ", "), "--verify: %s cannot be asked about what is found", quote(name))
		}
		chosen = append(chosen, some[i])
	}
	return chosen, nil
}

func namesOf(all []provider.Provider) (names []string) {
	for _, p := range all {
		names = append(names, p.Info().Name)
	}
	return names
}

// verifyFindings asks the providers about the findings that are theirs, all of them at
// the same time, and puts their answers into the report. Nothing is changed by it. Of what
// was not asked when the context ended, nothing is said.
func verifyFindings(ctx context.Context, term *terminal, all []provider.Provider, r *scan.Report, pause time.Duration) error {
	g, ctx := errgroup.WithContext(ctx)
	p := newProgress(term)
	defer p.clear()
	for _, one := range all {
		g.Go(func() error { return verifyAt(ctx, p, one, r.Findings, pause) })
	}
	return g.Wait()
}

// verifyAt asks one provider about one finding after the other, until it asks for
// patience.
func verifyAt(ctx context.Context, p *progress, at provider.Provider, findings []scan.Finding, pause time.Duration) error {
	title, asked, patience := at.Info().Title, 0, false
	for i := range findings {
		f := &findings[i]
		c, ok := at.(provider.Recognizer).Recognize(f.Rule.ID, partsOf(f))
		switch {
		case !ok || f.Secret.IsZero():
			continue
		case patience:
			f.Answer = &scan.Answer{Life: scan.Unknown, Code: "not asked: " + string(provider.Throttled)}
			continue
		case ctx.Err() != nil || asked > 0 && !sleep(ctx, pause):
			return ctx.Err()
		}
		asked++
		p.show("asking: "+title, "secrets", int64(asked), 0)
		f.Answer, patience = ask(ctx, at.(provider.Verifier), c)
		if others := at.Info().Others; f.Answer.Life == scan.Dead && others != "" { // nobody has asked them
			f.Answer.Life, f.Answer.Code = scan.Unknown, f.Answer.Code+"; it may be of "+others
		}
	}
	return ctx.Err()
}

// sleep waits, and reports whether it could do so to the end.
func sleep(ctx context.Context, d time.Duration) bool {
	if ctx.Err() != nil {
		return false
	}
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// partsOf are the values of a finding's parts that are known: the secret, and what may be
// shown.
func partsOf(f *scan.Finding) map[string]secret.Value {
	parts := map[string]secret.Value{scan.RoleSecret: f.Secret}
	for _, p := range f.Parts {
		if p.Public {
			parts[p.Role] = secret.New([]byte(p.Redacted))
		}
	}
	return parts
}

// ask tries one credential. It reports, too, whether the provider wants no more.
func ask(ctx context.Context, v provider.Verifier, c provider.Credential) (a *scan.Answer, patience bool) {
	ctx, cancel := context.WithTimeout(ctx, verifyTimeout)
	defer cancel()
	probe, err := v.Verify(ctx, c)
	if err != nil {
		a = &scan.Answer{Life: scan.Unknown, Code: "no answer"}
		var e *provider.Error
		if errors.As(err, &e) {
			a.Code = strings.TrimSpace(string(e.Kind) + " " + e.Code)
			patience = e.Kind == provider.Busy
		}
		return a, patience
	}
	a = &scan.Answer{Life: scan.Unknown, Code: probe.Code, Account: probe.Who.Account}
	switch probe.State {
	case provider.Alive, provider.Narrow, provider.Elsewhere, provider.Blocked:
		a.Life = scan.Alive
	case provider.Dead:
		a.Life = scan.Dead
	}
	if probe.State != provider.Alive && probe.State != provider.Dead {
		a.Code = strings.TrimSuffix(string(probe.State)+": "+probe.Code, ": ")
	}
	return a, probe.State == provider.Throttled
}
