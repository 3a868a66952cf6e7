// Package edit reads files that people keep keys in, says where in them each value
// stands, and puts others in their places without touching anything else.
package edit

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/keywright/keywright/secret"
)

// The formats that Read knows.
const (
	FormatDotenv    = "dotenv"
	FormatJSON      = "json" // comments and commas behind the last element are allowed
	FormatYAML      = "yaml"
	FormatFreqtrade = "freqtrade" // JSON, of which only known secrets are read
)

// ReadFormats are those that Read knows.
func ReadFormats() []string {
	return []string{FormatDotenv, FormatJSON, FormatYAML, FormatFreqtrade}
}

const byteOrderMark = "\xEF\xBB\xBF"

// Variable is a value that has a name in a file: what a line of a .env file assigns, a
// text or a number of JSON or YAML.
type Variable struct {
	Name  string // in JSON and YAML the path to it, joined by dots; elements of lists count from 0
	Value secret.Value
	Line  int // where it begins, from 1
	place place
}

// place is where in a file a value stands, and what has to stand around another one.
type place struct {
	start, end  int
	left, right string
	bare        bool // without quotes, in a .env file
	quote       byte // that stands before and behind it, 0 if none does
}

// whole is where the value stands with its quotes.
func (p place) whole() (start, end int) {
	if p.quote == 0 {
		return p.start, p.end
	}
	return p.start - 1, p.end + 1
}

// Problem is a value, or a line, that could not be taken. It shows nothing of it but,
// perhaps, its name.
type Problem struct {
	Line int
	Name string // may be empty
	Why  string
}

func (p Problem) String() string {
	if p.Name == "" {
		return fmt.Sprintf("line %d: %s", p.Line, p.Why)
	}
	return fmt.Sprintf("line %d: %s: %s", p.Line, p.Name, p.Why)
}

// SyntaxError says that a file is not of its format at all. It shows nothing of it.
type SyntaxError struct {
	Format string
	Line   int // 0 if unknown
	Why    string
}

func (e *SyntaxError) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("it is not %s: %s", e.Format, e.Why)
	}
	return fmt.Sprintf("line %d: it is not %s: %s", e.Line, e.Format, e.Why)
}

// File is a file that was read: its values, in their order, each name once, and what
// could not be taken.
type File struct {
	Variables []Variable
	Problems  []Problem

	format string
	data   secret.Value
}

// Guess is the format of a file by its name, and, of JSON, by its content.
func Guess(path string, data []byte) string {
	switch strings.ToLower(filepath.Ext(path)) {
	case ".json", ".jsonc":
		if isFreqtrade(data) {
			return FormatFreqtrade
		}
		return FormatJSON
	case ".yaml", ".yml":
		return FormatYAML
	}
	return FormatDotenv
}

// Read reads the content of a file. What it does not understand of a .env file is a
// problem; JSON and YAML that do not parse are a *SyntaxError.
func Read(format string, data []byte) (*File, error) {
	f := &File{format: format, data: secret.New(data)}
	var err error
	switch format {
	case FormatDotenv:
		f.Variables, f.Problems = Dotenv(data)
	case FormatJSON:
		f.Variables, f.Problems, err = readJSON(data)
	case FormatFreqtrade:
		f.Variables, f.Problems, err = readFreqtrade(data)
	case FormatYAML:
		f.Variables, f.Problems, err = readYAML(data)
	default:
		err = fmt.Errorf("unknown format %q", format)
	}
	if err != nil {
		return nil, err
	}
	return f, nil
}

// Wipe overwrites the values, and the content.
func (f *File) Wipe() {
	f.data.Wipe()
	for _, v := range f.Variables {
		v.Value.Wipe()
	}
}

// ErrMeaning says that a text cannot stand where it should without changing what the
// rest of the file means.
var ErrMeaning = errors.New("what is written there would change the meaning of the file")

// Rewrite is the content of the file with other texts in place of the values of some
// variables, and every other byte as it was. Texts are of letters, digits and
// "-._/:#", and begin with a letter, so that no format has to quote them. That what
// comes out is read as it should be is checked: the error matches ErrMeaning if not.
func (f *File) Rewrite(texts map[string]string) ([]byte, error) {
	old := f.data.Reveal()
	var out []byte
	at := 0
	for _, v := range f.Variables {
		text, ok := texts[v.Name]
		if !ok {
			continue
		}
		if v.place.bare && strings.Contains(text, "#") {
			text = `"` + text + `"` // some loaders take it for a comment
		}
		out = slices.Concat(out, old[at:v.place.start], []byte(v.place.left+text+v.place.right))
		at = v.place.end
	}
	out = append(out, old[at:]...)
	values := map[string]secret.Value{}
	for name, text := range texts {
		values[name] = secret.New([]byte(text))
	}
	if err := f.check(out, values); err != nil {
		clear(out)
		return nil, err
	}
	return out, nil
}

// check reads what was written, and compares it with what it is meant to be: values in
// place of those of some variables.
func (f *File) check(data []byte, values map[string]secret.Value) error {
	again, err := Read(f.format, data)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrMeaning, err)
	}
	defer again.Wipe()
	key := []byte(rand.Text())
	same := func(a, b Variable) bool {
		want := a.Value
		if v, ok := values[a.Name]; ok {
			want = v
		}
		return a.Name == b.Name && want.Digest(key) == b.Value.Digest(key)
	}
	alike := func(a, b Problem) bool { return a.Name == b.Name && withoutDigits(a.Why) == withoutDigits(b.Why) }
	if !slices.EqualFunc(f.Variables, again.Variables, same) || !slices.EqualFunc(f.Problems, again.Problems, alike) {
		return ErrMeaning
	}
	return nil
}

// withoutDigits takes the numbers of lines out of a text: a value of several lines may
// become one of one.
func withoutDigits(s string) string {
	return strings.Map(func(r rune) rune {
		if '0' <= r && r <= '9' {
			return -1
		}
		return r
	}, s)
}

// collector gathers the values of JSON or YAML.
type collector struct {
	variables []Variable
	problems  []Problem
	seen      map[string]int
}

// take adds a value, unless there is one of its name.
func (c *collector) take(v Variable) {
	if first, again := c.seen[v.Name]; again {
		c.problem(v.Line, v.Name, fmt.Sprintf("line %d sets it already", first))
		return
	}
	if bytes.IndexByte(v.Value.Reveal(), 0) >= 0 {
		c.problem(v.Line, v.Name, "its value holds a NUL, which no variable can")
		return
	}
	c.seen[v.Name] = v.Line
	c.variables = append(c.variables, v)
}

func (c *collector) problem(line int, name, why string) {
	c.problems = append(c.problems, Problem{line, name, why})
}

// maxPath bounds the names of what is taken, so that what nests deeply costs little.
const maxPath = 4096

// deep reports whether a path is too long, and notes that.
func (c *collector) deep(line int, path string) bool {
	if len(path) <= maxPath {
		return false
	}
	c.problem(line, "", "the path to what is there is too long")
	return true
}

// join is the name of something below a path.
func join(path, element string) string {
	if path == "" {
		return element
	}
	return path + "." + element
}
