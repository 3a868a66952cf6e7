//go:build !((dragonfly && cgo) || (freebsd && cgo) || linux || netbsd || openbsd)

package keychain

// newWatcher returns a watcher that sees nothing: the library's calls are processes,
// or calls of the system, that say themselves what was the matter.
func newWatcher() watcher {
	return func(bool, chan<- error) (func(bool, error) error, error) {
		return func(_ bool, err error) error { return err }, nil
	}
}
