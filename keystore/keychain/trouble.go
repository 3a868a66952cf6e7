package keychain

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"syscall"

	"github.com/zalando/go-keyring"

	"github.com/keywright/keywright/keystore"
	"github.com/keywright/keywright/secret"
)

// fault is an error of which is known what trouble it is. err may be nil.
type fault struct {
	trouble keystore.Trouble
	err     error
}

func (f *fault) Error() string {
	if f.err == nil {
		return f.trouble.String()
	}
	return f.err.Error()
}

func (f *fault) Unwrap() error { return f.err }

// report makes an error one that keystore.Items may return.
func report(verb, name string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, keystore.ErrNoItem):
		return fmt.Errorf("%s item %s: %w", verb, name, keystore.ErrNoItem)
	}
	trouble, err := diagnose(err)
	return &keystore.BackendError{Backend: Name, Doing: verb + " item " + name, Trouble: trouble, Err: err}
}

// refusal is report for a name that may not be printed as it is, or a value that no
// backend takes.
func refusal(verb, name string, err error) error {
	trouble := keystore.Failed
	if errors.Is(err, keystore.ErrTooLarge) {
		trouble = keystore.Full
	}
	return &keystore.BackendError{Backend: Name, Doing: fmt.Sprintf("%s item %.*q", verb, keystore.MaxItemName, name), Trouble: trouble, Err: err}
}

// diagnose says what trouble an error is, and what is left to say about it.
func diagnose(err error) (keystore.Trouble, error) {
	var known *fault
	var exit *exec.ExitError
	switch {
	case errors.As(err, &known):
		if known.err == nil || err == error(known) {
			return known.trouble, known.err
		}
		return known.trouble, err
	case errors.Is(err, context.DeadlineExceeded):
		return keystore.Silent, err
	case errors.Is(err, keyring.ErrUnsupportedPlatform), errors.Is(err, exec.ErrNotFound):
		return keystore.Absent, err
	case errors.Is(err, keyring.ErrSetDataTooBig), errors.Is(err, syscall.ENOSPC):
		return keystore.Full, err
	case errors.As(err, &exit):
		return exitTrouble(exit.ExitCode()), err
	}
	return systemTrouble(err), err
}

// exitTrouble reads the exit code of macOS's security program, the one program that
// the library runs: the low byte of an OSStatus.
func exitTrouble(code int) keystore.Trouble {
	switch code {
	case 36, 29, 51: // errSecInteractionNotAllowed, errSecInteractionRequired, errSecAuthFailed
		return keystore.Locked
	case 128: // userCanceledErr
		return keystore.Dismissed
	case 53, 50, 37: // errSecNotAvailable, errSecNoSuchKeychain, errSecNoDefaultKeychain
		return keystore.Absent
	}
	return keystore.Failed
}

// refused reports whether an error means that nothing was stored, nor will be later.
func refused(err error) bool {
	switch trouble, _ := diagnose(err); trouble {
	case keystore.Absent, keystore.Locked, keystore.Dismissed, keystore.Full:
		return true
	}
	return false
}

var errWithheld = errors.New("its words are withheld: they hold the value")

// withhold replaces an error whose text holds a value: it came from another process.
func withhold(err error, value secret.Value) error {
	const byChance = 4 // so short a value may be anywhere
	if err == nil || value.Len() < byChance || !bytes.Contains([]byte(err.Error()), value.Reveal()) {
		return err
	}
	trouble, _ := diagnose(err)
	return &fault{trouble, errWithheld}
}
