package gitrepo

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
)

// ignorePattern is one line of a file in gitignore(5) syntax.
type ignorePattern struct {
	text     string // without "!", leading and trailing slash
	literal  bool   // no wildcard in it
	suffix   string // what follows the star of "*.ext", if it has that shape
	negated  bool
	dirOnly  bool
	baseOnly bool // no slash inside: matched against the last component
}

// ignoreFile is the patterns of one file, and the directory that they are
// relative to: "" or ending in a slash.
type ignoreFile struct {
	base     string
	patterns []ignorePattern
}

func parseIgnore(data []byte, base string) *ignoreFile {
	f := &ignoreFile{base: base}
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	for len(data) > 0 {
		var line []byte
		line, data = cutLine(data)
		if p, ok := parseIgnoreLine(string(bytes.TrimSuffix(line, []byte("\r")))); ok {
			f.patterns = append(f.patterns, p)
		}
	}
	return f
}

func parseIgnoreLine(line string) (ignorePattern, bool) {
	if strings.HasPrefix(line, "#") {
		return ignorePattern{}, false
	}
	p := ignorePattern{text: trimTrailingSpaces(line)}
	p.text, p.negated = strings.CutPrefix(p.text, "!")
	p.text, p.dirOnly = strings.CutSuffix(p.text, "/")
	if p.text == "" {
		return ignorePattern{}, false
	}
	p.baseOnly = !strings.Contains(p.text, "/")
	p.text = strings.TrimPrefix(p.text, "/")
	p.literal = !strings.ContainsAny(p.text, `*?[\`)
	if p.baseOnly && len(p.text) > 1 && p.text[0] == '*' && !strings.ContainsAny(p.text[1:], `*?[\`) {
		p.suffix = p.text[1:]
	}
	return p, true
}

// trimTrailingSpaces drops spaces at the end that no backslash precedes.
func trimTrailingSpaces(s string) string {
	end := len(s)
	for end > 0 && s[end-1] == ' ' {
		end--
	}
	slashes := 0
	for end-slashes > 0 && s[end-slashes-1] == '\\' {
		slashes++
	}
	if slashes%2 == 1 && end < len(s) {
		end++
	}
	return s[:end]
}

// match judges a path below the file's base.
func (p *ignorePattern) match(path, name string, dir, fold bool) bool {
	if p.dirOnly && !dir {
		return false
	}
	if p.baseOnly {
		switch {
		case p.literal:
			return equalFold(p.text, name, fold)
		case p.suffix != "":
			return len(name) >= len(p.suffix) && equalFold(p.suffix, name[len(name)-len(p.suffix):], fold)
		}
		return wildmatch(p.text, name, false, fold)
	}
	if p.literal {
		return equalFold(p.text, path, fold)
	}
	return wildmatch(p.text, path, true, fold)
}

func equalFold(a, b string, fold bool) bool {
	if fold {
		return len(a) == len(b) && strings.EqualFold(a, b)
	}
	return a == b
}

// ignores holds the files that apply to one directory, the strongest last.
type ignores struct {
	files []*ignoreFile
	fold  bool // core.ignoreCase
}

// with adds a directory's own file.
func (g ignores) with(f *ignoreFile) ignores {
	return ignores{append(g.files[:len(g.files):len(g.files)], f), g.fold}
}

// ignored judges a path of the work tree whose parent directory is not ignored.
// The last pattern of the strongest file that has one decides.
func (g ignores) ignored(path string, dir bool) bool {
	name := path[strings.LastIndexByte(path, '/')+1:]
	for i := len(g.files) - 1; i >= 0; i-- {
		f := g.files[i]
		below := path[len(f.base):]
		for j := len(f.patterns) - 1; j >= 0; j-- {
			if p := &f.patterns[j]; p.match(below, name, dir, g.fold) {
				return !p.negated
			}
		}
	}
	return false
}

// rootIgnores reads what applies to the whole work tree: core.excludesFile, by
// default the user's git/ignore, then info/exclude. A file that cannot be read
// ignores nothing.
func (r *Repo) rootIgnores() ignores {
	g := ignores{fold: r.config.boolean("core.ignorecase", false)}
	for _, file := range []string{r.excludesFile(), filepath.Join(r.CommonDir, "info", "exclude")} {
		if file == "" {
			continue
		}
		if data, err := os.ReadFile(file); err == nil {
			g.files = append(g.files, parseIgnore(data, ""))
		}
	}
	return g
}

func (r *Repo) excludesFile() string {
	file, ok := r.config.last("core.excludesfile")
	if !ok {
		file, ok = userConfig(r.GitDir).last("core.excludesfile")
	}
	switch {
	case ok && file == "":
		return ""
	case ok:
		return absolute(filepath.FromSlash(expandHome(file)), r.WorkTree)
	}
	if dir := xdgConfigHome(); dir != "" {
		return filepath.Join(dir, "git", "ignore")
	}
	return ""
}
