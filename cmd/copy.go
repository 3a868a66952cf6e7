package cmd

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os/signal"
	"syscall"
	"time"
	"unicode/utf8"

	atotto "github.com/atotto/clipboard"

	"github.com/keywright/keywright/secret"
)

const (
	usualClear    = 30 * time.Second
	leastClear    = time.Second
	longestClear  = time.Hour
	clipboardWait = 10 * time.Second // for a program of the desktop's, which may hang
)

// clipboard is what the user pastes from.
type clipboard struct {
	read  func() (string, error)
	write func(string) error
}

var errNoClipboard = errors.New("there is no clipboard here")

// systemClipboard is the desktop's: through xclip, xsel or wl-clipboard, pbcopy, or
// Windows itself.
func systemClipboard() (clipboard, error) {
	if atotto.Unsupported {
		return clipboard{}, hintedError{errNoClipboard, "install xclip, xsel or wl-clipboard, or pipe the value where it is wanted"}
	}
	return clipboard{atotto.ReadAll, atotto.WriteAll}, nil
}

// checkCopy reports what keeps a value off a clipboard, which holds text.
func checkCopy(v secret.Value) error {
	b := v.Reveal()
	for _, c := range b {
		if c == 0 {
			return usagef("pipe it where it is wanted", "the value holds a NUL, and a clipboard text")
		}
	}
	if !utf8.Valid(b) || len(b) == 0 {
		return usagef("pipe it where it is wanted", "the value is no text, and a clipboard holds text")
	}
	return nil
}

// hold puts a value on the clipboard, and after a while, or when ctx is done, takes it
// off again. What somebody else put there meanwhile stays.
func (c clipboard) hold(ctx context.Context, term *terminal, what string, v secret.Value, span time.Duration) error {
	if err := c.put(string(v.Reveal())); err != nil {
		return hintedError{fmt.Errorf("copy %s: %w", what, err), "is there a graphical session? Or pipe it where it is wanted"}
	}
	fmt.Fprintf(term.err, "keywright: copied %s; the clipboard is cleared in %s, or now with ^C\n", what, span)
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGHUP) // the terminal is closed
	defer stop()
	select {
	case <-ctx.Done():
	case <-time.After(span):
	}
	ours, err := c.holds(v)
	switch {
	case err != nil:
		return hintedError{fmt.Errorf("look at the clipboard: %w", err), "it may still hold " + what}
	case !ours:
		fmt.Fprintln(term.err, "keywright: the clipboard holds something else by now; it was left alone")
		return nil
	}
	if err := c.put(""); err != nil {
		return hintedError{fmt.Errorf("clear the clipboard: %w", err), "it still holds " + what}
	}
	if ours, err := c.holds(v); err == nil && ours {
		return hintedError{errors.New("the clipboard was not cleared"), "it still holds " + what}
	}
	fmt.Fprintln(term.err, "keywright: the clipboard is cleared")
	return nil
}

// holds reports whether the clipboard still has a value.
func (c clipboard) holds(v secret.Value) (bool, error) {
	text, err := inTime(c.read)
	if err != nil {
		return false, err
	}
	key := []byte(rand.Text())
	return secret.New([]byte(text)).Digest(key) == v.Digest(key), nil
}

func (c clipboard) put(text string) error {
	_, err := inTime(func() (string, error) { return "", c.write(text) })
	return err
}

// inTime does what may hang.
func inTime(do func() (string, error)) (string, error) {
	type answer struct {
		text string
		err  error
	}
	answers := make(chan answer, 1)
	go func() {
		text, err := do()
		answers <- answer{text, err}
	}()
	select {
	case a := <-answers:
		return a.text, a.err
	case <-time.After(clipboardWait):
		return "", errors.New("the clipboard did not answer")
	}
}
