package rotate

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/keywright/keywright/provider"
)

// endless is a lister that ends nothing.
type endless struct{ l lister }

func (k endless) Info() provider.Info { return k.l.Info() }
func (k endless) List(ctx context.Context, admin, c provider.Credential) ([]provider.Listed, error) {
	return k.l.List(ctx, admin, c)
}

// TestEndOrphan: a key that belongs to nothing is ended, and no other: none that is in use,
// whatever it is called and whatever is known of it, none of an open rotation, and none
// that keywright did not issue.
func TestEndOrphan(t *testing.T) {
	const label = "keywright-" + origin + "-20260101-0a0b0c0d"
	lists := func(w *world) provider.Provider { return lister{issuer{fake{w}}} }
	open := Journal{ID: "20261129-00000000", Key: "prod/DB", OldID: "id-old", NewID: "id-new"}
	closed := open
	closed.Result = Aborted
	nameless := open
	nameless.OldID = ""
	for _, tt := range []struct {
		name  string
		p     func(*world) provider.Provider
		end   string
		known []*Journal
		world func(w *world)
		want  error // nil if it is ended
	}{
		{name: "an orphan", end: "id-stray"},
		{name: "of a rotation that was taken back", end: "id-new", known: []*Journal{&closed}},
		{name: "one that is not there", end: "id-gone", want: ErrNoOrphan},
		{name: "no id", end: "", want: ErrNoOrphan},
		{name: "a stranger's", end: "id-theirs", want: ErrNoOrphan},
		{name: "of another installation", end: "id-theirs", world: func(w *world) { w.alive["theirs"] = theirs }, want: ErrNoOrphan},
		{name: "of an installation that is not named", end: "id-theirs", world: func(w *world) { w.alive["theirs"] = anybodys }},
		{name: "the current one", end: "id-old", want: ErrNoOrphan},
		{name: "the current one, whose id was not known", end: "id-old", world: func(w *world) { w.key.ID = "" }, want: ErrNoOrphan},
		{name: "the current one, whose id was wrong", end: "id-old", world: func(w *world) { w.key.ID = "id-other" }, want: ErrNoOrphan},
		{name: "another, where the id was not known", end: "id-stray", world: func(w *world) { w.key.ID = "" }},
		{name: "another, where the id cannot be known", end: "id-stray", world: func(w *world) {
			w.key.ID = ""
			w.answer = &provider.Probe{State: provider.Unknown, Code: "503"}
		}, want: ErrWhich},
		{name: "where only the keystore knows the id", end: "id-stray", world: func(w *world) { w.answer = &provider.Probe{State: provider.Unknown, Code: "503"} }},
		{name: "the new one of an open rotation", end: "id-new", known: []*Journal{&open}, want: ErrNoOrphan},
		{name: "beside an open rotation", end: "id-stray", known: []*Journal{&open}},
		{name: "beside an open rotation whose old one is not known", end: "id-stray", known: []*Journal{&nameless}, want: ErrWhich},
		{name: "where nothing can be ended", p: func(w *world) provider.Provider { return endless{lister{issuer{fake{w}}}} }, end: "id-stray", want: ErrKept},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			w.alive["old"], w.alive["stray"], w.alive["new"], w.alive["theirs"] = label, label, label, "mine"
			if tt.world != nil {
				tt.world(w)
			}
			if tt.p == nil {
				tt.p = lists
			}
			e := w.engine(tt.p)
			recorded := ""
			e.Record = func(_ context.Context, verb, key string, _ int, note string) error {
				if _, there := w.alive[strings.TrimPrefix(tt.end, "id-")]; !there {
					t.Error("on record afterwards")
				}
				recorded += verb + " " + key + " " + note
				return nil
			}
			err := e.EndOrphan(t.Context(), "prod/DB", tt.end, tt.known)
			if !errors.Is(err, tt.want) || (err == nil) != (tt.want == nil) {
				t.Errorf("%v, want %v", err, tt.want)
			}
			left := 4
			if tt.want == nil {
				left--
				if _, there := w.alive[strings.TrimPrefix(tt.end, "id-")]; there || !strings.Contains(recorded, tt.end) {
					t.Errorf("it is there: %v; on record is %q", there, recorded)
				}
			} else if recorded != "" {
				t.Errorf("on record is %q", recorded)
			}
			if len(w.alive) != left {
				t.Errorf("alive are %v", w.alive)
			}
		})
	}
	w := newWorld(t)
	w.alive["stray"] = label
	e := w.engine(lists)
	e.Record = func(context.Context, string, string, int, string) error { return errors.New("no log") }
	if err := e.EndOrphan(t.Context(), "prod/DB", "id-stray", nil); err == nil || len(w.alive) != 2 {
		t.Errorf("%v, alive are %v", err, w.alive)
	}
}

// TestEndOrphanSettles: what was ended is not said any more to be alive, perhaps, by the
// rotation that left it.
func TestEndOrphanSettles(t *testing.T) {
	w := newWorld(t)
	e, id := w.begun(func(w *world) provider.Provider { return lister{issuer{fake{w}}} }, Options{}, Revoke)
	if _, err := e.GiveUp(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	j, err := w.Journal(t.Context(), id)
	if err != nil || !slices.Equal(j.Suspects, []string{"id-old"}) {
		t.Fatalf("%v, %v", j.Suspects, err)
	}
	if err := e.EndOrphan(t.Context(), "prod/DB", "id-old", []*Journal{j}); err != nil {
		t.Fatal(err)
	}
	j, err = w.Journal(t.Context(), id)
	if last := j.Events[len(j.Events)-1]; err != nil || len(j.Suspects) != 0 || j.Result != GivenUp || !strings.Contains(last.Note, "id-old was ended") {
		t.Errorf("%+v, %v", j, err)
	}
}
