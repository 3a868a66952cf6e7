//go:build unix

package harden

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

type limits struct{ core *unix.Rlimit } // nil if it is the process's own

func harden(replaced bool) (limits, error) {
	var was unix.Rlimit
	err := unix.Getrlimit(unix.RLIMIT_CORE, &was)
	if err == nil {
		none := was
		none.Cur = 0 // the other one cannot be raised again
		err = unix.Setrlimit(unix.RLIMIT_CORE, &none)
	}
	if err != nil {
		return limits{}, errors.Join(fmt.Errorf("forbid core dumps: %w", err), conceal(replaced))
	}
	return limits{&was}, conceal(replaced)
}

func (l limits) inherit(start func() error) error {
	if l.core == nil {
		return start()
	}
	none := *l.core
	none.Cur = 0
	if err := unix.Setrlimit(unix.RLIMIT_CORE, l.core); err != nil {
		return fmt.Errorf("give a program its limits: %w", err)
	}
	defer unix.Setrlimit(unix.RLIMIT_CORE, &none) // it was possible at the beginning
	return start()
}
