package rotate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/keywright/keywright/provider"
)

// ErrNotAccepted says that a rotation cannot be taken back: there is no old key to go
// back to.
var ErrNotAccepted = errors.New("the old key is not accepted any more")

// Way is where a rotation stood when it was to be taken back. It goes on from there if
// that cannot be.
type Way struct {
	Steps []Step    `json:"steps"`
	Next  int       `json:"next"`
	Until time.Time `json:"until,omitzero"`
	Tries int       `json:"tries,omitempty"`
}

// Abort turns a rotation round: from now on, its steps take it back. The old key is got
// back and tried first: if it is not alive, nothing else is changed, and the rotation can
// go on. It can't be taken back once the old key may be gone.
func (e *Engine) Abort(ctx context.Context, id string) (err error) {
	release, err := e.hold(ctx, id, "")
	if err != nil {
		return err
	}
	defer release(&err)
	j, err := e.journal(ctx, id)
	if err != nil {
		return err
	}
	switch {
	case j.Taking:
		return nil
	case j.irrevocable():
		return &StepError{ID: id, Key: j.Key, Step: j.Step(), Err: ErrIrrevocable, Hint: "keywright rotate resume " + id}
	}
	p, ok := e.Provider(j.Provider)
	if !ok {
		return &StepError{ID: id, Key: j.Key, Step: j.Step(), Err: ErrNoProvider}
	}
	steps := j.stepsBack(p)
	if err := e.Record(ctx, "rotate abort", j.Key, j.Old, j.ID); err != nil {
		return err
	}
	j.note(e.Now(), Turned, "it is taken back")
	j.Forth = &Way{j.Steps, j.Next, j.Until, j.Tries}
	j.Taking, j.Steps, j.Next, j.Until, j.Tries = true, steps, 0, time.Time{}, 0
	return e.save(ctx, j, Change{})
}

// stepsBack are the steps that take a rotation back: first those that find out whether it
// can be, see look.
func (j *Journal) stepsBack(p provider.Provider) (steps []Step) {
	var consumers, version, end []Step
	tries := false
	for _, s := range slices.Backward(j.Steps[:min(j.Next+1, len(j.Steps))]) {
		switch {
		case s.Name == Disable && j.touched(s):
			steps = append(steps, Step{Name: Enable})
		case s.Name == Deliver && j.touched(s):
			consumers = append(consumers, Step{TakeBack, s.Consumer})
			if reload := (Step{Reload, s.Consumer}); slices.Contains(j.Steps, reload) {
				consumers = append(consumers, reload)
			}
		case s.Name == Revoke: // somebody was asked to, and may have
			tries = true
		case s.Name == Promote && j.ended(s):
			version = append(version, Step{Name: Demote})
		case s.Name == Apply && j.touched(s), s.Name == Issue && j.touched(s), s.Name == Ask:
			// A key whose secret is lost cannot be gone on with, whatever the old one is like.
			tries = tries || j.New != 0 || s.Name == Ask
			if is[provider.Revoker](p) || s.Name == Ask {
				end = append(end, Step{Name: RevokeNew})
			}
		}
	}
	if tries && (is[provider.Revoker](p) || is[provider.Guide](p) || is[provider.Verifier](p)) { // else nobody accepts keys, or not
		steps = append(steps, Step{Name: TryOld})
	}
	if j.New != 0 {
		end = append(end, Step{Name: Drop})
	}
	return slices.Concat(steps, consumers, version, end, []Step{{Name: Close}})
}

// look reports whether a step finds out whether a rotation can be taken back.
func (s Step) look() bool { return s.Name == Enable || s.Name == TryOld }

// relied reports whether something may have the new key, or gets it when it asks.
func (j *Journal) relied() bool {
	return slices.ContainsFunc(j.Events, func(e Event) bool {
		return e.Step.Name == Deliver && j.touched(e.Step) || e.Step.Name == Promote && e.What == Ended
	})
}

// enabled is when the old key was enabled again; zero if it was not.
func (j *Journal) enabled() (at time.Time) {
	for _, e := range j.Events {
		if e.Step.Name == Enable && e.What == Ended {
			at = e.At
		}
	}
	return at
}

const (
	askAccepted = "Is the old key still accepted?"
	askEndNew   = "The old key is not accepted any more. The new one may be the only one that works, and nothing has it yet. Delete it all the same?"
)

// accepted finds out whether there is an old key to go back to.
func (w *work) accepted(ctx context.Context) (result, error) {
	v, tries := w.p.(provider.Verifier)
	if tries = tries && !w.p.Info().Nonce; !tries {
		switch {
		case w.no(askAccepted):
			return result{}, ErrNotAccepted
		case !w.yes(askAccepted):
			return result{need: &Need{Question: askAccepted, No: true}}, nil
		}
		w.j.Forth = nil
		return result{note: "somebody says that the old key is accepted"}, nil
	}
	old, err := w.tryOld(ctx, v)
	dead := fmt.Errorf("%w (%s)", ErrNotAccepted, old.Code)
	switch {
	case err != nil:
		return result{}, fmt.Errorf("try the old key: %w", err)
	case old.State.Lives():
		w.j.Forth = nil
		return result{note: "the old key is " + string(old.State)}, nil
	case w.Now().Before(w.j.enabled().Add(w.p.Info().Propagation)):
		return result{until: w.Now().Add(w.apart()), note: fmt.Sprintf("the old key is %s (%s), and was just enabled", old.State, old.Code)}, nil
	case !w.refused(old):
		return result{}, fmt.Errorf("the old key is %s (%s)", old.State, old.Code)
	case w.j.relied(), w.j.RevokeFirst:
		return result{}, dead
	}
	if w.j.New != 0 {
		next, err := v.Verify(ctx, w.next)
		lost := err == nil && w.refused(next)
		switch {
		case w.no(askEndNew):
			return result{}, dead
		case !lost && !w.yes(askEndNew):
			return result{need: &Need{Question: askEndNew, No: true}}, nil
		}
	}
	w.j.Forth = nil
	return result{note: "the old key is not accepted any more, and nothing has the new one"}, nil
}

// forth lets a rotation go on as if it had never been to be taken back, because it cannot
// be now. The error that it was is returned also if that cannot be recorded.
func (w *work) forth(ctx context.Context, err error) error {
	step := w.j.Step()
	hint := "nothing was taken back; to try again: keywright rotate abort " + w.j.ID + "; to go on: keywright rotate resume " + w.j.ID
	if errors.Is(err, ErrNotAccepted) {
		hint = "nothing was taken back; keywright rotate resume " + w.j.ID + " goes on, to the new key"
	}
	if w.j.ended(Step{Name: Enable}) {
		hint = "the old key was enabled again; " + hint
	}
	w.j.note(w.Now(), Failed, err.Error())
	w.j.Taking, w.j.Steps, w.j.Next, w.j.Until, w.j.Tries = false, w.j.Forth.Steps, w.j.Forth.Next, w.j.Forth.Until, w.j.Forth.Tries
	w.j.Forth = nil
	w.j.note(w.Now(), Turned, "it is not taken back: "+err.Error())
	if saving := w.save(ctx, w.j, Change{}); saving != nil {
		hint = "the journal could not be written; " + hint
	}
	return &StepError{ID: w.j.ID, Key: w.j.Key, Step: step, Err: err, Hint: hint}
}
