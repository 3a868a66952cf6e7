package rotate

import (
	"context"
	"errors"
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

// unreached is one by hand that does not answer about new keys.
type unreached struct{ guided }

func (u unreached) Verify(ctx context.Context, c provider.Credential) (provider.Probe, error) {
	if u.w.fault != nil && text(c.Parts) != "old" {
		return provider.Probe{}, u.w.fault.err
	}
	return u.guided.Verify(ctx, c)
}

// TestAskUnclear: what somebody made by hand is shown once, perhaps. It is kept where it
// cannot be tried now, and tried before anything relies on it; what is no key is asked for
// again.
func TestAskUnclear(t *testing.T) {
	for _, state := range []provider.State{"", provider.Unknown, provider.Throttled, provider.Blocked, provider.Skewed, provider.Dead, provider.Elsewhere} {
		w := newWorld(t)
		e, id := w.begun(func(w *world) provider.Provider { return unreached{guided{w}} }, Options{}, Ask)
		w.alive["other"] = ""
		w.answer = &provider.Probe{State: state, Code: "503"}
		if state == "" {
			w.answer, w.fault = nil, &fault{err: errors.New("network gone")}
		}
		o, err := e.Step(t.Context(), id, Answer{Parts: parts("other")})
		if kept := state != provider.Dead && state != provider.Elsewhere; err != nil || (o.Need == nil) != kept {
			t.Errorf("%q: %+v, %v", state, o, err)
			continue
		} else if !kept {
			continue
		}
		o, err = e.Step(t.Context(), id, Answer{})
		if o.Step.Name != Verify || o.Until.IsZero() || w.held() != "old 2" {
			t.Errorf("%q: %+v, %v", state, o, err)
		}
		w.answer, w.fault = nil, nil
		if err := errors.Join(w.drive(e, id), w.check(id)); err != nil || w.held() != "other 2" {
			t.Errorf("%q: %v, %s", state, err, w.held())
		}
	}
}

// TestAskNone: what cannot be a key at all is asked for again.
func TestAskNone(t *testing.T) {
	for _, kind := range []provider.Kind{provider.Incomplete, provider.Refused} {
		w := newWorld(t)
		e, id := w.begun(func(w *world) provider.Provider { return unreached{guided{w}} }, Options{}, Ask)
		w.fault = &fault{err: &provider.Error{Provider: "fake", Doing: "try it", Kind: kind, Err: errors.New("it is no base 64")}}
		o, err := e.Step(t.Context(), id, Answer{Parts: parts("other")})
		if err != nil || o.Need == nil || !strings.Contains(o.Note, "no base 64") {
			t.Errorf("%s: %+v, %v", kind, o, err)
		}
	}
}
