package rotate

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/secret"
)

// result is what became of a step.
type result struct {
	change  Change
	note    string
	skipped bool
	until   time.Time
	need    *Need
}

// How often and how long something is tried that may take a while at the provider.
const (
	pause       = 2 * time.Second  // between two probes, at least
	patience    = 10 * time.Minute // for what is to come true, and the propagation beyond
	probesApart = 8                // of a propagation
)

// do does the step that is to be done.
func (w *work) do(ctx context.Context) (result, error) {
	if r, err := w.administer(ctx); err != nil || r.need != nil {
		return r, err
	}
	switch step := w.j.Step(); step.Name {
	case Preflight:
		return w.preflight(ctx)
	case Make:
		return w.make(ctx)
	case Apply:
		return w.apply(ctx)
	case Issue:
		return w.issue(ctx)
	case Ask:
		return w.ask(ctx)
	case Verify:
		return w.verify(ctx)
	case Parity:
		return w.parity(ctx)
	case Deliver:
		return w.deliver(ctx, step.Consumer, w.old.Parts, w.next.Parts)
	case TakeBack:
		return w.deliver(ctx, step.Consumer, w.next.Parts, w.old.Parts)
	case Reload:
		return w.reload(ctx, step.Consumer)
	case Promote:
		note := ""
		if !w.j.OldExpires.IsZero() && w.j.Expires.IsZero() {
			note = fmt.Sprintf("the old one's end was %s, the new one's is not told: keywright edit %s --expires", w.j.OldExpires.Local().Format(time.DateOnly), w.j.Key)
		}
		return result{change: Change{Promote: true, ID: w.j.NewID, Expires: w.j.Expires}, note: note}, nil
	case Demote:
		return result{change: Change{Demote: true, ID: w.j.OldID, Expires: w.j.OldExpires}}, nil
	case Grace:
		return w.grace()
	case Disable, Enable:
		return w.disable(ctx, step.Name == Disable)
	case TryOld:
		return w.accepted(ctx)
	case Revoke:
		return w.revoke(ctx)
	case RevokeNew:
		return w.revokeNew(ctx)
	case Prove:
		return w.prove(ctx)
	case Drop:
		w.j.New = 0
		return result{change: Change{Drop: true}}, nil
	default:
		return w.close(ctx)
	}
}

// preflight is done again when a rotation is resumed: it looks, and changes nothing.
func (w *work) preflight(ctx context.Context) (result, error) {
	if len(w.old.Parts) == 0 {
		return result{}, errOutOfSecrets
	}
	notes := slices.Clone(w.j.Plan.Notes)
	if used := w.j.Plan.LastUsed; !used.IsZero() {
		notes = append(notes, w.whenUsed(used))
	}
	for _, spec := range w.key.Consumers {
		note, err := w.look(ctx, spec)
		if err != nil {
			return result{}, err
		}
		if note != "" {
			notes = append(notes, note)
		}
	}
	if v, ok := w.p.(provider.Verifier); ok && !w.p.Info().Nonce {
		probe, err := w.tryOld(ctx, v)
		if err != nil {
			return result{}, fmt.Errorf("try the old key: %w", err)
		}
		if err := w.untriable(probe); err != nil {
			return result{}, err
		}
		if w.j.Control = probe.State.Lives(); w.j.Control && w.j.OldID == "" {
			w.j.OldID = probe.Who.ID
		}
		if w.j.Was = nil; w.j.Control {
			w.j.Was = &probe.Who
		}
		notes = append(notes, "the old key is "+string(probe.State))
		if err := w.key.Policy.allow(probe.Who); err != nil && probe.State.Lives() {
			notes = append(notes, "of the old key: "+err.Error())
		}
		if probe.Who.Withdraw {
			notes = append(notes, "it may withdraw")
		}
	}
	beside, err := w.remember(ctx)
	if err != nil || beside.need != nil {
		return beside, err
	}
	return result{note: joined(append(notes, beside.note)...)}, nil
}

