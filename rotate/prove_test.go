package rotate

import (
	"testing"

	"github.com/keywright/keywright/provider"
)

// numbered is one whose keys are not tried while they are in use, and listed.
type numbered struct{ lister }

func (f numbered) Info() provider.Info {
	i := f.lister.Info()
	i.Nonce = true
	return i
}

// What a list does not hold is absent from it only if it is known what to look for.
func TestProveAbsent(t *testing.T) {
	for id, want := range map[string]Grade{"id-old": Absent, "": Acknowledged} {
		w := newWorld(t)
		w.key.ID = id
		e := w.engine(func(w *world) provider.Provider { return numbered{lister{issuer{fake{w}}}} })
		j, err := e.New(t.Context(), "prod/DB", Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := e.Begin(t.Context(), j); err != nil {
			t.Fatal(err)
		}
		if err := w.drive(e, j.ID); err != nil {
			t.Fatal(err)
		}
		j, err = w.Journal(t.Context(), j.ID)
		if err != nil || j.Result != Done || j.Grade != want {
			t.Errorf("id %q: %s, %q, want %q; %v", id, j.Result, j.Grade, want, err)
		}
	}
}
