package rotate

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/keywright/keywright/provider"
)

// grace lets the old key live on until a time that is fixed when it begins.
func (w *work) grace() (result, error) {
	if w.j.Tries > 0 {
		return result{}, nil // the time is over
	}
	until := w.Now().Add(w.j.Grace)
	return result{until: until, note: "the old key lives on until " + until.Local().Format(time.DateTime)}, nil
}

// EndGrace ends the time that the old key of a rotation lives on for, as it has to go now.
func (e *Engine) EndGrace(ctx context.Context, id string) (err error) {
	release, err := e.hold(ctx, id, "")
	if err != nil {
		return err
	}
	defer release(&err)
	j, err := e.journal(ctx, id)
	if err != nil {
		return err
	}
	if j.Step().Name != Grace {
		return &StepError{ID: id, Key: j.Key, Step: j.Step(), Err: ErrNoGrace, Hint: "keywright rotate resume " + id}
	}
	if err := e.Record(ctx, "rotate", j.Key, j.Old, j.ID+": its grace is ended"); err != nil {
		return err
	}
	j.note(e.Now(), Turned, "somebody ends it before its time")
	j.Until, j.Tries = time.Time{}, j.Tries+1
	return e.save(ctx, j, Change{})
}

func (w *work) disable(ctx context.Context, disable bool) (result, error) {
	d, ok := w.p.(provider.Disabler)
	if !ok {
		return result{skipped: true}, nil
	}
	var has result
	if disable {
		var err error
		if has, err = w.letGo(ctx, "Disable"); err != nil || has.need != nil {
			return has, err
		}
	}
	if err := w.begin(ctx); err != nil {
		return result{}, err
	}
	if disable {
		return has, d.Disable(ctx, w.admin, w.old)
	}
	return result{}, d.Enable(ctx, w.admin, w.old)
}

// revoke ends the old key. In an overlap everything is looked at once more first: the
// new key, each consumer, the programs that still have the old one, and when that was used.
func (w *work) revoke(ctx context.Context) (_ result, err error) {
	if w.answer.Yes == askDeleted && !is[provider.Revoker](w.p) { // it is too late for a look
		return w.revokeByHand(ctx, "")
	}
	v, tries := w.p.(provider.Verifier)
	tries = tries && !w.p.Info().Nonce // where they are, both are in use by now
	if tries && !w.j.RevokeFirst {
		probe, err := v.Verify(ctx, w.next)
		if err != nil {
			return result{}, fmt.Errorf("try the new key: %w", err)
		}
		if !probe.State.Lives() {
			return result{}, &stop{error: fmt.Errorf("the new key is %s (%s): the old one stays", probe.State, probe.Code), after: probe.After}
		}
	}
	if w.j.Mode == Overlap {
		if err := w.delivered(ctx); err != nil {
			return result{}, err
		}
	}
	var has result // a program; in place they were asked about when the old one ended
	if w.j.Mode != InPlace {
		if has, err = w.letGo(ctx, "Revoke"); err != nil || has.need != nil {
			return has, err
		}
	}
	used, err := w.lastUse(ctx)
	if err != nil || used.need != nil {
		return used, err
	}
	used.note = joined(has.note, used.note)
	if tries && !w.j.begun(Disable) && !w.again && w.j.Mode != InPlace { // not before: it may count as a use
		if old, err := w.tryOld(ctx, v); err == nil && old.State.Lives() {
			w.j.Control = true
		}
	}
	r, ok := w.p.(provider.Revoker)
	if !ok {
		return w.revokeByHand(ctx, used.note)
	}
	if err := w.Record(ctx, "rotate", w.j.Key, w.j.Old, "the old one is revoked"); err != nil {
		return result{}, err
	}
	if err := w.begin(ctx); err != nil {
		return result{}, err
	}
	other := w.next
	if w.j.RevokeFirst {
		other = provider.Credential{}
	}
	said, err := w.end(ctx, r, w.old, other)
	if err != nil {
		return result{}, err
	}
	if w.j.Revoked.IsZero() {
		w.j.Revoked = w.Now().UTC()
	}
	return result{note: joined(used.note, said)}, nil
}

// end has a key ended. One that has ended already, as by a process that died, is refused, and
// a provider that is mute does not say why: that is no reason to stop, and no proof.
func (w *work) end(ctx context.Context, r provider.Revoker, c, other provider.Credential) (said string, err error) {
	err = r.Revoke(ctx, w.admin, c, other)
	if err == nil {
		return "the provider says that it is done", nil
	}
	v, ok := w.p.(provider.Verifier)
	if !ok || !w.p.Info().Mute {
		return "", err
	}
	if probe, looked := v.Verify(ctx, c); looked != nil || !w.refused(probe) {
		return "", err
	}
	return "it may have ended before: it is refused, and the provider does not say why", nil
}

func joined(notes ...string) string {
	return strings.Join(slices.DeleteFunc(notes, func(n string) bool { return n == "" }), "; ")
}

