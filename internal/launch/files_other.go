//go:build !unix

package launch

import (
	"errors"
	"fmt"

	"github.com/keywright/keywright/secret"
)

// deliver cannot do anything: what a child opens by its path is on a disk here.
func deliver(files map[string]secret.Value) (delivery, error) {
	for name := range files {
		return delivery{}, fmt.Errorf("deliver %s as a file: %w on this system", name, errors.ErrUnsupported)
	}
	return delivery{}, nil
}
