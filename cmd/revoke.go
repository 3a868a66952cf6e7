package cmd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/keywright/keywright/audit"
	"github.com/keywright/keywright/keystore"
	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/rotate"
	"github.com/keywright/keywright/scan"
)

// revokeOptions are the flags of revoke, as they were typed.
type revokeOptions struct {
	finding string
	params  []string
	path    string // that was scanned; empty for where one is
	yes     bool
}

// command is what was typed, but for --yes.
func (o revokeOptions) command() string {
	text := "keywright revoke --finding " + o.finding
	for _, p := range o.params {
		text += " --param " + p
	}
	return strings.TrimSuffix(text+" "+o.path, " ")
}

const revokeLong = `Revokes a leaked token at its provider, by showing that one has it: also one
that is nobody's key here, but that whoever finds it can use. The repository is
scanned again for it; what is not found there any more is not revoked. That it
is revoked can't be undone; what else the provider does, as to tell its owner,
is said before it is asked to. 'keywright providers' lists where that can be
done. A token of a server of your own is revoked there if --param says where
that is, as 'keywright set' takes it; never at an address that was found.

A key of your own is replaced instead: keywright rotate.
`

func newRevoke(term *terminal, scanning scanFunc) *cobra.Command {
	var o revokeOptions
	c := &cobra.Command{
		Use:   "revoke --finding FINGERPRINT [PATH]",
		Short: "Revoke a leaked token that a scan found",
		Long:  revokeLong,
		Example: `  keywright revoke --finding k1:31b2e624cf1225505688356a3797c011
  keywright revoke --finding k1:31b2e6… --param url=https://vault.test:8200`,
		Args: atMostOneArg("the path that was scanned"),
		RunE: func(c *cobra.Command, args []string) error {
			if err := checkEmpty(c.Flags()); err != nil {
				return err
			}
			return runRevoke(c.Context(), term, scanning, o, args)
		},
	}
	c.Flags().StringVar(&o.finding, "finding", "", "the `FINGERPRINT` that the report names it by")
	c.Flags().StringArrayVar(&o.params, "param", nil, "`NAME=VALUE` that its service must know: where its\nserver is (may be repeated)")
	c.Flags().BoolVar(&o.yes, "yes", false, "do not ask")
	return c
}

