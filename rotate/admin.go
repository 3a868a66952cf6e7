package rotate

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/keywright/keywright/provider"
)

// administer notes that changes are made with another key than before. It asks whether to
// go on if that does not see what the rotation is about: at another account, keys would be
// issued that nobody wants, and what is there would be taken for gone.
func (w *work) administer(ctx context.Context) (result, error) {
	if w.key.Admin == w.j.Admin {
		return result{}, nil
	}
	var ids []string
	if !w.j.irrevocable() {
		ids = append(ids, w.j.OldID)
	}
	beside := w.old
	if w.j.New != 0 {
		ids, beside = append(ids, w.j.NewID), w.next
	}
	ids = slices.DeleteFunc(ids, func(id string) bool { return id == "" })
	if l, ok := w.p.(provider.Lister); ok && len(ids) > 0 {
		all, err := l.List(ctx, w.admin, beside)
		if err != nil {
			return result{}, fmt.Errorf("look whether %s sees the key: %w", w.key.Admin, err)
		}
		sees := slices.ContainsFunc(all, func(c provider.Listed) bool { return slices.Contains(ids, c.ID) })
		question := fmt.Sprintf("%s, which changes are to be made with now, does not see %s at %s: it may be of another account. Go on with it all the same?", w.key.Admin, ids[len(ids)-1], w.p.Info().Title)
		if !sees && !w.yes(question) {
			return result{need: &Need{Question: question}}, nil
		}
	}
	w.j.note(w.Now(), Turned, "changes are made with "+w.key.Admin+" from here on")
	w.j.Admin = w.key.Admin
	return result{}, nil
}

// otherAdmin is what to do about a key to make changes with that was refused; empty if it
// was not, or is the one that is replaced.
func (w *work) otherAdmin(err error) string {
	known := (*provider.Error)(nil)
	if w.key.Admin == "" || w.j.Step().Consumer != "" || w.j.Step().Name == Preflight || !errors.As(err, &known) || known.Kind != provider.Forbidden {
		return "" // consumers are asked with keys of their own
	}
	return "if " + w.key.Admin + " is not accepted any more, name another: keywright edit " + w.j.Key + " --admin ENV/NAME"
}

// where is the consumer at the place of one that a step names. Its key to be reached with,
// and what is run after a delivery, may be others by now. It reports false if there is none.
func (w *work) where(step string) (spec string, ok bool) {
	if slices.Contains(w.key.Consumers, step) {
		return step, true
	}
	i := slices.IndexFunc(w.key.Consumers, func(spec string) bool { return w.Place(spec) == w.Place(step) })
	if i < 0 {
		return "", false
	}
	return w.key.Consumers[i], true
}
