package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/keywright/keywright/internal/durable"
)

// Project is which keys the programs of a repository need. It says nothing of where keys
// come from, what is done with them, or who gets them: that is the user's alone.
type Project struct {
	Environments []string // at least one
	Keys         []ProjectKey
}

// ProjectKey is a key that is needed. Whether its names are ones that keys can have is
// not checked here.
type ProjectKey struct {
	Name         string            // without an environment
	Environments []string          // where it is needed
	Variables    map[string]string // that its parts go into, by the names of the parts
	MaxAge       int               // in days; 0 if it may have any
	Owner        string
}

type project struct {
	Environments []string     `toml:"environments"`
	Key          []projectKey `toml:"key"`
}

type projectKey struct {
	Name         string            `toml:"name"`
	Environments []string          `toml:"environments"`
	Variables    map[string]string `toml:"variables"`
	MaxAge       days              `toml:"max_age"`
	Owner        owner             `toml:"owner"`
}

func (p *project) project() (*Project, *Error) {
	if p == nil {
		return nil, nil
	}
	if len(p.Environments) == 0 {
		return nil, &Error{Problem: "[project] has no environments", Advice: `for example: environments = ["dev", "prod"]`}
	}
	if twice, ok := repeated(p.Environments); ok {
		return nil, &Error{Problem: fmt.Sprintf("[project]: the environment %q stands there twice", twice)}
	}
	out := &Project{Environments: p.Environments}
	for i, k := range p.Key {
		where := fmt.Sprintf("[[project.key]] number %d", i+1)
		if k.Name == "" {
			return nil, &Error{Problem: where + " has no name", Advice: `for example: name = "DB"`}
		}
		if slices.ContainsFunc(out.Keys, func(o ProjectKey) bool { return o.Name == k.Name }) {
			return nil, &Error{Problem: fmt.Sprintf("%s: %q stands there already", where, k.Name)}
		}
		environments := k.Environments
		if environments == nil {
			environments = p.Environments
		}
		if twice, ok := repeated(environments); ok {
			return nil, &Error{Problem: fmt.Sprintf("%s: the environment %q stands there twice", where, twice)}
		}
		for _, e := range environments {
			if !slices.Contains(p.Environments, e) {
				return nil, &Error{Problem: fmt.Sprintf("%s: %q is none of the project's environments", where, e), Advice: "they are " + strings.Join(p.Environments, ", ")}
			}
		}
		out.Keys = append(out.Keys, ProjectKey{k.Name, environments, k.Variables, k.MaxAge.n, k.Owner.text})
	}
	return out, nil
}

// repeated is the first of some names that is there twice, if one is.
func repeated(names []string) (name string, ok bool) {
	for i, name := range names {
		if slices.Contains(names[:i], name) {
			return name, true
		}
	}
	return "", false
}

type days struct{ n int }

func (d *days) UnmarshalText(text []byte) error {
	const most = 100_000
	digits, ok := strings.CutSuffix(string(text), "d")
	n, err := strconv.Atoi(digits)
	if !ok || err != nil || n < 1 || n > most || digits[0] == '+' {
		return errors.New(`max_age is a number of days: "90d"`)
	}
	d.n = n
	return nil
}

type owner struct{ text string }

func (o *owner) UnmarshalText(text []byte) error {
	const most = 200
	if len(text) > most {
		return fmt.Errorf("owner has more than %d bytes", most)
	}
	o.text = string(text)
	return nil
}

// isTheUsers reports whether a key of the file would define what only a user may.
func isTheUsers(key string) bool {
	return slices.Contains([]string{
		"consumer", "consumers", "command", "commands", "exec", "run", "hook", "hooks",
		"provider", "providers", "endpoint", "endpoints", "address", "addresses", "url",
		"admin", "admin_key", "admin_keys", "admin-key", "admin-keys",
	}, strings.ToLower(key))
}

// Find returns the path of the .keywright.toml of a directory, or of the nearest one
// above it that has one, but not above the root of a Git repository. It is empty if there
// is none.
func Find(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err == nil {
		dir, err = filepath.EvalSymlinks(dir)
	}
	if err != nil {
		return "", fmt.Errorf("look for %s: %w", FileName, err)
	}
	for {
		path := filepath.Join(dir, FileName)
		if _, err := os.Lstat(path); err == nil {
			return path, nil
		} else if !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("look for %s: %w", FileName, err)
		}
		_, err := os.Lstat(filepath.Join(dir, ".git"))
		up := filepath.Dir(dir)
		if err == nil || up == dir {
			return "", nil
		}
		dir = up
	}
}

// maxFile bounds a .keywright.toml that somebody else may have written.
const maxFile = 1 << 20

// LoadWithContent reads the file with this path, and returns what it read.
func LoadWithContent(path string) (*Config, []byte, error) {
	f, err := durable.OpenFile(path)
	if err != nil {
		return nil, nil, fmt.Errorf("read the configuration: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	switch {
	case err != nil:
		return nil, nil, fmt.Errorf("read the configuration: %w", err)
	case len(data) > maxFile:
		return nil, nil, &Error{File: path, Problem: "it has more than 1 MiB"}
	}
	c, err := Parse(path, data)
	return c, data, err
}
