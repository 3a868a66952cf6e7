package cmd

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/keywright/keywright/internal/edit"
	"github.com/keywright/keywright/keystore"
	"github.com/keywright/keywright/secret"
)

// reference is a variable whose value is in the keys.
type reference struct {
	variable string
	ref      keystore.Ref
	where    string // "the environment", ".env:3"
}

func (r reference) String() string {
	return r.where + ": " + r.variable + " refers to " + r.ref.String()
}

// surroundings are the variables that a program is to get beside its keys.
type surroundings struct {
	inherited []variable
	files     []variable // which go before those; of two of one name the last holds
	refs      map[string]reference
}

// variable is one that is no reference.
type variable struct {
	name  string
	value secret.Value
}

// without are the variables as NAME=value, without those inherited ones whose names are
// others'.
func (s surroundings) without(others map[string]bool) (env []secret.Value) {
	for _, v := range slices.Concat(slices.DeleteFunc(slices.Clone(s.inherited), func(v variable) bool { return others[v.name] || isWindows && others[strings.ToUpper(v.name)] }), s.files) {
		env = append(env, secret.New(append([]byte(v.name+"="), v.value.Reveal()...)))
	}
	return env
}

// look sorts the variables of an environment, and of files that come after it.
func look(environ []string, files []*envFile) (surroundings, error) {
	s := surroundings{refs: map[string]reference{}}
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		if isOurs(name) {
			continue
		}
		if err := s.add(&s.inherited, variable{name, secret.New([]byte(value))}, "the environment"); err != nil {
			return s, err
		}
	}
	for _, f := range files {
		for _, v := range f.variables {
			where := fmt.Sprintf("%s:%d", f.path, v.Line)
			if keystore.HoldsReference(v.Value) && !keystore.IsReference(v.Value) {
				return s, usagef("a reference is the whole value: NAME="+keystore.Scheme+"ENV/NAME#part", "%s: %s has a reference inside of its value", where, v.Name)
			}
			if isOurs(v.Name) {
				continue
			}
			if err := s.add(&s.files, variable{v.Name, v.Value}, where); err != nil {
				return s, err
			}
		}
	}
	return s, nil
}

func (s *surroundings) add(to *[]variable, v variable, where string) error {
	if !keystore.IsReference(v.value) {
		delete(s.refs, v.name)
		*to = append(*to, v)
		return nil
	}
	ref, err := keystore.ParseReference(v.value)
	if err != nil {
		return usageError{fmt.Errorf("%s: %s: %w", where, v.name, err), "a reference is written " + keystore.Scheme + "ENV/NAME, for a part of a key ENV/NAME#part"}
	}
	s.refs[v.name] = reference{v.name, ref, where}
	return nil
}

// sorted are the references in the order of their variables.
func (s surroundings) sorted() (list []reference) {
	for _, name := range slices.Sorted(maps.Keys(s.refs)) {
		list = append(list, s.refs[name])
	}
	return list
}

// envFile is a .env file for a program.
type envFile struct {
	path      string
	content   secret.Value
	variables []edit.Variable
}

// readEnvFile reads a .env file, of which every line must be understood: a program that
// lacks a variable may do anything.
func readEnvFile(path string) (*envFile, error) {
	data, err := readSmall("--env-file", path)
	if err != nil {
		return nil, err
	}
	defer clear(data)
	variables, problems := edit.Dotenv(data)
	if len(problems) > 0 {
		return nil, usagef("'keywright import --help' says what a .env file may hold", "--env-file %s: %s", quote(path), problems[0])
	}
	return &envFile{path, secret.New(data), variables}, nil
}

// checkRefs refuses references that point to what a program is not to get: to another
// environment, or past --only. The refusal goes on record.
func (k *keyring) checkRefs(ctx context.Context, verb, env string, only []string, refs []reference) error {
	for _, r := range refs {
		switch {
		case r.ref.Env != env:
			k.refuse(ctx, request{verb: verb, names: []keystore.Name{r.ref.Name}}, "a reference out of "+env)
			return hintedError{fmt.Errorf("%s, which is not in %s", r, env), "a program gets the keys of one environment: for those of " + r.ref.Env + ", --env " + r.ref.Env}
		case len(only) > 0 && !slices.Contains(only, r.ref.Key):
			k.refuse(ctx, request{verb: verb, names: []keystore.Name{r.ref.Name}}, "left out by --only")
			return hintedError{fmt.Errorf("%s, which --only leaves out", r), "add " + r.ref.Key + " to --only, or take the reference out"}
		}
	}
	return nil
}

// resolve is the value that a reference refers to.
func (r reference) resolve(opened []keystore.Opened) (value secret.Value, err error) {
	i := slices.IndexFunc(opened, func(o keystore.Opened) bool { return o.Key.Name == r.ref.Name })
	if i < 0 {
		return value, hintedError{fmt.Errorf("%s: there is no such key", r), "to store it: keywright set " + r.ref.Name.String()}
	}
	names := opened[i].Key.PartNames()
	part := r.ref.Part
	if part == "" && len(names) == 1 {
		part = names[0]
	}
	value, ok := opened[i].Parts[part]
	switch {
	case ok:
		return value, nil
	case part == "":
		return value, hintedError{fmt.Errorf("%s, which has the parts %s: say which", r, strings.Join(names, ", ")), "for example: " + keystore.Ref{Name: r.ref.Name, Part: names[0]}.Reference()}
	}
	return value, hintedError{fmt.Errorf("%s: there is no such part", r), "its parts are " + strings.Join(names, ", ")}
}
