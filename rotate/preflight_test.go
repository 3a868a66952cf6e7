package rotate

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/keywright/keywright/provider"
)

// TestUntriable: where no answer can tell whether the new key works, none is made, whatever
// the mode; and it goes on once that is mended.
func TestUntriable(t *testing.T) {
	for state, hint := range map[provider.State]string{provider.Blocked: "address", provider.Skewed: "clock"} {
		for _, name := range []string{"made here", "in place", "issued", "issued, leaked", "disabled first", "by hand"} {
			t.Run(name+", "+string(state), func(t *testing.T) {
				w := newWorld(t)
				of, o := familyOf(t, name)
				e, id := w.begun(of, o, Preflight)
				w.answer = &provider.Probe{State: state, Code: "10010"}
				err := w.drive(e, id)
				failed := (*StepError)(nil)
				if !errors.As(err, &failed) || failed.Step.Name != Preflight || !strings.Contains(err.Error(), string(state)+" (10010)") || !strings.Contains(failed.Hint, hint) {
					t.Fatalf("%v, %+v", err, failed)
				}
				if w.made != 0 || w.accepted() != "old" || w.held() != "old 2" {
					t.Errorf("%d made, %s is accepted", w.made, w.accepted())
				}
				w.answer = nil
				if err := w.drive(e, id); err != nil {
					t.Fatal(err)
				}
				if err := w.check(id); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// checked is a consumer that cannot be changed.
type checked struct {
	consumer
	err error
}

func (c checked) Check(context.Context) error { return c.err }

// TestChecked: a place that cannot be delivered to is known before there is a new key.
func TestChecked(t *testing.T) {
	for _, name := range []string{"made here", "in place", "issued", "disabled first", "by hand"} {
		w := newWorld(t)
		of, o := familyOf(t, name)
		e, id := w.begun(of, o, Preflight)
		refused := errors.New("it may not be changed")
		e.Consumer = func(_, spec string) (Consumer, error) {
			if spec == "two" {
				return checked{consumer{w, spec}, refused}, nil
			}
			return checked{consumer{w, spec}, nil}, nil
		}
		failed := (*StepError)(nil)
		if err := w.drive(e, id); !errors.Is(err, refused) || !errors.As(err, &failed) || failed.Step.Name != Preflight || !strings.Contains(err.Error(), "consumer two") {
			t.Errorf("%s: %v", name, err)
		}
		if w.made != 0 || w.accepted() != "old" || w.held() != "old 2" {
			t.Errorf("%s: %d made, %s is accepted", name, w.made, w.accepted())
		}
	}
}
