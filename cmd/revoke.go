package cmd

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/keywright/keywright/audit"
	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/scan"
	"github.com/keywright/keywright/secret"
)

// revokeOptions are the flags of revoke, as they were typed.
type revokeOptions struct {
	finding string
	yes     bool
}

const revokeLong = `Revokes a leaked token at its provider, by showing that one has it: also one
that is nobody's key here, but that whoever finds it can use. The repository is
scanned again for it; what is not found there any more is not revoked. That it
is revoked can't be undone, and its owner is told by the provider.

A key of your own is replaced instead: keywright rotate.
`

func newRevoke(term *terminal, scanning scanFunc) *cobra.Command {
	var o revokeOptions
	c := &cobra.Command{
		Use:     "revoke --finding FINGERPRINT [PATH]",
		Short:   "Revoke a leaked token that a scan found",
		Long:    revokeLong,
		Example: "  keywright revoke --finding k1:31b2e624cf1225505688356a3797c011",
		Args:    atMostOneArg("the path that was scanned"),
		RunE: func(c *cobra.Command, args []string) error {
			if err := checkEmpty(c.Flags()); err != nil {
				return err
			}
			return runRevoke(c.Context(), term, scanning, o, args)
		},
	}
	c.Flags().StringVar(&o.finding, "finding", "", "the `FINGERPRINT` that the report names it by")
	c.Flags().BoolVar(&o.yes, "yes", false, "do not ask")
	return c
}

func runRevoke(ctx context.Context, term *terminal, scanning scanFunc, o revokeOptions, args []string) error {
	if o.finding == "" {
		return usagef("a report names each finding by its fingerprint: k1:…", "--finding is needed")
	}
	job := scanJob{path: ".", noCache: true, noIgnore: true, level: scan.Low} // what is remembered of a finding has no value
	if len(args) > 0 {
		job.path = args[0]
	}
	if err := checkPath(job); err != nil {
		return err
	}
	r, err := scanning(ctx, term, job)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(r.Findings, func(f scan.Finding) bool { return f.Fingerprint == o.finding })
	if i < 0 {
		return hintedError{fmt.Errorf("%s has no finding %s", quote(job.path), quote(o.finding)), "'keywright scan --confidence low' names what it has; fingerprints hold in one repository"}
	}
	f := r.Findings[i]
	if len(f.Held) > 0 {
		return hintedError{fmt.Errorf("it is your key %s", f.Held[0].Key), "replace it: keywright rotate " + f.Held[0].Key + " --emergency"}
	}
	p, part, ok := possessed(f.Rule.Provider)
	if !ok || f.Secret.IsZero() {
		return hintedError{fmt.Errorf("keywright cannot revoke a %s by having it", f.Rule.Title), f.Rule.Fix}
	}
	return revokeFinding(ctx, term, o, f, p, provider.Credential{Parts: map[string]secret.Value{part: f.Secret}})
}

// possessed is a provider at which whoever has a credential can revoke it, and the part
// that it consists of.
func possessed(name string) (p provider.Provider, part string, ok bool) {
	i := slices.IndexFunc(providers(), func(p provider.Provider) bool {
		info := p.Info()
		return info.Name == name && len(info.Parts) == 1 && info.Admin == "" && is[provider.Revoker](p) && is[provider.Verifier](p)
	})
	if i < 0 {
		return nil, "", false
	}
	p = providers()[i]
	return p, p.Info().Parts[0].Name, true
}

func revokeFinding(ctx context.Context, term *terminal, o revokeOptions, f scan.Finding, p provider.Provider, c provider.Credential) error {
	v := p.(provider.Verifier)
	before, err := v.Verify(ctx, c)
	if err != nil {
		return err
	}
	fmt.Fprintf(term.out, "%s %s, in %s: %s\n", escaped(f.Rule.Title), escaped(f.Redacted), plural(len(f.Places), "place"), before.State)
	if who := before.Who.Account; who != "" {
		fmt.Fprintln(term.out, "  it is of the account", escaped(who)+", which is told")
	}
	if before.State == provider.Dead {
		fmt.Fprintf(term.out, "%s takes it for no token that is valid (%s); nothing was done\n", p.Info().Title, escaped(before.Code))
		return nil
	}
	if !o.yes {
		yes, err := term.askYes("Whatever uses it stops working, for good. Revoke it?")
		switch {
		case errors.Is(err, errNobody):
			return usageError{err, "to revoke it without a question: --yes"}
		case err != nil:
			return err
		case !yes:
			return outcome(exitFailed)
		}
	}
	if keys, err := openKeys(term, mayAsk); err == nil && keys.Exists() {
		e := environmentEntry("revoke", audit.Granted, "")
		e.Reason = f.Rule.ID + " " + f.Fingerprint
		if err := keys.append(ctx, e); err != nil {
			return err
		}
	}
	if err := p.(provider.Revoker).Revoke(ctx, provider.Credential{}, c, provider.Credential{}); err != nil {
		return err
	}
	fmt.Fprintln(term.out, "the provider says that it is done")
	return watch(ctx, term, v, c, p.Info().Propagation)
}

// watch tries what was revoked until it is refused.
func watch(ctx context.Context, term *terminal, v provider.Verifier, c provider.Credential, within time.Duration) error {
	const pause = 3 * time.Second
	var last string
	for end := time.Now().Add(within + pause); ; {
		probe, err := v.Verify(ctx, c)
		switch {
		case err != nil:
			last = err.Error()
		case probe.State == provider.Dead:
			fmt.Fprintln(term.out, "it is dead:", escaped(probe.Code))
			return nil
		default:
			last = strings.TrimSpace(string(probe.State) + " " + probe.Code)
		}
		if time.Now().After(end) {
			return hintedError{fmt.Errorf("it is not known to be dead: %s", last), "try again later: keywright revoke says at once what it is"}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
}
