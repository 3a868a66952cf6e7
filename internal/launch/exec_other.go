//go:build !unix

package launch

import (
	"context"
	"errors"
)

// replaceable is never true: the system has no way to take a process's place.
func replaceable(Command) bool { return false }

func replace(context.Context, Command) error { return own(errors.ErrUnsupported) }
