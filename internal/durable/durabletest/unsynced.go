package durabletest

import "github.com/keywright/keywright/internal/durable"

// Unsynced is the machine's own disk without waiting for it, for tests that are not
// about what lasts.
type Unsynced struct{ durable.Machine }

// CreateTemp implements durable.System.
func (u Unsynced) CreateTemp(dir, pattern string) (durable.Handle, error) {
	h, err := u.Machine.CreateTemp(dir, pattern)
	return unsynced{h}, err
}

// Edit implements durable.System.
func (u Unsynced) Edit(path string) (durable.Handle, error) {
	h, err := u.Machine.Edit(path)
	return unsynced{h}, err
}

// SyncDir implements durable.System.
func (Unsynced) SyncDir(string) error { return nil }

type unsynced struct{ durable.Handle }

func (unsynced) Sync() error { return nil }
