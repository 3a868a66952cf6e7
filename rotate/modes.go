package rotate

import (
	"errors"
	"fmt"
	"strings"

	"github.com/keywright/keywright/provider"
)

// ErrRevokeFirst says that a key cannot be revoked before it has a successor.
var ErrRevokeFirst = errors.New("the old key can't be revoked first")

// mode chooses how a planned rotation weighs an outage against a leak, and says what of
// the wish can't be.
func (w *work) mode(o Options) error {
	if o.RevokeFirst {
		if why := w.notFirst(o); why != "" {
			return fmt.Errorf("%w: %s", ErrRevokeFirst, why)
		}
	}
	w.j.RevokeFirst = o.RevokeFirst
	switch {
	case w.j.Plan.InPlace:
		w.j.Mode = InPlace
		if o.Emergency {
			w.j.Plan.Notes = append(w.j.Plan.Notes, "it can be replaced in place only, in an emergency, too: the old one ends when the new one takes its place")
		}
	case o.Emergency:
		w.j.Mode = Emergency
	}
	return nil
}

// room is an error if there is no room for the new key beside the old one, and it has to be
// there.
func (w *work) room() error {
	full := w.j.Plan.Full
	switch {
	case full == nil:
		return nil
	case w.j.RevokeFirst:
		w.j.Plan.Notes = append(w.j.Plan.Notes, "there is no room for another key beside the old one; its end makes some")
		return nil
	}
	e := *full
	if w.notFirst(Options{Emergency: true}) == "" {
		e.Hint = strings.TrimPrefix(e.Hint+"\nin an emergency: keywright rotate "+w.j.Key+" --emergency --revoke-first, which ends the old key first", "\n")
	}
	return &e
}

// notFirst says why the old key cannot be revoked before there is a new one; empty if it
// can.
func (w *work) notFirst(o Options) string {
	_, issues := w.p.(provider.Issuer)
	switch {
	case !o.Emergency:
		return "that is for emergencies"
	case w.j.Plan.InPlace:
		return "it ends when the new one takes its place"
	case is[provider.Maker](w.p):
		return "the new one is made here, and nothing is won by that"
	case !is[provider.Revoker](w.p) && !is[provider.Guide](w.p):
		return "nobody can be asked to revoke it"
	case issues && w.itself:
		return "it is what its successor has to be issued with: name another with keywright edit --admin"
	case issues && !w.j.Plan.Anew:
		return "what the new one is to be is taken over from it at the provider, where it has to be until then"
	}
	return ""
}

// outage is what does not work while a planned rotation is under way; empty if everything
// does.
func (j *Journal) outage(consumers bool) string {
	if j.RevokeFirst {
		return "what uses the key is refused from when the old one is revoked until there is a new one, and it has that"
	}
	for _, s := range j.Steps {
		if j.ends(s) && j.Mode != Overlap && consumers {
			return "what uses the key is refused from when the old one ends until it has the new one"
		}
	}
	return ""
}

// ends reports whether a step takes the old key out of use.
func (j *Journal) ends(s Step) bool {
	return s.Name == Disable || s.Name == Revoke || j.Mode == InPlace && s.Name == Apply
}
