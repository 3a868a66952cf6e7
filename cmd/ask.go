package cmd

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"github.com/keywright/keywright/secret"
)

// The errors of questions.
var (
	errNobody = errors.New("there is no terminal to ask at")
	errLines  = errors.New("more than one line was typed or pasted")
)

// maxAnswer is the longest line that askLine takes, in bytes: of what is longer than 1,023,
// macOS hands on no more than that, and says nothing.
const maxAnswer = 1000

// askPassphraseOf asks at the controlling terminal; for a fresh passphrase twice.
func (t *terminal) askPassphraseOf(ctx context.Context, what string, fresh bool) (secret.Value, error) {
	if !fresh {
		return t.askSecret(ctx, "Passphrase of "+what+": ")
	}
	for {
		first, err := t.askSecret(ctx, "New passphrase for "+what+": ")
		if err != nil {
			return first, err
		}
		again, err := t.askSecret(ctx, "Once more: ")
		if err != nil {
			return again, err
		}
		if key := []byte("passphrase"); first.Digest(key) == again.Digest(key) {
			return first, nil
		}
		fmt.Fprintln(t.err, "keywright: the two differ")
	}
}

// askSecret asks for a line at the controlling terminal, without echo.
func (t *terminal) askSecret(ctx context.Context, prompt string) (secret.Value, error) {
	tty, err := openTTY()
	if err != nil {
		return secret.Value{}, err
	}
	defer tty.close()
	defer tty.quiet()()
	return tty.readSecret(ctx, prompt)
}

// askValue is askSecret for what may have been pasted. What follows the first line is
// dropped, or the shell would read it as commands, and the error is errLines.
func (t *terminal) askValue(ctx context.Context, prompt string) (secret.Value, error) {
	tty, err := openTTY()
	if err != nil {
		return secret.Value{}, err
	}
	defer tty.close()
	defer tty.quiet()()
	v, err := tty.readSecret(ctx, prompt)
	if err == nil && tty.drop() {
		v.Wipe()
		return secret.Value{}, errLines
	}
	return v, err
}

// askLine asks for a line of text at the controlling terminal. One that is too long is read
// to its end, or the shell would get the rest, and refused.
func (t *terminal) askLine(ctx context.Context, prompt string) (string, error) {
	tty, err := openTTY()
	if err != nil {
		return "", err
	}
	defer tty.close()
	fmt.Fprint(tty.out, prompt)
	line, err := tty.await(ctx, func() ([]byte, error) {
		line, err := bufio.NewReader(tty.in).ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			err = nil
		}
		return line, err
	})
	if len(line) > maxAnswer {
		return "", usagef("make it shorter", "the answer has more than %d bytes", maxAnswer)
	}
	return strings.TrimSpace(string(line)), err
}

// askYes asks a question at the controlling terminal; only y and yes are a yes.
func (t *terminal) askYes(ctx context.Context, question string) (bool, error) {
	answer, err := t.askLine(ctx, question+" [y/N] ")
	word := strings.ToLower(answer)
	return word == "y" || word == "yes", err
}

// askEither asks a question to which a no is an answer as well: it has to be said.
func (t *terminal) askEither(ctx context.Context, question string) (yes, no bool, err error) {
	answer, err := t.askLine(ctx, question+" [y/n] ")
	word := strings.ToLower(answer)
	return word == "y" || word == "yes", word == "n" || word == "no", err
}

// tty is the terminal that the user sits at, whatever the streams are.
type tty struct {
	in, out *os.File
	read    bool // somebody still reads from it
}

// openTTY opens the controlling terminal. On Windows its two directions have names of
// their own. The error is errNobody if there is none.
func openTTY() (*tty, error) {
	if !isWindows {
		f, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
		if err != nil {
			return nil, errNobody
		}
		return &tty{in: f, out: f}, nil
	}
	in, err := os.OpenFile("CONIN$", os.O_RDWR, 0)
	if err != nil {
		return nil, errNobody
	}
	out, err := os.OpenFile("CONOUT$", os.O_RDWR, 0)
	if err != nil {
		in.Close()
		return nil, errNobody
	}
	return &tty{in: in, out: out}, nil
}

// close leaves the terminal open to who still reads: in what is opened next, the system
// would give its number again.
func (t *tty) close() {
	if t.read {
		return
	}
	t.in.Close()
	if t.out != t.in {
		t.out.Close()
	}
}

// quiet ends the echo, before anything is asked: what is typed at once would show. The
// function that it returns brings it back.
func (t *tty) quiet() (restore func()) {
	fd := int(t.in.Fd())
	state, err := term.GetState(fd)
	if err != nil {
		return func() {} // who reads says why
	}
	t.mute()
	return func() { _ = term.Restore(fd, state) }
}

func (t *tty) readSecret(ctx context.Context, prompt string) (secret.Value, error) {
	fmt.Fprint(t.out, prompt)
	b, err := t.await(ctx, t.readMuted)
	if err == nil {
		fmt.Fprintln(t.out)
	}
	defer clear(b)
	return secret.New(b), err
}

// await is what read returns. It does not wait longer than ctx lasts: reading goes on then
// until the process ends, which is soon.
func (t *tty) await(ctx context.Context, read func() ([]byte, error)) ([]byte, error) {
	type result struct {
		line []byte
		err  error
	}
	done := make(chan result, 1)
	go func() {
		line, err := read()
		done <- result{line, err}
	}()
	select {
	case r := <-done:
		if r.err != nil {
			return nil, fmt.Errorf("read from the terminal: %w", r.err)
		}
		return r.line, nil
	case <-ctx.Done():
		t.read = true
		fmt.Fprintln(t.out)
		return nil, ctx.Err()
	}
}
