//go:build !unix

package launch

import (
	"context"
	"errors"
	"testing"
)

func playUnix(string, []string) int { return 99 }

func TestFilesAreNotSupported(t *testing.T) {
	c, _ := child(t, "exit", "0")
	c.Files = values("NAME", "hidden")
	if _, err := Run(context.Background(), c); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("got %v", err)
	}
}

func TestExecWaits(t *testing.T) {
	c, _ := child(t, "exit", "3")
	if got, err := Exec(context.Background(), c); err != nil || got.Code != 3 {
		t.Errorf("got %+v, %v", got, err)
	}
}

func restartWithDefaults() {}
