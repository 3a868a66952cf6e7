package gitrepo

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
)

// gitConfig maps "section.subsection.key" to every value given for it, in
// order. Section and key are in lower case. A key without "=" has the value
// "true".
//
// The parser is written here because the one that go-git uses refuses files that
// Git accepts (a key on the section's line), and reading a user's configuration
// must not fail where Git's does not.
type gitConfig map[string][]string

// last returns the value that counts.
func (c gitConfig) last(key string) (string, bool) {
	v := c[key]
	if len(v) == 0 {
		return "", false
	}
	return v[len(v)-1], true
}

// boolean reads a switch as Git does; def is for absent and unreadable ones.
func (c gitConfig) boolean(key string, def bool) bool {
	v, ok := c.last(key)
	if !ok {
		return def
	}
	switch strings.ToLower(v) {
	case "true", "yes", "on":
		return true
	case "false", "no", "off", "":
		return false
	}
	if n, err := strconv.ParseInt(v, 0, 64); err == nil {
		return n != 0
	}
	return def
}

// parseConfig adds the entries of a configuration file to c. The syntax is that
// of git-config(1).
func (c gitConfig) parse(data []byte) error {
	p := configParser{text: strings.ReplaceAll(strings.TrimPrefix(string(data), "\ufeff"), "\r\n", "\n")}
	for {
		p.skipBlank()
		switch b := p.peek(); {
		case b == 0 && p.done():
			return nil
		case b == '[':
			if !p.section() {
				return p.errorf("section header")
			}
		case isAlpha(b):
			key, value, ok := p.variable()
			if !ok {
				return p.errorf("value")
			}
			if p.prefix == "" {
				return p.errorf("key outside a section")
			}
			name := p.prefix + key
			c[name] = append(c[name], value)
		default:
			return p.errorf("line")
		}
	}
}

type configParser struct {
	text   string
	pos    int
	prefix string // "section." or "section.subsection."
}

func (p *configParser) done() bool { return p.pos >= len(p.text) }

func (p *configParser) peek() byte {
	if p.done() {
		return 0
	}
	return p.text[p.pos]
}

func (p *configParser) errorf(what string) error {
	return fmt.Errorf("line %d: malformed %s", 1+strings.Count(p.text[:p.pos], "\n"), what)
}

// skipBlank passes white space and comments.
func (p *configParser) skipBlank() {
	for !p.done() {
		switch b := p.peek(); {
		case b == '#' || b == ';':
			p.skipLine()
		case b == ' ' || '\t' <= b && b <= '\r':
			p.pos++
		default:
			return
		}
	}
}

func (p *configParser) skipLine() {
	for !p.done() && p.peek() != '\n' {
		p.pos++
	}
}

func (p *configParser) skipSpaces() {
	for p.peek() == ' ' || p.peek() == '\t' {
		p.pos++
	}
}

// section reads [name], [name.sub] or [name "sub"].
func (p *configParser) section() bool {
	p.pos++
	start := p.pos
	for b := p.peek(); isAlpha(b) || isDigit(b) || b == '-' || b == '.'; b = p.peek() {
		p.pos++
	}
	name := strings.ToLower(p.text[start:p.pos])
	if name == "" {
		return false
	}
	p.prefix = name + "."
	if p.peek() == ']' {
		p.pos++
		return true
	}
	if p.peek() != ' ' && p.peek() != '\t' {
		return false
	}
	p.skipSpaces()
	sub, ok := p.quoted()
	if !ok || p.peek() != ']' {
		return false
	}
	p.pos++
	p.prefix = name + "." + sub + "."
	return true
}

// quoted reads a subsection's name. A backslash takes the next byte as it is.
func (p *configParser) quoted() (string, bool) {
	if p.peek() != '"' {
		return "", false
	}
	var b strings.Builder
	for p.pos++; !p.done(); p.pos++ {
		switch p.text[p.pos] {
		case '"':
			p.pos++
			return b.String(), true
		case '\n':
			return "", false
		case '\\':
			if p.pos++; p.done() || p.text[p.pos] == '\n' {
				return "", false
			}
		}
		b.WriteByte(p.text[p.pos])
	}
	return "", false
}

// variable reads "key", "key = value".
func (p *configParser) variable() (key, value string, ok bool) {
	start := p.pos
	for b := p.peek(); isAlpha(b) || isDigit(b) || b == '-'; b = p.peek() {
		p.pos++
	}
	key = strings.ToLower(p.text[start:p.pos])
	p.skipSpaces()
	if p.done() || p.peek() == '\n' {
		return key, "true", true
	}
	if p.peek() != '=' {
		return "", "", false
	}
	p.pos++
	value, ok = p.value()
	return key, value, ok
}

// value reads up to the end of the line: quotes, escapes, continuations, comments.
func (p *configParser) value() (string, bool) {
	var b strings.Builder
	inQuotes, spaces := false, 0
	for ; !p.done(); p.pos++ {
		c := p.text[p.pos]
		if !inQuotes {
			if c == '\n' {
				break
			}
			if c == '#' || c == ';' {
				p.skipLine()
				break
			}
			if c == ' ' || '\t' <= c && c <= '\r' {
				if b.Len() > 0 {
					spaces++
				}
				continue
			}
		}
		if c == '\n' {
			return "", false
		}
		for ; spaces > 0; spaces-- {
			b.WriteByte(' ')
		}
		switch c {
		case '"':
			inQuotes = !inQuotes
			continue
		case '\\':
			if p.pos++; p.done() {
				return "", false
			}
			i := strings.IndexByte("ntb\\\"\n", p.text[p.pos])
			if i < 0 {
				return "", false
			}
			if c = "\n\t\b\\\"\n"[i]; i == 5 {
				continue
			}
		}
		b.WriteByte(c)
	}
	return b.String(), !inQuotes
}

