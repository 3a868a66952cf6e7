package cmd

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
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

// verifiable are the providers that can be asked about what a scan finds: at their own
// addresses, and with hosts at those that are found.
func verifiable(all []provider.Provider, hosts bool) (some []provider.Provider) {
	for _, p := range all {
		if (is[provider.Recognizer](p) && !placeless(p) || hosts && is[provider.HostRecognizer](p)) && is[provider.Verifier](p) {
			some = append(some, p)
		}
	}
	return some
}

// placeless reports whether somebody has to say at which server a provider's keys are
// accepted.
func placeless(p provider.Provider) bool {
	return slices.ContainsFunc(p.Info().Params, func(param provider.Param) bool { return param.Server && param.Required })
}

// verifiers are the providers that the names of --verify stand for.
func verifiers(all []provider.Provider, names []string, hosts bool) ([]provider.Provider, error) {
	some := verifiable(all, hosts)
	if slices.Equal(names, []string{everyVerifier}) {
		return slices.DeleteFunc(some, func(p provider.Provider) bool { return p.Info().Nonce }), nil
	}
	var chosen []provider.Provider
	for _, name := range names {
		i := slices.IndexFunc(some, func(p provider.Provider) bool { return p.Info().Name == name })
		if i < 0 && slices.ContainsFunc(verifiable(all, true), func(p provider.Provider) bool { return p.Info().Name == name }) {
			return nil, usagef("add --verify-hosts; its help says what that does", "--verify: %s is asked at addresses that are found", quote(name))
		}
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

// verifying is a scan's findings, and how their providers are asked about them.
type verifying struct {
	findings []scan.Finding
	hosts    bool // also at addresses that were found
	pause    time.Duration
	progress *progress

	mu sync.Mutex // of the answers
}

// verifyFindings asks the providers about the findings that are theirs, all of them at
// the same time, and puts their answers into the report. Nothing is changed by it. Of what
// was not asked when the context ended, nothing is said.
func verifyFindings(ctx context.Context, term *terminal, all []provider.Provider, r *scan.Report, hosts bool, pause time.Duration) error {
	g, ctx := errgroup.WithContext(ctx)
	v := verifying{findings: r.Findings, hosts: hosts, pause: pause, progress: newProgress(term)}
	defer v.progress.clear()
	for _, one := range all {
		g.Go(func() error { return v.at(ctx, one) })
	}
	return g.Wait()
}

// at asks one provider about one finding after the other. A place that asks for patience,
// or that cannot be reached though it was found, is left alone from then on.
func (v *verifying) at(ctx context.Context, at provider.Provider) error {
	asked, alone := 0, map[string]string{} // why, by the place
	for i := range v.findings {
		var answers []*scan.Answer
		for n, c := range v.credentials(at, &v.findings[i]) {
			where := placeOf(c)
			why := alone[where]
			if n == maxAsked {
				why = "of more than " + strconv.Itoa(maxAsked) + " places"
			}
			if why != "" {
				answers = append(answers, &scan.Answer{Life: scan.Unknown, Code: "not asked: " + why})
				if n == maxAsked {
					break
				}
				continue
			}
			if ctx.Err() != nil || asked > 0 && !sleep(ctx, v.pause) {
				return ctx.Err()
			}
			asked++
			v.progress.show("asking: "+at.Info().Title, "secrets", int64(asked), 0)
			a, leave := ask(ctx, at, c)
			if leave != "" {
				alone[where] = leave
			}
			if answers = append(answers, a); a.Life == scan.Alive {
				break
			}
		}
		v.answer(&v.findings[i], answers)
	}
	return ctx.Err()
}

// answer gives a finding the answers of a provider. Another one may have been asked, too.
func (v *verifying) answer(f *scan.Finding, answers []*scan.Answer) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if f.Answer != nil {
		answers = append(answers, f.Answer)
	}
	f.Answer = together(answers)
}

// maxAsked is how many ways one secret is tried in, at most.
const maxAsked = 4

// credentials are what a finding is to a provider, each once: a secret may stand beside
// several hosts, or ids.
func (v *verifying) credentials(at provider.Provider, f *scan.Finding) (all []provider.Credential) {
	if f.Secret.IsZero() {
		return nil
	}
	key, known := []byte(rand.Text()), map[string]bool{}
	for _, variant := range append([]scan.Variant{{Rule: f.Rule, Parts: f.Parts}}, f.Variants...) {
		c, ok := v.recognize(at, variant.Rule.ID, partsOf(f.Secret, variant.Parts))
		if !ok {
			continue
		}
		text := c.ID + fmt.Sprint(c.Params) // in the order of their names
		for _, name := range slices.Sorted(maps.Keys(c.Parts)) {
			text += fmt.Sprintf(" %s %x", name, c.Parts[name].Digest(key))
		}
		if !known[text] {
			known[text] = true
			all = append(all, c)
		}
	}
	return all
}

func (v *verifying) recognize(at provider.Provider, rule string, parts map[string]secret.Value) (c provider.Credential, ok bool) {
	if r, is := at.(provider.Recognizer); is {
		c, ok = r.Recognize(rule, parts)
	}
	if r, is := at.(provider.HostRecognizer); is && !ok && v.hosts {
		c, ok = r.RecognizeHost(rule, parts)
	}
	return c, ok
}

// placeOf is where a credential is tried: empty for the provider's own address.
func placeOf(c provider.Credential) string {
	if !c.Found {
		return ""
	}
	return net.JoinHostPort(c.Params[provider.HostParam], c.Params[provider.PortParam])
}

// together is what several answers say of one secret: it is alive if it is anywhere, and
// dead if it is everywhere; nil if there are none.
func together(answers []*scan.Answer) (a *scan.Answer) {
	for _, life := range []scan.Life{scan.Alive, scan.Unknown, scan.Dead} {
		if i := slices.IndexFunc(answers, func(a *scan.Answer) bool { return a.Life == life }); i >= 0 {
			return answers[i]
		}
	}
	return nil
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

// partsOf are the values of parts that are known.
func partsOf(value secret.Value, list []scan.Part) map[string]secret.Value {
	parts := map[string]secret.Value{scan.RoleSecret: value}
	for _, p := range list {
		switch {
		case p.Public:
			parts[p.Role] = secret.New([]byte(p.Redacted))
		case !p.Value.IsZero():
			parts[p.Role] = p.Value
		}
	}
	return parts
}

// ask tries one credential. It says, too, why nothing more is to be tried at the same
// place; nothing if there is no reason.
func ask(ctx context.Context, at provider.Provider, c provider.Credential) (a *scan.Answer, leave string) {
	ctx, cancel := context.WithTimeout(ctx, verifyTimeout)
	defer cancel()
	probe, err := at.(provider.Verifier).Verify(ctx, c)
	if err != nil {
		a = &scan.Answer{Life: scan.Unknown, Code: "no answer"}
		var e *provider.Error
		if errors.As(err, &e) {
			a.Code = strings.TrimSpace(string(e.Kind) + " " + e.Code)
			if e.Kind == provider.Busy || c.Found && e.Kind == provider.Unreached {
				leave = string(e.Kind)
			}
		}
		return a, leave
	}
	a = &scan.Answer{Life: scan.Unknown, Code: probe.Code, Account: probe.Who.Account}
	switch probe.State {
	case provider.Alive, provider.Narrow, provider.Elsewhere:
		a.Life = scan.Alive
	case provider.Blocked:
		if !c.Found { // a server may look at the address first
			a.Life = scan.Alive
		}
	case provider.Dead:
		a.Life = scan.Dead
	case provider.Throttled:
		leave = string(provider.Throttled)
	}
	if probe.State != provider.Alive && probe.State != provider.Dead {
		a.Code = strings.TrimSuffix(string(probe.State)+": "+probe.Code, ": ")
	}
	if others := at.Info().Others; a.Life == scan.Dead && others != "" && !c.Found { // nobody has asked them
		a.Life, a.Code = scan.Unknown, a.Code+"; it may be of "+others
	}
	return a, leave
}
