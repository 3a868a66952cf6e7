package rotate

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keywright/keywright/provider"
)

// lagging is a list that knows what was issued only after a time.
type lagging struct {
	unlabelled
	by time.Duration
}

func (l lagging) List(ctx context.Context, a, c provider.Credential) ([]provider.Listed, error) {
	all, err := l.unlabelled.List(ctx, a, c)
	var known []provider.Listed
	for _, c := range all {
		at, issued := l.w.issuedAt[strings.TrimPrefix(c.ID, "id-")]
		if !issued || !l.w.now.Before(at.Add(l.by)) {
			known = append(known, c)
		}
	}
	return known, err
}

// dated tells when a key was made.
type dated struct{ lagging }

func (d dated) List(ctx context.Context, a, c provider.Credential) ([]provider.Listed, error) {
	all, err := d.lagging.List(ctx, a, c)
	for i := range all {
		all[i].Created = d.w.issuedAt[strings.TrimPrefix(all[i].ID, "id-")]
	}
	return all, err
}

// lost is a rotation that asked for a key, and got no clear answer.
func (w *world) lost(of func(*world) provider.Provider, happens bool) (*Engine, string) {
	w.t.Helper()
	e := w.engine(of)
	j, err := e.New(w.t.Context(), "prod/DB", Options{})
	if err != nil {
		w.t.Fatal(err)
	}
	if err := e.Begin(w.t.Context(), j); err != nil {
		w.t.Fatal(err)
	}
	w.until(e, j.ID, Issue)
	w.fault = &fault{call: "issue", happens: happens, err: &provider.Error{Provider: "fake", Doing: "issue", Kind: provider.Unclear}}
	if _, err := e.Step(w.t.Context(), j.ID, Answer{}); err == nil {
		w.t.Fatal("it was issued")
	}
	w.fault = nil
	return e, j.ID
}

// TestLateOrphan: a key that was issued and lost, and that the list knows late, is ended if
// it shows up while it may, and named if it does later; it is never taken for one that was
// there before.
func TestLateOrphan(t *testing.T) {
	const propagation = 4 * time.Second // of the fake
	for _, c := range []struct {
		name  string
		by    time.Duration
		dated bool
		ended bool
	}{
		{"at once", 0, false, true},
		{"within the time that it may take", propagation, false, true},
		{"before the rotation is over", propagation + 2*time.Second, false, false},
		{"long after, with its date", time.Hour, true, false},
	} {
		for _, back := range []bool{false, true} {
			w := newWorld(t)
			e, id := w.lost(func(w *world) provider.Provider {
				l := lagging{unlabelled{lister{issuer{fake{w}}}}, c.by}
				if c.dated {
					return dated{l}
				}
				return l
			}, true)
			if back {
				if err := e.Abort(t.Context(), id); err != nil {
					t.Fatal(err)
				}
			}
			// Each step takes a while: the rotation closes after the list knows it.
			w.before = func(*Journal) { w.now = w.now.Add(time.Second) }
			if err := w.drive(e, id); err != nil {
				t.Fatalf("%s, taken back %v: %v", c.name, back, err)
			}
			w.before = nil
			w.now = w.now.Add(2 * time.Hour)
			j, _ := w.Journal(t.Context(), id)
			all, _, err := e.Orphans(t.Context(), "prod/DB", []*Journal{j})
			if err != nil {
				t.Fatal(err)
			}
			_, alive := w.alive["new1"]
			named := len(all) == 1 && all[0].ID == "id-new1"
			if alive == c.ended || named != alive || !named && len(all) > 0 {
				t.Errorf("%s, taken back %v: alive %v, orphans %v", c.name, back, w.alive, all)
			}
			delete(w.alive, "new1")
			if err := w.check(id); err != nil {
				t.Errorf("%s, taken back %v: %v", c.name, back, err)
			}
			if all, _, err = e.Orphans(t.Context(), "prod/DB", []*Journal{j}); err != nil || len(all) > 0 {
				t.Errorf("%s, taken back %v: what is gone is named: %v, %v", c.name, back, all, err)
			}
		}
	}
}

// hiding is a list that leaves out what was issued first, so many times.
type hiding struct {
	unlabelled
	times *int
}

