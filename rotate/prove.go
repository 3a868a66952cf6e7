package rotate

import (
	"context"
	"fmt"
	"slices"

	"github.com/keywright/keywright/provider"
)

// prove tries the old key until it was refused several times, each time with the new one
// accepted beside it. What cannot be told is never taken for dead.
func (w *work) prove(ctx context.Context) (result, error) {
	v, ok := w.p.(provider.Verifier)
	if !ok || w.p.Info().Nonce {
		return w.proveAbsent(ctx)
	}
	old, err := v.Verify(ctx, w.old)
	if err != nil {
		return w.notYet(fmt.Sprint("the old key: ", err), after(err))
	}
	if !w.refused(old) {
		w.j.Deaths = nil
		return w.notYet(fmt.Sprintf("the old key is %s (%s)", old.State, old.Code), old.After)
	}
	next, err := v.Verify(ctx, w.next)
	if err != nil || !next.State.Lives() {
		return w.notYet(fmt.Sprintf("the new key is %s (%s): its answer is needed beside", next.State, next.Code), max(next.After, after(err)))
	}
	w.j.Deaths = append(w.j.Deaths, Observation{w.Now().UTC(), old.Code})
	if n := len(w.j.Deaths); n < Refusals {
		return result{until: w.Now().Add(w.apart()), note: fmt.Sprintf("refused %d of %d times (%s)", n, Refusals, old.Code)}, nil
	}
	switch {
	case w.p.Info().Mute:
		w.j.Grade = RefusedMute
	case !w.j.Control: // the refusal proves less: it may always have been refused
		w.j.Grade = RefusedUnseen
	default:
		w.j.Grade = RefusedDead
	}
	return result{note: "refused " + fmt.Sprint(Refusals) + " times: " + old.Code}, nil
}

// refused reports whether a key is refused as one that is dead. At a provider that is mute
// others are, too.
func (w *work) refused(p provider.Probe) bool {
	return p.State == provider.Dead || w.p.Info().Mute && p.State == provider.Unknown
}

// proveAbsent looks whether the old key is gone from the provider's list. Without its id
// that shows nothing.
func (w *work) proveAbsent(ctx context.Context) (result, error) {
	if w.j.OldID == "" {
		return result{skipped: true, note: "the old key cannot be told from others in a list: its id is not known"}, nil
	}
	all, err := w.p.(provider.Lister).List(ctx, w.admin, w.next)
	if err != nil {
		return w.notYet(err.Error(), after(err))
	}
	switch i := slices.IndexFunc(all, func(c provider.Listed) bool { return c.ID == w.j.OldID }); {
	case i < 0:
		w.j.Grade = Absent
	case all[i].Disabled:
		w.j.Grade = OutOfUse
	default:
		return w.notYet("the provider still lists the old key", 0)
	}
	return result{}, nil
}
