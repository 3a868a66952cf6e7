package rotate

import (
	"context"
	"testing"

	"github.com/keywright/keywright/provider"
)

// TestAskSteps: who makes a new key by hand is not told how to delete the old one before
// that may go, whatever the answer.
func TestAskSteps(t *testing.T) {
	w := newWorld(t)
	e, id := w.begun(func(w *world) provider.Provider { return told{guided{w}} }, Options{}, Ask)
	w.alive["other"] = ""
	for _, a := range []Answer{{}, {Parts: parts("old")}, {Parts: parts("wrong")}, {Parts: parts("other")}} {
		if a.Parts != nil && text(a.Parts) == "other" { // of another account
			w.answer = &provider.Probe{State: provider.Alive, Who: provider.Identity{Account: "another"}}
		}
		o, err := e.Step(context.Background(), id, a)
		if err != nil || o.Need == nil || len(o.Need.Parts) != 1 {
			t.Fatalf("%+v, %v", o, err)
		}
		s := o.Need.Steps
		if s.IssueAt == "" || len(s.Issue) == 0 || s.RevokeAt != "" || len(s.Revoke) > 0 {
			t.Errorf("%+v", s)
		}
	}
}

// told is by hand, with words for it.
type told struct{ guided }

func (t told) Guide(c provider.Credential) provider.Steps {
	s := t.guided.Guide(c)
	s.Issue, s.Revoke = []string{"Make one."}, []string{"Delete the old one."}
	return s
}