func isAlpha(b byte) bool { return 'a' <= b|0x20 && b|0x20 <= 'z' }
func isDigit(b byte) bool { return '0' <= b && b <= '9' }

// readConfig adds a file's entries to c; a file that does not exist has none.
func (c gitConfig) readConfig(path string) error {
	data, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read git configuration: %w", err)
	}
	if err := c.parse(data); err != nil {
		return &ConfigError{path, err}
	}
	return nil
}

// ConfigError says that a configuration file of Git's is not one: Git would not work
// there either.
type ConfigError struct {
	Path string
	Err  error
}

func (e *ConfigError) Error() string {
	return fmt.Sprintf("read git configuration %s: %v", e.Path, e.Err)
}
func (e *ConfigError) Unwrap() error { return e.Err }

// maxIncludes bounds nested include.path, as Git does.
const maxIncludes = 10

// readWithIncludes is readConfig with include.path and includeIf.gitdir
// followed. Included files are read after the including one, not at the very
// place: that differs only where one key is set on both sides of an include.
func (c gitConfig) readWithIncludes(path, gitDir string, depth int) error {
	own := gitConfig{}
	if err := own.readConfig(path); err != nil {
		return err
	}
	for key, values := range own {
		c[key] = append(c[key], values...)
	}
	if depth >= maxIncludes {
		return nil
	}
	for _, file := range own.includes(filepath.Dir(path), gitDir) {
		if err := c.readWithIncludes(file, gitDir, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// includes lists the files that apply, relative ones resolved against dir.
func (c gitConfig) includes(dir, gitDir string) []string {
	files := append([]string(nil), c["include.path"]...)
	for key, values := range c {
		cond, ok := strings.CutPrefix(key, "includeif.")
		if cond, ok = cutSuffix(cond, ".path", ok); ok && includeApplies(cond, dir, gitDir) {
			files = append(files, values...)
		}
	}
	for i, f := range files {
		if f = expandHome(f); !filepath.IsAbs(f) {
			f = filepath.Join(dir, f)
		}
		files[i] = f
	}
	return files
}

func cutSuffix(s, suffix string, ok bool) (string, bool) {
	if !ok {
		return "", false
	}
	return strings.CutSuffix(s, suffix)
}

// includeApplies judges gitdir and gitdir/i conditions; other kinds never apply.
func includeApplies(cond, dir, gitDir string) bool {
	kind, pattern, _ := strings.Cut(cond, ":")
	if kind != "gitdir" && kind != "gitdir/i" {
		return false
	}
	pattern = filepath.ToSlash(expandHome(pattern))
	switch {
	case strings.HasPrefix(pattern, "./"):
		pattern = filepath.ToSlash(dir) + pattern[1:]
	case !strings.HasPrefix(pattern, "/") && filepath.VolumeName(pattern) == "":
		pattern = "**/" + pattern
	}
	if strings.HasSuffix(pattern, "/") {
		pattern += "**"
	}
	return wildmatch(pattern, filepath.ToSlash(gitDir), true, kind == "gitdir/i")
}

// expandHome replaces a leading "~/" with the user's home directory.
func expandHome(path string) string {
	if rest, ok := strings.CutPrefix(path, "~/"); ok {
		if home, err := os.UserHomeDir(); err == nil {
			return filepath.Join(home, rest)
		}
	}
	return path
}

// userConfig reads the system's and the user's configuration. A file that
// cannot be read or parsed is left out: nothing that decides what must be
// scanned depends on these files.
func userConfig(gitDir string) gitConfig {
	c := gitConfig{}
	for _, path := range userConfigFiles() {
		_ = c.readWithIncludes(path, gitDir, 0) // see above
	}
	return c
}

func userConfigFiles() []string {
	var files []string
	if v := (gitConfig{"x.x": {os.Getenv("GIT_CONFIG_NOSYSTEM")}}); !v.boolean("x.x", true) {
		if f := os.Getenv("GIT_CONFIG_SYSTEM"); f != "" {
			files = append(files, f)
		} else if runtime.GOOS != "windows" {
			files = append(files, "/etc/gitconfig")
		}
	}
	if f, ok := os.LookupEnv("GIT_CONFIG_GLOBAL"); ok {
		return append(files, f)
	}
	if dir := xdgConfigHome(); dir != "" {
		files = append(files, filepath.Join(dir, "git", "config"))
	}
	if home, err := os.UserHomeDir(); err == nil {
		files = append(files, filepath.Join(home, ".gitconfig"))
	}
	return files
}

// xdgConfigHome is where Git looks for git/config and git/ignore; "" if nowhere.
func xdgConfigHome() string {
	if dir := os.Getenv("XDG_CONFIG_HOME"); dir != "" {
		return dir
	}
	if home, err := os.UserHomeDir(); err == nil {
		return filepath.Join(home, ".config")
	}
	return ""
}