// look says what is to be said of a consumer before it gets anything.
func (w *work) look(ctx context.Context, spec string) (note string, err error) {
	c, err := w.Consumer(w.j.Key, spec)
	if err != nil {
		return "", fmt.Errorf("consumer %s: %w", spec, err)
	}
	if ch, ok := c.(Checker); ok {
		if err := ch.Check(ctx); err != nil {
			return "", fmt.Errorf("consumer %s: %w", spec, err)
		}
	}
	holds, err := c.Holds(ctx)
	switch {
	case errors.Is(err, ErrUnreadable):
		return spec + " cannot be read back: it could only be given our old value", nil
	case err != nil:
		return "", fmt.Errorf("consumer %s: %w", spec, err)
	}
	key := []byte(rand.Text())
	if !within(key, holds, w.old.Parts) && !within(key, holds, w.next.Parts) {
		return "", fmt.Errorf("consumer %s: %w", spec, ErrDrift)
	}
	return "", nil
}

// within reports whether all that a consumer holds is of these parts.
func within(key []byte, holds, parts map[string]secret.Value) bool {
	of := map[string]secret.Value{}
	for name := range holds {
		if v, ok := parts[name]; ok {
			of[name] = v
		}
	}
	return equal(key, holds, of)
}

func (w *work) make(ctx context.Context) (result, error) {
	next, err := w.p.(provider.Maker).Make(ctx, w.old)
	if err != nil {
		return result{}, err
	}
	w.j.New, w.j.NewID = w.key.Next, next.ID
	return result{change: Change{Pending: next.Parts}, note: "stored as version " + fmt.Sprint(w.j.New)}, nil
}

func (w *work) apply(ctx context.Context) (result, error) {
	var has result
	if w.j.Mode == InPlace {
		var err error
		if has, err = w.letGo(ctx, "Replace"); !w.j.begun(Apply) && (err != nil || has.need != nil) {
			return has, err
		}
		has.need = nil
		if err := w.Record(ctx, "rotate", w.j.Key, w.j.Old, "the old one ends with the new one"); err != nil {
			return result{}, err
		}
	}
	if err := w.begin(ctx); err != nil {
		return result{}, err
	}
	err := w.p.(provider.Maker).Apply(ctx, w.admin, w.old, w.next)
	if w.j.Mode == InPlace && err == nil {
		w.j.Revoked = w.Now().UTC()
	}
	return has, err
}

// issue never asks twice for one key: what was made by a process that died is found by
// its lineage, or by its id being new, and ended first.
func (w *work) issue(ctx context.Context) (result, error) {
	if w.again {
		r, err := w.orphan(ctx)
		if err != nil || r.need != nil || !r.until.IsZero() {
			return r, err
		}
	}
	beside, err := w.remember(ctx)
	if err != nil || beside.need != nil {
		return beside, err
	}
	if err := w.Record(ctx, "rotate", w.j.Key, w.j.Old, "a new one is issued"); err != nil {
		return result{}, err
	}
	w.j.Asked = w.Now().UTC()
	if err := w.begin(ctx); err != nil {
		return result{}, err
	}
	next, err := w.p.(provider.Issuer).Issue(ctx, w.admin, w.old, w.j.Lineage())
	if known := (*provider.Error)(nil); errors.As(err, &known) && known.Kind == provider.NoSlot && w.j.RevokeFirst && w.Now().Before(w.j.Revoked.Add(w.p.Info().Propagation)) {
		w.j.note(w.Now(), Failed, err.Error()) // nothing was issued
		return result{until: w.Now().Add(max(w.apart(), known.After)), note: "the old one's end is not known everywhere: " + err.Error()}, nil
	}
	if err != nil {
		return result{}, err
	}
	next.Params = w.key.Params
	w.next, w.issued = next, true
	w.j.New, w.j.NewID = w.key.Next, next.ID
	return result{change: Change{Pending: next.Parts}, note: joined(beside.note, "stored as version "+fmt.Sprint(w.j.New))}, nil
}

