package rotate

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// running names the programs that run started with a version of the key, and that are still
// there; empty if there are none.
func (w *work) running(ctx context.Context, which string, version int) (string, error) {
	all, err := w.Running(ctx, w.j.Key, version)
	if err != nil || len(all) == 0 {
		return "", err
	}
	var words []string
	for _, p := range all {
		words = append(words, fmt.Sprintf("%s, PID %d, since %s", p.Program, p.PID, p.Started.Local().Format(time.DateTime)))
	}
	return "still running with the " + which + " key: " + strings.Join(words, "; "), nil
}

// letGo asks whether the old key may end while programs run with it. In an emergency nobody
// is asked: they are named.
func (w *work) letGo(ctx context.Context, verb string) (result, error) {
	words, err := w.running(ctx, "old", w.j.Old)
	urgent := w.j.Urgent || w.j.Mode == Emergency
	switch {
	case urgent && err != nil:
		return result{note: err.Error()}, nil
	case err != nil || words == "" || urgent:
		return result{note: words}, err
	}
	return w.allowed(words, verb), nil
}

// letNewGo asks whether the new key may end while programs run with it: who takes a rotation
// back has time for that.
func (w *work) letNewGo(ctx context.Context) (result, error) {
	words, err := w.running(ctx, "new", w.j.New)
	if err != nil || words == "" {
		return result{}, err
	}
	return w.allowed(words, "End"), nil
}

// allowed asks whether a key may end all the same.
func (w *work) allowed(words, verb string) result {
	question := "S" + words[1:] + ". " + verb + " it all the same?"
	if w.yes(question) {
		return result{}
	}
	return result{need: &Need{Question: question}}
}
