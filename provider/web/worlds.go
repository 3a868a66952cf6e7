package web

import (
	"context"
	"net/url"
	"slices"

	"github.com/keywright/keywright/provider"
)

// Worlds are those parts of a service that do not know each other's credentials: for live
// and for test, or regions.
type Worlds struct {
	Addresses []string
	Unheard   string // the service's code for a credential that it does not know

	// Ask tries the credential at an address, and reports whether it is not known there.
	// Home says whether it is said to be of there: elsewhere, how it is known is enough.
	Ask func(ctx context.Context, at string, home bool) (probe provider.Probe, unheard bool, err error)
}

// Verify tries a credential at home. If that does not know it, the other worlds are asked:
// one that knows it makes it a credential from elsewhere, and it is dead only if none does.
// Without a home, all are asked, and what none knows may be of one that is not known here.
func (w Worlds) Verify(ctx context.Context, home string) (provider.Probe, error) {
	if home == "" {
		return w.search(ctx)
	}
	probe, unheard, err := w.Ask(ctx, home, true)
	if err != nil || !unheard {
		return probe, err
	}
	probe.State = provider.Dead
	known := []provider.State{provider.Alive, provider.Narrow, provider.Blocked, provider.Dead, provider.Elsewhere}
	for _, at := range w.Addresses {
		if at == home {
			continue
		}
		other, unheard, err := w.Ask(ctx, at, false)
		switch {
		case err == nil && unheard:
		case err == nil && slices.Contains(known, other.State):
			return provider.Probe{State: provider.Elsewhere, Code: probe.Code + "; " + host(at) + " knows it"}, nil
		default:
			probe.State = provider.Unknown
			probe.Code += "; " + host(at) + " could not tell"
		}
	}
	return probe, nil
}

// search returns the answer of the world that knows the credential.
func (w Worlds) search(ctx context.Context) (provider.Probe, error) {
	found := provider.Probe{State: provider.Unknown, Code: w.Unheard + " wherever it was asked"}
	var last error
	for _, at := range w.Addresses {
		probe, unheard, err := w.Ask(ctx, at, true)
		switch {
		case err != nil:
			last = err
		case probe.State.Lives():
			return probe, nil
		case !unheard:
			found = probe
		}
	}
	if found.State == provider.Unknown && last != nil {
		return provider.Probe{}, last
	}
	return found, nil
}

func host(address string) string {
	if u, err := url.Parse(address); err == nil {
		return u.Host
	}
	return "another"
}
