package keychain

import (
	"errors"
	"syscall"

	"github.com/keywright/keywright/keystore"
)

// Windows error codes that the package syscall has no names for.
const (
	errorDiskFull           syscall.Errno = 112
	errorCancelled          syscall.Errno = 1223
	errorNoSuchLogonSession syscall.Errno = 1312 // as in a service, or behind ssh
	rpcBadStubData          syscall.Errno = 1783 // the value is too large
)

// systemTrouble says what trouble an error of the Credential Manager is.
func systemTrouble(err error) keystore.Trouble {
	var code syscall.Errno
	if !errors.As(err, &code) {
		return keystore.Failed
	}
	switch code {
	case errorNoSuchLogonSession:
		return keystore.Absent
	case errorCancelled:
		return keystore.Dismissed
	case errorDiskFull, rpcBadStubData:
		return keystore.Full
	}
	return keystore.Failed
}
