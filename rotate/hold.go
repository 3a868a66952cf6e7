package rotate

import (
	"context"
	"errors"
	"fmt"
)

// ErrHeld says that another process does something with a rotation at this moment.
var ErrHeld = errors.New("another keywright is at it")

// Held is the error of a rotation that another process holds. It matches ErrHeld.
type Held struct{ PID int } // zero if it is not known

func (h *Held) Error() string {
	if h.PID == 0 {
		return ErrHeld.Error()
	}
	return fmt.Sprintf("another keywright (PID %d) is at it", h.PID)
}

// Is reports whether the error that it is compared with is ErrHeld.
func (h *Held) Is(target error) bool { return target == ErrHeld }

// hold keeps others from a rotation until release is called. What is known of the
// rotation is read after it, never before.
func (e *Engine) hold(ctx context.Context, id, key string) (release func(*error), err error) {
	letGo, err := e.Store.Hold(ctx, id)
	if err != nil {
		failed := &StepError{ID: id, Key: key, Step: Step{Name: Preflight}, Err: err}
		if j, reading := e.Store.Journal(ctx, id); reading == nil {
			failed.Key, failed.Step = j.Key, j.Step()
		}
		if errors.Is(err, ErrHeld) {
			failed.Hint = "wait until that has ended, or end it, and try again"
		}
		return nil, failed
	}
	return func(err *error) {
		if failed := letGo(); failed != nil && *err == nil {
			*err = failed
		}
	}, nil
}
