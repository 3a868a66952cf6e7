package cmd

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

// board is a clipboard of a string.
func board(text *string) clipboard {
	return clipboard{func() (string, error) { return *text, nil }, func(s string) error { *text = s; return nil }}
}

func TestClipboardIsCleared(t *testing.T) {
	text, s := "before", newScreen()
	b := board(&text)
	during := ""
	write := b.write
	b.write = func(s string) error {
		if s == "" {
			during = text
		}
		return write(s)
	}
	if err := b.hold(context.Background(), &s.terminal, "dev/A", secretOf("marked-value"), time.Millisecond); err != nil || text != "" || during != "marked-value" {
		t.Errorf("%v, %q, before %q", err, text, during)
	}
	if strings.Contains(s.stderr.String()+s.stdout.String(), "marked") {
		t.Errorf("shown: %s%s", &s.stderr, &s.stdout)
	}
}

// What somebody copied meanwhile is theirs.
func TestClipboardOfOthersIsLeftAlone(t *testing.T) {
	text, s := "", newScreen()
	b := board(&text)
	b.write = func(string) error { text = "something else"; return nil }
	if err := b.hold(context.Background(), &s.terminal, "dev/A", secretOf("marked-value"), time.Millisecond); err != nil || text != "something else" {
		t.Errorf("%v, %q", err, text)
	}
}

// An interrupt clears at once.
func TestClipboardInterrupted(t *testing.T) {
	text, s := "", newScreen()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := board(&text).hold(ctx, &s.terminal, "dev/A", secretOf("marked-value"), time.Hour); err != nil || text != "" {
		t.Errorf("%v, %q", err, text)
	}
}

// That a value is still there is never kept quiet.
func TestClipboardTrouble(t *testing.T) {
	trouble := errors.New("trouble")
	for name, spoil := range map[string]func(*clipboard){
		"write": func(b *clipboard) { b.write = func(string) error { return trouble } },
		"read":  func(b *clipboard) { b.read = func() (string, error) { return "", trouble } },
		"clear": func(b *clipboard) {
			write := b.write
			b.write = func(s string) error {
				if s == "" {
					return trouble
				}
				return write(s)
			}
		},
		"no effect": func(b *clipboard) {
			write := b.write
			b.write = func(s string) error {
				if s == "" {
					return nil
				}
				return write(s)
			}
		},
	} {
		text, s := "", newScreen()
		b := board(&text)
		spoil(&b)
		err := b.hold(context.Background(), &s.terminal, "dev/A", secretOf("marked-value"), time.Millisecond)
		if _, _, code := explain(err); code != exitFailed || strings.Contains(err.Error(), "marked") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCheckCopy(t *testing.T) {
	for in, good := range map[string]bool{"text": true, "schlüssel\n": true, "": false, "a\x00": false, "\xff": false} {
		if err := checkCopy(secretOf(in)); (err == nil) != good {
			t.Errorf("%q: %v", in, err)
		}
	}
}
