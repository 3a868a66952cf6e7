package durable_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/keywright/keywright/internal/durable"
)

// What stands in a file's place and is none is an error that names it, whatever is done.
func TestSpecial(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	for what, do := range map[string]func() error{
		"open": func() error { _, err := durable.OpenFile(path); return err },
		"read": func() error { _, err := durable.ReadFile(path); return err },
		"edit": func() error { _, err := durable.Disk{}.Edit(path); return err },
		"lock": func() error { _, err := durable.Lock(t.Context(), path); return err },
		"try":  func() error { _, err := durable.TryLock(path); return err },
	} {
		var named *os.PathError
		if err := do(); !errors.Is(err, durable.ErrSpecial) || !errors.As(err, &named) || named.Path != path {
			t.Errorf("%s: %v", what, err)
		}
	}
}
