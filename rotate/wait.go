package rotate

import (
	"errors"
	"time"

	"github.com/keywright/keywright/provider"
)

// later is an error of a provider that said when it may be asked again.
type later struct {
	error
	after time.Duration
}

func (l *later) Unwrap() error { return l.error }

// after is how long a provider wants to be left alone; zero if it did not say.
func after(err error) time.Duration {
	var said *later
	var known *provider.Error
	switch {
	case errors.As(err, &said):
		return said.after
	case errors.As(err, &known):
		return known.After
	}
	return 0
}

// notYet tries again later, and fails when that has gone on for too long. What fails is
// not tried before the provider wants it either.
func (w *work) notYet(why string, after time.Duration) (result, error) {
	if w.since() < patience {
		return result{until: w.Now().Add(max(w.apart(), after)), note: why}, nil
	}
	return result{}, &later{errors.New(why), after}
}