func (h hiding) List(ctx context.Context, a, c provider.Credential) ([]provider.Listed, error) {
	all, err := h.unlabelled.List(ctx, a, c)
	_, issued := h.w.issuedAt["new1"]
	if *h.times--; issued && *h.times >= 0 {
		all = slices.DeleteFunc(all, func(c provider.Listed) bool { return c.ID == "id-new1" })
	}
	return all, err
}

// TestKnownOnce: between whichever two looks the list comes to know a key that was lost, it
// is not taken for one that was there before.
func TestKnownOnce(t *testing.T) {
	ended, named := 0, 0
	for hidden := range 6 {
		times := hidden + 1 // the first is before it is issued
		w := newWorld(t)
		e, id := w.lost(func(w *world) provider.Provider { return hiding{unlabelled{lister{issuer{fake{w}}}}, &times} }, true)
		if err := w.drive(e, id); err != nil {
			t.Fatal(err)
		}
		shown := times < 0 // in a look
		times = 0
		j, _ := w.Journal(t.Context(), id)
		all, _, err := e.Orphans(t.Context(), "prod/DB", []*Journal{j})
		switch _, alive := w.alive["new1"]; {
		case err != nil:
			t.Fatal(err)
		case !alive:
			ended++
		case len(all) == 1 && all[0].ID == "id-new1":
			named++
		case shown:
			t.Errorf("hidden for %d looks: it is alive, and not named", hidden)
		}
	}
	if ended == 0 || named == 0 {
		t.Errorf("%d ended, %d named: the test does not test it", ended, named)
	}
}

// TestStranger: a key that somebody else made meanwhile is not ended, and keeps a rotation
// from neither way; ours beside it is.
func TestStranger(t *testing.T) {
	for _, back := range []bool{false, true} {
		for _, happens := range []bool{false, true} {
			w := newWorld(t)
			e, id := w.lost(func(w *world) provider.Provider { return unlabelled{lister{issuer{fake{w}}}} }, happens)
			w.alive["colleague"] = ""
			if back {
				if err := e.Abort(t.Context(), id); err != nil {
					t.Fatal(err)
				}
			}
			asked := 0
			var a Answer
			for range 100 {
				o, err := e.Step(t.Context(), id, a)
				if a = (Answer{}); err != nil {
					t.Fatal(err)
				}
				if o.Done {
					break
				}
				if w.now = w.now.Add(time.Second); !o.Until.IsZero() {
					w.now = o.Until
				}
				if o.Need != nil {
					asked++
					if again, err := e.Step(t.Context(), id, Answer{}); err != nil || again.Need == nil || !again.Need.No {
						t.Fatalf("without an answer: %+v, %v", again, err)
					}
					if a.Yes = o.Need.Question; strings.Contains(a.Yes, "id-colleague") {
						a = Answer{No: a.Yes}
					}
				}
			}
			if want := map[bool]int{false: 1, true: 2}[happens]; asked != want {
				t.Errorf("taken back %v: %d questions, want %d", back, asked, want)
			}
			if _, there := w.alive["colleague"]; !there {
				t.Errorf("taken back %v: the key of somebody else was ended", back)
			}
			j, _ := w.Journal(t.Context(), id)
			if all, _, err := e.Orphans(t.Context(), "prod/DB", []*Journal{j}); err != nil || len(all) > 0 {
				t.Errorf("taken back %v: orphans %v, %v", back, all, err)
			}
			delete(w.alive, "colleague")
			if err := w.check(id); err != nil {
				t.Errorf("taken back %v: %v", back, err)
			}
		}
	}
}

// TestOthersLabels: where there are labels, nobody is asked about what has another one.
func TestOthersLabels(t *testing.T) {
	w := newWorld(t)
	e, id := w.lost(func(w *world) provider.Provider { return lister{issuer{fake{w}}} }, true)
	w.alive["colleague"] = "ci"
	if err := w.drive(e, id); err != nil {
		t.Fatal(err)
	}
	if _, there := w.alive["colleague"]; !there || w.questions > 0 {
		t.Errorf("it is there: %v, %d questions", there, w.questions)
	}
}

// The labels of keys that nothing here has: of this installation, of another, and of one
// that is not named.
const (
	ours     = "keywright-" + origin + "-20260101-deadbeef"
	theirs   = "keywright-3b2k-20260101-deadbeef"
	anybodys = "keywright-20260101-deadbeef"
)