// delivered looks whether each consumer still holds the new key.
func (w *work) delivered(ctx context.Context) error {
	for _, spec := range w.key.Consumers {
		c, err := w.Consumer(w.j.Key, spec)
		if err != nil {
			return err
		}
		holds, err := c.Holds(ctx)
		switch {
		case errors.Is(err, ErrUnreadable):
		case err != nil:
			return fmt.Errorf("consumer %s: %w", spec, err)
		case !within([]byte(rand.Text()), holds, w.next.Parts):
			return fmt.Errorf("consumer %s does not hold the new key any more: the old one stays", spec)
		}
	}
	return nil
}

// skew is how much a provider's clock may differ from ours.
const skew = time.Minute

// lastUse says when the old key was used last. It asks whether that may go if something
// used it after everything had the new one; in an emergency it goes, and when it was used
// is evidence. Nobody is asked what a revocation that was begun does not change any more.
func (w *work) lastUse(ctx context.Context) (result, error) {
	switch {
	case w.j.Mode == InPlace || w.j.irrevocable():
		return result{}, nil
	case !w.p.Info().Uses:
		return result{note: "the provider does not tell when the old key was last used"}, nil
	case !w.j.Used.IsZero() && w.answer.Yes == askUsed(w.j.Used) && w.yes(w.answer.Yes):
		return result{note: w.whenUsed(w.j.Used)}, nil // without another look, or a busy key is asked about for ever
	}
	// The old key is not shown to it: a provider that asks with it whose it is would count that.
	beside := w.next
	if w.j.RevokeFirst { // there is no other
		beside = w.old
	}
	all, err := w.p.(provider.Lister).List(ctx, w.admin, beside)
	if err != nil && ctx.Err() != nil {
		return result{}, err
	}
	question := "When the old key was last used could not be asked. Revoke it all the same?"
	r := result{note: fmt.Sprint("when the old key was last used could not be asked: ", err)}
	if err == nil {
		i := slices.IndexFunc(all, func(c provider.Listed) bool { return c.ID == w.j.OldID })
		if i < 0 {
			return result{note: "the old key was not found among those that the provider lists"}, nil
		}
		w.j.Used = all[i].LastUsed.UTC()
		question = askUsed(w.j.Used)
		r.note = w.whenUsed(w.j.Used)
		if !w.j.Used.After(w.j.promoted().Add(skew)) || w.ours(w.j.Used) {
			return r, nil
		}
	}
	if w.j.Mode != Emergency && !w.yes(question) {
		r.need = &Need{Question: question}
	}
	return r, nil
}

func askUsed(at time.Time) string {
	return fmt.Sprintf("The old key was used at %s, after everything had the new one, and not by this rotation. Revoke it all the same?", at.Local().Format(time.DateTime))
}

// whenUsed says when the old key was used last, and what that does not say.
func (w *work) whenUsed(at time.Time) string {
	if at.IsZero() {
		return "the provider told of no use of the old key"
	}
	text := "the old key was last used at " + at.Local().Format(time.DateTime)
	if w.ours(at) {
		text += ", which may have been keywright's look"
	}
	if span := w.p.Info().UseSpan; span > 0 {
		text += fmt.Sprintf(", and perhaps again within %s: that is not told", span)
	}
	return text
}

// ours reports whether a use may have been by keywright.
func (w *work) ours(at time.Time) bool {
	return slices.ContainsFunc(w.j.Tried, func(tried time.Time) bool { return at.Sub(tried).Abs() <= skew })
}

// askDeleted is asked of a key that somebody ends by hand.
const askDeleted = "Is the old key deleted?"

// revokeByHand waits until somebody says that the old key is gone. Until then it can be
// taken back, which looks whether it is.
func (w *work) revokeByHand(ctx context.Context, used string) (result, error) {
	if !w.yes(askDeleted) {
		steps := w.p.(provider.Guide).Guide(w.old)
		return result{note: used, need: &Need{Question: askDeleted, Steps: provider.Steps{RevokeAt: steps.RevokeAt, Revoke: steps.Revoke}}}, nil
	}
	if err := w.begin(ctx); err != nil {
		return result{}, err
	}
	w.j.Revoked = w.Now().UTC()
	return result{note: "somebody says that it is done"}, nil
}

func (w *work) revokeNew(ctx context.Context) (result, error) {
	if w.j.New == 0 && w.j.begun(Issue) {
		w.again = true
		return w.orphan(ctx)
	}
	r, ok := w.p.(provider.Revoker)
	guided := is[provider.Guide](w.p) && !is[provider.Issuer](w.p) && !is[provider.Maker](w.p)
	if !ok || w.j.New == 0 && guided { // it was made by hand, if at all, and nobody here has it
		const question = "Is the new key deleted, if one was made?"
		steps := w.p.(provider.Guide).Guide(w.old)
		if !w.yes(question) {
			return result{need: &Need{Question: question, Steps: provider.Steps{RevokeAt: steps.RevokeAt, Revoke: steps.Revoke}}}, nil
		}
		return result{note: "somebody says that it is done"}, nil
	}
	if len(w.next.Parts) == 0 && w.next.ID == "" {
		return result{skipped: true}, nil
	}
	if has, err := w.letNewGo(ctx); err != nil || has.need != nil {
		return has, err
	}
	if err := w.begin(ctx); err != nil {
		return result{}, err
	}
	said, err := w.end(ctx, r, w.next, w.old)
	return result{note: said}, err
}
