package cmd

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/keywright/keywright/keystore"
	"github.com/keywright/keywright/scan"
	"github.com/keywright/keywright/scan/gitrepo"
	"github.com/keywright/keywright/scan/held"
)

// maxWaitForKeys is how long a scan waits to learn what to look for: it does without
// rather than keep a hook waiting, and never asks for a password.
const maxWaitForKeys = 300 * time.Millisecond

// heldKeys are the user's keys as a scan looks for them.
type heldKeys struct {
	keys     *keyring // nil if there are none
	found    keystore.Findable
	set      *held.Set       // nil if there is nothing to look for
	excluded []scan.Excluded // what is not looked for, with the reason
}

// lookForKeys reads what a scan is to look for.
func lookForKeys(ctx context.Context, term *terminal) (h heldKeys) {
	keys, err := openKeys(term, neverAsk)
	if err != nil {
		h.excluded = []scan.Excluded{{What: "held keys not looked for: where they are kept cannot be told", Count: 1}}
		return h
	}
	if !keys.Exists() {
		return h
	}
	h.keys = keys
	if h.found, err = findable(ctx, keys); err == nil {
		h.set, err = setOf(h.found)
	}
	if err != nil {
		h.excluded = notLookedFor(keys, err)
	} else if n := h.found.Without; n > 0 {
		h.excluded = []scan.Excluded{{What: "versions of keys that were stored before scans looked for them", Count: n}}
	}
	return h
}

// findable asks for as long as a scan waits. A backend may take longer in spite of its
// context, as age does for a passphrase: then its answer is nobody's.
func findable(ctx context.Context, keys *keyring) (keystore.Findable, error) {
	ctx, cancel := context.WithTimeout(ctx, maxWaitForKeys)
	defer cancel()
	type answer struct {
		found keystore.Findable
		err   error
	}
	answers := make(chan answer, 1)
	go func() {
		found, err := keys.Findable(ctx)
		answers <- answer{found, err}
	}()
	select {
	case a := <-answers:
		return a.found, a.err
	case <-ctx.Done():
		return keystore.Findable{}, ctx.Err()
	}
}

// note writes down with the keys where a scan met them, also one that was interrupted.
func (h *heldKeys) note(ctx context.Context, term *terminal, r *scan.Report) {
	numbers := map[scan.Held]keystore.FindableValue{}
	for _, v := range h.found.Values {
		numbers[isOf(v)] = v
	}
	seen := map[keystore.Name][]keystore.Sighting{}
	now := time.Now().UTC()
	for _, f := range r.Findings {
		for _, is := range f.Held {
			v := numbers[is]
			for _, p := range f.Places {
				s := keystore.Sighting{Version: v.Number, Part: v.Part, Where: r.Root, Path: p.Path, Commit: p.Commit, Seen: now}
				seen[v.Name] = append(seen[v.Name], s)
			}
		}
	}
	if len(seen) == 0 {
		return
	}
	if err := markPushed(ctx, r.Root, seen); err != nil && ctx.Err() == nil {
		fmt.Fprintln(term.err, "keywright: warning: whether commits were pushed is not known:", escaped(err.Error()))
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), quickly)
	defer cancel()
	if err := h.keys.Sighted(ctx, actor(), seen); err != nil {
		fmt.Fprintln(term.err, "keywright: warning: where keys were met is not noted:", escaped(err.Error()))
	}
}

// markPushed says of sightings in a repository whether their commits are on a branch of a
// remote. The whole history may have to be walked for that, so it is asked of these alone.
func markPushed(ctx context.Context, root string, seen map[keystore.Name][]keystore.Sighting) error {
	var commits []string
	for _, all := range seen {
		for _, s := range all {
			if s.Commit != "" {
				commits = append(commits, s.Commit)
			}
		}
	}
	if len(commits) == 0 {
		return nil
	}
	repo, err := gitrepo.Open(ctx, root)
	if err != nil {
		return err
	}
	on, err := repo.OnRemote(ctx, commits)
	if err != nil {
		return err
	}
	for _, all := range seen {
		for i := range all {
			all[i].Pushed = on[all[i].Commit]
		}
	}
	return nil
}

func isOf(v keystore.FindableValue) scan.Held {
	return scan.Held{Key: v.Name.String(), Part: v.Part, Version: string(v.Stage), Died: v.Died}
}

// setOf is nil if there is nothing to look for.
func setOf(f keystore.Findable) (*held.Set, error) {
	var values []held.Value
	for _, v := range f.Values {
		if len(v.Digest) > 0 {
			values = append(values, held.Value{Key: v.Key.Reveal(), Digest: v.Digest, Is: isOf(v)})
		}
	}
	if len(values) == 0 {
		return nil, nil
	}
	return held.NewSet(values)
}

// notLookedFor says that a scan does without the user's keys.
func notLookedFor(keys *keyring, err error) []scan.Excluded {
	n := 1
	if c, err := keys.Glance(); err == nil {
		n = max(n, len(c.Keys))
	}
	why := "the keys could not be read"
	var trouble *keystore.BackendError
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		why = "where they are kept " + keystore.Silent.String()
	case errors.As(err, &trouble):
		why = filepath.Base(trouble.Backend) + " " + trouble.Trouble.String()
	case errors.As(err, new(*keystore.TamperError)):
		why = "their metadata cannot be trusted"
	}
	return []scan.Excluded{{What: "held keys not looked for: " + why, Count: n}}
}
