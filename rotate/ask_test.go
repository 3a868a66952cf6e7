package rotate

import (
	"context"
	"strings"
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

// TestAskAccount: a key of another account is not taken. Of one that may do less, and whose
// account is not told for that, it is said.
func TestAskAccount(t *testing.T) {
	for _, c := range []struct {
		was, is string
		note    string // empty if it is taken, and nothing is said
		taken   bool
	}{
		{"acct_1", "acct_1", "", true},
		{"acct_1", "acct_2", "that is of the account acct_2, the old one of acct_1", false},
		{"acct_1", "", "of which account it is was not told", true},
		{"", "acct_2", "", true},
	} {
		w := newWorld(t)
		w.answer = &provider.Probe{State: provider.Alive, Who: provider.Identity{Account: c.was}}
		e, id := w.begun(func(w *world) provider.Provider { return guided{w} }, Options{}, Ask)
		w.alive["other"] = ""
		w.answer = &provider.Probe{State: provider.Narrow, Who: provider.Identity{Account: c.is}}
		o, err := e.Step(t.Context(), id, Answer{Parts: parts("other")})
		if err != nil || (o.Need == nil) != c.taken || !strings.Contains(o.Note, c.note) || c.note == "" && strings.Contains(o.Note, "account") {
			t.Errorf("%+v: %+v, %v", c, o, err)
		}
	}
}