// TestStray: a key that this installation issued and nothing here knows keeps a rotation from
// making more of them.
func TestStray(t *testing.T) {
	made := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	of := func(w *world) provider.Provider { return aged{telling{lister{issuer{fake{w}}}}, made} }
	short := provider.Lineage{Installation: origin, Rotation: "20260101-deadbeef"}.Short()
	for name, c := range map[string]struct {
		label string
		of    []Key
		known *Journal
		stray bool
	}{
		"nobody's":                       {ours, nil, nil, true},
		"nobody's, with a short label":   {short, nil, nil, true},
		"of another provider's key":      {ours, []Key{{Provider: "other", ID: "id-other"}}, nil, true},
		"another key's":                  {ours, []Key{{Provider: "fake", ID: "id-other"}}, nil, false},
		"of an open rotation":            {ours, []Key{{Provider: "fake", ID: "x", Rotation: "20260101-deadbeef"}}, nil, false},
		"of one that was taken over":     {theirs, nil, &Journal{ID: "20260101-deadbeef", Origin: "3b2k", Result: Done}, true},
		"of an older one whose is known": {anybodys, nil, &Journal{ID: "20260101-deadbeef", Result: Done}, true},
		"somebody's":                     {"deploy", nil, nil, false},
		"somebody's, who calls it ours":  {"keywright-bot", nil, nil, false},
	} {
		w := newWorld(t)
		w.alive["other"], w.others = c.label, c.of
		w.used["other"] = made.Add(time.Hour)
		w.keep(c.known)
		e := w.engine(of)
		j, err := e.New(t.Context(), "prod/DB", Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := e.Begin(t.Context(), j); err != nil {
			t.Fatal(err)
		}
		err = w.drive(e, j.ID)
		if errors.Is(err, ErrStray) != c.stray || err != nil && !c.stray || w.questions > 0 {
			t.Fatalf("%s: %v, %d questions", name, err, w.questions)
		}
		orphans, others, failed := e.Orphans(t.Context(), "prod/DB", nil)
		if failed != nil || (len(orphans) == 1) != c.stray || len(others) > 0 {
			t.Errorf("%s: orphans %v, of others %v, %v", name, orphans, others, failed)
		}
		if !c.stray {
			continue
		}
		failure := (*StepError)(nil)
		if !errors.As(err, &failure) || failure.Step.Name != Preflight || !strings.Contains(failure.Hint, "keywright rotate orphans") {
			t.Errorf("%s: %v, hint %q", name, err, failure.Hint)
		}
		for _, says := range []string{`id-other "` + c.label + `"`, "made " + made.Local().Format(time.DateTime), "last used " + made.Add(time.Hour).Local().Format(time.DateTime)} {
			if !strings.Contains(err.Error(), says) {
				t.Errorf("%v, without %s", err, says)
			}
		}
		delete(w.alive, "other")
		if err := w.drive(e, j.ID); err != nil {
			t.Fatal(err)
		}
		if err := w.check(j.ID); err != nil {
			t.Error(err)
		}
	}
}

// keep has the journal of a rotation in the store; nil is none.
func (w *world) keep(j *Journal) {
	if j == nil {
		return
	}
	b, err := json.Marshal(j)
	if err != nil {
		w.t.Fatal(err)
	}
	w.journals[j.ID] = b
}

// TestOthers: beside a key that another installation issued a rotation goes on when somebody
// says that it is to be left alone, and then does so; in an emergency at once. It is asked
// about once, also if it is used meanwhile, and again about one that comes later. None of
// them is an orphan here, but one may be whose label does not say whose it is.
func TestOthers(t *testing.T) {
	of := func(w *world) provider.Provider { return busyOther{telling{lister{issuer{fake{w}}}}} }
	for name, c := range map[string]struct {
		label   string
		options Options
		later   bool // another one comes after the first was asked about
		asked   int
		orphans int
	}{
		"another's":                {theirs, Options{}, false, 1, 0},
		"another's, then one more": {theirs, Options{}, true, 2, 0},
		"anybody's":                {anybodys, Options{}, false, 1, 1},
		"in an emergency":          {theirs, Options{Emergency: true}, true, 0, 0},
	} {
		w := newWorld(t)
		w.alive["other"] = c.label
		e := w.engine(of)
		j, err := e.New(t.Context(), "prod/DB", c.options)
		if err != nil {
			t.Fatal(err)
		}
		if err := e.Begin(t.Context(), j); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			o, err := e.Step(t.Context(), j.ID, Answer{})
			if asked := o.Need != nil && o.Need.Others; err != nil || asked != (c.asked > 0) || asked && !strings.Contains(o.Need.Question, c.label) {
				t.Fatalf("%s: without an answer: %+v, %v", name, o, err)
			}
			if c.asked == 0 {
				break
			}
		}
		w.before = func(j *Journal) {
			if c.later && j.Step().Name == Issue {
				w.alive["third"] = "keywright-vvvv-20260101-00000000"
			}
		}
		if err := w.drive(e, j.ID); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if w.questions != c.asked {
			t.Errorf("%s: %d questions, want %d", name, w.questions, c.asked)
		}
		j, _ = w.Journal(t.Context(), j.ID)
		if _, there := w.alive["other"]; !there || !slices.Contains(j.Others, "id-other") || c.later != slices.Contains(j.Others, "id-third") {
			t.Errorf("%s: it is there: %v; left alone are %v", name, there, j.Others)
		}
		if !slices.ContainsFunc(j.Events, func(e Event) bool { return e.What == Ended && strings.Contains(e.Note, c.label) }) {
			t.Errorf("%s: the journal does not name it", name)
		}
		orphans, others, err := e.Orphans(t.Context(), "prod/DB", []*Journal{j})
		if err != nil || len(orphans) != c.orphans || len(orphans)+len(others) != map[bool]int{false: 1, true: 2}[c.later] {
			t.Errorf("%s: orphans %v, of others %v, %v", name, orphans, others, err)
		}
		delete(w.alive, "other")
		delete(w.alive, "third")
		if err := w.check(j.ID); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestIssuedElsewhere: that the old key was issued by another installation is told, as that
// may replace it, too.
func TestIssuedElsewhere(t *testing.T) {
	for label, want := range map[string]bool{theirs: true, ours: false, anybodys: false, "deploy": false} {
		w := newWorld(t)
		w.alive["old"] = label
		e, id := w.begun(func(w *world) provider.Provider { return lister{issuer{fake{w}}} }, Options{}, Issue)
		j, _ := w.Journal(t.Context(), id)
		note := j.Events[len(j.Events)-1].Note
		if strings.Contains(note, "issued by another installation, 3b2k") != want {
			t.Errorf("%s: %q", label, note)
		}
		if err := w.drive(e, id); err != nil {
			t.Errorf("%s: %v", label, err)
		}
	}
}

// busyOther is a list beside which a key of another installation is used all the time.
type busyOther struct{ telling }

func (f busyOther) List(ctx context.Context, a, c provider.Credential) ([]provider.Listed, error) {
	f.w.used["other"] = f.w.now.Add(time.Duration(f.w.points) * time.Hour)
	return f.telling.List(ctx, a, c)
}

// TestOriginStays: a rotation that another installation took over finds what the first one
// issued and lost by the label that that gave it, and is found by it itself.
func TestOriginStays(t *testing.T) {
	w := newWorld(t)
	_, id := w.lost(func(w *world) provider.Provider { return lister{issuer{fake{w}}} }, true)
	lost := w.alive["new1"]
	w.alive["colleague"] = theirs
	other := w.engine(func(w *world) provider.Provider { return lister{issuer{fake{w}}} })
	other.Installation, other.Origin = "elsewhere", "3b2k"
	if _, err := other.Step(t.Context(), id, Answer{}); !errors.Is(err, ErrElsewhere) {
		t.Fatal(err)
	}
	if err := other.TakeOver(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if err := w.drive(other, id); err != nil {
		t.Fatal(err)
	}
	l, _ := provider.ParseLineage(lost)
	if now, _ := provider.ParseLineage(w.alive["new2"]); l.Installation != origin || now != l {
		t.Errorf("%q was lost, and %q was issued", lost, w.alive["new2"])
	}
	if _, there := w.alive["new1"]; there {
		t.Error("what was lost is there")
	}
	if _, there := w.alive["colleague"]; !there {
		t.Error("the key of somebody else was ended")
	}
}

// aged tells when all its keys were made.
type aged struct {
	telling
	at time.Time
}

func (a aged) List(ctx context.Context, admin, c provider.Credential) ([]provider.Listed, error) {
	all, err := a.telling.List(ctx, admin, c)
	for i := range all {
		all[i].Created = a.at
	}
	return all, err
}
