package rotate

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/keywright/keywright/provider"
)

// The errors of ending orphans.
var (
	ErrNoOrphan = errors.New("it is no orphan, or is gone")
	ErrWhich    = errors.New("which key is in use is not known")
	ErrKept     = errors.New("the provider cannot be asked to end a key")
)

// EndOrphan ends a credential that Orphans lists, for good, by its id. It looks again
// whether it is one: known are all journals as they are now. What is in use is none, also
// if the keystore has it under another id or without one: the provider is asked.
func (e *Engine) EndOrphan(ctx context.Context, name, id string, known []*Journal) error {
	fail := func(err error) error { return fmt.Errorf("end %s, an orphan of %s: %w", id, name, err) }
	orphans, _, err := e.Orphans(ctx, name, known)
	if err != nil {
		return err
	}
	if id == "" || !slices.ContainsFunc(orphans, func(c provider.Listed) bool { return c.ID == id }) {
		return fail(ErrNoOrphan)
	}
	key, err := e.Store.Key(ctx, name)
	if err != nil {
		return err
	}
	w, err := e.work(ctx, &Journal{Key: name, Provider: key.Provider, Old: key.Current, OldID: key.ID})
	if err != nil {
		return fail(err)
	}
	r, ok := w.p.(provider.Revoker)
	if !ok {
		return fail(ErrKept)
	}
	switch used, err := w.inUse(ctx, known); {
	case err != nil:
		return fail(err)
	case slices.Contains(used, id):
		return fail(ErrNoOrphan)
	}
	if err := e.Record(ctx, "rotate orphans", name, key.Current, "its orphan "+id+" is ended"); err != nil {
		return err
	}
	if err := r.Revoke(ctx, w.admin, provider.Credential{ID: id, Params: key.Params}, w.old); err != nil {
		return fail(err)
	}
	return e.settle(ctx, name, id, known)
}

// settle notes with the rotations that are over, and may have left a credential behind, that
// it was ended.
func (e *Engine) settle(ctx context.Context, name, id string, known []*Journal) error {
	for _, j := range known {
		i := slices.Index(j.Suspects, id)
		if j.Open() || j.Key != name || i < 0 {
			continue
		}
		j.Suspects = slices.Delete(j.Suspects, i, i+1)
		j.note(e.Now(), Ended, id+" was ended, too")
		if err := e.save(ctx, j, Change{}); err != nil {
			return fmt.Errorf("%s is ended, which rotation %s could not be told: %w", id, j.ID, err)
		}
	}
	return nil
}

// inUse are the ids of the current version of a key, as the keystore has it and as the
// provider says, if it may be asked. The error matches ErrWhich if there is none, or if an
// open rotation does not know its old one.
func (w *work) inUse(ctx context.Context, known []*Journal) (ids []string, err error) {
	if slices.ContainsFunc(known, func(j *Journal) bool { return j.Open() && j.Key == w.j.Key && j.OldID == "" }) {
		return nil, ErrWhich
	}
	if w.key.ID != "" {
		ids = append(ids, w.key.ID)
	}
	if v, ok := w.p.(provider.Verifier); ok && !w.p.Info().Nonce {
		if probe, err := v.Verify(ctx, w.old); err == nil && probe.Who.ID != "" {
			ids = append(ids, probe.Who.ID)
		}
	}
	if len(ids) == 0 {
		return nil, ErrWhich
	}
	return ids, nil
}