// ask takes a key that somebody made by hand.
func (w *work) ask(ctx context.Context) (result, error) {
	var names []string
	for _, p := range w.p.Info().Parts {
		names = append(names, p.Name)
	}
	all := w.p.(provider.Guide).Guide(w.old)
	steps := provider.Steps{IssueAt: all.IssueAt, Issue: all.Issue} // the old one is still needed
	if w.answer.Parts == nil {
		return result{need: &Need{Steps: steps, Parts: names}}, nil
	}
	if err := w.begin(ctx); err != nil {
		return result{}, err
	}
	key := []byte(rand.Text())
	if equal(key, w.answer.Parts, w.old.Parts) {
		return result{need: &Need{Steps: steps, Parts: names}, note: "that is the old one"}, nil
	}
	next, note := provider.Credential{Parts: w.answer.Parts, Params: w.key.Params}, ""
	if v, ok := w.p.(provider.Verifier); ok {
		probe, err := v.Verify(ctx, next)
		was, known := w.j.Was, (*provider.Error)(nil)
		switch {
		case errors.As(err, &known) && (known.Kind == provider.Incomplete || known.Kind == provider.Refused):
			return result{need: &Need{Steps: steps, Parts: names}, note: err.Error()}, nil
		case err != nil: // it may have been shown once: it is kept, and tried again before it is used
			note = "; it could not be tried yet: " + err.Error()
		case probe.State == provider.Dead, probe.State == provider.Elsewhere:
			return result{need: &Need{Steps: steps, Parts: names}, note: "what was given is " + string(probe.State)}, nil
		case !probe.State.Lives():
			note = "; it could not be tried yet: " + string(probe.State)
		case was != nil && was.Account != "" && probe.Who.Account == "":
			note = "; of which account it is was not told"
		case was != nil && was.Account != "" && was.Account != probe.Who.Account:
			return result{need: &Need{Steps: steps, Parts: names}, note: fmt.Sprintf("that is of the account %s, the old one of %s", probe.Who.Account, was.Account)}, nil
		}
		w.j.NewID = probe.Who.ID
	}
	w.j.New = w.key.Next
	return result{change: Change{Pending: next.Parts}, note: "stored as version " + fmt.Sprint(w.j.New) + note}, nil
}

// tryOld tries the old key while it is to be alive, and notes when.
func (w *work) tryOld(ctx context.Context, v provider.Verifier) (provider.Probe, error) {
	w.j.Tried = append(w.j.Tried, w.Now().UTC())
	return v.Verify(ctx, w.old)
}

// verify waits until the provider says that the new key is alive.
func (w *work) verify(ctx context.Context) (result, error) {
	probe, err := w.p.(provider.Verifier).Verify(ctx, w.next)
	switch {
	case err == nil && probe.State.Lives():
		if w.j.NewID == "" {
			w.j.NewID = probe.Who.ID
		}
		w.j.Expires = probe.Who.Expires
		return result{note: "the new key is " + string(probe.State)}, nil
	case w.since() < patience:
		note := "not yet: "
		if err != nil {
			note += err.Error()
		} else {
			note += string(probe.State) + " " + probe.Code
		}
		return result{until: w.Now().Add(max(w.apart(), probe.After, after(err))), note: note}, nil
	case err != nil:
		return result{}, err
	}
	return result{}, &stop{error: fmt.Errorf("the new key is %s (%s)", probe.State, probe.Code), after: probe.After}
}

// since is how long the step has been tried for.
func (w *work) since() time.Duration {
	first := w.Now()
	for i := len(w.j.Events) - 1; i >= 0; i-- {
		e := w.j.Events[i]
		if e.Step != w.j.Step() || e.What == Failed {
			break
		}
		first = e.At
	}
	return w.Now().Sub(first) - w.p.Info().Propagation
}

// apart is how long to wait between two probes.
func (w *work) apart() time.Duration { return Apart(w.p.Info()) }

// Refusals is how often a key has to be refused as not valid, one time after the other,
// before it is called dead: a service may have places that have not heard of its end.
const Refusals = 3

// Apart is how long to wait between two probes of a key at a provider.
func Apart(i provider.Info) time.Duration { return max(pause, i.Propagation/probesApart) }

// deliver gives a consumer what is in to, and reads it back.
func (w *work) deliver(ctx context.Context, spec string, from, to map[string]secret.Value) (result, error) {
	spec, ok := w.where(spec)
	if !ok {
		return result{skipped: true, note: leftOut}, nil
	}
	c, err := w.Consumer(w.j.Key, spec)
	if err != nil {
		return result{}, err
	}
	if err := w.begin(ctx); err != nil {
		return result{}, err
	}
	if err := c.Deliver(ctx, from, to); err != nil {
		return result{}, err
	}
	holds, err := c.Holds(ctx)
	switch {
	case errors.Is(err, ErrUnreadable):
		return result{note: "not read back: it cannot be"}, nil
	case err != nil:
		return result{}, fmt.Errorf("read back: %w", err)
	case !within([]byte(rand.Text()), holds, to):
		return result{}, errors.New("read back: it does not hold what it got")
	}
	return result{}, nil
}