func runRevoke(ctx context.Context, term *terminal, scanning scanFunc, o revokeOptions, args []string) error {
	if o.finding == "" {
		return usagef("a report names each finding by its fingerprint: k1:…", "--finding is needed")
	}
	job := scanJob{path: ".", noCache: true, noIgnore: true, level: scan.Low} // what is remembered of a finding has no value
	if len(args) > 0 {
		o.path, job.path = args[0], args[0]
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
	p, c, ok := possessed(providers(), &f)
	if !ok {
		return hintedError{fmt.Errorf("keywright cannot revoke a %s by having it", f.Rule.Title), f.Rule.Fix}
	}
	if err := place(p, &c, o.params); err != nil {
		return err
	}
	return revokeFinding(ctx, term, o, f, p, c)
}

// place adds parameters that the user gives to a credential that was found.
func place(p provider.Provider, c *provider.Credential, params []string) error {
	info := p.Info()
	given := keystore.Key{Params: maps.Clone(c.Params)}
	for _, text := range params {
		name, value, _ := strings.Cut(text, "=")
		if value == "" || !slices.ContainsFunc(info.Params, func(p provider.Param) bool { return p.Name == name }) {
			return usagef("docs/providers.md names those of "+info.Name, "--param: %s is not a parameter of %s, with its value", quote(text), info.Name)
		}
	}
	(&details{params: params}).setParams(&given)
	c.Params = given.Params
	for _, param := range info.Params {
		if param.Server && param.Required && c.Params[param.Name] == "" {
			return hintedError{fmt.Errorf("it is a %s, and where that is accepted is not known", info.Title), "say it: --param " + param.Name + "=…, " + param.Meaning}
		}
	}
	return nil
}

// possessed is a provider at which whoever has what was found can revoke it, and the
// credential that it is.
func possessed(all []provider.Provider, f *scan.Finding) (provider.Provider, provider.Credential, bool) {
	for _, p := range all {
		r, ok := p.(provider.Recognizer)
		info := p.Info()
		if !ok || f.Secret.IsZero() || !info.Itself || !is[provider.Revoker](p) || !is[provider.Verifier](p) {
			continue
		}
		if c, ok := r.Recognize(f.Rule.ID, partsOf(f.Secret, f.Parts)); ok {
			return p, c, true
		}
	}
	return nil, provider.Credential{}, false
}

func revokeFinding(ctx context.Context, term *terminal, o revokeOptions, f scan.Finding, p provider.Provider, c provider.Credential) error {
	v := p.(provider.Verifier)
	again := o.command()
	before, err := patiently(ctx, term, again, func() (provider.Probe, error) { return v.Verify(ctx, c) })
	if err != nil {
		return err
	}
	fmt.Fprintf(term.out, "%s %s, in %s: %s\n", escaped(f.Rule.Title), escaped(f.Redacted), plural(len(f.Places), "place"), before.State)
	if who := before.Who.Account; who != "" {
		fmt.Fprintln(term.out, "  it is of the account", escaped(who))
	}
	if before.State == provider.Dead {
		fmt.Fprintf(term.out, "%s takes it for no token that is valid (%s); nothing was done\n", p.Info().Title, escaped(before.Code))
		if others := p.Info().Others; others != "" && len(o.params) == 0 {
			fmt.Fprintln(term.out, "  it may be of", others+", which was not asked")
		}
		return nil
	}
	if text := p.Info().Revoking; text != "" {
		fmt.Fprintln(term.out, " ", text)
	}
	if l := p.Info().Lingers; l.What != "" {
		fmt.Fprintf(term.out, "  outlives it: %s%s\n", l.What, atMost(l.Longest))
	}
	if !o.yes {
		yes, err := term.askYes(ctx, "Whatever uses it stops working, for good. Revoke it?")
		switch {
		case errors.Is(err, errNobody):
			return usageError{err, "to revoke it without a question: --yes"}
		case err != nil:
			return err
		case !yes:
			return outcome(exitFailed)
		}
	}
	revoke := func() error {
		_, err := patiently(ctx, term, again, func() (provider.Probe, error) {
			return provider.Probe{}, p.(provider.Revoker).Revoke(ctx, c, c, provider.Credential{})
		})
		return err
	}
	if keys, openErr := openKeys(term, mayAsk); openErr == nil && keys.Exists() {
		e := environmentEntry("revoke", audit.Granted, "")
		e.Reason = f.Rule.ID + " " + f.Fingerprint
		err = keys.do(ctx, revoke, e)
	} else {
		err = revoke()
	}
	if e := (*provider.Error)(nil); errors.As(err, &e) && (e.Kind == provider.Forbidden || e.Kind == provider.Refused) {
		return hintedError{err, cmp.Or(e.Hint, f.Rule.Fix)} // it has no right to end itself
	}
	if err != nil {
		return err
	}
	fmt.Fprintln(term.out, "the provider says that it is done")
	return watch(ctx, term, v, c, p.Info(), before.State.Lives(), again)
}

// throttled reports whether a provider wants to be left alone, and for how long; zero if it
// did not say.
func throttled(probe provider.Probe, err error) (after time.Duration, is bool) {
	known := (*provider.Error)(nil)
	if errors.As(err, &known) {
		return known.After, known.Kind == provider.Busy
	}
	return probe.After, err == nil && probe.State == provider.Throttled
}

// patiently asks a provider, and once more each time that it said when it may be asked, as
// long as all that is soon. If it is not, the error says when; again is the command for it.
func patiently(ctx context.Context, term *terminal, again string, ask func() (provider.Probe, error)) (provider.Probe, error) {
	for end := time.Now().Add(shortWait); ; {
		probe, err := ask()
		after, is := throttled(probe, err)
		switch at := time.Now().Add(after); {
		case !is || after == 0:
			return probe, err
		case at.After(end):
			return probe, notBefore(at, again, cmp.Or(err, fmt.Errorf("the provider wants to be left alone (%s)", probe.Code)))
		}
		fmt.Fprintf(term.out, "the provider wants to be left alone; again in %s\n", after)
		if !sleep(ctx, after) {
			return probe, ctx.Err()
		}
	}
}

// notBefore says when a provider may be asked again, and by which command.
func notBefore(at time.Time, again string, err error) error {
	return hintedError{err, "not before " + moment(at) + ": " + again}
}

// watch tries what was revoked until it was refused several times. That shows that it is
// dead only if it was seen alive before, and never at a provider that is mute. Again is the
// command that looks what it is later.
func watch(ctx context.Context, term *terminal, v provider.Verifier, c provider.Credential, at provider.Info, alive bool, again string) error {
	said, refused := "", 0
	for end := time.Now().Add(at.Propagation + rotate.Apart(at)); ; {
		probe, err := v.Verify(ctx, c)
		after, _ := throttled(probe, err)
		apart := max(rotate.Apart(at), after)
		no := probe.State == provider.Dead || at.Mute && probe.State == provider.Unknown
		var note string
		switch {
		case err != nil:
			refused, note = 0, err.Error()
		case no && !alive:
			return hintedError{fmt.Errorf("it is refused now (%s), and was not seen alive before: whether it ever was this provider's is not known", probe.Code), "if it may be of another server, revoke it there"}
		case no:
			refused++
			note = fmt.Sprintf("refused %d of %d times: %s", refused, rotate.Refusals, probe.Code)
		default:
			refused, note = 0, strings.TrimSpace(string(probe.State)+" "+probe.Code)
		}
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case refused == rotate.Refusals && at.Mute:
			fmt.Fprintf(term.out, "it is refused now: %s; others are refused so, too, and it is not called dead\n", escaped(probe.Code))
			return nil
		case refused == rotate.Refusals:
			fmt.Fprintf(term.out, "it is dead: refused %d times: %s\n", rotate.Refusals, escaped(probe.Code))
			return nil
		case after > shortWait:
			return notBefore(time.Now().Add(after), again, fmt.Errorf("it is not known to be dead: %s", note))
		case refused == 0 && time.Now().After(end):
			return hintedError{fmt.Errorf("it is not known to be dead: %s", note), "try again later: keywright revoke says at once what it is"}
		case note != said:
			fmt.Fprintf(term.out, "%s; again in %s\n", escaped(note), apart)
			said = note
		}
		if !sleep(ctx, apart) {
			return ctx.Err()
		}
	}
}
