package rotate

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/keywright/keywright/provider"
)

// grace lets the old key live on until a time that is fixed when it begins.
func (w *work) grace() (result, error) {
	if w.j.Tries > 0 {
		return result{}, nil // the time is over
	}
	return result{until: w.Now().Add(w.j.Grace), note: "the old key lives on until then"}, nil
}

func (w *work) disable(ctx context.Context, disable bool) (result, error) {
	d, ok := w.p.(provider.Disabler)
	if !ok {
		return result{skipped: true}, nil
	}
	if err := w.begin(ctx); err != nil {
		return result{}, err
	}
	if disable {
		return result{}, d.Disable(ctx, w.admin, w.old)
	}
	return result{}, d.Enable(ctx, w.admin, w.old)
}

// revoke ends the old key. In an overlap everything is looked at once more first: the
// new key, each consumer, the programs that still have the old one.
func (w *work) revoke(ctx context.Context) (result, error) {
	if v, ok := w.p.(provider.Verifier); ok && !w.p.Info().Nonce { // where they are, both are in use by now
		probe, err := v.Verify(ctx, w.next)
		if err != nil {
			return result{}, fmt.Errorf("try the new key: %w", err)
		}
		if !probe.State.Lives() {
			return result{}, fmt.Errorf("the new key is %s (%s): the old one stays", probe.State, probe.Code)
		}
		if !w.j.begun(Disable) && !w.again && w.j.Mode != InPlace {
			if old, err := v.Verify(ctx, w.old); err == nil && old.State.Lives() {
				w.j.Control = true
			}
		}
	}
	if w.j.Mode == Overlap {
		if r, err := w.stillNeeded(ctx); err != nil || r.need != nil {
			return r, err
		}
	}
	r, ok := w.p.(provider.Revoker)
	if !ok {
		return w.revokeByHand(ctx)
	}
	if err := w.Record(ctx, "rotate", w.j.Key, w.j.Old, "the old one is revoked"); err != nil {
		return result{}, err
	}
	if err := w.begin(ctx); err != nil {
		return result{}, err
	}
	if err := r.Revoke(ctx, w.admin, w.old, w.next); err != nil {
		return result{}, err
	}
	if w.j.Revoked.IsZero() {
		w.j.Revoked = w.Now().UTC()
	}
	return result{note: "the provider says that it is done"}, nil
}

// stillNeeded asks whether the old key may go while something has it.
func (w *work) stillNeeded(ctx context.Context) (result, error) {
	for _, spec := range w.key.Consumers {
		c, err := w.Consumer(w.j.Key, spec)
		if err != nil {
			return result{}, err
		}
		holds, err := c.Holds(ctx)
		switch {
		case errors.Is(err, ErrUnreadable):
		case err != nil:
			return result{}, fmt.Errorf("consumer %s: %w", spec, err)
		case !within([]byte(rand.Text()), holds, w.next.Parts):
			return result{}, fmt.Errorf("consumer %s does not hold the new key any more: the old one stays", spec)
		}
	}
	running, err := w.Running(ctx, w.j.Key, w.j.Old)
	if err != nil || len(running) == 0 {
		return result{}, err
	}
	var words []string
	for _, p := range running {
		words = append(words, fmt.Sprintf("%s, PID %d, since %s", p.Program, p.PID, p.Started.Local().Format(time.DateTime)))
	}
	question := "Still running with the old key: " + strings.Join(words, "; ") + ". Revoke it all the same?"
	if w.yes(question) {
		return result{}, nil
	}
	return result{need: &Need{Question: question}}, nil
}

// revokeByHand waits until somebody says that the old key is gone.
func (w *work) revokeByHand(ctx context.Context) (result, error) {
	steps := w.p.(provider.Guide).Guide(w.old)
	if !w.again { // from now on somebody may delete it, whatever becomes of this process
		if err := w.begin(ctx); err != nil {
			return result{}, err
		}
	}
	const question = "Is the old key deleted?"
	if !w.yes(question) {
		return result{need: &Need{Question: question, Steps: provider.Steps{RevokeAt: steps.RevokeAt, Revoke: steps.Revoke}}}, nil
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
	if err := w.begin(ctx); err != nil {
		return result{}, err
	}
	return result{}, r.Revoke(ctx, w.admin, w.next, w.old)
}
