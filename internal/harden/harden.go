// Package harden closes keywright's own memory to other programs of its user, and keeps
// it out of core dumps, as far as the system has means that need no privilege:
//
//   - Linux: the process is made not dumpable (prctl(2), PR_SET_DUMPABLE). No core is
//     written, not to a crash reporter either; nobody but root attaches to it or opens
//     its memory and environment in /proc.
//   - macOS: no core is written; debuggers cannot attach (ptrace(2), PT_DENY_ATTACH).
//   - other Unixes: no core is written.
//   - Windows: nothing. What may open a process there is for its owner to decide, who is
//     the one to be kept out.
//
// It does not keep out code that may ask the keychain itself. The programs that keywright
// starts are as they would be without it.
package harden

// Limits are what was taken from the process, and what a program gets that it starts.
// Those of the zero value are the process's own.
type Limits struct{ limits }

// Process hardens the process. Replaced says that another program may take its place:
// then nothing is done that would stay with that one. The error says what of it could
// not be done; the limits are right all the same.
func Process(replaced bool) (Limits, error) {
	l, err := harden(replaced)
	return Limits{l}, err
}

// Inherit calls start with the limits that the process was given, for a program that it
// starts or that takes its place. Nothing else may be started meanwhile.
func (l Limits) Inherit(start func() error) error { return l.inherit(start) }
