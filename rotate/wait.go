package rotate

import (
	"errors"
	"time"

	"github.com/keywright/keywright/provider"
)

// stop is an error that says what comes next.
type stop struct {
	error
	after time.Duration // that the provider wants to be left alone for
	hint  string        // what to do about it; may be empty
}

func (s *stop) Unwrap() error { return s.error }

// advice is what to do about an error; empty if nobody knows.
func advice(err error) string {
	var here *stop
	var known *provider.Error
	switch {
	case errors.As(err, &here) && here.hint != "":
		return here.hint
	case errors.As(err, &known):
		return known.Hint
	}
	return ""
}

// after is how long a provider wants to be left alone; zero if it did not say.
func after(err error) time.Duration {
	var here *stop
	var known *provider.Error
	switch {
	case errors.As(err, &here):
		return here.after
	case errors.As(err, &known):
		return known.After
	}
	return 0
}

// Waits reports whether nothing is to be done yet. A time that was noted by a clock which
// has been set back since is not waited for, or it might be for years; but for a grace's,
// which EndGrace can end.
func (j *Journal) Waits(now time.Time) bool {
	noted := now
	if n := len(j.Events); n > 0 {
		noted = j.Events[n-1].At
	}
	return now.Before(j.Until) && (j.Step().Name == Grace || !now.Before(noted.Add(-skew)))
}

// notYet tries again later, and fails when that has gone on for too long. What fails is
// not tried before the provider wants it either.
func (w *work) notYet(why string, after time.Duration) (result, error) {
	if w.since() < patience {
		return result{until: w.Now().Add(max(w.apart(), after)), note: why}, nil
	}
	return result{}, &stop{error: errors.New(why), after: after}
}