// join lets places that became consumers of the key since the rotation began, or have become
// so again, get the new one, too: behind the others, or now if these have it.
func (w *work) join() error {
	if w.j.Taking {
		return nil
	}
	at := slices.IndexFunc(w.j.Steps, func(s Step) bool { return s.Name == Promote })
	for i, s := range w.j.Steps {
		if s.Name == Deliver {
			at = i + 1
		}
	}
	at = max(at, w.j.Next)
	if w.j.Step().Name == Grace && w.j.Tries > 0 { // it is over, and does not begin anew
		at = max(at, w.j.Next+1)
	}
	for _, spec := range w.key.Consumers {
		if w.reaches(w.Place(spec)) {
			continue
		}
		c, err := w.Consumer(w.j.Key, spec)
		if err != nil {
			return fmt.Errorf("consumer %s: %w", spec, err)
		}
		more := []Step{{Deliver, spec}}
		if _, ok := c.(Reloader); ok {
			more = append(more, Step{Reload, spec})
		}
		w.j.Steps = slices.Insert(w.j.Steps, at, more...)
		at += len(more)
	}
	return nil
}

// reaches reports whether a place is delivered to, or will be.
func (w *work) reaches(place string) bool {
	for i, s := range w.j.Steps {
		if s.Name == Deliver && w.Place(s.Consumer) == place && (i >= w.j.Next || w.j.ended(s)) {
			return true
		}
	}
	return false
}

// leftOut is said of a place that was a consumer when the rotation was begun.
const leftOut = "passed over: it is no consumer of the key any more, and has what it has"

func (w *work) reload(ctx context.Context, spec string) (result, error) {
	spec, ok := w.where(spec)
	if !ok {
		return result{skipped: true, note: leftOut}, nil
	}
	c, err := w.Consumer(w.j.Key, spec)
	if err != nil {
		return result{}, err
	}
	r, ok := c.(Reloader)
	if !ok {
		return result{skipped: true}, nil
	}
	if err := w.begin(ctx); err != nil {
		return result{}, err
	}
	return result{}, r.Reload(ctx)
}

// close ends the rotation, and puts on record what is known of the old key's end: journals
// are not kept for ever. The old secrets go; what scans find them by stays.
func (w *work) close(ctx context.Context) (result, error) {
	if err := w.late(ctx); err != nil {
		return result{}, err
	}
	change, verb, note := Change{End: true}, "rotate abort", "taken back"
	grade := w.grade()
	if !w.j.Taking {
		change.Retire, verb, note = w.j.irrevocable(), "rotate", string(grade)
	}
	if err := w.Record(ctx, verb, w.j.Key, w.j.Old, w.j.ID+" is over: "+note); err != nil {
		return result{}, err
	}
	w.j.Closed = w.Now().UTC()
	if w.j.Taking {
		w.j.Result = Aborted
		w.j.Lingers = provider.Lingers{}
		return result{change: change}, nil
	}
	w.j.Result, w.j.Grade = Done, grade
	if w.j.Lingers.Longest > 0 && !w.j.Revoked.IsZero() {
		w.j.LingersUntil = w.j.Revoked.Add(w.p.Info().Propagation + w.j.Lingers.Longest)
	}
	return result{change: change, note: note}, nil
}

// grade is how well it is known in the end that the old key is dead.
func (w *work) grade() Grade {
	switch {
	case w.j.Grade != "":
		return w.j.Grade
	case is[provider.Revoker](w.p) && w.j.begun(Revoke):
		return Acknowledged
	case is[provider.Guide](w.p) && w.j.begun(Revoke):
		return Said
	case w.j.Mode == InPlace:
		return Acknowledged // of the new one, which is the old one's end
	case w.p.Info().Local:
		return NoProvider
	}
	return Unended
}
