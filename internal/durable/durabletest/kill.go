package durabletest

import (
	"io/fs"
	"os"
	"sync/atomic"

	"github.com/keywright/keywright/internal/durable"
)

// Killer is a durable.System of the real disk that kills the process, as kill -9 does,
// when it is about to make a change: the one whose number is at, from 1. Of a write,
// half is made.
type Killer struct {
	durable.Machine
	at, n atomic.Int64
}

// NewKiller returns a Killer. It never strikes if at is 0 or less.
func NewKiller(at int64) *Killer {
	k := &Killer{}
	k.at.Store(at)
	return k
}

// Step counts a change, and may not return. What is changed elsewhere can be counted
// with it, too.
func (k *Killer) Step() {
	if k.next() {
		Die()
	}
}

// Count is how many changes there were.
func (k *Killer) Count() int64 { return k.n.Load() }

func (k *Killer) next() bool { return k.n.Add(1) == k.at.Load() }

// Die kills the process at once.
func Die() {
	if p, err := os.FindProcess(os.Getpid()); err == nil {
		_ = p.Kill()
	}
	select {}
}

// CreateTemp implements durable.System.
func (k *Killer) CreateTemp(dir, pattern string) (durable.Handle, error) {
	k.Step()
	h, err := k.Machine.CreateTemp(dir, pattern)
	return killed{h, k}, err
}

// Edit implements durable.System.
func (k *Killer) Edit(path string) (durable.Handle, error) {
	h, err := k.Machine.Edit(path)
	return killed{h, k}, err
}

// Mkdir implements durable.System.
func (k *Killer) Mkdir(path string, perm fs.FileMode) error {
	k.Step()
	return k.Machine.Mkdir(path, perm)
}

// Rename implements durable.System.
func (k *Killer) Rename(from, to string) error {
	k.Step()
	return k.Machine.Rename(from, to)
}

// Remove implements durable.System.
func (k *Killer) Remove(path string) error {
	k.Step()
	return k.Machine.Remove(path)
}

// SyncDir implements durable.System.
func (k *Killer) SyncDir(path string) error {
	k.Step()
	return k.Machine.SyncDir(path)
}

type killed struct {
	durable.Handle
	killer *Killer
}

func (h killed) Write(p []byte) (int, error) {
	if h.killer.next() {
		_, _ = h.Handle.Write(p[:len(p)/2])
		Die()
	}
	return h.Handle.Write(p)
}

func (h killed) WriteAt(p []byte, at int64) (int, error) {
	if h.killer.next() {
		_, _ = h.Handle.WriteAt(p[:len(p)/2], at)
		Die()
	}
	return h.Handle.WriteAt(p, at)
}

func (h killed) Chmod(perm fs.FileMode) error {
	h.killer.Step()
	return h.Handle.Chmod(perm)
}

func (h killed) Truncate(size int64) error {
	h.killer.Step()
	return h.Handle.Truncate(size)
}

func (h killed) Sync() error {
	h.killer.Step()
	return h.Handle.Sync()
}
