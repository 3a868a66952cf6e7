package launch

import (
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"

	"github.com/keywright/keywright/secret"
)

// Environ builds the environment of a child: the entries NAME=value of base, in their
// order, without those that drop says yes to, followed by the secrets, sorted by
// name. Of two entries of base with one name the last holds, and a secret takes the
// place of any. On Windows names that differ only in case are the same. Entries of
// base that have no name are left out: drop could not be asked. A nil drop keeps all.
//
// It returns an error that names, and never shows the value of, a variable that no
// child could receive: a name that is empty or holds "=" or NUL, a value that holds
// NUL, two secrets of the same name. Environ only looks at its arguments; what it
// returns holds the secrets, to be handed to the child at once.
func Environ(base []secret.Value, drop func(name string) bool, secrets map[string]secret.Value) ([]string, error) {
	return environ(base, drop, secrets, runtime.GOOS == "windows")
}

// environ is Environ for systems that do, or do not, distinguish case.
func environ(base []secret.Value, drop func(name string) bool, secrets map[string]secret.Value, fold bool) ([]string, error) {
	same := func(name string) string {
		if fold {
			return strings.ToUpper(name)
		}
		return name
	}
	taken := map[string]bool{} // what comes later and so holds
	names := slices.Sorted(maps.Keys(secrets))
	for _, name := range names {
		if err := checkVariable(name, secrets[name].Reveal()); err != nil {
			return nil, err
		}
		if taken[same(name)] {
			return nil, fmt.Errorf("set %s: two secrets have this name, as the system ignores case", name)
		}
		taken[same(name)] = true
	}

	env := make([]string, 0, len(base)+len(names))
	for _, v := range slices.Backward(base) {
		entry := string(v.Reveal())
		name, value, ok := cutEntry(entry, fold)
		if !ok || taken[same(name)] || drop != nil && drop(name) {
			continue
		}
		if strings.IndexByte(name, 0) >= 0 || strings.IndexByte(value, 0) >= 0 {
			return nil, fmt.Errorf("set %q: it holds a NUL byte, which no environment can", name)
		}
		taken[same(name)] = true
		env = append(env, entry)
	}
	slices.Reverse(env)
	for _, name := range names {
		env = append(env, name+"="+string(secrets[name].Reveal()))
	}
	return env, nil
}

// cutEntry splits NAME=value. Windows keeps the directory of each drive in variables
// such as "=C:", which have to be handed on.
func cutEntry(entry string, windows bool) (name, value string, ok bool) {
	from := 0
	if windows && strings.HasPrefix(entry, "=") {
		from = 1
	}
	i := strings.IndexByte(entry[from:], '=')
	if i < 0 || from+i == 0 {
		return "", "", false
	}
	return entry[:from+i], entry[from+i+1:], true
}

// ErrNUL says that a value cannot be that of a variable.
var ErrNUL = errors.New("its value holds a NUL byte, which no environment can")

// checkVariable reports what keeps a variable out of any environment.
func checkVariable(name string, value []byte) error {
	switch {
	case name == "":
		return errors.New("set a variable: its name is empty")
	case strings.ContainsAny(name, "=\x00"):
		return fmt.Errorf(`set %q: the name of a variable cannot hold "=" or NUL`, name)
	case slices.Contains(value, 0):
		return fmt.Errorf("set %s: %w", name, ErrNUL)
	}
	return nil
}
