//go:build !windows && !((dragonfly && cgo) || (freebsd && cgo) || linux || netbsd || openbsd)

package keychain

import "github.com/keywright/keywright/keystore"

func systemTrouble(error) keystore.Trouble { return keystore.Failed }
