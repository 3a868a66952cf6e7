package config

import (
	"fmt"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
)

// Globs are patterns of paths to leave out. The syntax is that of doublestar: `*`
// and `?` do not match a slash, `**` as a whole element matches any number of
// elements, `[a-z]` is a class and `{a,b}` a choice; `\` takes the next character
// as it is. Case matters.
//
// A pattern without a slash is matched against every element of a path: `*.lock`,
// `node_modules`. One with a slash is matched against the path from the root:
// `docs/*.md`, `/build`. A pattern that matches a directory leaves out all below
// it. One with a slash at its end matches directories only.
//
// Globs are safe for concurrent use. The zero value matches nothing.
type Globs struct{ globs []glob }

type glob struct {
	pattern  string
	anywhere bool // matched against single elements
	dirsOnly bool
}

// NewGlobs checks patterns. An error is of type *Error.
func NewGlobs(patterns []string) (*Globs, error) {
	out := &Globs{}
	for _, p := range patterns {
		g := glob{pattern: strings.TrimPrefix(p, "./")}
		g.pattern, g.dirsOnly = strings.CutSuffix(g.pattern, "/")
		g.anywhere = !strings.Contains(g.pattern, "/")
		g.pattern = strings.TrimPrefix(g.pattern, "/")
		switch {
		case g.pattern == "":
			return nil, &Error{Problem: fmt.Sprintf("pattern %q is empty", p)}
		case strings.HasPrefix(p, "!"):
			return nil, &Error{
				Problem: fmt.Sprintf("pattern %q cannot take an exclusion back", p),
				Advice:  `exclude less, or write \! for a name that begins so`,
			}
		case !doublestar.ValidatePattern(g.pattern):
			return nil, &Error{Problem: fmt.Sprintf("pattern %q is malformed", p), Advice: "close every [ and {"}
		}
		out.globs = append(out.globs, g)
	}
	return out, nil
}

// Match reports whether the file with this path, slash-separated and relative to
// the root, is left out.
func (g *Globs) Match(path string) bool { return g.match(path, false) }

// MatchDir reports whether the directory with this path is left out, with all that
// is below it.
func (g *Globs) MatchDir(path string) bool { return g.match(path, true) }

func (g *Globs) match(path string, isDir bool) bool {
	if g == nil || len(g.globs) == 0 || path == "" || path == "." {
		return false
	}
	for start := 0; ; {
		end := len(path)
		if i := strings.IndexByte(path[start:], '/'); i >= 0 {
			end = start + i
		}
		for _, one := range g.globs {
			if one.match(path[:end], path[start:end], isDir || end < len(path)) {
				return true
			}
		}
		if end == len(path) {
			return false
		}
		start = end + 1
	}
}

// match asks about one ancestor of a path, or the path itself.
func (g *glob) match(path, element string, isDir bool) bool {
	if g.dirsOnly && !isDir {
		return false
	}
	if g.anywhere {
		path = element
	}
	return doublestar.MatchUnvalidated(g.pattern, path)
}
